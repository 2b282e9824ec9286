using Ingot.Oci.Content;
using Ingot.Oci.Registries;

namespace Ingot.Builds.Cache;

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
        (await client.GetManifestAsync(repository, tag, cancellationToken))?.Bytes;

    /// <inheritdoc/>
    public Task<Stream?> OpenAsync(Descriptor blob, CancellationToken cancellationToken) =>
        client.OpenBlobAsync(repository, blob, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken) =>
        client.PushBlobAsync(repository, blob, open, mountFrom: null, cancellationToken);

    /// <inheritdoc/>
    public Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken) =>
        client.PutManifestAsync(repository, tag, MediaType.Manifest, manifest, cancellationToken);
}
