using System.Collections.Frozen;
using System.Text.Json.Serialization;

namespace Ingot.Server.Ledger;

/// <summary>Something that happened: what one entry of the ledger says. A closed family, one record a kind.</summary>
/// <remarks>
/// A new kind takes three things: its record in the chapter it belongs to, its name in the list below, and its case in
/// <see cref="Projections"/>. Entries are for ever, so a kind's name and members are too: a member that comes later is nullable, has the
/// default null, and stands last. What may grow with what it is about has its place in <see cref="Documents"/>; everything else is bounded
/// where it comes in. A record says what it is about by implementing the <c>IAbout…</c> interfaces: entries are found by these.
/// </remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ServerStarted), "server-started")]
[JsonDerivedType(typeof(KeyCreated), "key-created")]
[JsonDerivedType(typeof(KeyTrusted), "key-trusted")]
[JsonDerivedType(typeof(KeyRetired), "key-retired")]
[JsonDerivedType(typeof(ProjectApplied), "project-applied")]
[JsonDerivedType(typeof(ImagePublished), "image-published")]
[JsonDerivedType(typeof(EvidenceAttached), "evidence-attached")]
[JsonDerivedType(typeof(TagBound), "tag-bound")]
[JsonDerivedType(typeof(TagDeleted), "tag-deleted")]
[JsonDerivedType(typeof(ManifestDeleted), "manifest-deleted")]
[JsonDerivedType(typeof(BlobDeleted), "blob-deleted")]
[JsonDerivedType(typeof(BlobRestored), "blob-restored")]
[JsonDerivedType(typeof(PromotionDecided), "promotion-decided")]
[JsonDerivedType(typeof(Approved), "approved")]
[JsonDerivedType(typeof(Rejected), "rejected")]
[JsonDerivedType(typeof(Revoked), "revoked")]
[JsonDerivedType(typeof(Quarantined), "quarantined")]
[JsonDerivedType(typeof(QuarantineLifted), "quarantine-lifted")]
[JsonDerivedType(typeof(ReleaseRequested), "release-requested")]
[JsonDerivedType(typeof(RolloutIntent), "rollout-intent")]
[JsonDerivedType(typeof(RolloutAcknowledged), "rollout-acknowledged")]
[JsonDerivedType(typeof(RolloutStateChanged), "rollout-state-changed")]
[JsonDerivedType(typeof(RolloutMeasured), "rollout-measured")]
[JsonDerivedType(typeof(RolloutPaused), "rollout-paused")]
[JsonDerivedType(typeof(RolloutResumed), "rollout-resumed")]
[JsonDerivedType(typeof(RolloutFinished), "rollout-finished")]
[JsonDerivedType(typeof(GenerationRetired), "generation-retired")]
[JsonDerivedType(typeof(RepairIntended), "repair-intended")]
[JsonDerivedType(typeof(RepairAcknowledged), "repair-acknowledged")]
[JsonDerivedType(typeof(ServiceStopping), "service-stopping")]
[JsonDerivedType(typeof(ServiceStopped), "service-stopped")]
[JsonDerivedType(typeof(TokenCreated), "token-created")]
[JsonDerivedType(typeof(TokenRevoked), "token-revoked")]
[JsonDerivedType(typeof(LossAccepted), "loss-accepted")]
public abstract partial record LedgerEvent
{
    private static readonly Lazy<FrozenDictionary<Type, string>> s_kinds = new(() =>
        LedgerJson.Entries.LedgerEvent.PolymorphismOptions!.DerivedTypes.ToFrozenDictionary(type => type.DerivedType,
            type => (string)type.TypeDiscriminator!));

    private LedgerEvent()
    {
    }

    /// <summary>The name of the kind, such as <c>tag-bound</c>.</summary>
    [JsonIgnore]
    public string Kind => s_kinds.Value[GetType()];

    /// <summary>The server began to serve.</summary>
    public sealed record ServerStarted(string Version) : LedgerEvent;

