using System.Globalization;

namespace Ingot.Server.Registry;

/// <summary>A range of a <see href="https://www.rfc-editor.org/rfc/rfc9110#section-14.2">Range header</see>.</summary>
/// <param name="First">The first byte; null when the last <paramref name="Last"/> bytes are meant.</param>
/// <param name="Last">The last byte, included; null for the end.</param>
internal readonly record struct ByteRange(long? First, long? Last)
{
    private const string Unit = "bytes=";

    // podman asks for the missing parts of a layer in one request, up to 1024 of them.
    private const int MaxRanges = 2048;

    /// <summary>Reads a header; null when there is none, when it is not of bytes, or when it is not understood:
    /// then all of it is served.</summary>
    public static IReadOnlyList<ByteRange>? Parse(string? header)
    {
        if (header is null || !header.StartsWith(Unit, StringComparison.OrdinalIgnoreCase))
            return null;

        string[] texts = header[Unit.Length..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var ranges = new List<ByteRange>();
        foreach (string text in texts)
        {
            if (!TryOne(text, out var range))
                return null;
            ranges.Add(range);
        }

        return ranges.Count is 0 or > MaxRanges ? null : ranges;
    }

    private static bool TryOne(string text, out ByteRange range)
    {
        range = default;
        string[] parts = text.Split('-');
        if (parts.Length != 2 || !TryNumber(parts[0], out long? first) || !TryNumber(parts[1], out long? last)
            || (first is null && last is null))
            return false;

        range = new ByteRange(first, last);
        return true;
    }

    /// <summary>Cuts the range to content of <paramref name="size"/> bytes; false when nothing is left.</summary>
    public bool TryWithin(long size, out long offset, out long count)
    {
        offset = First ?? Math.Max(0, size - Last!.Value);
        long end = First is null ? size : Math.Min(size, (Last ?? size) is var last && last < long.MaxValue ? last + 1 : size);
        count = end - offset;
        return count > 0 && offset < size;
    }

    private static bool TryNumber(string text, out long? number)
    {
        number = null;
        if (text.Length == 0)
            return true;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value))
            return false;

        number = value;
        return true;
    }
}
