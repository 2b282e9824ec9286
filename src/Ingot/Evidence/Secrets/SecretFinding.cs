using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Secrets;

/// <summary>Where a secret was found.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SecretPlace>))]
public enum SecretPlace
{
    /// <summary>In a file of a layer.</summary>
    [JsonStringEnumMemberName("file")]
    File,

    /// <summary>In an instruction of the image's history.</summary>
    [JsonStringEnumMemberName("history")]
    History,

    /// <summary>In a variable of the image's environment.</summary>
    [JsonStringEnumMemberName("environment")]
    Environment,

    /// <summary>In a label.</summary>
    [JsonStringEnumMemberName("label")]
    Label,
}

/// <summary>A secret in an image. The secret itself is in no member.</summary>
public sealed record SecretFinding
{
    /// <summary>The rule that recognised it.</summary>
    [JsonPropertyName("rule")]
    public required string Rule { get; init; }

    /// <summary>What it is, for people.</summary>
    [JsonPropertyName("description")]
    public required string Description { get; init; }

    /// <summary>Where it was found.</summary>
    [JsonPropertyName("place")]
    public required SecretPlace Place { get; init; }

    /// <summary>The layer's blob; null outside of layers.</summary>
    [JsonPropertyName("layer")]
    public Digest? Layer { get; init; }

    /// <summary>The file's path without leading slash, the variable's or label's name, or the number of the history entry,
    /// from 0.</summary>
    [JsonPropertyName("path")]
    public required string Path { get; init; }

    /// <summary>The line, from 1.</summary>
    [JsonPropertyName("line")]
    public required int Line { get; init; }

    /// <summary>What made the layer, secrets taken out; null when the history does not tell.</summary>
    [JsonPropertyName("instruction")]
    public string? Instruction { get; init; }

    /// <summary>Whether a higher layer deletes or replaces the file: it still ships with the image.</summary>
    [JsonPropertyName("deletedLater")]
    public bool DeletedLater { get; init; }

    /// <summary>What was matched with the secret taken out: <c>password=… (12 characters)</c>.</summary>
    [JsonPropertyName("match")]
    public required string Match { get; init; }
}

/// <summary>The outcome of a search for secrets.</summary>
/// <param name="Findings">What was found: configuration first, then the layers from the lowest, each by path and line.</param>
/// <param name="Layers">The layers that were searched, lowest first.</param>
/// <param name="Files">Files that were searched.</param>
/// <param name="Bytes">Bytes that were searched, uncompressed.</param>
/// <param name="IsCut">Whether there was more than is listed.</param>
public sealed record SecretReport(IReadOnlyList<SecretFinding> Findings, IReadOnlyList<Digest> Layers, long Files, long Bytes, bool IsCut)
{
    /// <summary>Whether nothing was found.</summary>
    public bool IsClean => Findings.Count == 0;

    /// <summary>The predicate of a secret scan; equal images give equal predicates.</summary>
    public JsonElement ToPredicate() => JsonSerializer.SerializeToElement(
        new SecretScanPredicate
        {
            Scanner = ResourceDescriptor.Of("ingot", SecretRules.Digest),
            Result = IsClean ? "PASSED" : "FAILED",
            Layers = Layers,
            Findings = Findings,
            IsCut = IsCut,
        },
        SecretJson.Default.SecretScanPredicate);
}

/// <summary>What a secret scan says.</summary>
public sealed record SecretScanPredicate
{
    /// <summary>Who looked; the digest is of the rules.</summary>
    [JsonPropertyName("scanner")]
    public required ResourceDescriptor Scanner { get; init; }

    /// <summary><c>PASSED</c> when nothing was found, else <c>FAILED</c>.</summary>
    [JsonPropertyName("result")]
    public required string Result { get; init; }

    /// <summary>The layers that were searched, lowest first.</summary>
    [JsonPropertyName("layers")]
    public required IReadOnlyList<Digest> Layers { get; init; }

    /// <summary>What was found.</summary>
    [JsonPropertyName("findings")]
    public required IReadOnlyList<SecretFinding> Findings { get; init; }

    /// <summary>Whether there was more than is listed.</summary>
    [JsonPropertyName("cut")]
    public required bool IsCut { get; init; }

    /// <summary>Reads a predicate, or throws <see cref="FormatException"/>.</summary>
    public static SecretScanPredicate FromPredicate(JsonElement predicate)
    {
        const string What = "a secret scan";
        var scan = PredicateReader.Read(predicate, SecretJson.Default.SecretScanPredicate, What);
        PredicateReader.RefuseOther(scan.Result, What, "PASSED", "FAILED");
        PredicateReader.RefuseNull(scan.Findings, What);
        return scan;
    }
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, AllowDuplicateProperties = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SecretScanPredicate))]
internal sealed partial class SecretJson : JsonSerializerContext;
