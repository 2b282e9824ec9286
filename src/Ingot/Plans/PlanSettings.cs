using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Plans;

/// <summary>An image that is in the local store.</summary>
/// <param name="Manifest">Its digest.</param>
/// <param name="Config">Its configuration.</param>
public sealed record StoredImage(Digest Manifest, ImageConfig Config);

/// <summary>What a plan is made for.</summary>
public sealed record PlanSettings
{
    /// <summary>The project's directory; templates and contexts are relative to it.</summary>
    public required string Directory { get; init; }

    /// <summary>The images to build; empty for all of the project's.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>Build arguments for every Dockerfile; they win over the project's.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; } = [];

    /// <summary>What the images run on.</summary>
    public Platform Platform { get; init; } = Platform.Host;

    /// <summary>Brings an image that is named (<c>name[:tag][@digest]</c>, <c>oci-layout://DIR</c>, an archive, a reference to a registry) into the local store, for a platform; null when nobody knows the name.
    /// Throws <see cref="ImageLookupException"/> when it is there and cannot be used.</summary>
    public Func<string, Platform, CancellationToken, Task<StoredImage?>> FindImage { get; init; } = (_, _, _) => Task.FromResult<StoredImage?>(null);
}
