using System.Globalization;
using System.Text;

namespace Ingot.Oci.Tar;

/// <summary>The content of a PAX extended header: <c>LENGTH KEY=VALUE\n</c>, where the length counts itself
/// (<see href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03">pax extended header</see>).</summary>
internal static class PaxRecords
{
    public const string Path = "path";
    public const string LinkPath = "linkpath";
    public const string Size = "size";
    public const string UserId = "uid";
    public const string GroupId = "gid";
    public const string ModifiedTime = "mtime";
    public const string DeviceMajor = "SCHILY.devmajor";
    public const string DeviceMinor = "SCHILY.devminor";
    public const string ExtendedAttribute = "SCHILY.xattr.";
    public const string GnuSparse = "GNU.sparse.";

    private const int MaxRecords = 4096;
    private const int TicksDigits = 7;

    public static byte[] Write(SortedDictionary<string, byte[]> records)
    {
        var bytes = new List<byte>(256);
        foreach (var (key, value) in records)
        {
            byte[] name = Encoding.UTF8.GetBytes(key);
            int length = RecordLength(name.Length + value.Length + 3);
            bytes.AddRange(Encoding.ASCII.GetBytes(length.ToString(CultureInfo.InvariantCulture)));
            bytes.Add((byte)' ');
            bytes.AddRange(name);
            bytes.Add((byte)'=');
            bytes.AddRange(value);
            bytes.Add((byte)'\n');
        }

        return [.. bytes];
    }

    /// <summary>Reads the records; a later one of the same key wins. Returns what is wrong, or null.</summary>
    public static string? Read(ReadOnlySpan<byte> bytes, Dictionary<string, byte[]> records)
    {
        for (int count = 0; !bytes.IsEmpty; count++)
        {
            if (count == MaxRecords)
                return $"an extended header may have {MaxRecords} records";

            int space = bytes.IndexOf((byte)' ');
            if (space is < 1 or > 9 || !int.TryParse(bytes[..space], NumberStyles.None, CultureInfo.InvariantCulture, out int length))
                return "an extended header's record has no length";
            if (length <= space + 2 || length > bytes.Length || bytes[length - 1] != '\n')
                return $"an extended header's record of {length} bytes does not end where it says";

            var record = bytes[(space + 1)..(length - 1)];
            int equals = record.IndexOf((byte)'=');
            if (equals < 1)
                return "an extended header's record has no key";

            records[TarPath.Decode(record[..equals])] = record[(equals + 1)..].ToArray();
            bytes = bytes[length..];
        }

        return null;
    }

    /// <summary>Seconds since 1970 with as many decimals as needed.</summary>
    public static byte[] FormatTime(DateTimeOffset time)
    {
        long ticks = time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks;
        var (seconds, fraction) = Math.DivRem(Math.Abs(ticks), TimeSpan.TicksPerSecond);
        string text = (ticks < 0 ? "-" : "") + seconds.ToString(CultureInfo.InvariantCulture);
        if (fraction != 0)
            text += "." + fraction.ToString(CultureInfo.InvariantCulture).PadLeft(TicksDigits, '0').TrimEnd('0');
        return Encoding.ASCII.GetBytes(text);
    }

    /// <summary>Reads what <see cref="FormatTime"/> writes, cutting what lies below 100 nanoseconds; false when it is not a time between
    /// the years 1 and 9999.</summary>
    public static bool TryReadTime(ReadOnlySpan<byte> text, out DateTimeOffset time)
    {
        time = default;
        bool negative = text.StartsWith("-"u8);
        if (negative)
            text = text[1..];

        int dot = text.IndexOf((byte)'.');
        var whole = dot < 0 ? text : text[..dot];
        var decimals = dot < 0 ? default : text[(dot + 1)..];
        if (!TryReadDigits(whole, out long seconds)
            || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            || decimals.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return false;

        long fraction = 0;
        for (int i = 0; i < TicksDigits; i++)
            fraction = (fraction * 10) + (i < decimals.Length ? decimals[i] - '0' : 0);

        long ticks = (seconds * TimeSpan.TicksPerSecond) + fraction;
        return TryAddTicks(negative ? -ticks : ticks, out time);
    }

    /// <summary>The time that many seconds after 1970; false outside the years 1 to 9999.</summary>
    public static bool TryFromSeconds(long seconds, out DateTimeOffset time)
    {
        time = default;
        if (seconds < DateTimeOffset.MinValue.ToUnixTimeSeconds() || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
            return false;

        time = DateTimeOffset.FromUnixTimeSeconds(seconds);
        return true;
    }

    public static bool TryReadDigits(ReadOnlySpan<byte> text, out long value) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static bool TryAddTicks(long ticks, out DateTimeOffset time)
    {
        time = default;
        long sum = DateTimeOffset.UnixEpoch.UtcTicks + ticks;
        if (sum < DateTimeOffset.MinValue.UtcTicks || sum > DateTimeOffset.MaxValue.UtcTicks)
            return false;

        time = new DateTimeOffset(sum, TimeSpan.Zero);
        return true;
    }

    // Adding the length may add a digit to the length.
    private static int RecordLength(int rest)
    {
        int length = rest + 1;
        while (rest + length.ToString(CultureInfo.InvariantCulture).Length != length)
            length++;
        return length;
    }
}
