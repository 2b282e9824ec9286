using System.Runtime.InteropServices;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>The system's zlib (<see href="https://zlib.net/manual.html">manual</see>):
/// its deflate does not change with the .NET version.</summary>
internal static unsafe partial class ZLib
{
    public const int Ok = 0;
    public const int StreamEnd = 1;
    public const int BufferError = -5;

    public const int NoFlush = 0;
    public const int SyncFlush = 2;
    public const int Finish = 4;

    /// <summary>32 KiB: what a deflate block may refer back to.</summary>
    public const int WindowBytes = 32 << 10;

    private const string Library = "libz.so.1";
    private const int Deflated = 8;
    private const int RawWindowBits = -15;
    private const int GzipWindowBits = 15 + 16;
    private const int MemoryLevel = 8;

    private static readonly Lazy<string> s_version = new(() => Marshal.PtrToStringUTF8(VersionText())!);

    public static string Version => s_version.Value;

    public static void BeginDeflate(Stream* stream, int level) =>
        Check(DeflateInit(stream, level, Deflated, RawWindowBits, MemoryLevel, 0, VersionText(), sizeof(Stream)), stream);

    public static void BeginInflate(Stream* stream) =>
        Check(InflateInit(stream, GzipWindowBits, VersionText(), sizeof(Stream)), stream);

    public static void Check(int result, Stream* stream)
    {
        if (result is not (Ok or StreamEnd))
            throw new LayerException($"zlib answered {result}: {Marshal.PtrToStringUTF8(stream->Message) ?? "no message"}");
    }

    [LibraryImport(Library, EntryPoint = "zlibVersion")]
    private static partial nint VersionText();

    [LibraryImport(Library, EntryPoint = "deflateInit2_")]
    private static partial int DeflateInit(
        Stream* stream, int level, int method, int windowBits, int memoryLevel, int strategy, nint version, int size);

    [LibraryImport(Library, EntryPoint = "inflateInit2_")]
    private static partial int InflateInit(Stream* stream, int windowBits, nint version, int size);

    [LibraryImport(Library, EntryPoint = "deflateSetDictionary")]
    public static partial int SetDictionary(Stream* stream, byte* dictionary, uint length);

    [LibraryImport(Library, EntryPoint = "deflate")]
    public static partial int Deflate(Stream* stream, int flush);

    [LibraryImport(Library, EntryPoint = "deflateEnd")]
    public static partial int EndDeflate(Stream* stream);

    [LibraryImport(Library, EntryPoint = "inflate")]
    public static partial int Inflate(Stream* stream, int flush);

    [LibraryImport(Library, EntryPoint = "inflateReset")]
    public static partial int ResetInflate(Stream* stream);

    [LibraryImport(Library, EntryPoint = "inflateEnd")]
    public static partial int EndInflate(Stream* stream);

    [LibraryImport(Library, EntryPoint = "crc32")]
    private static partial CULong Crc32(CULong crc, byte* bytes, uint length);

    [LibraryImport(Library, EntryPoint = "crc32_combine")]
    private static partial CULong CombineCrc32(CULong first, CULong second, CLong secondLength);

    public static uint Crc(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
            return (uint)Crc32(new CULong(0), start, (uint)bytes.Length).Value;
    }

    /// <summary>The checksum of two pieces one after the other.</summary>
    public static uint Combine(uint first, uint second, int secondLength) =>
        (uint)CombineCrc32(new CULong(first), new CULong(second), new CLong(secondLength)).Value;

    /// <summary><c>z_stream</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Stream
    {
        public byte* NextIn;
        public uint AvailableIn;
        public CULong TotalIn;
        public byte* NextOut;
        public uint AvailableOut;
        public CULong TotalOut;
        public nint Message;
        public nint State;
        public nint Allocate;
        public nint Free;
        public nint Opaque;
        public int DataType;
        public CULong Adler;
        public CULong Reserved;
    }
}
