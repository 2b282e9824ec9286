using System.Globalization;

namespace Ingot.Server.Registry;

/// <summary>One range of a <see href="https://www.rfc-editor.org/rfc/rfc9110#section-14.2">Range header</see>.</summary>
/// <param name="First">The first byte; null when the last <paramref name="Last"/> bytes are meant.</param>
/// <param name="Last">The last byte, included; null for the end.</param>
internal readonly record struct ByteRange(long? First, long? Last)
{
    private const string Unit = "bytes=";

    /// <summary>Reads a header; null when there is none, when it asks for several ranges, or when it is not of bytes: then all of it is served.</summary>
    public static ByteRange? Parse(string? header)
    {
        if (header is null || !header.StartsWith(Unit, StringComparison.Ordinal))
            return null;

        string[] parts = header[Unit.Length..].Split('-');
        if (parts.Length != 2 || !TryNumber(parts[0], out long? first) || !TryNumber(parts[1], out long? last) || (first is null && last is null))
            return null;

        return new ByteRange(first, last);
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
