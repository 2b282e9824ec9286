using System.Globalization;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Evidence;

/// <summary>A manifest that carries evidence, ready to be published.</summary>
/// <param name="Descriptor">The manifest, with its artifact type.</param>
/// <param name="Tag">The tag to publish it under; null for a referrer, which is found by its subject.</param>
/// <param name="PredicateType">What it says; null for the manifests in cosign's older form, which gather several.</param>
/// <param name="Blobs">What the manifest points to: to be uploaded before it. Blobs that an earlier run published may be among them and
/// need not be in the store.</param>
public sealed record EvidenceManifest(Descriptor Descriptor, string? Tag, string? PredicateType, IReadOnlyList<Descriptor> Blobs);

/// <summary>What is already attached to an image, so that a second run adds nothing that is there.</summary>
/// <param name="Set">The verified evidence.</param>
/// <param name="SignatureManifest">The bytes of the manifest under <see cref="SimpleSigning.SignatureTag"/>;
/// null when there is none.</param>
/// <param name="AttestationManifest">The bytes of the manifest under <see cref="SimpleSigning.AttestationTag"/>;
/// null when there is none.</param>
public sealed record ExistingEvidence(EvidenceSet Set, byte[]? SignatureManifest = null, byte[]? AttestationManifest = null);

/// <summary>Signs statements and writes them in the two forms that stock cosign reads: a sigstore bundle that refers to the image, and
/// the older manifests under the tags <c>sha256-HEX.sig</c> and <c>.att</c>.</summary>
public sealed class EvidenceWriter
{
    private readonly IContentStore _store;
    private readonly SigningKey _key;
    private readonly TimeProvider _time;

    /// <summary>Writes into <paramref name="store"/>, signing with <paramref name="key"/>, which stays the caller's.</summary>
    public EvidenceWriter(IContentStore store, SigningKey key, TimeProvider time)
    {
        _store = store;
        _key = key;
        _time = time;
    }

