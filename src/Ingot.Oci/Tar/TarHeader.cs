using System.Buffers.Binary;

namespace Ingot.Oci.Tar;

/// <summary>The 512 bytes before each entry
/// (<see href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06">ustar interchange
/// format</see>).</summary>
internal static class TarHeader
{
    public const int BlockSize = 512;
    public const int NameLength = 100;
    public const int PrefixLength = 155;

    // What 7 and 11 octal digits hold.
    public const long MaxId = 0x1F_FFFF;
    public const long MaxSize = 0x1_FFFF_FFFF;

    public const byte PaxType = (byte)'x';
    public const byte GlobalPaxType = (byte)'g';
    public const byte GnuLongNameType = (byte)'L';
    public const byte GnuLongLinkType = (byte)'K';

    public static readonly Range Name = 0..100;
    public static readonly Range Mode = 100..108;
    public static readonly Range UserId = 108..116;
    public static readonly Range GroupId = 116..124;
    public static readonly Range Size = 124..136;
    public static readonly Range ModifiedTime = 136..148;
    public static readonly Range Checksum = 148..156;
    public static readonly Index Type = 156;
    public static readonly Range LinkName = 157..257;
    public static readonly Range Magic = 257..265;
    public static readonly Range DeviceMajor = 329..337;
    public static readonly Range DeviceMinor = 337..345;
    public static readonly Range Prefix = 345..500;

    // Schily's star keeps times in the end of the prefix and says so here.
    public static readonly Range StarPrefix = 345..476;
    public static readonly Range StarTrailer = 508..512;

    public static ReadOnlySpan<byte> UstarMagic => "ustar\000"u8;

    public static ReadOnlySpan<byte> StarMark => "tar\0"u8;

    /// <summary>Bytes of padding after <paramref name="size"/> bytes of content.</summary>
    public static int Padding(long size) => (int)(-size & (BlockSize - 1));

    /// <summary>The sum of all bytes with the checksum field read as spaces.</summary>
    public static int Sum(ReadOnlySpan<byte> block)
    {
        int sum = ' ' * 8;
        foreach (byte b in block[..148])
            sum += b;
        foreach (byte b in block[156..])
            sum += b;
        return sum;
    }

    /// <summary>As <see cref="Sum"/>, over signed bytes: what some old writers did.</summary>
    public static int SignedSum(ReadOnlySpan<byte> block)
    {
        int sum = ' ' * 8;
        foreach (byte b in block[..148])
            sum += (sbyte)b;
        foreach (byte b in block[156..])
            sum += (sbyte)b;
        return sum;
    }

    /// <summary>Writes zero-padded octal digits and a NUL.</summary>
    public static void WriteOctal(Span<byte> field, long value)
    {
        field[^1] = 0;
        for (int i = field.Length - 2; i >= 0; i--)
        {
            field[i] = (byte)('0' + (value & 7));
            value >>= 3;
        }
    }

    /// <summary>Writes the checksum in its own form: six digits, NUL, space.</summary>
    public static void WriteChecksum(Span<byte> block)
    {
        var field = block[Checksum];
        WriteOctal(field[..7], Sum(block));
        field[7] = (byte)' ';
    }

    /// <summary>Reads octal digits, or GNU's base-256 when the first bit is set; false when it is neither or does not fit.</summary>
    public static bool TryReadNumber(ReadOnlySpan<byte> field, out long value) =>
        (field[0] & 0x80) != 0 ? TryReadBase256(field, out value) : TryReadOctal(field, out value);

    /// <summary>The bytes of a text field: to the first NUL.</summary>
    public static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        return end < 0 ? field : field[..end];
    }

    private static bool TryReadOctal(ReadOnlySpan<byte> field, out long value)
    {
        value = 0;
        var digits = Text(field.Trim(" \0"u8)).TrimEnd((byte)' ');
        foreach (byte b in digits)
        {
            if (b is < (byte)'0' or > (byte)'7')
                return false;
            value = (value << 3) | (uint)(b - '0');
        }

        return true;
    }

    // Two's complement, big-endian; the first bit is the mark and the second the sign.
    private static bool TryReadBase256(ReadOnlySpan<byte> field, out long value)
    {
        bool negative = (field[0] & 0x40) != 0;
        Span<byte> bytes = stackalloc byte[field.Length];
        field.CopyTo(bytes);
        bytes[0] = negative ? (byte)(bytes[0] | 0x80) : (byte)(bytes[0] & 0x7F);

        byte filler = negative ? (byte)0xFF : (byte)0;
        var high = bytes[..^8];
        value = BinaryPrimitives.ReadInt64BigEndian(bytes[^8..]);
        return high.IndexOfAnyExcept(filler) < 0 && value < 0 == negative;
    }
}
