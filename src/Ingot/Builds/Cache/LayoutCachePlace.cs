using Ingot.Oci.Content;
using Ingot.Oci.Layouts;

namespace Ingot.Builds.Cache;

/// <summary>An OCI image layout in a directory, in which the cache has a name of its own.</summary>
public sealed class LayoutCachePlace : ICachePlace
{
    private const string CacheName = "cache";

    private readonly string _directory;

    /// <summary>Names the place; nothing is made until something is stored.</summary>
    /// <param name="directory">The directory of the layout.</param>
    public LayoutCachePlace(string directory) => _directory = Path.GetFullPath(directory);

    /// <inheritdoc/>
    public string Name => _directory;

    /// <inheritdoc/>
    public async Task<byte[]?> ReadManifestAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(_directory, "index.json")))
            return null;
        var layout = new OciLayout(_directory);
        return await layout.FindAsync(CacheName, cancellationToken) is { } manifest
            ? await layout.Store.ReadAsync(manifest.Digest, cancellationToken)
            : null;
    }

    /// <inheritdoc/>
    public async Task<Stream?> OpenAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        var stream = await new DirectoryStore(_directory).OpenAsync(blob.Digest, cancellationToken);
        return stream is null ? null : new VerifyingStream(stream, blob.Digest, blob.Size);
    }

    /// <inheritdoc/>
    public async Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken)
    {
        var store = new DirectoryStore(_directory);
        if (await store.SizeAsync(blob.Digest, cancellationToken) is not null)
            return false;

        var stream = await open(cancellationToken);
        await using (stream)
            await SharedCache.CopyAsync(stream, store, blob, cancellationToken);
        return true;
    }

    /// <inheritdoc/>
    public async Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(_directory);
        var descriptor = await layout.Store.PutAsync(MediaType.Manifest, manifest, cancellationToken);
        await layout.SetAsync(CacheName, descriptor with { ArtifactType = SharedCache.ArtifactType }, cancellationToken);
    }
}
