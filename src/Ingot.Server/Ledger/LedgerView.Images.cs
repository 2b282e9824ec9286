using Ingot.Oci.Content;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

public sealed partial class LedgerView
{
    private const string ManifestColumns = "repository, digest, media_type, size, artifact_type, subject, predicate_type, time, entry";

    /// <summary>Repositories that hold a manifest or once did, by name, after <paramref name="last"/>,
    /// <paramref name="count"/> at most.</summary>
    public IReadOnlyList<string> Repositories(string last = "", int count = int.MaxValue) =>
        _db.Query("SELECT repository FROM repositories WHERE repository > ?1 ORDER BY repository LIMIT ?2", r => r.Text(0), last, count);

    /// <summary>Whether anything was ever published to a repository.</summary>
    public bool HasRepository(string repository) => _db.Exists("SELECT 1 FROM repositories WHERE repository = ?1", repository);

    /// <summary>A manifest in a repository; null when it is not there.</summary>
    public PublishedManifest? Manifest(string repository, Digest digest) =>
        _db.First($"SELECT {ManifestColumns} FROM manifests WHERE repository = ?1 AND digest = ?2", ReadManifest,
            repository, digest.ToString());

    /// <summary>The manifests of a repository in the order of publication.</summary>
    public IReadOnlyList<PublishedManifest> Manifests(string repository) =>
        _db.Query($"SELECT {ManifestColumns} FROM manifests WHERE repository = ?1 ORDER BY entry", ReadManifest, repository);

    /// <summary>What says something about <paramref name="subject"/> in a repository, in the order of publication, after entry
    /// <paramref name="after"/>.</summary>
    public IReadOnlyList<PublishedManifest> Referrers(
        string repository, Digest subject, string? artifactType = null, long after = -1, int count = int.MaxValue) =>
        _db.Query(
            $"SELECT {ManifestColumns} FROM manifests WHERE repository = ?1 AND subject = ?2 AND subject <> '' AND (?3 = '' OR "
                + "artifact_type = ?3) AND entry > ?4 ORDER BY entry LIMIT ?5",
            ReadManifest, repository, subject.ToString(), artifactType ?? "", after, count);

    /// <summary>What says something about <paramref name="subject"/> in a repository, and who published it.</summary>
    public IReadOnlyList<(Digest Digest, string Actor)> ReferrerActors(string repository, Digest subject) =>
        _db.Query(
            "SELECT e.seq, e.json, e.leaf, m.digest FROM manifests AS m JOIN entries AS e ON e.seq = m.entry WHERE m.repository = ?1 AND "
                + "m.subject = ?2 AND m.subject <> ''",
            r => (DigestAt(r, 3), EntryAt(r).Actor), repository, subject.ToString());

    /// <summary>What a tag names; null when there is no such tag.</summary>
    public BoundTag? Tag(string repository, string tag) =>
        _db.First("SELECT tag, digest, time, entry FROM tags WHERE repository = ?1 AND tag = ?2", ReadTag, repository, tag);

    /// <summary>The tags of a repository in ASCII order after <paramref name="last"/>, <paramref name="count"/> at most.</summary>
    public IReadOnlyList<BoundTag> Tags(string repository, string last = "", int count = int.MaxValue) =>
        _db.Query("SELECT tag, digest, time, entry FROM tags WHERE repository = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3", ReadTag,
            repository, last, count);

    /// <summary>The names of a repository's tags in ASCII order after <paramref name="last"/>, <paramref name="count"/> at most.</summary>
    public IReadOnlyList<string> TagNames(string repository, string last = "", int count = int.MaxValue) =>
        _db.Query("SELECT tag FROM tags WHERE repository = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3", r => r.Text(0), repository, last, count);

    /// <summary>Whether anything was recorded about a repository when the ledger had <paramref name="size"/> entries or more.</summary>
    public bool HasEntrySince(string repository, long size) =>
        _db.Exists("SELECT 1 FROM subjects WHERE type = ?1 AND value = ?2 AND entry >= ?3", SubjectType.Repository, repository, size);

    /// <summary>The tags that name a manifest.</summary>
    public IReadOnlyList<BoundTag> TagsOf(string repository, Digest digest) =>
        _db.Query("SELECT tag, digest, time, entry FROM tags WHERE repository = ?1 AND digest = ?2 ORDER BY tag", ReadTag,
            repository, digest.ToString());

    /// <summary>The entry by which a manifest of a repository was first admitted to a stage or released; null when it never was. A later
    /// refusal or revocation does not undo that it was.</summary>
    public LedgerEntry? Decision(string repository, Digest digest) =>
        Entries(0, int.MaxValue, new LedgerFilter { Digest = digest, Repository = repository }).FirstOrDefault(entry =>
            entry.Event is LedgerEvent.PromotionDecided { Admitted: true } or LedgerEvent.ReleaseRequested);

    /// <summary>Whether a blob was deleted from a repository and not pushed there since.</summary>
    public bool IsBlobDeleted(string repository, Digest digest) =>
        _db.Exists("SELECT 1 FROM deleted_blobs WHERE repository = ?1 AND digest = ?2", repository, digest.ToString());

    private static PublishedManifest ReadManifest(Row r) => new(
        r.Text(0), DigestAt(r, 1), r.Text(2), r.Integer(3), Optional(r, 4), Optional(r, 5) is { } subject ? Digest.Parse(subject) : null,
        Optional(r, 6), TimeAt(r, 7), r.Integer(8));

    private static BoundTag ReadTag(Row r) => new(r.Text(0), DigestAt(r, 1), TimeAt(r, 2), r.Integer(3));
}

/// <summary>A manifest in a repository.</summary>
public sealed record PublishedManifest(
    string Repository, Digest Digest, string MediaType, long Size, string? ArtifactType, Digest? Subject, string? PredicateType,
    DateTimeOffset Time, long Entry);

/// <summary>A tag and what it names.</summary>
public sealed record BoundTag(string Tag, Digest Digest, DateTimeOffset Time, long Entry);
