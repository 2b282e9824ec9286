using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Server.Api;

namespace Ingot.Cli.Output;

/// <summary>What <c>ingot up --output json</c> prints.</summary>
/// <param name="Outcome"><c>done</c>, <c>unchanged</c>, <c>refused</c>, <c>waiting</c>, <c>rolled_back</c>,
/// <c>timed_out</c> or <c>detached</c>.</param>
/// <param name="Decisions">What the stages answered.</param>
/// <param name="Releases">What became of the releases.</param>
/// <param name="Services">What runs now.</param>
internal sealed record UpReport(
    string Outcome, IReadOnlyList<DecisionReply> Decisions, IReadOnlyList<UpRelease> Releases, IReadOnlyList<ServiceStatus> Services);

/// <summary>One release of <c>ingot up</c>: <c>done</c>, <c>unchanged</c>, <c>refused</c>, <c>rolled_back</c>, <c>paused</c>,
/// <c>timed_out</c> or <c>detached</c>.</summary>
internal sealed record UpRelease(
    string Stage, string Service, Digest Digest, string Outcome, string? Rollout, int? Generation, string? Reason,
    IReadOnlyList<InstanceSymptom>? Symptoms);

/// <summary>What <c>ingot up --dry-run --output json</c> prints.</summary>
internal sealed record UpPreviewReport(
    IReadOnlyList<PlannedImage> Images, IReadOnlyList<DecisionReply> Decisions, IReadOnlyList<PlannedRelease> Releases);

/// <summary>An image that would be built. The digest is the one this version was last built with on this host;
/// null when it was not.</summary>
internal sealed record PlannedImage(string Image, string? Version, string From, Digest? Digest, string? Conflict);

/// <summary>A release that would be asked for: <c>started</c>, <c>unchanged</c>, <c>refused</c>, or <c>unknown</c> as long as the digest,
/// the server, or the answer of the gates is.</summary>
internal sealed record PlannedRelease(string Stage, string Service, string Outcome, string? Reason, IReadOnlyList<string> Moves);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(UpReport))]
[JsonSerializable(typeof(UpPreviewReport))]
internal sealed partial class UpJson : JsonSerializerContext;