    /// <summary>Signs and stores <paramref name="statements"/> about <paramref name="subject"/> and returns what must be published, in
    /// order: bundles by predicate type, then <c>.att</c>, then <c>.sig</c>.</summary>
    /// <param name="subject">The image's manifest or index.</param>
    /// <param name="statements">What to say; one with <see cref="PredicateType.Signature"/> signs the image in both forms.</param>
    /// <param name="existing">What is there already; null for nothing. A statement found in it is not signed again, and an older manifest
    /// is only ever added to.</param>
    /// <param name="reference">The name put into the older signature; verifiers ignore it.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    public async Task<IReadOnlyList<EvidenceManifest>> WriteAsync(
        Descriptor subject, IReadOnlyList<Statement> statements, ExistingEvidence? existing = null, string reference = "",
        CancellationToken cancellationToken = default)
    {
        var set = existing?.Set ?? EvidenceSet.Empty(subject.Digest);
        List<EvidenceManifest> toPublish = [];
        List<(string PredicateType, Envelope Envelope)> envelopes = [];
        foreach (var statement in Ordered(subject.Digest, statements))
        {
            var envelope = set.Find(statement, _key.PublicKey)?.Envelope;
            if (envelope is null)
            {
                envelope = StatementSigner.Sign(statement, _key);
                toPublish.Add(await WriteBundleAsync(subject, statement.PredicateType, envelope, cancellationToken));
            }

            envelopes.Add((statement.PredicateType, envelope));
        }

        if (await WriteAttestationsAsync(subject, envelopes, existing?.AttestationManifest, cancellationToken) is { } attestations)
            toPublish.Add(attestations);
        if (envelopes.Any(e => e.PredicateType == PredicateType.Signature)
            && await WriteSignatureAsync(subject, reference, existing?.SignatureManifest, cancellationToken) is { } signature)
        {
            toPublish.Add(signature);
        }

        return toPublish;
    }

    private static IEnumerable<Statement> Ordered(Digest subject, IReadOnlyList<Statement> statements)
    {
        if (statements.FirstOrDefault(s => !s.Subjects.Any(x => x.Digest == subject)) is { } stranger)
            throw new ArgumentException($"a statement of type '{stranger.PredicateType}' is not about '{subject}'", nameof(statements));

        return statements.DistinctBy(s => Digest.Of(s.ToBytes()))
            .OrderBy(s => s.PredicateType, StringComparer.Ordinal).ThenBy(s => Digest.Of(s.ToBytes()));
    }

    private async Task<EvidenceManifest> WriteBundleAsync(
        Descriptor subject, string predicateType, Envelope envelope, CancellationToken cancellationToken)
    {
        var config = await _store.PutAsync(MediaType.Empty, "{}"u8.ToArray(), cancellationToken);
        var layer = await _store.PutAsync(SigstoreBundle.MediaType, SigstoreBundle.Write(envelope, _key.PublicKey), cancellationToken);
        var manifest = new Manifest
        {
            ArtifactType = SigstoreBundle.MediaType,
            Config = config,
            Layers = [layer],
            Subject = new Descriptor { MediaType = subject.MediaType, Digest = subject.Digest, Size = subject.Size },
            Annotations = new(StringComparer.Ordinal)
            {
                ["dev.sigstore.bundle.content"] = "dsse-envelope",
                ["dev.sigstore.bundle.predicateType"] = predicateType,
                ["org.opencontainers.image.created"] = _time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            },
        };
        var descriptor = await _store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest), cancellationToken);
        return new EvidenceManifest(descriptor with { ArtifactType = SigstoreBundle.MediaType }, Tag: null, predicateType, [config, layer]);
    }

    private async Task<EvidenceManifest?> WriteAttestationsAsync(
        Descriptor subject, IReadOnlyList<(string PredicateType, Envelope Envelope)> envelopes, byte[]? existing,
        CancellationToken cancellationToken)
    {
        List<Descriptor> layers = [];
        foreach (var (predicateType, envelope) in envelopes.Where(e => e.PredicateType != PredicateType.Signature))
        {
            var layer = await _store.PutAsync(SimpleSigning.EnvelopeMediaType, envelope.ToBytes(), cancellationToken);
            // cosign asks each layer for this annotation, although an envelope carries its signature inside.
            layers.Add(layer with
            {
                Annotations = new(StringComparer.Ordinal) { [SimpleSigning.SignatureAnnotation] = "", ["predicateType"] = predicateType },
            });
        }

        return await WriteOlderAsync(SimpleSigning.AttestationTag(subject.Digest), layers, existing, cancellationToken);
    }

    private async Task<EvidenceManifest?> WriteSignatureAsync(
        Descriptor subject, string reference, byte[]? existing, CancellationToken cancellationToken)
    {
        var payload = SimpleSigning.Payload(subject.Digest, reference);
        if (existing is { } bytes && ReadOlder(bytes).Layers.Any(l => IsOurs(l, payload)))
            return null;

        var layer = await _store.PutAsync(SimpleSigning.MediaType, payload, cancellationToken);
        var signed = layer with
        {
            Annotations = new(StringComparer.Ordinal) { [SimpleSigning.SignatureAnnotation] = Convert.ToBase64String(_key.Sign(payload)) },
        };
        return await WriteOlderAsync(SimpleSigning.SignatureTag(subject.Digest), [signed], existing, cancellationToken);
    }

    private bool IsOurs(Descriptor layer, byte[] payload)
    {
        if (layer.Digest != Digest.Of(payload) || layer.Annotations?.TryGetValue(SimpleSigning.SignatureAnnotation, out var text) != true)
            return false;

        var signature = new byte[text!.Length];
        return Convert.TryFromBase64String(text, signature, out int length) && _key.PublicKey.Verify(payload, signature.AsSpan(0, length));
    }

    // One manifest gathers everything under one tag: what others put there stays, in its order, and ours follows.
    private async Task<EvidenceManifest?> WriteOlderAsync(
        string tag, IReadOnlyList<Descriptor> layers, byte[]? existing, CancellationToken cancellationToken)
    {
        var kept = existing is { } bytes ? ReadOlder(bytes).Layers : [];
        var added = layers.Where(l => !kept.Any(k => k.Digest == l.Digest && SameSignature(k, l))).ToList();
        if (added.Count == 0)
            return null;

        Descriptor[] all = [.. kept, .. added];
        var (config, manifest) = await StoreOlderAsync(_store, all, cancellationToken);
        return new EvidenceManifest(manifest, tag, PredicateType: null, [config, .. all]);
    }

    /// <summary>Adds to a manifest of the older form what another one has and it lacks, and stores the result;
    /// null when it lacks nothing.</summary>
    public static async Task<Descriptor?> MergeOlderAsync(
        IContentStore store, byte[] existing, byte[] added, CancellationToken cancellationToken = default)
    {
        var kept = ReadOlder(existing).Layers;
        var lacking = ReadOlder(added).Layers.Where(l => !kept.Any(k => k.Digest == l.Digest && SameSignature(k, l))).ToList();
        return lacking.Count == 0 ? null : (await StoreOlderAsync(store, [.. kept, .. lacking], cancellationToken)).Manifest;
    }

    private static async Task<(Descriptor Config, Descriptor Manifest)> StoreOlderAsync(
        IContentStore store, Descriptor[] layers, CancellationToken cancellationToken)
    {
        var config = await store.PutAsync(MediaType.Config, ImageJson.Write(ConfigOf(layers)), cancellationToken);
        return (config, await store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = config, Layers = layers }),
            cancellationToken));
    }

    private static bool SameSignature(Descriptor a, Descriptor b) =>
        (a.Annotations?.GetValueOrDefault(SimpleSigning.SignatureAnnotation) ?? "")
            == (b.Annotations?.GetValueOrDefault(SimpleSigning.SignatureAnnotation) ?? "");

    // cosign writes the configuration of an empty image; only the list of payloads in it means something.
    private static ImageConfig ConfigOf(IReadOnlyList<Descriptor> layers) => new()
    {
        Created = "0001-01-01T00:00:00Z",
        Architecture = "",
        Os = "",
        RootFs = new RootFileSystem { DiffIds = [.. layers.Select(l => l.Digest)] },
        History = [.. layers.Select(_ => new HistoryEntry { Created = "0001-01-01T00:00:00Z" })],
    };

    private static Manifest ReadOlder(byte[] bytes)
    {
        var manifest = ImageJson.ReadManifest(bytes);
        return manifest.Layers is null ? throw new FormatException("the manifest of the older form has no layers") : manifest;
    }
}
