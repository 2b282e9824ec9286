using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Server.Api;

/// <summary>Which server answers: <c>GET /api/v1/health</c>, the one call that needs no token. Only the home's socket says where the home
/// is and where else the server listens.</summary>
public sealed record HealthReply(string Version, string Build, DateTimeOffset Started, string? Home = null, string? Listen = null);

/// <summary>An <c>ingot.yaml</c> as it stands, and what it only names: <c>PUT /api/v1/projects/NAME</c>.</summary>
public sealed record ProjectRequest(string Yaml, IReadOnlyList<ProjectImageRequest>? Images = null);

/// <summary>An image of the project: its goss files, and the repository and commit it was built from, when there are any.</summary>
public sealed record ProjectImageRequest(
    string Image, IReadOnlyList<ProjectFileRequest> Tests, string? Repository = null, string? Commit = null);

/// <summary>A file of the project, and the digest of its text.</summary>
public sealed record ProjectFileRequest(string Name, Digest Digest);

/// <summary>The project as recorded; <see cref="Changed"/> when it differs from what was recorded before.</summary>
public sealed record ProjectReply(string Project, Digest Digest, bool Changed, IReadOnlyList<LeftService>? Left = null);

/// <summary>A service that is no longer in the project, or no longer at a stage, and runs on there.</summary>
public sealed record LeftService(string Service, string Stage);

/// <summary>Asks for a digest to be admitted to a stage: <c>POST /api/v1/promotions</c>.</summary>
public sealed record PromotionRequest(string Project, string Image, string Stage, Digest Digest);

/// <summary>What the policy answered: <c>admitted</c>, or <c>refused</c> with the gates that say why.</summary>
/// <remarks><see cref="Fallen"/> says why an earlier admission counts no more; what runs already goes on running.</remarks>
public sealed record DecisionReply(
    string Project, string Image, Digest Digest, string? Version, string Stage, string Decision, DateTimeOffset? Since,
    IReadOnlyList<GateReply> Gates, string? Fallen = null)
{
    /// <summary>The services of the stage in which the digest failed and to which automation does not release it again;
    /// null when there are none.</summary>
    public IReadOnlyList<QuarantineReply>? Quarantines { get; init; }
}

/// <summary>A digest failed in a service. <see cref="WithSettings"/> says whether it is kept away only with the settings it had
/// then.</summary>
public sealed record QuarantineReply(
    string Service, string Reason, DateTimeOffset Time, bool WithSettings, IReadOnlyList<InstanceSymptom> Symptoms);

/// <summary>One gate of a decision. The verdict is <c>pass</c>, <c>fail</c> or <c>unknown</c>;
/// a gate that does not pass says what to do.</summary>
public sealed record GateReply(string Gate, string Verdict, string Reason, string? Cure, IReadOnlyList<Digest> Evidence);

/// <summary>A person's word on a digest in a stage: <c>POST /api/v1/approvals</c>.</summary>
public sealed record ApprovalRequest(string Project, string Image, string Stage, Digest Digest, string Why, bool Approved);

/// <summary>Takes every promotion of a digest back: <c>POST /api/v1/revocations</c>.</summary>
public sealed record RevocationRequest(string Project, string Image, Digest Digest, string Why);

/// <summary>Frees a tag that nothing was decided on: <c>POST /api/v1/tags/deletions</c>.</summary>
public sealed record TagRequest(string Repository, string Tag, string Why);

/// <summary>A tag that was freed, and what it named.</summary>
public sealed record TagReply(string Repository, string Tag, Digest Digest);

/// <summary>Asks for a service to run a digest: <c>POST /api/v1/releases</c>.</summary>
public sealed record ReleaseRequest(string Project, string Service, string Stage, Digest Digest, string Reason, bool Override = false);

/// <summary>Asks what a release would do, with the project as it is given: <c>POST /api/v1/releases/preview</c>.
/// It changes nothing.</summary>
public sealed record ReleasePreviewRequest(string Yaml, string Service, string Stage, Digest Digest);

/// <summary>What a release would come to: <c>started</c>, <c>unchanged</c>, <c>refused</c> with the reason, or <c>unknown</c> as long as
/// gates are to be asked first; and what would be moved, in order.</summary>
public sealed record ReleasePreviewReply(string Outcome, int? Generation, string? Reason, IReadOnlyList<string> Moves);

