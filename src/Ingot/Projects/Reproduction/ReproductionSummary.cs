using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Projects.Reproduction;

/// <summary>Who verified.</summary>
internal sealed record ReproductionVerifier([property: JsonPropertyName("id")] string Id);

/// <summary>The predicate of a verification summary (<see href="https://slsa.dev/spec/v1.0/verification_summary"/>).</summary>
internal sealed record ReproductionSummary(
    [property: JsonPropertyName("verifier")] ReproductionVerifier Verifier,
    [property: JsonPropertyName("timeVerified")] string TimeVerified,
    [property: JsonPropertyName("resourceUri")] string ResourceUri,
    [property: JsonPropertyName("verificationResult")] string Result,
    [property: JsonPropertyName("verifiedLevels")] IReadOnlyList<string> Levels,
    [property: JsonPropertyName("ingotRuns")] int Runs,
    [property: JsonPropertyName("ingotSources")] string Sources)
{
    /// <summary>That an image became the same again.</summary>
    public static ReproductionSummary Of(string image, int runs, string sources, DateTimeOffset now) => new(
        new ReproductionVerifier("https://ingot.dev/reproduce/v1"),
        now.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        image, "PASSED", ["INGOT_BUILD_REPRODUCED"], runs, sources);

    /// <summary>It as JSON.</summary>
    public JsonElement ToPredicate() => JsonSerializer.SerializeToElement(this, ReproductionSummaryJson.Default.ReproductionSummary);
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.Never)]
[JsonSerializable(typeof(ReproductionSummary))]
internal sealed partial class ReproductionSummaryJson : JsonSerializerContext;
