using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>A list of manifests
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md">image index</see>).</summary>
public sealed record ImageIndex
{
    /// <summary>Always 2.</summary>
    [JsonPropertyName("schemaVersion")]
    public int SchemaVersion { get; init; } = 2;

    /// <summary>The index's own media type.</summary>
    [JsonPropertyName("mediaType")]
    public string MediaType { get; init; } = Content.MediaType.Index;

    /// <summary>What kind of artifact this is, when it is not an image.</summary>
    [JsonPropertyName("artifactType")]
    public string? ArtifactType { get; init; }

    /// <summary>The manifests.</summary>
    [JsonPropertyName("manifests")]
    public required IReadOnlyList<Descriptor> Manifests { get; init; }

    /// <summary>The manifest that this one says something about.</summary>
    [JsonPropertyName("subject")]
    public Descriptor? Subject { get; init; }

    /// <summary>Notes, sorted by key.</summary>
    [JsonPropertyName("annotations")]
    public SortedDictionary<string, string>? Annotations { get; init; }
}
