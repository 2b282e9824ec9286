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

    /// <summary>Looks up a name (<c>name[:tag][@digest]</c>) in the local store; null when it is known not to be there.</summary>
    public Func<string, CancellationToken, Task<StoredImage?>> FindImage { get; init; } = (_, _) => Task.FromResult<StoredImage?>(null);
}
