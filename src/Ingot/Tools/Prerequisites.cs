namespace Ingot.Tools;

/// <summary>
/// What Ingot needs of its host, from <c>prerequisites.tsv</c>. The launcher reads the same table, so that what it installs and
/// what <c>ingot doctor</c> lists are one thing.
/// </summary>
public static class Prerequisites
{
    private const string Resource = "Ingot.Tools.prerequisites.tsv";

    /// <summary>All of them, in the table's order.</summary>
    public static IReadOnlyList<Prerequisite> All { get; } = Load();

    /// <summary>Those the host lacks. <paramref name="root"/> is where the host's files are.</summary>
    public static IReadOnlyList<Prerequisite> Missing(string root = "/") => [.. All.Where(prerequisite => prerequisite.IsMissing(root))];

    /// <summary>The package that brings <paramref name="program"/>; null when it is not one of those Ingot needs.</summary>
    public static string? PackageOf(string program) => All.FirstOrDefault(prerequisite => prerequisite.Needs == program)?.Package;

    /// <summary>The command that installs <paramref name="missing"/>, for messages: the launcher carries it out.</summary>
    public static Command Install(IEnumerable<Prerequisite> missing) =>
        new("apt-get", ["install", "--no-install-recommends", .. missing.Select(prerequisite => prerequisite.Package)]);

    /// <summary>Reads a table: a heading, then package, need, condition or <c>-</c>, and reason, separated by tabs.</summary>
    public static IReadOnlyList<Prerequisite> Parse(string table) =>
        [.. table.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(ParseLine)];

    private static Prerequisite ParseLine(string line)
    {
        string[] columns = line.Split('\t');
        if (columns.Length != 4 || columns.Any(string.IsNullOrWhiteSpace))
            throw new FormatException(
                $"'{line}' is not a prerequisite: expected package, need, condition or '-', and reason, separated by tabs");
        return new Prerequisite(columns[0], columns[1], columns[2] == "-" ? null : columns[2], columns[3]);
    }

    private static IReadOnlyList<Prerequisite> Load()
    {
        using var stream = typeof(Prerequisites).Assembly.GetManifestResourceStream(Resource)!;
        using var reader = new StreamReader(stream);
        return Parse(reader.ReadToEnd());
    }
}
