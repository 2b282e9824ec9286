namespace Ingot.Testing;

/// <summary>A test vector: a remark, an input and an expectation in one text file, divided by lines of <c>-- NAME --</c>.</summary>
public sealed record VectorFile(string Name, string Remark, IReadOnlyDictionary<string, string> Sections)
{
    /// <summary>The names of the vectors in a directory below <c>tests/vectors</c>, for a theory.</summary>
    public static IEnumerable<string> Names(params string[] directory) =>
        Directory.EnumerateFiles(Repository.Vector(directory), "*.txt")
            .Select(Path.GetFileNameWithoutExtension)
            .Order(StringComparer.Ordinal)!;

    public static VectorFile Read(string name, params string[] directory)
    {
        var sections = new Dictionary<string, string>();
        string section = "";
        foreach (string line in File.ReadAllLines(Repository.Vector([.. directory, name + ".txt"])))
        {
            if (line.StartsWith("-- ", StringComparison.Ordinal) && line.EndsWith(" --", StringComparison.Ordinal))
                section = line[3..^3];
            else
                sections[section] = sections.GetValueOrDefault(section, "") + line + "\n";
        }

        return new VectorFile(name, sections.GetValueOrDefault("", ""), sections);
    }

    public string this[string section] => Sections.TryGetValue(section, out string? text) ? text : "";

    public string[] Lines(string section) => this[section].Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
