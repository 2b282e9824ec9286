using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Storage;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Ledger;

/// <summary>What an entry does to the tables that answer queries. Appending and replaying use it alike.</summary>
/// <remarks>It MUST depend on nothing but the entry and the tables, so that a replay gives the same rows.
/// Every row carries the entry that last wrote it.</remarks>
public static partial class Projections
{
    /// <summary>Brings the tables up to the entry, which must be the next.</summary>
    internal static void Apply(IDatabase db, LedgerEntry entry)
    {
        ApplyWithoutIndex(db, entry);
        Index(db, entry);
    }

    /// <summary>All of it but the index by subject.</summary>
    internal static void ApplyWithoutIndex(IDatabase db, LedgerEntry entry)
    {
        foreach (var document in Documents.NamedBy(entry.Event))
            db.Execute("INSERT INTO documents VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", Text(document.Document),
                document.Size, entry.Seq);
        Project(db, entry);
    }

    private static void Project(IDatabase db, LedgerEntry entry)
    {
        long seq = entry.Seq;
        string time = entry.TimeText;
        if (entry.Event is IAboutDigest { Digest.IsSha256: false }
            and (PromotionDecided or Approved or Rejected or Revoked or ReleaseRequested))
            throw new LedgerException($"a decision about '{((IAboutDigest)entry.Event).Digest}' was not recorded: "
                + "decisions are about images by their sha256 digest, so that one image has one name");
        switch (entry.Event)
        {
            case ServerStarted or TokenCreated or TokenRevoked or LossAccepted:
                break;
            case KeyCreated e:
                PutKey(db, e.KeyId, e.Purpose, e.PublicKey, "created", seq);
                break;
            case KeyTrusted e:
                PutKey(db, e.KeyId, e.Purpose, e.PublicKey, "trusted", seq);
                break;
            case KeyRetired e:
                MustExist(db.Execute("UPDATE keys SET status = 'retired', entry = ?2 WHERE key_id = ?1", e.KeyId, seq), "key", e.KeyId);
                break;
            case ProjectApplied e:
                db.Execute(s_putProject, e.Project, Text(e.Digest), e.Text, seq);
                break;

            case ImagePublished e:
                PutManifest(db, e.Repository, e.Digest, e.MediaType, e.Size, e.ArtifactType, subject: "", predicateType: null, time, seq);
                break;
            case EvidenceAttached e:
                PutManifest(db, e.Repository, e.Digest, e.MediaType, e.Size, e.ArtifactType, Text(e.Subject), e.PredicateType, time, seq);
                break;
            case TagBound e:
                db.Execute(s_putTag, e.Repository, e.Tag, Text(e.Digest), time, seq);
                break;
            case TagDeleted e:
                db.Execute("DELETE FROM tags WHERE repository = ?1 AND tag = ?2", e.Repository, e.Tag);
                break;
            case ManifestDeleted e:
                db.Execute("DELETE FROM tags WHERE repository = ?1 AND digest = ?2", e.Repository, Text(e.Digest));
                db.Execute("DELETE FROM manifests WHERE repository = ?1 AND digest = ?2", e.Repository, Text(e.Digest));
                break;
            case BlobDeleted e:
                db.Execute(s_putDeletedBlob, e.Repository, Text(e.Digest), seq);
                break;
            case BlobRestored e:
                db.Execute("DELETE FROM deleted_blobs WHERE repository = ?1 AND digest = ?2", e.Repository, Text(e.Digest));
                break;

            case PromotionDecided e:
                db.Execute(
                    s_putPromotion,
                    e.Project, e.Image, e.Stage, Text(e.Digest), e.Repository, e.Admitted, Gates(e), time, seq);
                break;
            case Approved e:
                PutApproval(db, e.Project, e.Image, e.Stage, e.Digest, e.Who, "approved", e.Reason, time, seq);
                break;
            case Rejected e:
                PutApproval(db, e.Project, e.Image, e.Stage, e.Digest, e.Who, "rejected", e.Reason, time, seq);
                break;
            case Revoked e:
                db.Execute(s_putRevocation, e.Project, e.Image, Text(e.Digest), e.Reason, entry.Actor, time, seq);
                break;
            case Quarantined e:
                db.Execute(
                    s_putQuarantine,
                    e.Project, e.Service, e.Stage, Text(e.Digest), Text(e.Settings), e.Reason, time, seq);
                break;
            case QuarantineLifted e:
                db.Execute(
                    "DELETE FROM quarantine WHERE project = ?1 AND service = ?2 AND stage = ?3 AND digest = ?4 AND (?5 = '' OR "
                        + "settings IN ('', ?5))",
                    e.Project, e.Service, e.Stage, Text(e.Digest), Text(e.Settings));
                break;

            case ReleaseRequested e:
                BeginRollout(db, e, time, seq);
                break;
            case RolloutIntent e:
                db.Execute(s_putMove, e.Rollout, e.Key, e.Move, e.Detail.GetRawText(), "", seq, seq);
                break;
            case RolloutAcknowledged e:
                MustExist(
                    db.Execute("UPDATE moves SET outcome = ?3, entry = ?4 WHERE rollout = ?1 AND key = ?2", e.Rollout,
                        e.Key, e.Outcome, seq),
                    "move",
                    e.Key);
                break;
            case RolloutStateChanged e:
                MustExist(db.Execute(
                    // One that was recorded as done and is given back meanwhile is under way again.
                    "UPDATE rollouts SET state = ?2, state_reason = ?3, state_detail = ?4, state_entry = ?6, "
                        + "outcome = CASE WHEN outcome = 'Done' AND ?2 <> 'Done' THEN '' ELSE outcome END, time = ?5, "
                        + "entry = ?6 WHERE rollout = ?1",
                    e.Rollout, e.State, e.Reason, e.Detail.GetRawText(), time, seq), "rollout", e.Rollout);
                break;
            case RolloutMeasured e:
                MustExist(db.Execute("UPDATE rollouts SET state_detail = ?2, state_entry = ?4, time = ?3, entry = ?4 WHERE rollout = ?1",
                    e.Rollout, e.Detail.GetRawText(), time, seq),
                    "rollout", e.Rollout);
                break;
            case RolloutPaused e:
                string until = e.Until is { } at ? Rfc3339Converter.Format(at) : "";
                MustExist(db.Execute(
                    "UPDATE rollouts SET paused_by = ?2, pause_reason = ?3, paused_until = ?4, time = ?5, entry = ?6 WHERE rollout = ?1",
                    e.Rollout, e.Who, e.Reason, until, time, seq), "rollout", e.Rollout);
                break;
            case RolloutResumed e:
                MustExist(db.Execute(
                    "UPDATE rollouts SET paused_by = '', pause_reason = '', paused_until = '', time = ?2, entry = ?3 WHERE rollout = ?1",
                    e.Rollout, time, seq), "rollout", e.Rollout);
                break;
            case RolloutFinished e:
                MustExist(db.Execute(
                    "UPDATE rollouts SET outcome = ?2, outcome_reason = ?3, receipt = ?4, paused_by = '', pause_reason = '', "
                        + "paused_until = '', time = ?5, entry = ?6 WHERE rollout = ?1",
                    e.Rollout, e.Outcome, e.Reason, e.Receipt.GetRawText(), time, seq), "rollout", e.Rollout);
                break;
            case GenerationRetired e:
                MustExist(db.Execute(
                    "UPDATE generations SET status = 'retired', time = ?5, entry = ?6 WHERE project = ?1 AND service = ?2 AND stage = ?3 "
                        + "AND generation = ?4",
                    e.Project, e.Service, e.Stage, e.Generation, time, seq), "generation",
                    $"{e.Project}/{e.Service}/{e.Stage}/{e.Generation}");
                break;
            case RepairIntended or RepairAcknowledged or ServiceStopping:
                break;
            case ServiceStopped e:
                db.Execute(
                    "UPDATE generations SET status = 'retired', time = ?4, entry = ?5 WHERE project = ?1 AND service = ?2 AND stage = ?3 "
                        + "AND status = 'live'",
                    e.Project, e.Service, e.Stage, time, seq);
                db.Execute(
                    "UPDATE rollouts SET outcome = 'Stopped', outcome_reason = ?4, time = ?5, "
                        + "entry = ?6 WHERE project = ?1 AND service = ?2 AND stage = ?3 AND outcome = ''",
                    e.Project, e.Service, e.Stage, e.Reason, time, seq);
                break;
            default:
                throw new InvalidOperationException($"'{entry.Event.GetType().Name}' has no projection");
        }
    }

