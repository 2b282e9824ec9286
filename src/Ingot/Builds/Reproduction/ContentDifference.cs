using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Builds.Reproduction;

/// <summary>Looks at two contents of one file and says what their first difference means, where that shows.</summary>
internal static partial class ContentDifference
{
    private const int Shown = 16;
    private const int MaxLine = 160;
    private const int MaxSortedBytes = 4 << 20;

    // Between 2001 and 2100 a number of seconds is a time more often than anything else.
    private const uint FirstTime = 978_307_200;
    private const uint LastTime = 4_102_444_800;
    private const uint OneYear = 366 * 86400;

    /// <summary>The first difference, as each has it, its cause, and whether it is in a line of text.</summary>
    public static (string Before, string After, DifferenceCause Cause, bool IsText) Explain(byte[] before, byte[] after)
    {
        int at = before.AsSpan().CommonPrefixLength(after);
        if (LineAt(before, at) is { } first && LineAt(after, at) is { } second)
            return (Place(at, first), Place(at, second), CauseOfText(first, second, before, after), true);

        return (Place(at, Hex(before, at)), Place(at, Hex(after, at)), CauseOfBytes(before, after, at), false);
    }

    private static string Place(int at, string text) => $"at {at}: {text}";

    private static DifferenceCause CauseOfText(string first, string second, byte[] before, byte[] after)
    {
        if (Same(Time(), first, second))
            return DifferenceCause.Timestamp;
        if (IsReordered(before, after))
            return DifferenceCause.Order;
        if (Same(Identifier(), first, second))
            return DifferenceCause.Random;
        return Same(AbsolutePath(), first, second) ? DifferenceCause.Path : DifferenceCause.Unknown;
    }

    // Whether the lines are one once what the pattern means is taken out of both.
    private static bool Same(Regex pattern, string first, string second) =>
        pattern.IsMatch(first) && pattern.IsMatch(second) && pattern.Replace(first, "\0") == pattern.Replace(second, "\0");

    private static bool IsReordered(byte[] before, byte[] after)
    {
        if (before.Length != after.Length || before.Length > MaxSortedBytes)
            return false;

        static IEnumerable<string> Lines(byte[] bytes) => Encoding.Latin1.GetString(bytes).Split('\n').Order(StringComparer.Ordinal);
        return Lines(before).SequenceEqual(Lines(after));
    }

    private static DifferenceCause CauseOfBytes(byte[] before, byte[] after, int at)
    {
        for (int start = Math.Max(0, at - 3); start <= at && start + 4 <= Math.Min(before.Length, after.Length); start++)
        {
            foreach (bool isLittle in (ReadOnlySpan<bool>)[true, false])
            {
                if (IsTime(Word(before, start, isLittle), Word(after, start, isLittle)))
                    return DifferenceCause.Timestamp;
            }
        }

        return DifferenceCause.Unknown;
    }

    private static bool IsTime(uint first, uint second) =>
        first is > FirstTime and < LastTime && second is > FirstTime and < LastTime && first != second
            && Math.Max(first, second) - Math.Min(first, second) < OneYear;

    private static uint Word(byte[] bytes, int at, bool isLittle) =>
        isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at)) : BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));

    // The line around a place; null when it is not text.
    private static string? LineAt(byte[] bytes, int at)
    {
        at = Math.Min(at, bytes.Length);
        int start = at - Math.Min(at, MaxLine / 2);
        int newline = bytes.AsSpan(start, at - start).LastIndexOf((byte)'\n');
        start = newline < 0 ? start : start + newline + 1;
        int length = Math.Min(bytes.Length - start, MaxLine);
        int end = bytes.AsSpan(start, length).IndexOf((byte)'\n');
        var line = bytes.AsSpan(start, end < 0 ? length : end);
        foreach (byte b in line)
        {
            if (b is < 0x20 and not (byte)'\t' or 0x7F)
                return null;
        }

        return Encoding.UTF8.GetString(line);
    }

    private static string Hex(byte[] bytes, int at) =>
        at >= bytes.Length ? "(the end)" : Convert.ToHexStringLower(bytes.AsSpan(at, Math.Min(Shown, bytes.Length - at)));

    [GeneratedRegex(@"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?( ?(Z|[+-]\d\d:?\d\d|UTC|GMT))?|(Mon|Tue|Wed|Thu|Fri|Sat"
        + @"|Sun),? [^;]{0,30}\d{4}|\d\d:\d\d:\d\d([.,]\d+)?|\b1[0-9]{9}([0-9]{3})?\b|\b20\d{6}(\.?\d{4,6})?\b")]
    private static partial Regex Time();

    [GeneratedRegex("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|([0-9a-fA-F]{2}[ "
        + ":-]){7,}[0-9a-fA-F]{2}|[A-Za-z0-9+/]{24,}={0,2}")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"(/[A-Za-z0-9._+-]+){2,}")]
    private static partial Regex AbsolutePath();
}
