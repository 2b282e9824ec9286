using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

public sealed partial class LedgerView
{
    private const string PromotionColumns = "project, image, stage, digest, repository, admitted, gates, time, entry";

    private const string RolloutColumns =
        "rollout, project, service, stage, repository, digest, version, reason, spec, generation, requested, requested_entry, state, "
        + "state_reason, state_detail, state_entry, "
        + "paused_by, pause_reason, paused_until, outcome, outcome_reason, receipt, time, entry";

    private const string GenerationColumns =
        "project, service, stage, generation, repository, digest, version, spec, rollout, status, time, entry";

    /// <summary>The projects, by name.</summary>
    public IReadOnlyList<AppliedProject> Projects() =>
        _db.Query("SELECT project, digest, text, entry FROM projects ORDER BY project", ReadProject);

    /// <summary>A project as last applied; null when it never was.</summary>
    public AppliedProject? Project(string project) =>
        _db.First("SELECT project, digest, text, entry FROM projects WHERE project = ?1", ReadProject, project);

    /// <summary>The keys, by id.</summary>
    public IReadOnlyList<KnownKey> Keys() =>
        _db.Query("SELECT key_id, purpose, public_key, status, entry FROM keys ORDER BY key_id",
            r => new KnownKey(r.Text(0), r.Text(1), r.Text(2), r.Text(3), r.Integer(4)));

    /// <summary>The last decision about a digest and a stage; null when there was none.</summary>
    public PromotionRow? Promotion(string project, string image, string stage, Digest digest) =>
        _db.First($"SELECT {PromotionColumns} FROM promotions WHERE project = ?1 AND image = ?2 AND stage = ?3 AND digest = ?4",
            ReadPromotion, project, image, stage, digest.ToString());

    /// <summary>The last decision about each digest of a project, the latest first.</summary>
    public IReadOnlyList<PromotionRow> Promotions(string project, string? image = null, string? stage = null) =>
        _db.Query(
            $"SELECT {PromotionColumns} FROM promotions WHERE project = ?1 AND (?2 = '' OR image = ?2) AND (?3 = '' OR stage = ?3) "
                + "ORDER BY entry DESC",
            ReadPromotion, project, image ?? "", stage ?? "");

    /// <summary>What people said about a digest and a stage, oldest first; one row a person, the last word.</summary>
    public IReadOnlyList<ApprovalRow> Approvals(string project, string image, string stage, Digest digest) =>
        _db.Query(
            "SELECT who, verdict, reason, time, entry FROM approvals WHERE project = ?1 AND image = ?2 AND stage = ?3 AND digest = "
                + "?4 ORDER BY entry",
            r => new ApprovalRow(r.Text(0), r.Text(1) == "approved", r.Text(2), TimeAt(r, 3), r.Integer(4)), project, image,
            stage, digest.ToString());

    /// <summary>Why a digest was revoked as an image of a project; null when it was not.</summary>
    public RevocationRow? Revocation(string project, string image, Digest digest) =>
        _db.First(
            "SELECT reason, actor, time, entry FROM revocations WHERE project = ?1 AND image = ?2 AND digest = ?3",
            r => new RevocationRow(r.Text(0), r.Text(1), TimeAt(r, 2), r.Integer(3)), project, image, digest.ToString());

    /// <summary>Why a digest was revoked in a project, whatever the image was called there; null when it was not.</summary>
    public RevocationRow? Revocation(string project, Digest digest) =>
        _db.First(
            "SELECT reason, actor, time, entry FROM revocations WHERE project = ?1 AND digest = ?2 ORDER BY entry DESC",
            r => new RevocationRow(r.Text(0), r.Text(1), TimeAt(r, 2), r.Integer(3)), project, digest.ToString());

    /// <summary>Why a digest may not be released to a service by automation; null when it may.</summary>
    /// <param name="project">The project.</param>
    /// <param name="service">The service.</param>
    /// <param name="stage">The stage.</param>
    /// <param name="digest">The digest.</param>
    /// <param name="settings">What it is to run with; null for anything.</param>
    public QuarantineRow? Quarantine(string project, string service, string stage, Digest digest, Digest? settings = null) =>
        _db.First(
            "SELECT digest, settings, reason, time, entry FROM quarantine"
                + " WHERE project = ?1 AND service = ?2 AND stage = ?3 AND digest = ?4 AND (?5 = '' OR settings IN ('', "
                + "?5)) ORDER BY entry DESC LIMIT 1",
            ReadQuarantine, project, service, stage, digest.ToString(), settings?.ToString() ?? "");