    /// <summary>Lets the entry be found by what it is about.</summary>
    internal static void Index(IDatabase db, LedgerEntry entry)
    {
        // One statement for all: this is done for every entry, and a statement costs more than a row.
        var arguments = new List<object> { entry.Seq };
        var sql = new StringBuilder("INSERT INTO subjects VALUES");
        foreach (var (type, value) in Subjects(entry.Event, id => About(db, id)))
        {
            sql.Append(CultureInfo.InvariantCulture,
                $"{(arguments.Count == 1 ? "" : ",")} (?{arguments.Count + 1}, ?{arguments.Count + 2}, ?1)");
            arguments.Add(type);
            arguments.Add(value);
        }

        sql.Append(" ON CONFLICT DO NOTHING");
        db.Execute(sql.ToString(), CollectionsMarshal.AsSpan(arguments));
    }

    /// <summary>What a rollout is about; null for one that the tables do not know.</summary>
    internal static RolloutSubjects? About(IDatabase db, string rollout) => db.First(
        "SELECT project, service, digest FROM rollouts WHERE rollout = ?1",
        r => new RolloutSubjects(r.Text(0), r.Text(1), r.Text(2)), rollout);

    /// <summary>What an event is about, some of it perhaps twice.</summary>
    internal static IEnumerable<(string Type, string Value)> Subjects(LedgerEvent e, Func<string, RolloutSubjects?> about)
    {
        yield return (SubjectType.Kind, e.Kind);
        if (e is IAboutProject project)
            yield return (SubjectType.Project, project.Project);
        if (e is IAboutService service)
            yield return (SubjectType.Service, $"{service.Project}/{service.Service}");
        if (e is IAboutRepository repository)
            yield return (SubjectType.Repository, repository.Repository);
        if (e is IAboutDigest digest)
            yield return (SubjectType.Digest, Text(digest.Digest));
        if (e is EvidenceAttached evidence)
            yield return (SubjectType.Digest, Text(evidence.Subject));
        if (e is not IAboutRollout { Rollout: var id })
            yield break;

        yield return (SubjectType.Rollout, id);
        if (about(id) is { } rollout)
        {
            yield return (SubjectType.Project, rollout.Project);
            yield return (SubjectType.Service, $"{rollout.Project}/{rollout.Service}");
            yield return (SubjectType.Digest, rollout.Digest);
        }
    }

