namespace Ingot.Evidence.Tests;

/// <summary>One pattern of a list that a text is held against, line by line: a text some line must contain, <c>/re/</c> some line must
/// match, and with <c>!</c> before it, none.</summary>
public sealed class LinePattern
{
    private readonly string? _text;
    private readonly GoRegex? _regex;

    private LinePattern(string source, bool negated, string? text, GoRegex? regex)
    {
        Source = source;
        IsNegated = negated;
        _text = text;
        _regex = regex;
    }

    /// <summary>The pattern as it was written.</summary>
    public string Source { get; }

    /// <summary>Whether no line may match.</summary>
    public bool IsNegated { get; }

    /// <summary>Whether a line matches, negation aside.</summary>
    public bool Matches(string line) => _regex?.IsMatch(line) ?? line.Contains(_text!, StringComparison.Ordinal);

    /// <summary>Whether the pattern holds for the lines of a text. An empty pattern holds even when there is no line.</summary>
    public bool Holds(IReadOnlyList<string> lines) => lines.Any(Matches) ? !IsNegated : IsNegated || Source.Length == 0;

    /// <summary>Reads a pattern; false with what is wrong when its regular expression is none.</summary>
    public static bool TryParse(string source, out LinePattern? pattern, out string problem)
    {
        pattern = null;
        problem = "";
        bool negated = source.StartsWith('!');
        if (Expression(negated ? source[1..] : source) is not { } expression)
        {
            // '\!' and '\/' are a literal '!' and '/' at the beginning; goss takes any run of these signs away.
            pattern = new LinePattern(source, negated, source.TrimStart('\\', '/', '!'), regex: null);
            return true;
        }

        if (!GoRegex.TryParse(expression, out var regex, out problem))
            return false;

        pattern = new LinePattern(source, negated, text: null, regex);
        return true;
    }

    /// <summary>The lines of a text: without line breaks, and without an empty last one.</summary>
    public static IReadOnlyList<string> Lines(string text)
    {
        if (text.Length == 0)
            return [];

        var lines = text.Split('\n').Select(line => line.EndsWith('\r') ? line[..^1] : line).ToList();
        if (text.EndsWith('\n'))
            lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    // '/re/' and '/re/flags' with the flags i, m and s; null for anything else.
    private static string? Expression(string text)
    {
        int last = text.LastIndexOf('/');
        if (last < 1 || text[0] != '/' || text.AsSpan(last + 1).ContainsAnyExcept("ims"))
            return null;

        string flags = text[(last + 1)..];
        return flags.Length == 0 ? text[1..last] : $"(?{flags}){text[1..last]}";
    }
}
