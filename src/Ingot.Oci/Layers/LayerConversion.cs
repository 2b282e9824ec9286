using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Layers;

/// <summary>Compresses layers another way. The archive, and with it the diff id, stays;
/// the same archive and compression give the same blob.</summary>
public static class LayerConversion
{
    /// <summary>Compresses an uncompressed layer, which must have the diff id, into a store. Owns nothing;
    /// nothing is stored when the diff id is another.</summary>
    public static async Task<Descriptor> WriteAsync(
        Stream tar, Digest diffId, IContentStore store, LayerCompression compression, CancellationToken cancellationToken = default)
    {
        var writer = await store.BeginAsync(cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            using var hash = diffId.BeginHash();
            var encoder = compression.Compress(writer);
            await using (encoder.ConfigureAwait(false))
                await new HashingStream(tar, hash).CopyToAsync(encoder, 256 << 10, cancellationToken).ConfigureAwait(false);

            var actual = Digest.FromHash(hash.GetHashAndReset());
            if (actual != diffId)
                throw new ContentMismatchException($"expected the layer with the diff id '{diffId}' and read '{actual}'");
            long size = writer.Written;
            var digest = await writer.CommitAsync(expected: null, cancellationToken).ConfigureAwait(false);
            return new Descriptor { MediaType = compression.MediaType, Digest = digest, Size = size };
        }
    }

    /// <summary>A layer of a store compressed another way; itself when it is so already. The new blob is in the store.</summary>
    public static async Task<Descriptor> ConvertAsync(
        IContentStore store, Descriptor layer, Digest diffId, LayerCompression compression, CancellationToken cancellationToken = default)
    {
        if (LayerCompression.ForMediaType(layer.MediaType) == compression)
            return layer with { MediaType = compression.MediaType };

        var tar = await LayerBlob.OpenAsync(store, layer, diffId, cancellationToken).ConfigureAwait(false);
        await using (tar.ConfigureAwait(false))
            return await WriteAsync(tar, diffId, store, compression, cancellationToken).ConfigureAwait(false);
    }
}
