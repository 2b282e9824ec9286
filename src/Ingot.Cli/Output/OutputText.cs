using System.Text.RegularExpressions;

namespace Ingot.Cli.Output;

/// <summary>What a program in a build wrote, as lines that people read: without colours, and a line that was written over as several.
/// <see cref="Terminal"/> makes harmless what is left.</summary>
internal static partial class OutputText
{
    /// <summary>The lines that one line of output shows one after the other.</summary>
    public static IReadOnlyList<string> Lines(string line) =>
        line.Contains('\r', StringComparison.Ordinal) ? [.. line.Split('\r').Select(Plain).Where(l => l.Trim().Length > 0)] : [Plain(line)];

    /// <summary>What of a line a terminal would show in the end.</summary>
    public static string Last(string line) => Lines(line) is [.., var last] ? last : "";

    private static string Plain(string line) =>
        line.Contains('\u001b', StringComparison.Ordinal) ? ControlSequence().Replace(line, "") : line;

    // https://ecma-international.org/publications-and-standards/standards/ecma-48: CSI, parameters, a final byte.
    [GeneratedRegex("\u001b\\[[0-?]*[ -/]*[@-~]")]
    private static partial Regex ControlSequence();
}
