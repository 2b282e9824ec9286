using System.Buffers;
using System.Collections.Concurrent;

namespace Ingot.Oci.Layers.Compression;

/// <summary>A frame of a compressed layer.</summary>
/// <param name="Start">Where what it holds begins, uncompressed.</param>
/// <param name="At">Where the frame begins.</param>
public readonly record struct LayerFrame(long Start, long At);

/// <summary>Compresses into zstd frames on several processors
/// (<see href="https://www.rfc-editor.org/rfc/rfc8878#section-3">RFC 8878, 3</see>:
/// frames that follow each other are one stream).</summary>
/// <remarks>
/// Where a frame ends is decided by the bytes there: after a change frames soon are the same as before it. Neither the number of processors
/// nor the sizes of the writes change a byte.
/// </remarks>
internal sealed class ZstdEncoder(Stream output, int level) : BlockEncoder(output, MaxBlockBytes, windowBytes: 0)
{
    /// <summary>The most bytes in a frame: twice the window of the levels in use,
    /// less so much that what becomes of it at worst fits into 4 MiB too.</summary>
    public const int MaxBlockBytes = (4 << 20) - (64 << 10);

    /// <summary>The fewest, except in the last: smaller ones would compress less.</summary>
    public const int MinBlockBytes = 1 << 20;

    /// <summary>How far after a place the bytes lie that decide whether a frame ends there.</summary>
    public const int Lookahead = 64;

    // Archives consist of such blocks; one in 2048 begins with bytes that end a frame.
    private const int Alignment = 512;
    private const int DecidingBits = 11;
    private const ulong Deciding = 0x2A5;

    private readonly List<LayerFrame> _frames = [];
    private long _start;
    private long _at;

    /// <summary>The frames that were written, in order.</summary>
    public IReadOnlyList<LayerFrame> Frames => _frames;

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
        _frames.Add(new LayerFrame(_start, _at));
        _start += block.Length;
        _at += block.Bytes.Count;
    }

    protected override int FindEnd(ReadOnlySpan<byte> block, ref int looked)
    {
        for (looked = Math.Max(looked, MinBlockBytes); looked + Lookahead <= block.Length; looked += Alignment)
        {
            if (Mix(block.Slice(looked, Lookahead)) >> (64 - DecidingBits) == Deciding)
                return looked;
        }

        return -1;
    }

    private static ulong Mix(ReadOnlySpan<byte> bytes)
    {
        ulong mixed = 0;
        foreach (ulong word in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            mixed = (mixed ^ word) * 0x9E3779B97F4A7C15;
            mixed ^= mixed >> 32;
        }

        return mixed * 0x9E3779B97F4A7C15;
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