    /// <summary>The digests quarantined for a service, oldest first.</summary>
    public IReadOnlyList<QuarantineRow> Quarantined(string project, string service, string stage) =>
        _db.Query("SELECT digest, settings, reason, time, entry FROM quarantine WHERE project = ?1 AND service = ?2 AND stage = "
            + "?3 ORDER BY entry", ReadQuarantine, project, service, stage);

    /// <summary>A rollout; null when there is none of that id.</summary>
    public RolloutRow? Rollout(string id) => _db.First($"SELECT {RolloutColumns} FROM rollouts WHERE rollout = ?1", ReadRollout, id);

    /// <summary>The rollouts of a service, the latest first.</summary>
    public IReadOnlyList<RolloutRow> Rollouts(string project, string service, string stage, int count = int.MaxValue) =>
        _db.Query(
            $"SELECT {RolloutColumns} FROM rollouts WHERE project = ?1 AND service = ?2 AND stage = ?3 ORDER BY "
                + "requested_entry DESC LIMIT ?4",
            ReadRollout, project, service, stage, count);

    /// <summary>The moves of a rollout in the order they were intended.</summary>
    public IReadOnlyList<MoveRow> Moves(string rollout) =>
        _db.Query("SELECT key, move, detail, outcome, intended, entry FROM moves WHERE rollout = ?1 ORDER BY intended", ReadMove, rollout);

    /// <summary>A move by its idempotency key; null when it was never intended.</summary>
    public MoveRow? Move(string rollout, string key) =>
        _db.First("SELECT key, move, detail, outcome, intended, entry FROM moves WHERE rollout = ?1 AND key = ?2", ReadMove, rollout,
            Documents.Key(key));

    /// <summary>The generations of a service, the latest first, retired ones included.</summary>
    public IReadOnlyList<GenerationRow> Generations(string project, string service, string stage) =>
        _db.Query(
            $"SELECT {GenerationColumns} FROM generations WHERE project = ?1 AND service = ?2 AND stage = ?3 ORDER BY generation DESC",
            ReadGeneration, project, service, stage);

    /// <summary>Every service with a generation that is not retired, in its stage.</summary>
    public IReadOnlyList<(string Project, string Service, string Stage)> LiveServices() =>
        _db.Query("SELECT DISTINCT project, service, stage FROM generations WHERE status = 'live' ORDER BY project, service, stage",
            r => (r.Text(0), r.Text(1), r.Text(2)));

    /// <summary>The number the next generation of a service gets; the first is 1.</summary>
    public long NextGeneration(string project, string service, string stage) =>
        1 + _db.Number("SELECT coalesce(max(generation), 0) FROM generations WHERE project = ?1 AND service = ?2 AND stage = ?3",
            project, service, stage);

    // No project's file is empty: a long one is a document.
    private AppliedProject ReadProject(Row r) =>
        new(r.Text(0), DigestAt(r, 1), r.Text(2) is { Length: > 0 } text ? text : TextOf(r.Integer(3)), r.Integer(3));

    private string TextOf(long entry) =>
        Entry(entry) is { } applied && Whole(applied.Event) is LedgerEvent.ProjectApplied whole ? whole.Text : "";

    private PromotionRow ReadPromotion(Row r) => new(
        r.Text(0), r.Text(1), r.Text(2), DigestAt(r, 3), r.Text(4), r.Integer(5) != 0,
        Whole(Json(r, 6)).Deserialize(LedgerJson.Entries.IReadOnlyListGateRecord) ?? [], TimeAt(r, 7), r.Integer(8));

    private static QuarantineRow ReadQuarantine(Row r) =>
        new(DigestAt(r, 0), Optional(r, 1) is { } settings ? Digest.Parse(settings) : null, r.Text(2), TimeAt(r, 3), r.Integer(4));

    private static RolloutRow ReadRollout(Row r) => new()
    {
        Id = r.Text(0),
        Project = r.Text(1),
        Service = r.Text(2),
        Stage = r.Text(3),
        Repository = r.Text(4),
        Digest = DigestAt(r, 5),
        Version = Optional(r, 6),
        Reason = r.Text(7),
        Spec = Json(r, 8),
        Generation = r.Integer(9),
        Requested = TimeAt(r, 10),
        RequestedEntry = r.Integer(11),
        State = r.Text(12),
        StateReason = r.Text(13),
        StateDetail = Optional(r, 14) is null ? null : Json(r, 14),
        StateEntry = r.Integer(15),
        PausedBy = Optional(r, 16),
        PauseReason = Optional(r, 17),
        PausedUntil = Optional(r, 18) is null ? null : TimeAt(r, 18),
        Outcome = Optional(r, 19),
        OutcomeReason = Optional(r, 20),
        Receipt = Optional(r, 21) is null ? null : Json(r, 21),
        Time = TimeAt(r, 22),
        Entry = r.Integer(23),
    };

