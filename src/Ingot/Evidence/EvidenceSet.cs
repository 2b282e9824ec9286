using System.Text.Json;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;

namespace Ingot.Evidence;

/// <summary>What a piece of evidence is.</summary>
public enum EvidenceKind
{
    /// <summary>The image is signed; nothing more is said.</summary>
    Signature,

    /// <summary>How it was built.</summary>
    Provenance,

    /// <summary>The outcome of tests.</summary>
    TestResult,

    /// <summary>What it consists of.</summary>
    Sbom,

    /// <summary>The search for secrets.</summary>
    SecretScan,

    /// <summary>The hardening claims.</summary>
    Claims,
}

/// <summary>The kinds and the predicate types that make them. What is not in this table is never believed.</summary>
public static class EvidenceKinds
{
    private static readonly Dictionary<string, EvidenceKind> s_byPredicate = new(StringComparer.Ordinal)
    {
        [PredicateType.Signature] = EvidenceKind.Signature,
        [PredicateType.Provenance] = EvidenceKind.Provenance,
        [PredicateType.TestResult] = EvidenceKind.TestResult,
        [PredicateType.CycloneDx] = EvidenceKind.Sbom,
        [PredicateType.SecretScan] = EvidenceKind.SecretScan,
        [PredicateType.Claims] = EvidenceKind.Claims,
    };

    /// <summary>The kind of a predicate type; null for one that Ingot does not know.</summary>
    public static EvidenceKind? Of(string predicateType) => s_byPredicate.TryGetValue(predicateType, out var kind) ? kind : null;
}

/// <summary>A verified statement about an image.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Manifest">The digest of the manifest that carries it: its name in decisions and in the ledger.</param>
/// <param name="Signer">The key that signed it.</param>
/// <param name="Statement">What is said.</param>
/// <param name="Envelope">The signed bytes.</param>
public sealed record EvidenceRecord(EvidenceKind Kind, Digest Manifest, TrustedKey Signer, Statement Statement, Envelope Envelope)
{
    /// <summary>What is said: a JSON object.</summary>
    public JsonElement Predicate => Statement.Predicate;

    /// <summary>The digest of the signed bytes: two records with the same one say the same.</summary>
    public Digest StatementDigest { get; } = Digest.Of(Envelope.Payload.Span);
}

/// <summary>Something attached to an image that is not trusted.</summary>
/// <param name="Manifest">The digest of its manifest.</param>
/// <param name="Reason">Why not.</param>
/// <param name="PredicateType">What it says it is, when that could be read; no proof of anything.</param>
public sealed record UnverifiedEvidence(Digest Manifest, string Reason, string? PredicateType = null);

/// <summary>All that is attached to one image, divided into what is believed and what is not.</summary>
/// <param name="Subject">The image.</param>
/// <param name="Records">What was verified, by kind and then by manifest digest.</param>
/// <param name="Unverified">What was not, by manifest digest.</param>
public sealed record EvidenceSet(Digest Subject, IReadOnlyList<EvidenceRecord> Records, IReadOnlyList<UnverifiedEvidence> Unverified)
{
    /// <summary>Nothing is attached to <paramref name="subject"/>.</summary>
    public static EvidenceSet Empty(Digest subject) => new(subject, [], []);

    /// <summary>The verified records of one kind.</summary>
    public IEnumerable<EvidenceRecord> OfKind(EvidenceKind kind) => Records.Where(r => r.Kind == kind);

    /// <summary>The record of exactly this statement by this key; null when there is none.
    /// A caller that finds one need not sign again.</summary>
    public EvidenceRecord? Find(Statement statement, PublicKey signer)
    {
        var digest = Digest.Of(statement.ToBytes());
        return Records.FirstOrDefault(r => r.StatementDigest == digest && r.Signer.Key.Equals(signer));
    }
}