    private static void PutKey(IDatabase db, string id, string purpose, string publicKey, string status, long seq) =>
        db.Execute(s_putKey, id, purpose, publicKey, status, seq);

    private static void PutManifest(
        IDatabase db, string repository, Digest digest, string mediaType, long size, string? artifactType, string subject,
        string? predicateType, string time, long seq)
    {
        db.Execute("INSERT INTO repositories VALUES (?1, ?2) ON CONFLICT DO NOTHING", repository, seq);
        db.Execute(
            s_putManifest,
            repository, Text(digest), mediaType, size, artifactType ?? "", subject, predicateType ?? "", time, seq);
    }

    private static void PutApproval(
        IDatabase db, string project, string image, string stage, Digest digest, string who, string verdict, string reason, string time,
        long seq) =>
        db.Execute(s_putApproval, project, image, stage, Text(digest), who, verdict, reason, time, seq);

    private static void BeginRollout(IDatabase db, ReleaseRequested e, string time, long seq)
    {
        string spec = e.Spec.GetRawText();
        db.Execute(
            s_putRollout,
            e.Rollout, e.Project, e.Service, e.Stage, e.Repository, Text(e.Digest), e.Version ?? "", e.Reason, spec,
            e.Generation, time, seq,
            "", "", "", seq, "", "", "", "", "", "", time, seq);
        db.Execute(
            s_putGeneration,
            e.Project, e.Service, e.Stage, e.Generation, e.Repository, Text(e.Digest), e.Version ?? "", spec, e.Rollout, "live", time, seq);
    }

    private static string Gates(PromotionDecided e) =>
        e.GatesDocument?.ToElement().GetRawText() ?? JsonSerializer.Serialize(e.Gates, LedgerJson.Entries.IReadOnlyListGateRecord);

    // An entry about something unknown would say more than the tables can show.
    private static void MustExist(int changed, string what, string name)
    {
        if (changed == 0)
            throw new LedgerException($"an entry about the {what} '{name}' was not appended: the ledger knows no such {what}");
    }

    private static string Text(Digest digest) => digest.ToString();

    private static string Text(Digest? digest) => digest?.ToString() ?? "";
}

/// <summary>What a rollout's entries are about, beside the rollout.</summary>
internal sealed record RolloutSubjects(string Project, string Service, string Digest);

/// <summary>What entries can be found by.</summary>
public static class SubjectType
{
    /// <summary>A project, by name.</summary>
    public const string Project = "project";

    /// <summary>A service, as <c>project/service</c>.</summary>
    public const string Service = "service";

    /// <summary>A repository, by name.</summary>
    public const string Repository = "repository";

    /// <summary>Content, by digest.</summary>
    public const string Digest = "digest";

    /// <summary>A rollout, by id.</summary>
    public const string Rollout = "rollout";

    /// <summary>What happened, by the name of the kind, such as <c>tag-bound</c>.</summary>
    public const string Kind = "kind";
}
