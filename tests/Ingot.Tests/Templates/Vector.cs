using Ingot.Testing;

namespace Ingot.Tests.Templates;

/// <summary>
/// A case in one file: what is read, a line of seven equal signs, what must come of it. Control pictures stand for characters that do not
/// show: ␀ ␉ ␍ ␛ themselves, ␠ a blank at the end of a line, ␂ the byte order mark, ␃ at the end of a line that no line break follows it.
/// </summary>
internal sealed record Vector(string Name, string Input, string Expected)
{
    private const string Separator = "=======\n";

    public static TheoryData<string> Names(string area) =>
        [.. Directory.EnumerateFiles(Repository.Vector(area), "*.txt")
            .Select(path => Path.GetFileNameWithoutExtension(path))
            .Order(StringComparer.Ordinal)];

    public static Vector Read(string area, string name)
    {
        string text = File.ReadAllText(Repository.Vector(area, $"{name}.txt"));
        int separator = text.StartsWith(Separator, StringComparison.Ordinal)
            ? 0
            : text.IndexOf("\n" + Separator, StringComparison.Ordinal) + 1;
        return new(name, Decode(text[..separator]), text[(separator + Separator.Length)..]);
    }

    public static IEnumerable<Vector> All(string area) => Names(area).Select(row => Read(area, row.Data));

    /// <summary>With INGOT_UPDATE_VECTORS=1 the file is rewritten, to be reviewed as a change; otherwise the text must be equal.</summary>
    public void Check(string area, string actual)
    {
        if (Environment.GetEnvironmentVariable("INGOT_UPDATE_VECTORS") == "1")
        {
            string path = Repository.Vector(area, $"{Name}.txt");
            string text = File.ReadAllText(path);
            int separator = text.StartsWith(Separator, StringComparison.Ordinal)
                ? 0
                : text.IndexOf("\n" + Separator, StringComparison.Ordinal) + 1;
            File.WriteAllText(path, text[..separator] + Separator + actual);
            return;
        }

        Assert.Equal(Expected, actual);
    }

    /// <summary>A text on one line, as the expectations write it.</summary>
    public static string Quote(string text) => "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal)
        .Replace("\t", "\\t", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal) + "\"";

    private static string Decode(string text) => text.Replace("␃\n", "", StringComparison.Ordinal).Replace('␀', '\0').Replace('␉', '\t')
        .Replace('␍', '\r').Replace('␛', '\u001b').Replace('␠', ' ').Replace('␂', '\uFEFF');
}