    private static MoveRow ReadMove(Row r) =>
        new(r.Text(0), r.Text(1), Json(r, 2), Optional(r, 3), r.Integer(4), r.Integer(5));

    private static GenerationRow ReadGeneration(Row r) => new(
        r.Text(0), r.Text(1), r.Text(2), r.Integer(3), r.Text(4), DigestAt(r, 5), Optional(r, 6), Json(r, 7), r.Text(8),
        r.Text(9) == "retired", TimeAt(r, 10), r.Integer(11));
}

/// <summary>A project's file as last applied.</summary>
public sealed record AppliedProject(string Project, Digest Digest, string Text, long Entry);

/// <summary>A key; <paramref name="Status"/> is <c>created</c>, <c>trusted</c> or <c>retired</c>.</summary>
public sealed record KnownKey(string KeyId, string Purpose, string PublicKey, string Status, long Entry);

/// <summary>The last decision about a digest and a stage.</summary>
public sealed record PromotionRow(
    string Project, string Image, string Stage, Digest Digest, string Repository, bool Admitted, IReadOnlyList<GateRecord> Gates,
    DateTimeOffset Time, long Entry);

/// <summary>What a person said last about a digest and a stage.</summary>
public sealed record ApprovalRow(string Who, bool IsApproved, string Reason, DateTimeOffset Time, long Entry);

/// <summary>Why a digest may enter no stage.</summary>
public sealed record RevocationRow(string Reason, string Actor, DateTimeOffset Time, long Entry);

/// <summary>Why automation may not release a digest to a service, with these settings or, where they are null, with any.</summary>
public sealed record QuarantineRow(Digest Digest, Digest? Settings, string Reason, DateTimeOffset Time, long Entry);

/// <summary>A rollout as the ledger knows it.</summary>
public sealed record RolloutRow
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>The project's name.</summary>
    public required string Project { get; init; }

    /// <summary>The service's name.</summary>
    public required string Service { get; init; }

    /// <summary>The stage's name.</summary>
    public required string Stage { get; init; }

    /// <summary>Where the image is.</summary>
    public required string Repository { get; init; }

    /// <summary>What the service is to run.</summary>
    public required Digest Digest { get; init; }

    /// <summary>The image's version, for people.</summary>
    public string? Version { get; init; }

    /// <summary>Why it was asked for.</summary>
    public required string Reason { get; init; }

    /// <summary>What was asked for, as the controller wrote it, or the name of a document:
    /// <see cref="LedgerView.Whole(JsonElement)"/> puts that in.</summary>
    public required JsonElement Spec { get; init; }

    /// <summary>The number of the generation it brings up.</summary>
    public required long Generation { get; init; }

    /// <summary>When it was asked for.</summary>
    public required DateTimeOffset Requested { get; init; }

    /// <summary>The entry that asked for it.</summary>
    public required long RequestedEntry { get; init; }

    /// <summary>The state's name; empty before the first.</summary>
    public required string State { get; init; }

    /// <summary>Why it is in that state.</summary>
    public required string StateReason { get; init; }

    /// <summary>What was recorded of the state, or the name of a document; null before the first.
    /// <see cref="LedgerView.State"/> makes a state of it.</summary>
    public JsonElement? StateDetail { get; init; }

    /// <summary>The entry that recorded the state; the one that asked for the rollout before the first.</summary>
    public required long StateEntry { get; init; }

    /// <summary>Who paused it; null when it is not paused.</summary>
    public string? PausedBy { get; init; }

    /// <summary>Why it is paused.</summary>
    public string? PauseReason { get; init; }

    /// <summary>When the pause ends by itself; null when it does not.</summary>
    public DateTimeOffset? PausedUntil { get; init; }

    /// <summary>How it ended; null while it has not.</summary>
    public string? Outcome { get; init; }

    /// <summary>Why it ended so.</summary>
    public string? OutcomeReason { get; init; }

    /// <summary>The receipt, as the controller wrote it, or the name of a document.</summary>
    public JsonElement? Receipt { get; init; }

    /// <summary>When it last changed.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The entry that last changed it.</summary>
    public required long Entry { get; init; }
}

/// <summary>A move of a rollout; <paramref name="Outcome"/> is null until it is acknowledged.</summary>
public sealed record MoveRow(string Key, string Move, JsonElement Detail, string? Outcome, long Intended, long Entry);

/// <summary>A generation of a service.</summary>
public sealed record GenerationRow(
    string Project, string Service, string Stage, long Number, string Repository, Digest Digest, string? Version, JsonElement Spec,
    string Rollout, bool IsRetired, DateTimeOffset Time, long Entry);
