using System.Buffers;
using System.Buffers.Binary;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>Compresses into one gzip member, in blocks of a fixed size on several processors.</summary>
/// <remarks>
/// Each block is deflated on its own with the 32 KiB before it as dictionary, ends at a byte boundary, and the pieces are joined, as pigz
/// does. Neither the number of processors nor the sizes of the writes change a byte.
/// </remarks>
internal sealed class GzipEncoder : BlockEncoder
{
    private const int Block = 1 << 20;

    // No flags, no time, no extra flags, system unknown: RFC 1952, 2.3.
    private static readonly byte[] s_header = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];

    private readonly int _level;
    private uint _checksum;
    private long _length;

    public GzipEncoder(Stream output, int level)
        : base(output, Block, ZLib.WindowBytes) => _level = level;

    protected override ReadOnlyMemory<byte> Header => s_header;

    protected override ReadOnlyMemory<byte> Trailer
    {
        get
        {
            byte[] trailer = new byte[8];
            BinaryPrimitives.WriteUInt32LittleEndian(trailer, _checksum);
            BinaryPrimitives.WriteUInt32LittleEndian(trailer.AsSpan(4), (uint)_length);
            return trailer;
        }
    }

    protected override EncodedBlock Encode(ReadOnlySpan<byte> dictionary, ReadOnlySpan<byte> block, bool isLast) =>
        new(Deflate(dictionary, block, isLast), ZLib.Crc(block), block.Length);

    protected override void Joined(EncodedBlock block)
    {
        _checksum = ZLib.Combine(_checksum, block.Checksum, block.Length);
        _length += block.Length;
    }

    private unsafe ArraySegment<byte> Deflate(ReadOnlySpan<byte> dictionary, ReadOnlySpan<byte> block, bool isLast)
    {
        // A block that does not compress grows by 5 bytes in 16 KiB, and the flush adds a few.
        byte[] output = ArrayPool<byte>.Shared.Rent(block.Length + (block.Length >> 10) + 64);
        ZLib.Stream stream = default;
        fixed (byte* window = dictionary, input = block, start = output)
        {
            ZLib.BeginDeflate(&stream, _level);
            try
            {
                if (!dictionary.IsEmpty)
                    ZLib.Check(ZLib.SetDictionary(&stream, window, (uint)dictionary.Length), &stream);

                stream.NextIn = input;
                stream.AvailableIn = (uint)block.Length;
                stream.NextOut = start;
                stream.AvailableOut = (uint)output.Length;
                ZLib.Check(ZLib.Deflate(&stream, isLast ? ZLib.Finish : ZLib.SyncFlush), &stream);
                if (stream.AvailableOut == 0)
                    throw new LayerException($"zlib made more of {block.Length} bytes than {output.Length}");
                return new ArraySegment<byte>(output, 0, output.Length - (int)stream.AvailableOut);
            }
            finally
            {
                _ = ZLib.EndDeflate(&stream);
            }
        }
    }
}
