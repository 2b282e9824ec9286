namespace Ingot.Plans;

/// <summary>What <c>--chmod</c> makes of a mode: a number, or changes as in
/// <see href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/chmod.html">chmod</see>, such as <c>u=rwX,go=rX</c>.</summary>
public sealed class ModeChange
{
    private const int AllBits = 0xFFF;

    private readonly int? _absolute;
    private readonly IReadOnlyList<Change> _changes;

    private ModeChange(string text, int? absolute, IReadOnlyList<Change> changes)
    {
        Text = text;
        _absolute = absolute;
        _changes = changes;
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a mode; null when it is none.</summary>
    public static ModeChange? TryParse(string text)
    {
        if (text.Length is >= 1 and <= 5 && text.All(c => c is >= '0' and <= '7'))
            return Convert.ToInt32(text, 8) is var mode and <= AllBits ? new ModeChange(Convert.ToString(mode, 8), mode, []) : null;

        var changes = new List<Change>();
        foreach (var clause in text.Split(','))
        {
            if (!TryParseClause(clause, changes))
                return null;
        }

        return new ModeChange(text, absolute: null, changes);
    }

    /// <summary>The mode, 12 bits, after the change.</summary>
    public int Apply(int mode, bool isDirectory) =>
        _absolute ?? _changes.Aggregate(mode, (current, change) => change.Apply(current, isDirectory));

    // [ugoa…]([-+=][rwxXst…|ugo])+; no user class means all.
    private static bool TryParseClause(string clause, List<Change> changes)
    {
        int at = 0;
        while (at < clause.Length && clause[at] is 'u' or 'g' or 'o' or 'a')
            at++;
        int who = at == 0 ? Change.All : clause[..at].Aggregate(0, (classes, c) => classes | Change.ClassOf(c));
        if (at == clause.Length)
            return false;

        while (at < clause.Length)
        {
            char action = clause[at];
            if (action is not ('-' or '+' or '='))
                return false;

            int end = at + 1;
            while (end < clause.Length && clause[end] is 'r' or 'w' or 'x' or 'X' or 's' or 't' or 'u' or 'g' or 'o')
                end++;
            changes.Add(new Change(who, action, clause[(at + 1)..end]));
            at = end;
        }

        return true;
    }

    private sealed record Change(int Who, char Action, string Permissions)
    {
        public const int All = 0b111;

        private const int Sticky = 0x200;

        public static int ClassOf(char c) => c switch
        {
            'u' => 0b100,
            'g' => 0b010,
            'o' => 0b001,
            _ => All,
        };

        public int Apply(int mode, bool isDirectory)
        {
            int bits = Permissions.Aggregate(0, (sum, c) => sum | BitsOf(c, mode, isDirectory));
            return Action switch
            {
                '+' => mode | bits,
                '-' => mode & ~bits,
                _ => (mode & ~Mask()) | bits,
            };
        }

        private int Mask() => Spread(0b111) | ((Who & 0b100) << 9) | ((Who & 0b010) << 9) | (Who == All ? Sticky : 0);

        private int BitsOf(char permission, int mode, bool isDirectory) => permission switch
        {
            'r' => Spread(0b100),
            'w' => Spread(0b010),
            'x' => Spread(0b001),
            'X' => isDirectory || (mode & 0b001_001_001) != 0 ? Spread(0b001) : 0,
            's' => ((Who & 0b100) << 9) | ((Who & 0b010) << 9),
            't' => Sticky,
            'u' => Spread((mode >> 6) & 0b111),
            'g' => Spread((mode >> 3) & 0b111),
            _ => Spread(mode & 0b111),
        };

        private int Spread(int three) =>
            ((Who & 0b100) != 0 ? three << 6 : 0) | ((Who & 0b010) != 0 ? three << 3 : 0) | ((Who & 0b001) != 0 ? three : 0);
    }
}
