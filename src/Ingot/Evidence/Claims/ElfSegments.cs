using System.Buffers.Binary;

namespace Ingot.Evidence.Claims;

/// <summary>Bytes of a file.</summary>
internal readonly record struct FileRange(long Start, long End);

/// <summary>The segments of an <see href="https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html">ELF program</see>.</summary>
internal static class ElfSegments
{
    private const int HeaderBytes = 64;
    private const int MaxSegments = 256;
    private const uint Loaded = 1;
    private const uint Executable = 1;

    /// <summary>The parts of the file that the loader maps to be run; empty when it has none,
    /// or is no program of a form that any system loads.</summary>
    public static IReadOnlyList<FileRange> ReadExecutable(Stream stream)
    {
        var header = new byte[HeaderBytes];
        stream.Position = 0;
        if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes
            || header[4] is not (1 or 2)
            || header[5] is not (1 or 2))
            return [];

        var words = new Words(IsWide: header[4] == 2, IsLittle: header[5] == 1);
        long at = words.IsWide ? words.Address(header, 32) : words.Word(header, 28);
        int size = words.Half(header, words.IsWide ? 54 : 42);
        int count = Math.Min((int)words.Half(header, words.IsWide ? 56 : 44), MaxSegments);
        if (at < 0 || size < (words.IsWide ? 56 : 32) || at > stream.Length - ((long)size * count))
            return [];

        var table = new byte[size * count];
        stream.Position = at;
        stream.ReadExactly(table);
        return [.. Enumerable.Range(0, count).Select(i => Range(table.AsSpan(i * size), words, stream.Length)).OfType<FileRange>()];
    }

    private static FileRange? Range(ReadOnlySpan<byte> segment, Words words, long fileSize)
    {
        uint flags = words.Word(segment, words.IsWide ? 4 : 24);
        long start = words.IsWide ? words.Address(segment, 8) : words.Word(segment, 4);
        long size = words.IsWide ? words.Address(segment, 32) : words.Word(segment, 16);
        return words.Word(segment, 0) == Loaded && (flags & Executable) != 0 && start >= 0 && start < fileSize && size > 0
            ? new FileRange(start, size > fileSize - start ? fileSize : start + size)
            : null;
    }

    private readonly record struct Words(bool IsWide, bool IsLittle)
    {
        public ushort Half(ReadOnlySpan<byte> bytes, int at) =>
            IsLittle ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);

        public uint Word(ReadOnlySpan<byte> bytes, int at) =>
            IsLittle ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);

        public long Address(ReadOnlySpan<byte> bytes, int at) =>
            IsLittle ? BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]) : BinaryPrimitives.ReadInt64BigEndian(bytes[at..]);
    }
}

/// <summary>Measures whether what is to be run is code: machine code has at most 6.8 bits of information in a byte,
/// what is compressed or encrypted nearly 8.</summary>
internal sealed class PackingMeter(IReadOnlyList<FileRange> code)
{
    private const int WindowBytes = 16 << 10;
    private const double PackedBits = 7.5;

    // Padding has no information, and shall not hide what has.
    private const double PaddingBits = 3;

    private int _packed;
    private int _windows;

    /// <summary>Whether at least a quarter of the code is none. Tables of constants among the code, as of libcrypto,
    /// are far less of it.</summary>
    public bool IsPacked => _packed > 0 && _packed * 4 >= _windows;

    /// <summary>Takes the next bytes of the file, which start at a multiple of the window.</summary>
    public void Add(ReadOnlySpan<byte> bytes, long position)
    {
        for (int at = 0; at < bytes.Length; at += WindowBytes)
        {
            var window = bytes.Slice(at, Math.Min(WindowBytes, bytes.Length - at));
            if (window.Length >= WindowBytes / 4 && IsCode(position + at, position + at + window.Length))
                Measure(Bits(window));
        }
    }

    private bool IsCode(long start, long end) => code.Any(range => range.Start < end && range.End > start);

    private void Measure(double bits)
    {
        if (bits < PaddingBits)
            return;

        _windows++;
        if (bits >= PackedBits)
            _packed++;
    }

    // Shannon's entropy of the bytes.
    private static double Bits(ReadOnlySpan<byte> window)
    {
        Span<int> counts = stackalloc int[256];
        counts.Clear();
        foreach (byte value in window)
            counts[value]++;

        double bits = 0;
        foreach (int count in counts)
        {
            if (count > 0)
                bits -= (double)count / window.Length * Math.Log2((double)count / window.Length);
        }

        return bits;
    }
}
