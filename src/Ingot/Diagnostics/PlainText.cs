using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Diagnostics;

/// <summary>Text from elsewhere, made safe to show: control and formatting characters could move the cursor, turn the direction of the
/// text, hide some of it or begin a line that looks like one of ours.</summary>
public static partial class PlainText
{
    /// <summary>Whether a text is one line in which every character can be seen.</summary>
    public static bool IsPlain(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (c is < ' ' or > '~' && c != '\t')
                return IsPlainSlowly(text);
        }

        return true;
    }

    /// <summary>The text with what cannot be seen written out: <c>\x1b</c>, <c>\u202e</c>;
    /// a byte of a name that is no text as <c>\xff</c>. A tab stays one.</summary>
    public static string Visible(string text)
    {
        if (IsPlain(text))
            return text;

        var visible = new StringBuilder(text.Length + 16);
        for (int at = 0; at < text.Length;)
        {
            int length = Next(text.AsSpan(at), out int value);
            if (IsVisible(value))
                visible.Append(text, at, length);
            else
                visible.Append(Escape(value));
            at += length;
        }

        return visible.ToString();
    }

    /// <summary>Each line of a text made visible; what breaks lines elsewhere than <c>\n</c> does is written out.</summary>
    public static string VisibleLines(string text) => string.Join('\n', text.Split('\n').Select(Visible));

    /// <summary>A value in a message: on one line, and no longer than a line.</summary>
    public static string OneLine(string text)
    {
        const int Longest = 60;
        string line = string.Concat(text.Select(c => char.IsControl(c) ? '\uFFFD' : c));
        return line.Length <= Longest ? line : $"{line[..Longest]}…";
    }

    /// <summary>What a program wrote, as a line for people: what only moves, colours or titles a terminal is left out, and what else cannot
    /// be seen is written out.</summary>
    public static string Cleaned(string text) => IsPlain(text) ? text : Visible(WithoutSequences(text).TrimEnd('\r'));

    /// <summary>The text without what only moves, colours or titles a terminal. What else cannot be seen is still in it.</summary>
    public static string WithoutSequences(string text) => IsPlain(text) ? text : TerminalSequence().Replace(text, "");

    // ECMA-48: control sequences, strings such as a title, which end with BEL or ST, and escapes of two characters.
    [GeneratedRegex(
        @"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]",
        RegexOptions.CultureInvariant)]
    private static partial Regex TerminalSequence();

    private static bool IsPlainSlowly(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            int length = Next(text, out int value);
            if (!IsVisible(value))
                return false;
            text = text[length..];
        }

        return true;
    }

    // Half a surrogate pair stands for itself.
    private static int Next(ReadOnlySpan<char> text, out int value)
    {
        bool isRune = Rune.DecodeFromUtf16(text, out var rune, out int length) == System.Buffers.OperationStatus.Done;
        value = isRune ? rune.Value : text[0];
        return isRune ? length : 1;
    }

    private static bool IsVisible(int value) => value == '\t' || (!IsBlank(value) && CharUnicodeInfo.GetUnicodeCategory(value) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Surrogate));

    // Letters and marks that are drawn as nothing: https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
    private static bool IsBlank(int value) =>
        value is 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x3164 or 0xFFA0 or (>= 0xE0000 and <= 0xE0FFF);

    private static string Escape(int value) => value switch
    {
        // How TarPath has bytes that are no text.
        >= 0xDC80 and <= 0xDCFF => string.Create(CultureInfo.InvariantCulture, $"\\x{value - 0xDC00:x2}"),
        <= 0xFF => string.Create(CultureInfo.InvariantCulture, $"\\x{value:x2}"),
        <= 0xFFFF => string.Create(CultureInfo.InvariantCulture, $"\\u{value:x4}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"\\U{value:x8}"),
    };
}
