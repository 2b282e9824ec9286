using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Ingot.Builds.Normalisation;

/// <summary>Digests of files in RPM's database, of which each package's header is one value in a table of SQLite
/// (<see href="https://www.sqlite.org/fileformat2.html">its format</see>). What is not understood is passed over: then nothing
/// vouches.</summary>
internal sealed class RpmDigests
{
    // Hexadecimal digits of SHA-512, SHA-384, SHA-256, SHA-1 and MD5.
    private static readonly int[] s_lengths = [128, 96, 64, 40, 32];

    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789abcdef");

    private const int TableLeaf = 0x0D;
    private const int FileHeaderBytes = 100;
    private const int MaxValueBytes = 64 << 20;

    private readonly byte[] _file;
    private readonly int _pageBytes;
    private readonly int _usableBytes;
    private long _left;

    private RpmDigests(byte[] file)
    {
        _file = file;
        _left = file.Length;
        int size = BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(16));
        _pageBytes = size == 1 ? 65536 : size;
        _usableBytes = _pageBytes - file[20];
    }

    /// <summary>Every digest that stands in a database: strings of hexadecimal digits, each ended by a zero, a line each.</summary>
    public static string Read(byte[] file)
    {
        if (file.Length < FileHeaderBytes || !file.AsSpan().StartsWith("SQLite format 3\0"u8))
            return "";

        var database = new RpmDigests(file);
        return database._pageBytes < 512 || database._usableBytes < 480 ? "" : string.Join('\n', database.Values().SelectMany(Digests));
    }

    private IEnumerable<byte[]> Values()
    {
        for (int page = 1; page <= _file.Length / _pageBytes; page++)
        {
            int header = page == 1 ? FileHeaderBytes : 0;
            byte[] bytes = Page(page);
            if (bytes[header] != TableLeaf)
                continue;

            int cells = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(header + 3));
            for (int cell = 0; cell < cells && header + 10 + (cell * 2) <= bytes.Length; cell++)
            {
                if (Value(bytes, BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(header + 8 + (cell * 2)))) is { } value)
                    yield return value;
            }
        }
    }

    private byte[] Page(int number) => _file[((number - 1) * _pageBytes)..(number * _pageBytes)];

    // The length, the number of the row, the beginning, and where it goes on.
    private byte[]? Value(byte[] page, int at)
    {
        if (Number(page, ref at) is not { } length || length is <= 0 or > MaxValueBytes || Number(page, ref at) is null)
            return null;

        int here = HereBytes((int)length), rest = (int)length - here;
        if (at + here + (rest > 0 ? 4 : 0) > _usableBytes)
            return null;
        // Values do not share pages: all of them are not longer than the file.
        if (length > _left)
            return null;

        _left -= length;
        byte[] value = new byte[length];
        page.AsSpan(at, here).CopyTo(value);
        uint next = rest > 0 ? BinaryPrimitives.ReadUInt32BigEndian(page.AsSpan(at + here)) : 0;
        return Append(value, here, next) ? value : null;
    }

    private bool Append(byte[] value, int filled, uint next)
    {
        while (filled < value.Length)
        {
            if (next == 0 || next > _file.Length / _pageBytes)
                return false;

            byte[] page = Page((int)next);
            int count = Math.Min(_usableBytes - 4, value.Length - filled);
            page.AsSpan(4, count).CopyTo(value.AsSpan(filled));
            filled += count;
            next = BinaryPrimitives.ReadUInt32BigEndian(page);
        }

        return true;
    }

    // How much of a value stands in its cell; file format, 1.6.
    private int HereBytes(int length)
    {
        int most = _usableBytes - 35, least = ((_usableBytes - 12) * 32 / 255) - 23, rest = least + ((length - least) % (_usableBytes - 4));
        return length <= most ? length : rest <= most ? rest : least;
    }

    private static long? Number(byte[] bytes, ref int at)
    {
        long number = 0;
        for (int i = 0; i < 9 && at < bytes.Length; i++)
        {
            byte b = bytes[at++];
            number = i == 8 ? (number << 8) | b : (number << 7) | (b & 0x7FL);
            if (i == 8 || b < 0x80)
                return number;
        }

        return null;
    }

    private static IEnumerable<string> Digests(byte[] value) =>
        from text in Encoding.Latin1.GetString(value).Split('\0')
        let length = Array.Find(s_lengths, length => EndsHexadecimal(text, length))
        where length > 0
        select text[^length..];

    private static bool EndsHexadecimal(string text, int length) =>
        text.Length >= length && text.AsSpan(text.Length - length).IndexOfAnyExcept(s_digits) < 0;
}
