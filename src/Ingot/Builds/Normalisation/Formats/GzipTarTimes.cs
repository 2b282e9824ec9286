using System.Buffers.Binary;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the members of a tar file that is compressed with gzip. One that has a time of the step is compressed anew: what made
/// it first need not be here.</summary>
internal static class GzipTarTimes
{
    private const int MaxBytes = 64 << 20;
    private const int MaxTarBytes = 128 << 20;
    private const int BufferBytes = 128 << 10;

    /// <summary>The file without times of the step; null when it has none, is no whole tar file, is signed, or is too large to be held in
    /// memory.</summary>
    public static byte[]? Remake(LayerContent content, StepTimes times)
    {
        if (Unpack(content) is not { } tar || IsSigned(content, tar))
            return null;

        var patches = TarTimes.Find(LayerContent.Of(tar), times);
        if (patches.Count == 0)
            return null;

        foreach (var patch in patches)
            patch.Bytes.CopyTo(tar, patch.Offset);
        return PackAsync(tar).GetAwaiter().GetResult();
    }

    /// <summary>What to change in the header of one that is not made anew. Nothing in one that is signed.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        var patches = GzipTimes.Find(content, times);
        return patches.Count > 0 && Unpack(content) is { } tar && IsSigned(content, tar) ? [] : patches;
    }

    // A signature of Alpine is a member of its own before what it signs, compressed for itself; the end says how long the last such part
    // is. https://wiki.alpinelinux.org/wiki/Apk_spec#Package_Format_V2
    private static bool IsSigned(LayerContent content, byte[] tar)
    {
        Span<byte> length = stackalloc byte[4];
        bool isWhole = content.ReadAt(content.Length - length.Length, length) == length.Length;
        return !isWhole || BinaryPrimitives.ReadUInt32LittleEndian(length) != tar.Length || tar.AsSpan().StartsWith(".SIGN."u8);
    }

    // In memory: nothing is waited for but processors.
    private static async Task<byte[]> PackAsync(byte[] tar)
    {
        var packed = new MemoryStream();
        var output = LayerCompression.Gzip.Compress(packed);
        await using (output)
            await output.WriteAsync(tar);
        return packed.ToArray();
    }

    // Twice, so that what is far larger unpacked takes no memory.
    private static byte[]? Unpack(LayerContent content)
    {
        Span<byte> magic = stackalloc byte[3];
        if (content.Length > MaxBytes || content.ReadAt(0, magic) != 3 || magic is not [0x1F, 0x8B, 8])
            return null;

        byte[] packed = content.ReadAll();
        try
        {
            if (Length(packed) is not { } length)
                return null;

            byte[] tar = new byte[length];
            using var input = LayerCompression.Gzip.Decompress(new MemoryStream(packed));
            input.ReadExactly(tar);
            return tar;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or LayerException)
        {
            // Not what its name says.
            return null;
        }
    }

    private static int? Length(byte[] packed)
    {
        using var input = LayerCompression.Gzip.Decompress(new MemoryStream(packed));
        byte[] buffer = new byte[BufferBytes];
        int length = 0;
        for (int read; (read = input.Read(buffer)) > 0;)
        {
            length += read;
            if (length > MaxTarBytes)
                return null;
        }

        return length;
    }
}
