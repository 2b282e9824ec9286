using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Cli.Output;

/// <summary>What <c>ingot build --output json</c> prints.</summary>
internal sealed record BuildReport(IReadOnlyList<BuiltImageReport> Images)
{
    /// <summary>With <c>--explain</c>, every step; else null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<StepExplanationRow>? Steps { get; init; }
}

internal sealed record StepExplanationRow(
    string Stage, int Number, string Instruction, bool Cached, DateTimeOffset? Made, string? Source, string? Against, string? Remark,
    IReadOnlyList<InputChangeRow> Changes, int MoreChanges);

internal sealed record InputChangeRow(string Input, string? Name, string? Before, string? After);

internal sealed record BuiltImageReport(
    string Name, string? Tag, Digest Digest, Digest ConfigDigest, string Platform, long Size, double Seconds, StepCount Steps);

internal sealed record StepCount(int Total, int Cached);

/// <summary>What <c>ingot images --output json</c> prints.</summary>
internal sealed record ImagesReport(IReadOnlyList<ImageRow> Images);

internal sealed record ImageRow(string Name, Digest Digest, long Size, int Layers);

/// <summary>What <c>ingot inspect --output json</c> prints.</summary>
internal sealed record InspectReport(
    string Name, Digest Digest, System.Text.Json.JsonElement Manifest, System.Text.Json.JsonElement Config);

/// <summary>What <c>ingot test --output json</c> prints.</summary>
internal sealed record TestReply(
    Digest Digest, bool Passed, int PassedCount, int FailedCount, int SkippedCount, IReadOnlyList<TestRow> Results);

internal sealed record TestRow(string Name, string Outcome, string? Expected, string? Found, double Seconds);

/// <summary>What <c>ingot scan --output json</c> prints. Vulnerabilities are null as long as they are not looked up: an empty list would
/// say that there are none.</summary>
internal sealed record ScanReport(
    Digest Digest, int Packages, IReadOnlyList<string>? Vulnerabilities, IReadOnlyList<SecretRow> Secrets, IReadOnlyList<ClaimRow> Claims,
    IReadOnlyList<string> Unreadable);

internal sealed record SecretRow(string Rule, string Where, string Match);

internal sealed record ClaimRow(string Claim, bool Holds, IReadOnlyList<string> Paths);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BuildReport))]
[JsonSerializable(typeof(ImagesReport))]
[JsonSerializable(typeof(InspectReport))]
[JsonSerializable(typeof(TestReply))]
[JsonSerializable(typeof(ScanReport))]
internal sealed partial class ReportJson : JsonSerializerContext;
