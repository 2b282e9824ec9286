using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Plans;

namespace Ingot.Builds;

/// <summary>An image that was built and is in the store.</summary>
/// <param name="Name">Its name in the project.</param>
/// <param name="Digest">Its manifest.</param>
/// <param name="Manifest">The manifest's content.</param>
/// <param name="Config">The configuration's content.</param>
/// <param name="Record">How it was made.</param>
public sealed record BuiltImage(string Name, Digest Digest, Manifest Manifest, ImageConfig Config, BuildRecord Record);

/// <summary>How an image was made: what provenance says of it. Nothing of it is in the image.</summary>
public sealed record BuildRecord
{
    /// <summary>The commit of the project's working tree; null when it is in none.</summary>
    public required SourceRevision? Source { get; init; }

    /// <summary>The digest of the template: the Dockerfile's, or that of the bootstrap's declaration.</summary>
    public required Digest Template { get; init; }

    /// <summary>The images its stages start with or copy from, of the local store and of the project,
    /// by the name the template gives them.</summary>
    public required IReadOnlyList<BaseImage> Bases { get; init; }

    /// <summary>What was fetched from web servers and repositories, each once.</summary>
    public IReadOnlyList<Material> Materials { get; init; } = [];

    /// <summary>The build arguments that were given.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; }

    /// <summary>What the bootstraps it stands on came to.</summary>
    public required IReadOnlyList<BootstrapRecord> Bootstraps { get; init; }

    /// <summary>The normalisation rules that changed something, as <c>name@version</c>, sorted.</summary>
    public required IReadOnlyList<string> Rules { get; init; }

    /// <summary>Names of rules that were switched off for the image's own stages, sorted.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>When the build started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When the image was in the store.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>The steps of its own stages that change files.</summary>
    public required int Steps { get; init; }

    /// <summary>Those of them whose results were in the cache.</summary>
    public required int CachedSteps { get; init; }

    /// <summary>The time of the source.</summary>
    public required DateTimeOffset Epoch { get; init; }

    /// <summary>What compressed the layers: codec, level, library and version.</summary>
    public required string Codec { get; init; }
}

/// <summary>The state of a working tree.</summary>
/// <param name="Commit">The commit that is checked out.</param>
/// <param name="IsDirty">Whether files differ from it.</param>
/// <param name="Remote">Where it comes from, without user and password; null when that is not known.</param>
public sealed record SourceRevision(string Commit, bool IsDirty, string? Remote)
{
    /// <summary>Where the project is in the working tree: with a slash at the end, or empty for its top.</summary>
    public string Prefix { get; init; } = "";
}

/// <summary>An image that another was made from.</summary>
/// <param name="Name">How the template names it.</param>
/// <param name="Digest">Its manifest.</param>
public sealed record BaseImage(string Name, Digest Digest);

/// <summary>Something that was fetched to be in an image.</summary>
/// <param name="Address">Where it came from, without credentials.</param>
/// <param name="Identity">What it was: the digest of a file, or the commit of a repository.</param>
public sealed record Material(
    [property: JsonPropertyName("address")] string Address,
    [property: JsonPropertyName("identity")] string Identity);

/// <summary>What a bootstrap came to.</summary>
/// <param name="Image">The image of the project.</param>
/// <param name="Request">What was asked for.</param>
/// <param name="Packages">What was installed, sorted.</param>
public sealed record BootstrapRecord(string Image, string Request, IReadOnlyList<InstalledPackage> Packages);