/// <summary>Asks for the generation before: <c>POST /api/v1/rollbacks</c>.</summary>
public sealed record RollbackRequest(string Project, string Service, string Stage, string Why);

/// <summary>Pauses or resumes the rollout of a service: <c>POST /api/v1/pauses</c>.</summary>
public sealed record PauseRequest(string Project, string Service, string Stage, string Why, bool Paused);

/// <summary>Stops what a project runs: <c>POST /api/v1/stops</c>.</summary>
public sealed record StopRequest(string Project, string? Service = null, string? Stage = null);

/// <summary>Asks for a token: <c>POST /api/v1/tokens</c>.</summary>
public sealed record TokenRequest(string Name, IReadOnlyList<string>? Roles = null, DateTimeOffset? Expires = null);

/// <summary>A token that was made. <see cref="Token"/> is shown this once.</summary>
public sealed record TokenReply(string Name, IReadOnlyList<string> Roles, DateTimeOffset? Expires, string Token);

/// <summary>Takes a token back: <c>POST /api/v1/tokens/NAME/revocation</c>.</summary>
public sealed record TokenRevocationRequest(string Why);

/// <summary>Every token that was ever made: <c>GET /api/v1/tokens</c>.</summary>
public sealed record TokenListReply(IReadOnlyList<TokenStatus> Tokens);

/// <summary>One token. The state is <c>valid</c>, <c>expired</c> or <c>revoked</c>.</summary>
public sealed record TokenStatus(
    string Name, IReadOnlyList<string> Roles, DateTimeOffset Created, string CreatedBy, DateTimeOffset? Expires, string State);

/// <summary>Who is asking: <c>GET /api/v1/principal</c>.</summary>
public sealed record PrincipalReply(string Name, IReadOnlyList<string> Roles);

/// <summary>Every key the ledger knows, and what is not trusted: <c>GET /api/v1/keys</c>.</summary>
public sealed record KeysReply(IReadOnlyList<KeyReply> Keys, IReadOnlyList<string> Notes);

/// <summary>A key. The state is <c>in use</c> or <c>retired</c>; <see cref="Purpose"/> is <c>evidence</c> or <c>log</c>.</summary>
public sealed record KeyReply(
    string Name, string Id, string Purpose, bool Own, IReadOnlyList<string> Roles, string State, DateTimeOffset Since, string By,
    string? Why = null);

/// <summary>Trusts a key in roles: <c>POST /api/v1/keys</c>.</summary>
public sealed record KeyTrustRequest(string Name, string PublicKey, IReadOnlyList<string> Roles);

/// <summary>Retires a key, by name or id: <c>POST /api/v1/keys/retirements</c>.</summary>
public sealed record KeyRetirementRequest(string Key, string Why);

/// <summary>A key that was retired, and the admissions that fell with it, as <c>project/image@digest in stage</c>.</summary>
public sealed record KeyRetirementReply(KeyReply Key, IReadOnlyList<string> Fallen);

/// <summary>What became of a release: <c>started</c>, <c>unchanged</c> when the digest and configuration run already,
/// or <c>refused</c> with the reason.</summary>
public sealed record ReleaseReply(string Outcome, string? Rollout, int? Generation, string? Reason);

/// <summary>A rollout as it stands: <c>GET /api/v1/rollouts/ID</c>. <see cref="Events"/> are the ledger's sentences after the entry asked
/// for.</summary>
public sealed record RolloutReply(
    string Id, string Project, string Service, string Stage, int Generation, Digest Digest, string? Version, string State, string? Reason,
    bool Finished, bool Succeeded, int Share, IReadOnlyList<RolloutEvent> Events,
    bool Quarantined = false)
{
    /// <summary>Whether the traffic is where a rollback, or a rollout that turns back, takes it, as the proxy has confirmed; what is left
    /// of the other generation is cleared away afterwards.</summary>
    public bool TrafficBack { get; init; }

    /// <summary>Who asked for it.</summary>
    public string? By { get; init; }

    /// <summary>How a command that followed it left it: <c>done</c>, <c>rolled_back</c>, <c>paused</c>, <c>timed_out</c> or
    /// <c>detached</c>; the server does not say.</summary>
    public string? Outcome { get; init; }

    /// <summary>What is left of the instances of a generation that failed; null when it did not.</summary>
    public IReadOnlyList<InstanceSymptom>? Symptoms { get; init; }
}

