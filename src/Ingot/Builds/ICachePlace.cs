using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;

namespace Ingot.Builds;

/// <summary>Where the cache of builds is shared with other hosts: one manifest, and the blobs it names.</summary>
public interface ICachePlace
{
    /// <summary>What people call it.</summary>
    string Name { get; }

    /// <summary>The manifest; null only when it is known that there is none.</summary>
    Task<byte[]?> ReadManifestAsync(CancellationToken cancellationToken);

    /// <summary>A blob, verified while it is read and owned by the caller; null only when it is known not to be there.</summary>
    Task<Stream?> OpenAsync(Descriptor blob, CancellationToken cancellationToken);

    /// <summary>Stores a blob unless it is there; false when it was. <paramref name="open"/> gives its bytes, and is not called for what is there.</summary>
    Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken);

    /// <summary>Replaces the manifest, whole.</summary>
    Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken);
}

/// <summary>A tag of a registry.</summary>
/// <param name="client">The registry.</param>
/// <param name="repository">The repository.</param>
/// <param name="tag">The tag.</param>
/// <param name="name">What people call it.</param>
public sealed class RegistryCachePlace(RegistryClient client, string repository, string tag, string name) : ICachePlace
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public async Task<byte[]?> ReadManifestAsync(CancellationToken cancellationToken) =>
        (await client.GetManifestAsync(repository, tag, cancellationToken).ConfigureAwait(false))?.Bytes;

    /// <inheritdoc/>
    public Task<Stream?> OpenAsync(Descriptor blob, CancellationToken cancellationToken) => client.OpenBlobAsync(repository, blob, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken) =>
        client.PushBlobAsync(repository, blob, open, mountFrom: null, cancellationToken);

    /// <inheritdoc/>
    public Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken) =>
        client.PutManifestAsync(repository, tag, MediaType.Manifest, manifest, cancellationToken);
}

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
        return await layout.FindAsync(CacheName, cancellationToken).ConfigureAwait(false) is { } manifest
            ? await layout.Store.ReadAsync(manifest.Digest, cancellationToken).ConfigureAwait(false)
            : null;
    }

    /// <inheritdoc/>
    public async Task<Stream?> OpenAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        var stream = await new DirectoryStore(_directory).OpenAsync(blob.Digest, cancellationToken).ConfigureAwait(false);
        return stream is null ? null : new VerifyingStream(stream, blob.Digest, blob.Size);
    }

    /// <inheritdoc/>
    public async Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken)
    {
        var store = new DirectoryStore(_directory);
        if (await store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) is not null)
            return false;

        var stream = await open(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
            await SharedCache.CopyAsync(stream, store, blob, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <inheritdoc/>
    public async Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(_directory);
        var descriptor = await layout.Store.PutAsync(MediaType.Manifest, manifest, cancellationToken).ConfigureAwait(false);
        await layout.SetAsync(CacheName, descriptor with { ArtifactType = SharedCache.ArtifactType }, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Where a build puts its cache, and how much of it.</summary>
/// <param name="Place">Where.</param>
/// <param name="AllStages">Whether the stages are included that only others copy from.</param>
/// <param name="Mounts">Whether cache mounts are included.</param>
public sealed record CacheTarget(ICachePlace Place, bool AllStages = true, bool Mounts = false);
