using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>An image manifest
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md">manifest</see>); artifacts use it too.</summary>
public sealed record Manifest
{
    /// <summary>Always 2.</summary>
    [JsonPropertyName("schemaVersion")]
    public int SchemaVersion { get; init; } = 2;

    /// <summary>The manifest's own media type.</summary>
    [JsonPropertyName("mediaType")]
    public string MediaType { get; init; } = Content.MediaType.Manifest;

    /// <summary>What kind of artifact this is, when it is not an image.</summary>
    [JsonPropertyName("artifactType")]
    public string? ArtifactType { get; init; }

    /// <summary>The configuration.</summary>
    [JsonPropertyName("config")]
    public required Descriptor Config { get; init; }

    /// <summary>Whether this is an image, which others run; otherwise it is an artifact of another kind.</summary>
    [JsonIgnore]
    public bool IsImage => Config.MediaType is Content.MediaType.Config or Content.MediaType.DockerConfig;

    /// <summary>The layers, lowest first.</summary>
    [JsonPropertyName("layers")]
    public required IReadOnlyList<Descriptor> Layers { get; init; }

    /// <summary>The manifest that this one says something about.</summary>
    [JsonPropertyName("subject")]
    public Descriptor? Subject { get; init; }

    /// <summary>Notes, sorted by key.</summary>
    [JsonPropertyName("annotations")]
    public SortedDictionary<string, string>? Annotations { get; init; }
}