    /// <summary>A key was made here. <paramref name="PublicKey"/> is a verifier key or SubjectPublicKeyInfo in PEM.</summary>
    public sealed record KeyCreated(string KeyId, string Purpose, string PublicKey, string? Name = null) : LedgerEvent;

    /// <summary>A key made elsewhere is trusted for a purpose, or in other roles than before: <paramref name="Predicates"/> are the types
    /// it may issue, null for all.</summary>
    public sealed record KeyTrusted(
        string KeyId, string Purpose, string PublicKey, string? Name = null, IReadOnlyList<string>? Predicates = null) : LedgerEvent;

    /// <summary>A key is no longer used or trusted, and never again.</summary>
    public sealed record KeyRetired(string KeyId, string Reason) : LedgerEvent;

    /// <summary>A token was made; whoever shows it is the principal <paramref name="Name"/> with these roles.
    /// A name is given once.</summary>
    public sealed record TokenCreated(string Name, IReadOnlyList<string> Roles, DateTimeOffset? Expires = null) : LedgerEvent;

    /// <summary>A token is nobody's any more.</summary>
    public sealed record TokenRevoked(string Name, string Reason) : LedgerEvent;

    /// <summary>The ledger was shorter than the home remembered, or another one, and a person chose to go on with what was left: the
    /// entries from <paramref name="Size"/> on are not those that checkpoints up to <paramref name="RememberedSize"/>, with the root
    /// <paramref name="RememberedRoot"/>, were signed over. The root is empty when none was remembered.</summary>
    public sealed record LossAccepted(long Size, long RememberedSize, string RememberedRoot, string Reason) : LedgerEvent;

    /// <summary>A project's file was applied. <paramref name="Images"/> says what the file only names; null when the caller did not say.
    /// A long text is empty here and <paramref name="TextDocument"/> names it,
    /// as <paramref name="ImagesDocument"/> does long images.</summary>
    public sealed record ProjectApplied(
        string Project, Oci.Content.Digest Digest, string Text, IReadOnlyList<AppliedImage>? Images = null,
        DocumentName? TextDocument = null, DocumentName? ImagesDocument = null)
        : LedgerEvent, IAboutProject, IAboutDigest;
}

/// <summary>What an image of a project was to be asked and built from when the project was applied.</summary>
/// <param name="Image">The image's name in the project.</param>
/// <param name="Tests">Its goss files, in the project's order.</param>
/// <param name="Repository">The address of the repository it is built from; null for none that others could use.</param>
/// <param name="Commit">The commit that was checked out; null outside of a repository.</param>
public sealed record AppliedImage(string Image, IReadOnlyList<AppliedFile> Tests, string? Repository = null, string? Commit = null);

/// <summary>A file of a project.</summary>
/// <param name="Name">Its path in the project.</param>
/// <param name="Digest">The digest of its text.</param>
public sealed record AppliedFile(string Name, Oci.Content.Digest Digest);

/// <summary>An event about one project.</summary>
public interface IAboutProject
{
    /// <summary>The project's name.</summary>
    string Project { get; }
}

/// <summary>An event about a service in one stage.</summary>
public interface IAboutService : IAboutProject
{
    /// <summary>The service's name in the project.</summary>
    string Service { get; }

    /// <summary>The stage's name in the project.</summary>
    string Stage { get; }
}

/// <summary>An event about one repository of the registry.</summary>
public interface IAboutRepository
{
    /// <summary>The repository's name.</summary>
    string Repository { get; }
}

/// <summary>An event about some content.</summary>
public interface IAboutDigest
{
    /// <summary>The content's name.</summary>
    Oci.Content.Digest Digest { get; }
}

/// <summary>An event about one rollout; through it, about the rollout's service and digest.</summary>
public interface IAboutRollout
{
    /// <summary>The rollout's id.</summary>
    string Rollout { get; }
}
