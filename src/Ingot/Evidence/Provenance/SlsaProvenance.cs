using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Evidence.Provenance;

/// <summary>How an image was built
/// (<see href="https://slsa.dev/spec/v1.0/provenance">SLSA provenance v1</see>): what was asked for, what was used,
/// by whom and when.</summary>
public sealed record SlsaProvenance
{
    /// <summary>What was asked for and what was used.</summary>
    [JsonPropertyName("buildDefinition")]
    public required BuildDefinition BuildDefinition { get; init; }

    /// <summary>This run.</summary>
    [JsonPropertyName("runDetails")]
    public required RunDetails RunDetails { get; init; }

    /// <summary>The predicate of a statement; equal values have equal predicates.</summary>
    public JsonElement ToPredicate() => JsonSerializer.SerializeToElement(this, ProvenanceJson.Default.SlsaProvenance);

    /// <summary>Reads a predicate, or throws <see cref="FormatException"/>.</summary>
    public static SlsaProvenance FromPredicate(JsonElement predicate)
    {
        const string What = "SLSA provenance";
        var provenance = PredicateReader.Read(predicate, ProvenanceJson.Default.SlsaProvenance, What);
        PredicateReader.RefuseNull(provenance.BuildDefinition.ResolvedDependencies, What);
        PredicateReader.RefuseNull(provenance.RunDetails.Byproducts, What);
        return provenance;
    }
}

/// <summary>What was asked for and what was used.</summary>
public sealed record BuildDefinition
{
    /// <summary>The URI that says how to read the parameters.</summary>
    [JsonPropertyName("buildType")]
    public required string BuildType { get; init; }

    /// <summary>What a person asked for: a JSON object. A verifier should know every member.</summary>
    [JsonPropertyName("externalParameters")]
    public required JsonElement ExternalParameters { get; init; }

    /// <summary>What the builder itself chose: a JSON object.</summary>
    [JsonPropertyName("internalParameters")]
    public JsonElement? InternalParameters { get; init; }

    /// <summary>Sources, base images and packages, by digest, in the caller's order.</summary>
    [JsonPropertyName("resolvedDependencies")]
    public IReadOnlyList<ResourceDescriptor> ResolvedDependencies { get => field ?? []; init; }
}

/// <summary>One run of a build.</summary>
public sealed record RunDetails
{
    /// <summary>Who ran it.</summary>
    [JsonPropertyName("builder")]
    public required ProvenanceBuilder Builder { get; init; }

    /// <summary>When, and under which name.</summary>
    [JsonPropertyName("metadata")]
    public RunMetadata? Metadata { get; init; }

    /// <summary>What else came of it, such as the normalisation rules applied, in the caller's order.</summary>
    [JsonPropertyName("byproducts")]
    public IReadOnlyList<ResourceDescriptor>? Byproducts { get; init; }
}

/// <summary>Who ran a build.</summary>
public sealed record ProvenanceBuilder
{
    /// <summary>The URI that names the builder and what it promises.</summary>
    [JsonPropertyName("id")]
    public required string Id { get; init; }

    /// <summary>The versions of its parts, sorted by part.</summary>
    [JsonPropertyName("version")]
    public SortedDictionary<string, string>? Version { get; init; }
}

/// <summary>When a build ran.</summary>
public sealed record RunMetadata
{
    /// <summary>The run's own name.</summary>
    [JsonPropertyName("invocationId")]
    public string? InvocationId { get; init; }

    /// <summary>When it began.</summary>
    [JsonPropertyName("startedOn")]
    [JsonConverter(typeof(UtcSecondsConverter))]
    public DateTimeOffset? StartedOn { get; init; }

    /// <summary>When it ended.</summary>
    [JsonPropertyName("finishedOn")]
    [JsonConverter(typeof(UtcSecondsConverter))]
    public DateTimeOffset? FinishedOn { get; init; }
}