/// <summary>An instance that failed, as it is kept for a look until the next rollout.</summary>
/// <param name="Instance">Its name, such as <c>g2-0</c>.</param>
/// <param name="Container">The engine's id of it.</param>
/// <param name="ExitCode">How it ended, when it ended by itself again and again.</param>
/// <param name="OutOfMemory">Whether the kernel ended it for want of memory.</param>
/// <param name="Log">The last lines it wrote: cleaned of control characters and of secrets that are recognised,
/// and cut where they are long.</param>
public sealed record InstanceSymptom(string Instance, string Container, int? ExitCode, bool OutOfMemory, IReadOnlyList<string> Log);

/// <summary>A line that an instance wrote, as it was written: <c>GET /api/v1/logs</c> answers with one such object a line.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Service">The service.</param>
/// <param name="Instance">The instance's name, such as <c>g2-0</c>.</param>
/// <param name="Container">The engine's id of it.</param>
/// <param name="Time">When it was written; null when the engine does not say.</param>
/// <param name="Stream"><c>stdout</c> or <c>stderr</c>.</param>
/// <param name="Text">The line.</param>
public sealed record LogLineReply(
    string Stage, string Service, string Instance, string Container, DateTimeOffset? Time, string Stream, string Text);

/// <summary>One sentence of a rollout's story.</summary>
public sealed record RolloutEvent(long Entry, DateTimeOffset Time, string Text);

/// <summary>Where instances run, and what can be pulled there, by how its layers are compressed: <c>GET /api/v1/target</c>.</summary>
public sealed record TargetReply(string Name, IReadOnlyList<string> Compressions, string Upgrade);

/// <summary>Everything that runs: <c>GET /api/v1/status</c>.</summary>
public sealed record StatusReply(IReadOnlyList<ServiceStatus> Services);

/// <summary>One service in one stage, as observed.</summary>
public sealed record ServiceStatus
{
    public required string Project { get; init; }

    public required string Service { get; init; }

    public required string Stage { get; init; }

    public required string Image { get; init; }

    public required Digest? Digest { get; init; }

    public required string? Version { get; init; }

    public required int? Generation { get; init; }

    public required string State { get; init; }

    public required int Share { get; init; }

    public required DateTimeOffset? Since { get; init; }

    public required string? Url { get; init; }

    public required IReadOnlyList<InstanceStatus> Instances { get; init; }

    public required IReadOnlyList<GenerationStatus> Warm { get; init; }

    public required RolloutStatus? Rollout { get; init; }

    /// <summary>Why what serves may not be released any more; null when it may. It goes on serving.</summary>
    public string? Withdrawn { get; init; }

    /// <summary>Whether the project, as last applied, no longer has this service at this stage: it runs on until it is stopped.</summary>
    public bool Left { get; init; }

    /// <summary>What does not go as it should, one sentence each.</summary>
    public IReadOnlyList<string> Troubles { get; init; } = [];

    /// <summary>The last rollout, when it went back by itself; null when it did not, or another is under way.</summary>
    public FailedRollout? Failure { get; init; }
}

/// <summary>A rollout that went back by itself.</summary>
/// <param name="Rollout">Its id.</param>
/// <param name="Generation">The generation that failed.</param>
/// <param name="Digest">What it ran.</param>
/// <param name="Version">Its version, for people.</param>
/// <param name="Reason">Why, with what was seen of the instances.</param>
/// <param name="Time">When.</param>
/// <param name="Symptoms">What is left of its instances.</param>
public sealed record FailedRollout(
    string Rollout, int Generation, Digest Digest, string? Version, string Reason, DateTimeOffset Time,
    IReadOnlyList<InstanceSymptom> Symptoms);

/// <summary>One instance.</summary>
public sealed record InstanceStatus(string Id, string? Address, string State, string Health, Digest Digest, int Generation)
{
    /// <summary>Its name in its service, such as <c>g2-0</c>.</summary>
    public string? Name { get; init; }

