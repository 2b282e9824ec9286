using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Evidence.Provenance;

namespace Ingot.Evidence.Claims;

/// <summary>A claim about an image, held against its bytes.</summary>
public sealed record ClaimResult
{
    /// <summary>The claim, such as <c>non-root</c>.</summary>
    [JsonPropertyName("claim")]
    public required string Claim { get; init; }

    /// <summary>Whether it holds.</summary>
    [JsonPropertyName("holds")]
    public required bool Holds { get; init; }

    /// <summary>One sentence: why, or why not.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }

    /// <summary>The paths that speak against it, with a leading slash, in order; at most <see cref="ClaimChecker.MaxOffending"/>.</summary>
    [JsonPropertyName("offending")]
    public IReadOnlyList<string> Offending { get => field ?? []; init; }
}

/// <summary>What was claimed of an image and what is true of it.</summary>
/// <param name="Results">Each claim once, in the order asked.</param>
public sealed record ClaimReport(IReadOnlyList<ClaimResult> Results)
{
    /// <summary>Whether all of them hold.</summary>
    public bool AllHold => Results.All(r => r.Holds);

    /// <summary>The predicate of a statement; equal reports give equal predicates.</summary>
    public JsonElement ToPredicate() => JsonSerializer.SerializeToElement(
        new ClaimsPredicate
        {
            Checker = ResourceDescriptor.Of("ingot", ClaimRules.Digest),
            Result = AllHold ? "PASSED" : "FAILED",
            Claims = Results,
        },
        ClaimJson.Default.ClaimsPredicate);
}

/// <summary>What a statement about claims says.</summary>
public sealed record ClaimsPredicate
{
    /// <summary>Who looked; the digest is of the rules.</summary>
    [JsonPropertyName("checker")]
    public required ResourceDescriptor Checker { get; init; }

    /// <summary><c>PASSED</c> when all claims hold, else <c>FAILED</c>.</summary>
    [JsonPropertyName("result")]
    public required string Result { get; init; }

    /// <summary>The claims.</summary>
    [JsonPropertyName("claims")]
    public required IReadOnlyList<ClaimResult> Claims { get; init; }

    /// <summary>Reads a predicate, or throws <see cref="FormatException"/>.</summary>
    public static ClaimsPredicate FromPredicate(JsonElement predicate)
    {
        const string What = "about claims";
        var claims = PredicateReader.Read(predicate, ClaimJson.Default.ClaimsPredicate, What);
        PredicateReader.RefuseOther(claims.Result, What, "PASSED", "FAILED");
        PredicateReader.RefuseNull(claims.Claims, What);
        return claims;
    }
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, AllowDuplicateProperties = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ClaimsPredicate))]
internal sealed partial class ClaimJson : JsonSerializerContext;
