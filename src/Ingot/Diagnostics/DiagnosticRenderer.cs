using System.Globalization;
using System.Text;

namespace Ingot.Diagnostics;

/// <summary>
/// Diagnostics as plain text for people: where and what, the line of the file with the place underlined, the cure, and a count at the end.
/// </summary>
/// <remarks>
/// What comes from files is shown without control characters, so that a file cannot write to the terminal; lines that are longer than a
/// screen are cut around the place that is meant.
/// </remarks>
public static class DiagnosticRenderer
{
    private const int LongestLine = 120;
    private const int LeftOfPlace = 40;

    /// <summary>The text, with a line break at the end; empty when there are no diagnostics.</summary>
    public static string Render(IReadOnlyCollection<Diagnostic> diagnostics)
    {
        if (diagnostics.Count == 0)
            return "";

        StringBuilder text = new();
        foreach (var diagnostic in diagnostics)
            Append(text, diagnostic);
        return text.Append(Count(diagnostics)).Append('\n').ToString();
    }

    private static void Append(StringBuilder text, Diagnostic diagnostic)
    {
        string where = diagnostic.Span is { } place ? $"{place}: " : "";
        string path = diagnostic.Path is null ? "" : $"{diagnostic.Path}: ";
        text.Append(Visible($"{where}{Word(diagnostic.Severity)}: {path}{diagnostic.Summary}")).Append('\n');

        string gutter = "  ";
        if (diagnostic.Span is { } span)
        {
            string number = span.Line.ToString(CultureInfo.InvariantCulture);
            gutter = new string(' ', number.Length + 3);
            var (line, underline) = Excerpt(span);
            text.Append(CultureInfo.InvariantCulture, $"  {number} | {line}\n{gutter}| {underline}\n");
        }

        if (diagnostic.Detail is not null)
            text.Append(CultureInfo.InvariantCulture, $"{gutter}= {Visible(diagnostic.Detail)}\n");
        text.Append('\n');
    }

    // The part of the line that is shown, and what stands below it.
    private static (string Line, string Underline) Excerpt(SourceSpan span)
    {
        int lineStart = span.Source.LineStart(span.Line);
        int length = span.Source.LineLength(span.Line);
        int start = Math.Min(span.Column - 1, length);
        int end = Math.Clamp(span.Start + span.Length - lineStart, start, length);
        int from = length <= LongestLine ? 0 : Math.Clamp(start - LeftOfPlace, 0, length - LongestLine);
        int to = Math.Min(length, from + LongestLine);
        end = Math.Min(end, to);
        // Never the whole line: there may be thousands of diagnostics in one.
        string shown = span.Source.Text.Substring(lineStart + from, to - from);

        string before = from > 0 ? "…" : "";
        string after = to < length ? "…" : "";
        int carets = Math.Max(1, Width(shown[(start - from)..(end - from)]));
        return ($"{before}{Visible(shown)}{after}", $"{(from > 0 ? " " : "")}{Blank(shown[..(start - from)])}{new string('^', carets)}");
    }

    // As wide as the text above it; a tab stays a tab, because only the terminal knows its width.
    private static string Blank(string text) =>
        string.Concat(text.EnumerateRunes().Select(rune => rune.Value == '\t' ? "\t" : new string(' ', Width(rune))));

    private static int Width(string text) => text.EnumerateRunes().Sum(Width);

    // https://www.unicode.org/reports/tr11/: what terminals draw over two columns, and what they draw over the character before.
    private static int Width(Rune rune) => rune.Value switch
    {
        _ when Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark => 0,
        >= 0x1100 and <= 0x115F or >= 0x2E80 and <= 0xA4CF or >= 0xAC00 and <= 0xD7A3 or >= 0xF900 and <= 0xFAFF => 2,
        >= 0xFE30 and <= 0xFE6F or >= 0xFF00 and <= 0xFF60 or >= 0xFFE0 and <= 0xFFE6 => 2,
        >= 0x1F300 and <= 0x1FAFF or >= 0x20000 and <= 0x3FFFD => 2,
        _ => 1,
    };

    // Control and formatting characters could move the cursor or turn the direction of the text.
    private static string Visible(string text) => string.Concat(text.EnumerateRunes().Select(rune =>
        rune.Value != '\t' && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            ? "\uFFFD"
            : rune.ToString()));

    private static string Word(Severity severity) => severity == Severity.Error ? "error" : "warning";

    private static string Count(IReadOnlyCollection<Diagnostic> diagnostics)
    {
        int errors = diagnostics.Count(d => d.Severity == Severity.Error);
        int warnings = diagnostics.Count - errors;
        string[] parts = [Plural(errors, "error"), Plural(warnings, "warning")];
        return string.Join(", ", parts.Where(part => part.Length > 0));
    }

    private static string Plural(int count, string word) => count switch
    {
        0 => "",
        1 => $"1 {word}",
        _ => string.Create(CultureInfo.InvariantCulture, $"{count} {word}s"),
    };
}