    /// <summary>The version of its image, for people.</summary>
    public string? Version { get; init; }

    /// <summary>When it was last started; null when it never was.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>How it ended; null while it runs.</summary>
    public int? ExitCode { get; init; }

    /// <summary>What the last health check got instead of a good answer; null when it passed.</summary>
    public string? Check { get; init; }
}

/// <summary>An old generation that stands ready to take the traffic back;
/// <paramref name="Withdrawn"/> when nothing goes back to it any more.</summary>
public sealed record GenerationStatus(int Generation, Digest Digest, string? Version, int Instances, string? Withdrawn = null);

/// <summary>The rollout under way.</summary>
public sealed record RolloutStatus(
    string Id, int Generation, Digest Digest, string? Version, string State, int Share, string? Reason, DateTimeOffset Since);

/// <summary>One entry of the ledger, with the sentence that tells it.</summary>
public sealed record LogEntryReply(long Entry, DateTimeOffset Time, string Actor, string Kind, string Text, JsonElement Body);

/// <summary>A page of the ledger.</summary>
public sealed record LogReply(long Size, IReadOnlyList<LogEntryReply> Entries);

/// <summary>The ledger, recomputed from storage alone.</summary>
public sealed record VerifyReply(bool Ok, long Size, string Root, IReadOnlyList<VerifyProblem> Problems)
{
    /// <summary>A report as it is sent.</summary>
    public static VerifyReply Of(Ledger.LedgerReport report) =>
        new(report.Ok, report.Size, report.Root, [.. report.Problems.Select(p => new VerifyProblem(p.Entry, p.Problem))]);
}

/// <summary>Asks for a verification against checkpoints that were kept elsewhere, each as signed text.</summary>
public sealed record VerifyRequest(IReadOnlyList<string> Against);

/// <summary>What is wrong with an entry, or with what was made of it.</summary>
public sealed record VerifyProblem(long? Entry, string Problem);

/// <summary>What a tag names.</summary>
public sealed record ResolveReply(string Project, string Image, Digest Digest, string? Version);

/// <summary>Why a call was not carried out. The code <c>not_found</c>, <c>refused</c> or <c>invalid</c> decides the exit code.</summary>
public sealed record ErrorReply(string Code, string Message);

/// <summary>The JSON of the API: snake_case, additive only.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = false,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HealthReply))]
[JsonSerializable(typeof(ProjectRequest))]
[JsonSerializable(typeof(ProjectReply))]
[JsonSerializable(typeof(PromotionRequest))]
[JsonSerializable(typeof(DecisionReply))]
[JsonSerializable(typeof(ApprovalRequest))]
[JsonSerializable(typeof(RevocationRequest))]
[JsonSerializable(typeof(TagRequest))]
[JsonSerializable(typeof(TagReply))]
[JsonSerializable(typeof(ReleaseRequest))]
[JsonSerializable(typeof(ReleaseReply))]
[JsonSerializable(typeof(ReleasePreviewRequest))]
[JsonSerializable(typeof(ReleasePreviewReply))]
[JsonSerializable(typeof(RollbackRequest))]
[JsonSerializable(typeof(PauseRequest))]
[JsonSerializable(typeof(StopRequest))]
[JsonSerializable(typeof(RolloutReply))]
[JsonSerializable(typeof(TargetReply))]
[JsonSerializable(typeof(StatusReply))]
[JsonSerializable(typeof(LogReply))]
[JsonSerializable(typeof(VerifyReply))]
[JsonSerializable(typeof(VerifyRequest))]
[JsonSerializable(typeof(ResolveReply))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenReply))]
[JsonSerializable(typeof(TokenRevocationRequest))]
[JsonSerializable(typeof(TokenListReply))]
[JsonSerializable(typeof(PrincipalReply))]
[JsonSerializable(typeof(KeysReply))]
[JsonSerializable(typeof(KeyTrustRequest))]
[JsonSerializable(typeof(KeyReply))]
[JsonSerializable(typeof(KeyRetirementRequest))]
[JsonSerializable(typeof(KeyRetirementReply))]
[JsonSerializable(typeof(LogLineReply))]
[JsonSerializable(typeof(ErrorReply))]
public sealed partial class ApiJson : JsonSerializerContext;
