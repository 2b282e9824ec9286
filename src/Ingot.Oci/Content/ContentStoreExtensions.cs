namespace Ingot.Oci.Content;

/// <summary>What every store can do with what it must do.</summary>
public static class ContentStoreExtensions
{
    /// <summary>The largest document (manifest, index, configuration, statement) read into memory, in bytes.</summary>
    public const int MaxDocumentBytes = 16 << 20;

    /// <summary>Stores bytes held in memory.</summary>
    public static async Task<Descriptor> PutAsync(
        this IContentStore store, string mediaType, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default)
    {
        var descriptor = Descriptor.Of(mediaType, bytes.Span);
        await store.PutAsync(descriptor.Digest, bytes, cancellationToken).ConfigureAwait(false);
        return descriptor;
    }

    /// <summary>Stores bytes held in memory under their digest, by either algorithm.</summary>
    public static async Task PutAsync(
        this IContentStore store, Digest digest, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default)
    {
        // What is there may be old and needed by nothing yet: it must not be collected between this and the moment when something needs it.
        (store as DirectoryStore)?.KeepAlive(digest, TimeProvider.System.GetUtcNow());
        if (await store.SizeAsync(digest, cancellationToken).ConfigureAwait(false) is not null)
            return;

        var writer = await store.BeginAsync(cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            await writer.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(digest, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads a document whole and checks it; null when it is known not to be there.</summary>
    public static async Task<byte[]?> ReadAsync(this IContentStore store, Digest digest, CancellationToken cancellationToken = default)
    {
        var stream = await store.OpenAsync(digest, cancellationToken).ConfigureAwait(false);
        if (stream is null)
            return null;

        await using (stream.ConfigureAwait(false))
        {
            if (stream.Length > MaxDocumentBytes)
                throw new ContentMismatchException($"'{digest}' has {stream.Length} bytes: a document may have {MaxDocumentBytes}");

            var bytes = new byte[stream.Length];
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            var actual = Digest.Of(bytes, digest);
            return actual == digest ? bytes : throw new ContentMismatchException($"expected '{digest}' and read '{actual}' from the store");
        }
    }

    /// <summary>As <see cref="ReadAsync"/>, but a missing document throws.</summary>
    public static async Task<byte[]> ReadRequiredAsync(
        this IContentStore store, Digest digest, CancellationToken cancellationToken = default) =>
        await store.ReadAsync(digest, cancellationToken).ConfigureAwait(false)
        ?? throw new ContentMismatchException($"'{digest}' is not in the store");
}
