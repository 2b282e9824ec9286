using Ingot.Oci.Content;

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

    /// <summary>Stores a blob unless it is there; false when it was. <paramref name="open"/> gives its bytes,
    /// and is not called for what is there.</summary>
    Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken);

    /// <summary>Replaces the manifest, whole.</summary>
    Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken);
}

/// <summary>Where a build puts its cache, and how much of it.</summary>
/// <param name="Place">Where.</param>
/// <param name="AllStages">Whether the stages are included that only others copy from.</param>
/// <param name="Mounts">Whether cache mounts are included.</param>
public sealed record CacheTarget(ICachePlace Place, bool AllStages = true, bool Mounts = false);
