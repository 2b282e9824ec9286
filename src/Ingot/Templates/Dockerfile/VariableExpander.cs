using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// Substitutes variables the way Dockerfiles do: <c>$v</c>, <c>${v}</c>, <c>${v:-word}</c>, <c>${v-word}</c>, <c>${v:+word}</c>,
/// <c>${v+word}</c>, <c>${v:?message}</c> and <c>${v?message}</c>, <c>${v#pattern}</c>, <c>##</c>, <c>%</c>, <c>%%</c> and
/// <c>${v/pattern/text}</c>, <c>//</c> with the patterns <c>*</c> and <c>?</c>, nested; single quotes keep text literal, double quotes
/// expand, and the escape character takes the meaning from the next one. A variable without a value is the empty text.
/// </summary>
/// <remarks>
/// A lookup answers null for a variable that is not set. What is substituted is never read again as syntax.
/// On a mistake the diagnostics say where, and the text is returned as it stood.
/// </remarks>
public static class VariableExpander
{
    /// <summary>The longest text an expansion may become, in UTF-16 units: a few doublings of a variable must not exhaust memory.</summary>
    public const int MaximumLength = 1 << 20;

    /// <summary>Expands one word; quotes and escapes are taken away and spaces stay.</summary>
    public static string Expand(string text, Func<string, string?> lookup, SourceSpan span, DiagnosticBag diagnostics, char escape = '\\')
    {
        ShellLexer lexer = new(text, lookup, escape);
        string result = lexer.Process();
        return Report(lexer, text, span, diagnostics) ? text : result;
    }

    /// <summary>Expands one word where it stands.</summary>
    public static string Expand(Word word, Func<string, string?> lookup, DiagnosticBag diagnostics, char escape = '\\') =>
        Expand(word.Text, lookup, word.Span, diagnostics, escape);

    /// <summary>Expands a word that may become several: what is not quoted is split at white space, after the substitution.
    /// EXPOSE is read so.</summary>
    public static IReadOnlyList<string> ExpandWords(Word word, Func<string, string?> lookup, DiagnosticBag diagnostics, char escape = '\\')
    {
        ShellLexer lexer = new(word.Text, lookup, escape);
        lexer.Process();
        return Report(lexer, word.Text, word.Span, diagnostics) ? [word.Text] : lexer.Words;
    }

    /// <summary>Expands the content of a here-document whose delimiter is not quoted: quotes are ordinary characters there, and the escape
    /// is always a backslash.</summary>
    public static string ExpandContent(Heredoc heredoc, Func<string, string?> lookup, DiagnosticBag diagnostics)
    {
        if (!heredoc.Expand)
            return heredoc.Content;

        ShellLexer lexer = new(heredoc.Content, lookup, '\\') { QuotesAreOrdinary = true };
        string result = lexer.Process();
        return Report(lexer, heredoc.Content, heredoc.Span, diagnostics) ? heredoc.Content : result;
    }

    // Whether a text can be expanded at all, whatever the variables are.
    internal static bool Check(Word word, DiagnosticBag diagnostics, char escape, string? cureForQuotes = null)
    {
        ShellLexer lexer = new(word.Text, static _ => null, escape) { OnlyChecks = true };
        lexer.Process();
        return !Report(lexer, word.Text, word.Span, diagnostics, cureForQuotes);
    }

    private static bool Report(ShellLexer lexer, string text, SourceSpan span, DiagnosticBag diagnostics, string? cureForQuotes = null)
    {
        if (lexer.Problem is not { } problem)
            return false;

        // A word that stands in the file as it is can be pointed into; one that lost an escape cannot.
        var exact = span.Length == text.Length
            ? span with { Start = span.Start + problem.Start, Length = Math.Max(problem.Length, span.Length == 0 ? 0 : 1) }
            : span;
        diagnostics.Error(problem.Code, problem.Summary, exact,
            problem.Code == DockerfileCodes.UnmatchedQuote ? cureForQuotes ?? problem.Detail : problem.Detail);
        return true;
    }
}
