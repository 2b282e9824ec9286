namespace Ingot.Builds.Normalisation;

/// <summary>What is said of rules: which files they took away, and which they left as they are because something vouches for
/// them.</summary>
internal sealed class RuleNotes
{
    private const int MaxPaths = 5;

    private readonly Dictionary<NormalisationRule, Files> _taken = [];
    private readonly Dictionary<NormalisationRule, Files> _kept = [];

    /// <summary>A line for each rule, in the order of the rules.</summary>
    public IReadOnlyList<string> Lines =>
    [
        .. from rule in NormalisationRule.All
           where _taken.ContainsKey(rule)
           select $"the rule '{rule}' {(rule.Action == RuleAction.Empty ? "emptied" : "left out")} {_taken[rule]}",
        .. from rule in NormalisationRule.All
           where _kept.ContainsKey(rule)
           select $"the rule '{rule}' did not touch what something has a checksum or a signature of: {_kept[rule]}",
    ];

    public void AddTaken(NormalisationRule rule, string path) => Add(_taken, rule, "/" + path);

    public void AddKept(NormalisationRule rule, string path, string voucher) => Add(_kept, rule, $"/{path} (of {voucher})");

    private static void Add(Dictionary<NormalisationRule, Files> files, NormalisationRule rule, string path)
    {
        if (!files.TryGetValue(rule, out var known))
            files[rule] = known = new Files();
        known.Add(path);
    }

    private sealed class Files
    {
        private readonly List<string> _paths = [];
        private int _count;

        public void Add(string path)
        {
            if (_count++ < MaxPaths)
                _paths.Add(path);
        }

        public override string ToString() => string.Join(", ", _paths) + (_count > MaxPaths ? $" and {_count - MaxPaths} more" : "");
    }
}
