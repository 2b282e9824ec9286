using System.Runtime.InteropServices;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>The system's libbz2 (<see href="https://sourceware.org/bzip2/manual/manual.html#libprog">manual</see>), its decoder.</summary>
internal static unsafe partial class Bzip2
{
    public const int Ok = 0;
    public const int StreamEnd = 4;

    private const string Library = "libbz2.so.1.0";

    public static void Check(int result)
    {
        if (result is not (Ok or StreamEnd))
            throw new LayerException($"libbz2 answered {result}: the bzip2 data is damaged");
    }

    public static void Begin(Stream* stream) => Check(DecompressInit(stream, verbosity: 0, small: 0));

    [LibraryImport(Library, EntryPoint = "BZ2_bzDecompressInit")]
    private static partial int DecompressInit(Stream* stream, int verbosity, int small);

    [LibraryImport(Library, EntryPoint = "BZ2_bzDecompress")]
    public static partial int Decompress(Stream* stream);

    [LibraryImport(Library, EntryPoint = "BZ2_bzDecompressEnd")]
    public static partial int End(Stream* stream);

    /// <summary><c>bz_stream</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Stream
    {
        public byte* NextIn;
        public uint AvailableIn;
        public uint TotalInLow;
        public uint TotalInHigh;
        public byte* NextOut;
        public uint AvailableOut;
        public uint TotalOutLow;
        public uint TotalOutHigh;
        public nint State;
        public nint Allocate;
        public nint Free;
        public nint Opaque;
    }
}

/// <summary>Reads bzip2 streams one after the other.</summary>
internal sealed unsafe class Bzip2Decoder : DecodingStream
{
    private readonly NativeState _state = new((nint)NativeMemory.AllocZeroed((nuint)sizeof(Bzip2.Stream)), Free);
    private bool _betweenStreams;

    public Bzip2Decoder(Stream input)
        : base(input) => Bzip2.Begin((Bzip2.Stream*)_state.Pointer);

    protected override (int Read, int Written) Decode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var stream = (Bzip2.Stream*)_state.Pointer;
        if (input.IsEmpty && _betweenStreams)
            return (0, 0);

        if (_betweenStreams)
        {
            _ = Bzip2.End(stream);
            *stream = default;
            Bzip2.Begin(stream);
            _betweenStreams = false;
        }

        fixed (byte* source = input, target = output)
        {
            stream->NextIn = source;
            stream->AvailableIn = (uint)input.Length;
            stream->NextOut = target;
            stream->AvailableOut = (uint)output.Length;
            int result = Bzip2.Decompress(stream);
            Bzip2.Check(result);
            _betweenStreams = result == Bzip2.StreamEnd;
            return (input.Length - (int)stream->AvailableIn, output.Length - (int)stream->AvailableOut);
        }
    }

    protected override void CheckEnded()
    {
        if (!_betweenStreams)
            throw new LayerException("the bzip2 data ends too early");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _state.Dispose();
        base.Dispose(disposing);
    }

    private static void Free(nint state)
    {
        _ = Bzip2.End((Bzip2.Stream*)state);
        NativeMemory.Free((void*)state);
    }
}
