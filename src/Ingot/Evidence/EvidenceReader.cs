using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Evidence;

/// <summary>Reads what is attached to an image and believes only what a trusted key says about exactly that image.</summary>
/// <remarks>
/// The list of referrers, the manifests and the bundles come from whoever can write to a registry: all of it is hostile until the
/// signature holds. Predicate type, subject and the signer's role are checked together; one alone would let a signature for one
/// purpose, or for one image, serve for another.
/// </remarks>
public sealed class EvidenceReader
{
    /// <summary>The most of what is not trusted that is named. What is believed is always found, however much lies around it.</summary>
    public const int MaxUnverified = 1000;

    /// <summary>The largest manifest read, in bytes.</summary>
    public const int MaxManifestBytes = 4 << 20;

    /// <summary>The largest bundle read, in bytes.</summary>
    public const int MaxBundleBytes = ContentStoreExtensions.MaxDocumentBytes;

    private readonly IReadOnlyList<TrustedKey> _keys;
    private readonly EvidenceVerdicts _verdicts;
    private readonly string _keySet;

    /// <summary>A reader that believes <paramref name="keys"/>, each in its role.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="verdicts">What is known of manifests in the store from before, and is added to; null to know nothing.</param>
    public EvidenceReader(IReadOnlyList<TrustedKey> keys, EvidenceVerdicts? verdicts = null)
    {
        _keys = keys;
        _verdicts = verdicts ?? new EvidenceVerdicts();
        _keySet = EvidenceVerdicts.NameOf(keys);
    }

