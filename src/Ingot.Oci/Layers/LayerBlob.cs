using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Layers;

/// <summary>Layers as they lie in a store: compressed.</summary>
public static class LayerBlob
{
    /// <summary>The uncompressed archive of a layer, decompressed on another thread and verified while it is read: the blob's digest and
    /// size and, when given, the diff id. What is wrong throws at the end; what was read before that must not be believed.
    /// The caller owns the stream.</summary>
    public static async Task<Stream> OpenAsync(
        IContentStore store, Descriptor blob, Digest? diffId, CancellationToken cancellationToken = default)
    {
        var compression = LayerCompression.ForMediaType(blob.MediaType);
        var stored = await store.OpenAsync(blob.Digest, cancellationToken).ConfigureAwait(false)
            ?? throw new ContentMismatchException($"the layer '{blob.Digest}' is not in the store");
        return new DiffIdStream(new ReadAheadStream(compression.Decompress(new VerifyingStream(stored, blob.Digest, blob.Size))), diffId);
    }

    /// <summary>An uncompressed archive in a file, whose diff id is verified when it has been read. The caller owns the stream.</summary>
    public static Stream OpenArchive(LayerArchive archive, Digest diffId) =>
        new DiffIdStream(new ArchiveStream(archive.Open(), 0, archive.Size, ownsReader: true), diffId);
}
