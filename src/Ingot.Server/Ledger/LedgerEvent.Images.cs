using Ingot.Oci.Content;

namespace Ingot.Server.Ledger;

public abstract partial record LedgerEvent
{
    /// <summary>A manifest that has no subject was published: an image, an index, or an artifact of its own.</summary>
    public sealed record ImagePublished(string Repository, Digest Digest, string MediaType, long Size, string? ArtifactType = null)
        : LedgerEvent, IAboutRepository, IAboutDigest;

    /// <summary>A manifest that says something about another, <paramref name="Subject"/>, was published.</summary>
    public sealed record EvidenceAttached(
        string Repository, Digest Subject, Digest Digest, string MediaType, long Size, string? ArtifactType = null,
        string? PredicateType = null)
        : LedgerEvent, IAboutRepository, IAboutDigest;

    /// <summary>A tag names a manifest from now on; <paramref name="Replaced"/> is the image it named where tags do not move, which the
    /// index now named holds.</summary>
    public sealed record TagBound(
        string Repository, string Tag, Digest Digest, Digest? Replaced = null) : LedgerEvent, IAboutRepository, IAboutDigest;

    /// <summary>A tag was deleted; what it named stays.</summary>
    public sealed record TagDeleted(
        string Repository, string Tag, Digest Digest, string? Reason = null) : LedgerEvent, IAboutRepository, IAboutDigest;

    /// <summary>A manifest was deleted, and with it the tags that named it.</summary>
    public sealed record ManifestDeleted(
        string Repository, Digest Digest, string? Reason = null) : LedgerEvent, IAboutRepository, IAboutDigest;

    /// <summary>A blob is no longer served from a repository.</summary>
    public sealed record BlobDeleted(string Repository, Digest Digest) : LedgerEvent, IAboutRepository, IAboutDigest;

    /// <summary>A blob that had been deleted from a repository was pushed there again.</summary>
    public sealed record BlobRestored(string Repository, Digest Digest) : LedgerEvent, IAboutRepository, IAboutDigest;
}