    /// <summary>Reads the evidence of <paramref name="subject"/> from the bytes of its referrers' manifests.</summary>
    /// <param name="subject">The image.</param>
    /// <param name="manifests">The manifests' bytes, as fetched.</param>
    /// <param name="readBlob">Fetches a blob, reading no more than the descriptor's size, which is bounded here; null only when it is known
    /// not to be there. Its bytes need not be checked: they are here.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public async Task<EvidenceSet> ReadAsync(
        Digest subject,
        IEnumerable<ReadOnlyMemory<byte>> manifests,
        Func<Descriptor, CancellationToken, Task<byte[]?>> readBlob,
        CancellationToken cancellationToken = default)
    {
        var found = new Found(subject);
        foreach (var bytes in manifests)
        {
            var digest = Digest.Of(bytes.Span);
            if (found.IsNew(digest))
                found.Add(digest, await ReadOneAsync(subject, digest, bytes, readBlob, cancellationToken));
        }

        return found.ToSet();
    }

    /// <summary>Reads the evidence of <paramref name="subject"/> from manifests in a store, one after the other.</summary>
    public async Task<EvidenceSet> ReadAsync(
        Digest subject, IContentStore store, IEnumerable<Digest> manifests, CancellationToken cancellationToken = default)
    {
        var found = new Found(subject);
        foreach (var manifest in manifests.Where(m => found.IsNew(m) && !found.Holds(_verdicts.Find(_keySet, subject, m)?.Bundle)))
            found.Add(manifest, await ReadStoredAsync(subject, store, manifest, cancellationToken));

        return found.ToSet();
    }

    /// <summary>Which of some manifests in a store are believed as evidence of <paramref name="subject"/>;
    /// of several around one bundle, the first.</summary>
    public async Task<IReadOnlySet<Digest>> BelievedAsync(
        Digest subject, IContentStore store, IEnumerable<Digest> manifests, CancellationToken cancellationToken = default)
    {
        var believed = new HashSet<Digest>();
        var bundles = new HashSet<Digest>();
        foreach (var manifest in manifests)
        {
            var bundle = _verdicts.Find(_keySet, subject, manifest) is { } known
                ? known.Bundle
                : (await ReadStoredAsync(subject, store, manifest, cancellationToken) as Outcome.Believed)?.Bundle;
            if (bundle is { } holds && bundles.Add(holds))
                believed.Add(manifest);
        }

        return believed;
    }

    private async Task<Outcome> ReadStoredAsync(Digest subject, IContentStore store, Digest manifest, CancellationToken cancellationToken)
    {
        if (_verdicts.Find(_keySet, subject, manifest) is { Reason: { } reason })
            return new Outcome.Refused(reason);

        // Whoever pushes decides how large it is: that must not be a reason to believe nothing at all.
        var outcome = await store.SizeAsync(manifest, cancellationToken) > MaxManifestBytes
            ? new Outcome.Refused($"the manifest has more than {MaxManifestBytes} bytes") { IsFinal = true }
            : await ReadOneAsync(subject, manifest, await store.ReadRequiredAsync(manifest, cancellationToken),
                (blob, stop) => store.ReadAsync(blob.Digest, stop), cancellationToken);
        if (outcome is Outcome.Believed believed)
            _verdicts.Add(_keySet, subject, manifest, new EvidenceVerdicts.TrustVerdict(Reason: null, believed.Bundle));
        else if (outcome is Outcome.Refused { IsFinal: true } refused)
            _verdicts.Add(_keySet, subject, manifest, new EvidenceVerdicts.TrustVerdict(refused.Reason));
        return outcome;
    }

    private async Task<Outcome> ReadOneAsync(
        Digest subject, Digest manifestDigest, ReadOnlyMemory<byte> bytes, Func<Descriptor, CancellationToken, Task<byte[]?>> readBlob,
        CancellationToken cancellationToken)
    {
        try
        {
            var layer = BundleOf(subject, bytes);
            var blob = await readBlob(layer, cancellationToken);
            if (blob is null)
                return new Outcome.Refused($"the bundle '{layer.Digest}' is missing");
            if (blob.Length != layer.Size || Digest.Of(blob) != layer.Digest)
                return new Outcome.Refused(
                    $"the bundle is {blob.Length} bytes of '{Digest.Of(blob)}': expected {layer.Size} bytes of '{layer.Digest}'");

            return Judge(subject, manifestDigest, layer.Digest, SigstoreBundle.Read(blob));
        }
        catch (FormatException e)
        {
            return new Outcome.Refused(e.Message) { IsFinal = true };
        }
    }

    // What a manifest must be before anything it points to is fetched.
    private static Descriptor BundleOf(Digest subject, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > MaxManifestBytes)
            throw new FormatException($"the manifest has {bytes.Length} bytes: at most {MaxManifestBytes} are read");

        var manifest = ImageJson.ReadManifest(bytes.Span);
        // The registry's list of referrers proves nothing: the manifest itself must name the image.
        if (manifest.Subject?.Digest != subject)
            throw new FormatException($"the manifest's subject is '{manifest.Subject?.Digest.ToString() ?? "(none)"}', not '{subject}'");
        if (manifest.ArtifactType is not SigstoreBundle.MediaType)
            throw new FormatException($"the manifest's artifact type is '{manifest.ArtifactType}': expected '{SigstoreBundle.MediaType}'");
        if (manifest.Layers is not [{ } layer])
            throw new FormatException($"the manifest has {manifest.Layers?.Count ?? 0} layers: a bundle has one");
        if (layer.MediaType is not SigstoreBundle.MediaType)
            throw new FormatException($"the layer is '{layer.MediaType}': expected '{SigstoreBundle.MediaType}'");

        return layer.Size is >= 0 and <= MaxBundleBytes
            ? layer
            : throw new FormatException($"the bundle has {layer.Size} bytes: at most {MaxBundleBytes} are read");
    }

    private Outcome Judge(Digest subject, Digest manifestDigest, Digest bundle, Envelope envelope)
    {
        if (envelope.PayloadType is not Envelope.InTotoPayload)
            return new Outcome.Refused($"the payload is '{envelope.PayloadType}': expected '{Envelope.InTotoPayload}'");
        if (envelope.Signatures.Count != 1)
            return new Outcome.Refused($"the envelope has {envelope.Signatures.Count} signatures: expected one");
        if (envelope.Verify(_keys.Select(k => k.Key)) is not { } key)
            return new Outcome.Refused(_keys.Count == 0 ? "no key is trusted" : "the signature is of none of the trusted keys")
            {
                IsFinal = true,
            };

        var statement = Statement.Parse(envelope.Payload);
        if (!statement.Subjects.Any(s => s.Digest == subject))
            return new Outcome.Refused($"the statement is about '{statement.Subjects[0].Digest}', not '{subject}'",
                statement.PredicateType);
        if (EvidenceKinds.Of(statement.PredicateType) is not { } kind)
            return new Outcome.Refused($"the predicate type '{statement.PredicateType}' is unknown", statement.PredicateType);

        // One key may stand in the list under two names with two roles.
        var signer = _keys.FirstOrDefault(k => k.Key.Equals(key) && k.MayIssue(statement.PredicateType));
        return signer is null
            ? new Outcome.Refused(Distrust(_keys.First(k => k.Key.Equals(key)), statement.PredicateType), statement.PredicateType)
            : new Outcome.Believed(new EvidenceRecord(kind, manifestDigest, signer, statement, envelope), bundle);
    }

    private static string Distrust(TrustedKey key, string predicateType) => key.Retired is { } why
        ? $"the key '{key.Name}' ({key.Key.Id[..12]}) is retired: {why}"
        : $"the key '{key.Name}' may not issue '{predicateType}'";

    private abstract record Outcome
    {
        public sealed record Believed(EvidenceRecord Record, Digest Bundle) : Outcome;

        public sealed record Refused(string Reason, string? PredicateType = null) : Outcome
        {
            /// <summary>Whether it follows from the bytes and from which keys there are, and from nothing else: no role of a key, nothing
            /// that may still come.</summary>
            public bool IsFinal { get; init; }
        }
    }

    private sealed class Found(Digest subject)
    {
        private readonly List<EvidenceRecord> _records = [];
        private readonly List<UnverifiedEvidence> _unverified = [];
        private readonly HashSet<Digest> _seen = [];
        private readonly HashSet<Digest> _bundles = [];

        public bool IsNew(Digest manifest) => _seen.Add(manifest);

        /// <summary>Whether a bundle was found already: in another manifest around it, which anybody can write,
        /// it says nothing more.</summary>
        public bool Holds(Digest? bundle) => bundle is { } known && _bundles.Contains(known);

        public void Add(Digest manifest, Outcome outcome)
        {
            if (outcome is Outcome.Believed(var record, var bundle))
            {
                if (_bundles.Add(bundle))
                    _records.Add(record);
            }
            else if (outcome is Outcome.Refused refused && _unverified.Count < MaxUnverified)
                _unverified.Add(new UnverifiedEvidence(manifest, refused.Reason, refused.PredicateType));
        }

        public EvidenceSet ToSet() =>
            new(subject, [.. _records.OrderBy(r => r.Kind).ThenBy(r => r.Manifest)], [.. _unverified.OrderBy(u => u.Manifest)]);
    }
}
