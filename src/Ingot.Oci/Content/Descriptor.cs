using System.Text.Json.Serialization;

namespace Ingot.Oci.Content;

/// <summary>A reference to content: what it is, its name, its size
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md">descriptor</see>).</summary>
public sealed record Descriptor
{
    /// <summary>What the bytes are.</summary>
    [JsonPropertyName("mediaType")]
    public required string MediaType { get; init; }

    /// <summary>The name of the bytes.</summary>
    [JsonPropertyName("digest")]
    public required Digest Digest { get; init; }

    /// <summary>The number of bytes.</summary>
    [JsonPropertyName("size")]
    public required long Size { get; init; }

    /// <summary>What the image runs on, in an index.</summary>
    [JsonPropertyName("platform")]
    public Platform? Platform { get; init; }

    /// <summary>The type of the artifact, when the descriptor names a manifest that is one.</summary>
    [JsonPropertyName("artifactType")]
    public string? ArtifactType { get; init; }

    /// <summary>Notes, sorted by key so that equal ones have equal bytes.</summary>
    [JsonPropertyName("annotations")]
    public SortedDictionary<string, string>? Annotations { get; init; }

    /// <summary>The descriptor of <paramref name="bytes"/>.</summary>
    public static Descriptor Of(string mediaType, ReadOnlySpan<byte> bytes) =>
        new() { MediaType = mediaType, Digest = Digest.Of(bytes), Size = bytes.Length };
}
