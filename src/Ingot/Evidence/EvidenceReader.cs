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
    /// <summary>The most referrers that are looked at.</summary>
    public const int MaxReferrers = 1000;

    /// <summary>The largest manifest read, in bytes.</summary>
    public const int MaxManifestBytes = 4 << 20;

    /// <summary>The largest bundle read, in bytes.</summary>
    public const int MaxBundleBytes = ContentStoreExtensions.MaxDocumentBytes;

    private readonly IReadOnlyList<TrustedKey> _keys;

    /// <summary>A reader that believes <paramref name="keys"/>, each in its role.</summary>
    public EvidenceReader(IReadOnlyList<TrustedKey> keys) => _keys = keys;

    /// <summary>Reads the evidence of <paramref name="subject"/> from the bytes of its referrers' manifests.</summary>
    /// <param name="subject">The image.</param>
    /// <param name="manifests">The manifests' bytes, as fetched.</param>
    /// <param name="readBlob">Fetches a blob, reading no more than the descriptor's size, which is bounded here; null only when it is known not to be there. Its bytes need not be checked: they are here.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public async Task<EvidenceSet> ReadAsync(
        Digest subject,
        IEnumerable<ReadOnlyMemory<byte>> manifests,
        Func<Descriptor, CancellationToken, Task<byte[]?>> readBlob,
        CancellationToken cancellationToken = default)
    {
        List<EvidenceRecord> records = [];
        List<UnverifiedEvidence> unverified = [];
        HashSet<Digest> seen = [];
        foreach (var bytes in manifests)
        {
            var digest = Digest.Of(bytes.Span);
            if (!seen.Add(digest))
                continue;

            if (seen.Count > MaxReferrers)
            {
                unverified.Add(new UnverifiedEvidence(digest, $"more than {MaxReferrers} manifests refer to the image"));
                continue;
            }

            switch (await ReadOneAsync(subject, digest, bytes, readBlob, cancellationToken).ConfigureAwait(false))
            {
                case Outcome.Believed(var record):
                    records.Add(record);
                    break;
                case Outcome.Refused(var reason, var predicateType):
                    unverified.Add(new UnverifiedEvidence(digest, reason, predicateType));
                    break;
            }
        }

        return new EvidenceSet(subject, [.. records.OrderBy(r => r.Kind).ThenBy(r => r.Manifest)], [.. unverified.OrderBy(u => u.Manifest)]);
    }

    /// <summary>Reads the evidence of <paramref name="subject"/> from manifests in a store.</summary>
    public async Task<EvidenceSet> ReadAsync(Digest subject, IContentStore store, IEnumerable<Digest> manifests, CancellationToken cancellationToken = default)
    {
        List<ReadOnlyMemory<byte>> bytes = [];
        foreach (var manifest in manifests)
            bytes.Add(await store.ReadRequiredAsync(manifest, cancellationToken).ConfigureAwait(false));

        return await ReadAsync(subject, bytes, (blob, stop) => store.ReadAsync(blob.Digest, stop), cancellationToken).ConfigureAwait(false);
    }

    private async Task<Outcome> ReadOneAsync(
        Digest subject, Digest manifestDigest, ReadOnlyMemory<byte> bytes, Func<Descriptor, CancellationToken, Task<byte[]?>> readBlob, CancellationToken cancellationToken)
    {
        try
        {
            var layer = BundleOf(subject, bytes);
            var blob = await readBlob(layer, cancellationToken).ConfigureAwait(false);
            if (blob is null)
                return new Outcome.Refused($"the bundle '{layer.Digest}' is missing");
            if (blob.Length != layer.Size || Digest.Of(blob) != layer.Digest)
                return new Outcome.Refused($"the bundle is {blob.Length} bytes of '{Digest.Of(blob)}': expected {layer.Size} bytes of '{layer.Digest}'");

            return Judge(subject, manifestDigest, SigstoreBundle.Read(blob));
        }
        catch (FormatException e)
        {
            return new Outcome.Refused(e.Message);
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

    private Outcome Judge(Digest subject, Digest manifestDigest, Envelope envelope)
    {
        if (envelope.PayloadType is not Envelope.InTotoPayload)
            return new Outcome.Refused($"the payload is '{envelope.PayloadType}': expected '{Envelope.InTotoPayload}'");
        if (envelope.Signatures.Count != 1)
            return new Outcome.Refused($"the envelope has {envelope.Signatures.Count} signatures: expected one");
        if (envelope.Verify(_keys.Select(k => k.Key)) is not { } key)
            return new Outcome.Refused(_keys.Count == 0 ? "no key is trusted" : "the signature is of none of the trusted keys");

        var statement = Statement.Parse(envelope.Payload);
        if (!statement.Subjects.Any(s => s.Digest == subject))
            return new Outcome.Refused($"the statement is about '{statement.Subjects[0].Digest}', not '{subject}'", statement.PredicateType);
        if (EvidenceKinds.Of(statement.PredicateType) is not { } kind)
            return new Outcome.Refused($"the predicate type '{statement.PredicateType}' is unknown", statement.PredicateType);

        // One key may stand in the list under two names with two roles.
        var signer = _keys.FirstOrDefault(k => k.Key.Equals(key) && k.MayIssue(statement.PredicateType));
        return signer is null
            ? new Outcome.Refused(Distrust(_keys.First(k => k.Key.Equals(key)), statement.PredicateType), statement.PredicateType)
            : new Outcome.Believed(new EvidenceRecord(kind, manifestDigest, signer, statement, envelope));
    }

    private static string Distrust(TrustedKey key, string predicateType) => key.Retired is { } why
        ? $"the key '{key.Name}' ({key.Key.Id[..12]}) is retired: {why}"
        : $"the key '{key.Name}' may not issue '{predicateType}'";

    private abstract record Outcome
    {
        public sealed record Believed(EvidenceRecord Record) : Outcome;

        public sealed record Refused(string Reason, string? PredicateType = null) : Outcome;
    }
}
