using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

public static partial class Projections
{
    /// <summary>Raised when a table changes: a database with another number is not opened.</summary>
    internal const int SchemaVersion = 3;

    /// <summary>Marks a file as a ledger of Ingot, for <c>file(1)</c> and for us.</summary>
    internal const int ApplicationId = 0x496e676f;

    // WITHOUT ROWID and NOT NULL throughout: every byte of a row then means something, so that a changed one is seen.
    // Absent text is ''.
    private const string Tables = """
        CREATE TABLE entries (seq INTEGER NOT NULL PRIMARY KEY, json BLOB NOT NULL, leaf BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE checkpoints (size INTEGER NOT NULL PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE nodes (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, position)) WITHOUT ROWID;
        CREATE TABLE edge (id INTEGER NOT NULL PRIMARY KEY, size INTEGER NOT NULL, hashes BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE subjects (type TEXT NOT NULL, value TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (type, value, entry)) WITHOUT ROWID;

        CREATE TABLE documents (digest TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, entry INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE document_bytes (
            digest TEXT NOT NULL PRIMARY KEY, bytes BLOB NOT NULL, FOREIGN KEY (digest) REFERENCES documents (digest)) WITHOUT ROWID;

        CREATE TABLE keys (key_id TEXT NOT NULL PRIMARY KEY, purpose TEXT NOT NULL, public_key TEXT NOT NULL, status TEXT NOT NULL, entry INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE projects (project TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, text TEXT NOT NULL, entry INTEGER NOT NULL) WITHOUT ROWID;

        CREATE TABLE repositories (repository TEXT NOT NULL PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE manifests (
            repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER NOT NULL, artifact_type TEXT NOT NULL,
            subject TEXT NOT NULL, predicate_type TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (repository, digest), FOREIGN KEY (repository) REFERENCES repositories (repository)) WITHOUT ROWID;
        CREATE INDEX manifests_by_subject ON manifests (repository, subject) WHERE subject <> '';
        CREATE INDEX manifests_by_digest ON manifests (digest);
        CREATE TABLE tags (
            repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (repository, tag), FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest)) WITHOUT ROWID;
        CREATE INDEX tags_by_digest ON tags (repository, digest);
        CREATE TABLE deleted_blobs (repository TEXT NOT NULL, digest TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (repository, digest)) WITHOUT ROWID;

        CREATE TABLE promotions (
            project TEXT NOT NULL, image TEXT NOT NULL, stage TEXT NOT NULL, digest TEXT NOT NULL, repository TEXT NOT NULL, admitted INTEGER NOT NULL,
            gates TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (project, image, stage, digest)) WITHOUT ROWID;
        CREATE TABLE approvals (
            project TEXT NOT NULL, image TEXT NOT NULL, stage TEXT NOT NULL, digest TEXT NOT NULL, who TEXT NOT NULL, verdict TEXT NOT NULL,
            reason TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (project, image, stage, digest, who)) WITHOUT ROWID;
        CREATE TABLE revocations (
            project TEXT NOT NULL, image TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (project, image, digest)) WITHOUT ROWID;
        CREATE TABLE quarantine (
            project TEXT NOT NULL, service TEXT NOT NULL, stage TEXT NOT NULL, digest TEXT NOT NULL, settings TEXT NOT NULL, reason TEXT NOT NULL,
            time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (project, service, stage, digest, settings)) WITHOUT ROWID;

        CREATE TABLE rollouts (
            rollout TEXT NOT NULL PRIMARY KEY, project TEXT NOT NULL, service TEXT NOT NULL, stage TEXT NOT NULL, repository TEXT NOT NULL, digest TEXT NOT NULL,
            version TEXT NOT NULL, reason TEXT NOT NULL, spec TEXT NOT NULL, generation INTEGER NOT NULL, requested TEXT NOT NULL, requested_entry INTEGER NOT NULL,
            state TEXT NOT NULL, state_reason TEXT NOT NULL, state_detail TEXT NOT NULL, state_entry INTEGER NOT NULL, paused_by TEXT NOT NULL, pause_reason TEXT NOT NULL, paused_until TEXT NOT NULL,
            outcome TEXT NOT NULL, outcome_reason TEXT NOT NULL, receipt TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX rollouts_by_service ON rollouts (project, service, stage, requested_entry);
        CREATE TABLE moves (
            rollout TEXT NOT NULL, key TEXT NOT NULL, move TEXT NOT NULL, detail TEXT NOT NULL, outcome TEXT NOT NULL, intended INTEGER NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (rollout, key), FOREIGN KEY (rollout) REFERENCES rollouts (rollout)) WITHOUT ROWID;
        CREATE TABLE generations (
            project TEXT NOT NULL, service TEXT NOT NULL, stage TEXT NOT NULL, generation INTEGER NOT NULL, repository TEXT NOT NULL, digest TEXT NOT NULL,
            version TEXT NOT NULL, spec TEXT NOT NULL, rollout TEXT NOT NULL, status TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (project, service, stage, generation)) WITHOUT ROWID;
        """;

    // How a row is written, over one of the same key where there is one.
    internal static readonly string PutEdge = Put("edge", "id", "size, hashes");
    private static readonly string s_putKey = Put("keys", "key_id", "purpose, public_key, status, entry");
    private static readonly string s_putProject = Put("projects", "project", "digest, text, entry");
    private static readonly string s_putManifest =
        Put("manifests", "repository, digest", "media_type, size, artifact_type, subject, predicate_type, time, entry");
    private static readonly string s_putTag = Put("tags", "repository, tag", "digest, time, entry");
    private static readonly string s_putDeletedBlob = Put("deleted_blobs", "repository, digest", "entry");
    private static readonly string s_putPromotion =
        Put("promotions", "project, image, stage, digest", "repository, admitted, gates, time, entry");
    private static readonly string s_putApproval = Put("approvals", "project, image, stage, digest, who", "verdict, reason, time, entry");
    private static readonly string s_putRevocation = Put("revocations", "project, image, digest", "reason, actor, time, entry");
    private static readonly string s_putQuarantine = Put("quarantine", "project, service, stage, digest, settings", "reason, time, entry");
    private static readonly string s_putRollout = Put(
        "rollouts", "rollout",
        "project, service, stage, repository, digest, version, reason, spec, generation, requested, requested_entry, state, state_reason, "
        + "state_detail, state_entry, paused_by, pause_reason, paused_until, outcome, outcome_reason, receipt, time, entry");
    private static readonly string s_putMove = Put("moves", "rollout, key", "move, detail, outcome, intended, entry");
    private static readonly string s_putGeneration = Put(
        "generations", "project, service, stage, generation", "repository, digest, version, spec, rollout, status, time, entry");

    /// <summary>The tables.</summary>
    internal static DatabaseSchema Schema { get; } = new(ApplicationId, SchemaVersion, Tables);

    private static string Put(string table, string key, string others)
    {
        string[] names = others.Split(", ");
        int count = key.Split(", ").Length + names.Length;
        return $"INSERT INTO {table} ({key}, {others}) VALUES ({string.Join(", ", Enumerable.Range(1, count).Select(i => $"?{i}"))})"
            + $" ON CONFLICT ({key}) DO UPDATE SET {string.Join(", ", names.Select(name => $"{name} = excluded.{name}"))}";
    }
}
