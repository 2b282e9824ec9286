using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Provenance;

/// <summary>A thing named in a statement
/// (<see href="https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/resource_descriptor.md">resource descriptor</see>); it has a
/// name, a URI or a digest at least.</summary>
public sealed record ResourceDescriptor
{
    /// <summary>What it is called within the statement.</summary>
    [JsonPropertyName("name")]
    public string? Name { get; init; }

    /// <summary>Where it is, or what it is globally.</summary>
    [JsonPropertyName("uri")]
    public string? Uri { get; init; }

    /// <summary>Its digests as <c>algorithm: hex</c>, sorted by algorithm.</summary>
    [JsonPropertyName("digest")]
    public SortedDictionary<string, string>? Digest { get; init; }

    /// <summary>What its bytes are.</summary>
    [JsonPropertyName("mediaType")]
    public string? MediaType { get; init; }

    /// <summary>Notes, sorted by key.</summary>
    [JsonPropertyName("annotations")]
    public SortedDictionary<string, string>? Annotations { get; init; }

    /// <summary>A thing known by its SHA-256.</summary>
    public static ResourceDescriptor Of(string name, Digest digest, string? uri = null) =>
        new() { Name = name, Uri = uri, Digest = new(StringComparer.Ordinal) { [digest.Algorithm] = digest.Hex } };
}
