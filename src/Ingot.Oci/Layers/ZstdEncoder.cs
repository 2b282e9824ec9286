using System.Buffers;
using System.Collections.Concurrent;

namespace Ingot.Oci.Layers;

/// <summary>Compresses into zstd frames, one for each block of a fixed size, on several processors
/// (<see href="https://www.rfc-editor.org/rfc/rfc8878#section-3">RFC 8878, 3</see>: frames that follow each other are one stream).</summary>
/// <remarks>Neither the number of processors nor the sizes of the writes change a byte.</remarks>
internal sealed class ZstdEncoder(Stream output, int level) : BlockEncoder(output, BlockBytes, windowBytes: 0)
{
    /// <summary>Twice the window of the levels in use: smaller ones would compress less.</summary>
    public const int BlockBytes = 4 << 20;

    // Making one costs more than a small layer does.
    private static readonly ConcurrentBag<NativeState> s_idle = [];

    protected override ReadOnlyMemory<byte> Header => default;

    protected override ReadOnlyMemory<byte> Trailer => default;

    protected override EncodedBlock Encode(ReadOnlySpan<byte> dictionary, ReadOnlySpan<byte> block, bool isLast)
    {
        if (!s_idle.TryTake(out var encoder))
            encoder = new NativeState(Zstd.CreateEncoder(), pointer => Zstd.FreeEncoder(pointer));

        var encoded = Compress(encoder.Pointer, block);
        s_idle.Add(encoder);
        return new EncodedBlock(encoded, 0, block.Length);
    }

    protected override void Joined(EncodedBlock block)
    {
    }

    private unsafe ArraySegment<byte> Compress(nint encoder, ReadOnlySpan<byte> block)
    {
        Zstd.Check(Zstd.SetEncoderParameter(encoder, Zstd.CompressionLevel, level));
        Zstd.Check(Zstd.SetEncoderParameter(encoder, Zstd.ChecksumFlag, 1));
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Zstd.Bound((nuint)block.Length));
        fixed (byte* source = block, target = bytes)
        {
            nuint length = Zstd.Check(Zstd.CompressWhole(encoder, target, (nuint)bytes.Length, source, (nuint)block.Length));
            return new ArraySegment<byte>(bytes, 0, (int)length);
        }
    }
}
