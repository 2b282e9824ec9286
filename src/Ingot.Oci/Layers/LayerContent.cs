using Ingot.Oci.Content;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>What a file holds, for a <see cref="LayerFilter"/>: nothing is read that is not asked for.</summary>
public sealed class LayerContent
{
    private readonly SafeFileHandle? _file;
    private readonly byte[] _bytes;

    private LayerContent(SafeFileHandle? file, byte[] bytes, long length)
    {
        _file = file;
        _bytes = bytes;
        Length = length;
    }

    /// <summary>No content.</summary>
    public static LayerContent Empty { get; } = Of([]);

    /// <summary>In bytes.</summary>
    public long Length { get; }

    /// <summary>These bytes.</summary>
    public static LayerContent Of(byte[] bytes) => new(null, bytes, bytes.Length);

    internal static LayerContent Of(SafeFileHandle file, long length) => new(file, [], length);

    /// <summary>Reads at a place; as many bytes as there are, up to those of the buffer.</summary>
    public int ReadAt(long offset, Span<byte> buffer)
    {
        if (offset >= Length)
            return 0;
        if (_file is not null)
            return RandomAccess.Read(_file, buffer, offset);

        int count = (int)Math.Min(buffer.Length, Length - offset);
        _bytes.AsSpan((int)offset, count).CopyTo(buffer);
        return count;
    }

    /// <summary>Reads all of it, into memory.</summary>
    public byte[] ReadAll()
    {
        byte[] content = new byte[Length];
        int filled = 0, read;
        while (filled < content.Length && (read = ReadAt(filled, content.AsSpan(filled))) > 0)
            filled += read;
        return filled == content.Length
            ? content
            : throw new LayerException($"a file of {Length} bytes has only {filled}: it changed while it was read");
    }
}
