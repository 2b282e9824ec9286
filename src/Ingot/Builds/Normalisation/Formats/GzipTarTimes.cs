using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the members of a tar file that is compressed with gzip. One that has a time of the step is compressed anew: what made
/// it first need not be here.</summary>
internal static class GzipTarTimes
{
    private const int MaxBytes = 64 << 20;
    private const int MaxTarBytes = 256 << 20;

    /// <summary>The file without times of the step; null when it has none, is no whole tar file, or is too large to be held in
    /// memory.</summary>
    public static byte[]? Remake(LayerContent content, StepTimes times)
    {
        if (content.Length > MaxBytes || Unpack(content) is not { } tar)
            return null;

        var patches = TarTimes.Find(LayerContent.Of(tar), times);
        if (patches.Count == 0)
            return null;

        foreach (var patch in patches)
            patch.Bytes.CopyTo(tar, patch.Offset);
        return PackAsync(tar).GetAwaiter().GetResult();
    }

    // In memory: nothing is waited for but processors.
    private static async Task<byte[]> PackAsync(byte[] tar)
    {
        var packed = new MemoryStream();
        var output = LayerCompression.Gzip.Compress(packed);
        await using (output.ConfigureAwait(false))
            await output.WriteAsync(tar).ConfigureAwait(false);
        return packed.ToArray();
    }

    private static byte[]? Unpack(LayerContent content)
    {
        Span<byte> magic = stackalloc byte[3];
        if (content.ReadAt(0, magic) != 3 || magic is not [0x1F, 0x8B, 8])
            return null;

        try
        {
            using var input = LayerCompression.Gzip.Decompress(new MemoryStream(content.ReadAll()));
            var tar = new MemoryStream();
            byte[] buffer = new byte[128 << 10];
            for (int read; (read = input.Read(buffer)) > 0;)
            {
                tar.Write(buffer, 0, read);
                if (tar.Length > MaxTarBytes)
                    return null;
            }

            return tar.ToArray();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or LayerException)
        {
            // Not what its name says.
            return null;
        }
    }
}
