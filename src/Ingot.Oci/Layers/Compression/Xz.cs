using System.Runtime.InteropServices;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>The system's liblzma (<see href="https://tukaani.org/xz/liblzma-api/">manual</see>), its decoder of <c>.xz</c> files.</summary>
internal static unsafe partial class Xz
{
    public const int Ok = 0;
    public const int StreamEnd = 1;
    public const int MemoryLimitError = 6;
    public const int BufferError = 10;

    public const int Run = 0;
    public const int Finish = 3;

    // What 'xz -9' needs four times over: a dictionary is memory, and its size is the writer's choice.
    private const ulong MaxMemory = 256UL << 20;
    private const uint Concatenated = 8;
    private const string Library = "liblzma.so.5";

    public static void Begin(Stream* stream) => Check(StreamDecoder(stream, MaxMemory, Concatenated));

    public static void Check(int result)
    {
        if (result == MemoryLimitError)
            throw new LayerException(
                $"the xz data needs more than {MaxMemory >> 20} MiB of memory to be read: compress it with a smaller dictionary");
        if (result is not (Ok or StreamEnd or BufferError))
            throw new LayerException($"liblzma answered {result}: the xz data is damaged");
    }

    [LibraryImport(Library, EntryPoint = "lzma_stream_decoder")]
    private static partial int StreamDecoder(Stream* stream, ulong memoryLimit, uint flags);

    [LibraryImport(Library, EntryPoint = "lzma_code")]
    public static partial int Code(Stream* stream, int action);

    [LibraryImport(Library, EntryPoint = "lzma_end")]
    public static partial void End(Stream* stream);

    /// <summary><c>lzma_stream</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Stream
    {
        public byte* NextIn;
        public nuint AvailableIn;
        public ulong TotalIn;
        public byte* NextOut;
        public nuint AvailableOut;
        public ulong TotalOut;
        public nint Allocator;
        public nint Internal;
        public nint Reserved1;
        public nint Reserved2;
        public nint Reserved3;
        public nint Reserved4;
        public ulong SeekPosition;
        public ulong Reserved5;
        public nuint Reserved6;
        public nuint Reserved7;
        public int Reserved8;
        public int Reserved9;
    }
}

/// <summary>Reads xz streams one after the other (<see href="https://tukaani.org/xz/xz-file-format.txt">format</see>).</summary>
internal sealed unsafe class XzDecoder : DecodingStream
{
    private readonly NativeState _state = new((nint)NativeMemory.AllocZeroed((nuint)sizeof(Xz.Stream)), Free);

    public XzDecoder(Stream input)
        : base(input) => Xz.Begin((Xz.Stream*)_state.Pointer);

    protected override (int Read, int Written) Decode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var stream = (Xz.Stream*)_state.Pointer;
        fixed (byte* source = input, target = output)
        {
            stream->NextIn = source;
            stream->AvailableIn = (nuint)input.Length;
            stream->NextOut = target;
            stream->AvailableOut = (nuint)output.Length;
            Xz.Check(Xz.Code(stream, Xz.Run));
            return (input.Length - (int)stream->AvailableIn, output.Length - (int)stream->AvailableOut);
        }
    }

    // Only the end of the input says that no stream follows.
    protected override void CheckEnded()
    {
        var stream = (Xz.Stream*)_state.Pointer;
        stream->AvailableIn = 0;
        stream->AvailableOut = 0;
        if (Xz.Code(stream, Xz.Finish) != Xz.StreamEnd)
            throw new LayerException("the xz data ends too early");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _state.Dispose();
        base.Dispose(disposing);
    }

    private static void Free(nint state)
    {
        Xz.End((Xz.Stream*)state);
        NativeMemory.Free((void*)state);
    }
}
