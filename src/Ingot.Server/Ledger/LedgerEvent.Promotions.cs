using Ingot.Oci.Content;

namespace Ingot.Server.Ledger;

public abstract partial record LedgerEvent
{
    /// <summary>Policy was asked whether a digest may enter a stage, and answered. Answers that are long are named by
    /// <paramref name="GatesDocument"/> instead.</summary>
    public sealed record PromotionDecided(
        string Project, string Image, string Repository, Digest Digest, string Stage, bool Admitted, IReadOnlyList<GateRecord> Gates,
        DocumentName? GatesDocument = null)
        : LedgerEvent, IAboutProject, IAboutRepository, IAboutDigest;

    /// <summary>A person approved a digest for a stage; <paramref name="OwnImage"/> when it was the person who published it.</summary>
    public sealed record Approved(
        string Project, string Image, Digest Digest, string Stage, string Who, string Reason, bool? OwnImage = null)
        : LedgerEvent, IAboutProject, IAboutDigest;

    /// <summary>A person refused a digest for a stage.</summary>
    public sealed record Rejected(
        string Project, string Image, Digest Digest, string Stage, string Who, string Reason) : LedgerEvent, IAboutProject, IAboutDigest;

    /// <summary>A digest may enter no stage any more.</summary>
    public sealed record Revoked(string Project, string Image, Digest Digest, string Reason) : LedgerEvent, IAboutProject, IAboutDigest;

    /// <summary>Automation may not release a digest to a service again, with the <paramref name="Settings"/> it failed with; with none
    /// where they are null, as earlier versions recorded it.</summary>
    public sealed record Quarantined(string Project, string Service, string Stage, Digest Digest, string Reason, Digest? Settings = null)
        : LedgerEvent, IAboutService, IAboutDigest;

    /// <summary>A person lifted the quarantine of a digest with these <paramref name="Settings"/>, and the one with any;
    /// all of them where they are null.</summary>
    public sealed record QuarantineLifted(
        string Project, string Service, string Stage, Digest Digest, string Reason, Digest? Settings = null)
        : LedgerEvent, IAboutService, IAboutDigest;
}

/// <summary>What one gate answered.</summary>
/// <param name="Gate">The gate's name.</param>
/// <param name="Verdict"><c>pass</c>, <c>fail</c> or <c>unknown</c>.</param>
/// <param name="Reason">Why.</param>
/// <param name="Evidence">The evidence it looked at, by the digests of their manifests.</param>
/// <param name="Signers">Whose word that is; null in decisions of versions that did not record it.</param>
public sealed record GateRecord(
    string Gate, string Verdict, string Reason, IReadOnlyList<Digest> Evidence, IReadOnlyList<GateSigner>? Signers = null);

/// <summary>A key that a gate believed.</summary>
/// <param name="Key">The key's id.</param>
/// <param name="PredicateType">What it was believed to say.</param>
public sealed record GateSigner(string Key, string PredicateType);
