namespace Ingot.Templates.Dockerfile;

/// <summary>A word that opens a here-document: <c>[N]&lt;&lt;[-]NAME</c>.</summary>
internal sealed record HeredocWord(string Name, bool Expand, bool StripTabs)
{
    /// <summary>The words of a line that open here-documents, in order.</summary>
    public static List<HeredocWord> FindAll(string line)
    {
        if (!line.Contains("<<", StringComparison.Ordinal))
            return [];

        ShellLexer lexer = new(line, static _ => null, '\\') { KeepQuotes = true, KeepEscapes = true, KeepUnset = true };
        lexer.Process();
        // A shell line with an odd quote is the shell's to complain about.
        return lexer.Problem is null ? [.. lexer.Words.Select(TryParse).OfType<HeredocWord>()] : [];
    }

    /// <summary>Null when <paramref name="word"/> does not open a here-document.</summary>
    public static HeredocWord? TryParse(string word)
    {
        string rest = word.TrimStart(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        if (!rest.StartsWith("<<", StringComparison.Ordinal))
            return null;

        rest = rest[2..];
        bool stripTabs = rest.StartsWith('-');
        rest = (stripTabs ? rest[1..] : rest).TrimStart();
        if (rest.Contains('<', StringComparison.Ordinal) || Words(rest, keepQuotes: false) is not { Count: 1 } plain)
            return null;

        string quoted = Words(rest, keepQuotes: true)![0];
        return new(plain[0], Quotes(plain[0]) == Quotes(quoted), stripTabs);
    }

    /// <summary>Takes the leading tabs of each line away.</summary>
    public static string StripLeadingTabs(string content) =>
        string.Join('\n', content.Split('\n').Select(static line => line.TrimStart('\t')));

    private static IReadOnlyList<string>? Words(string text, bool keepQuotes)
    {
        ShellLexer lexer = new(text, static _ => null, '\\') { KeepQuotes = keepQuotes, KeepUnset = true };
        lexer.Process();
        return lexer.Problem is null ? lexer.Words : null;
    }

    private static int Quotes(string text) => text.Count(static c => c is '\'' or '"');
}
