using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Server.Registry;

/// <summary>What a registry must know of a manifest: what it refers to, what it is about.</summary>
/// <param name="MediaType">Its media type, as pushed.</param>
/// <param name="ArtifactType">What kind of artifact it is; the configuration's type when the manifest does not say.</param>
/// <param name="Subject">The manifest it says something about; null when there is none.</param>
/// <param name="Blobs">What must be in the repository as blobs.</param>
/// <param name="Manifests">What must be in the repository as manifests.</param>
/// <param name="Annotations">Its notes.</param>
internal sealed record ManifestFacts(
    string MediaType, string? ArtifactType, Digest? Subject, IReadOnlyList<Descriptor> Blobs, IReadOnlyList<Descriptor> Manifests, SortedDictionary<string, string>? Annotations)
{
    private const int MaxTypeLength = 255;

    /// <summary>The kind of statement, when the manifest is a sigstore bundle or BuildKit's evidence and says so.</summary>
    public string? PredicateType => Annotation("dev.sigstore.bundle.predicateType") ?? Annotation("in-toto.io/predicate-type");

    /// <summary>Reads a manifest or an index, or refuses it.</summary>
    public static ManifestFacts Read(byte[] json, string? contentType)
    {
        string mediaType = TypeOf(json, contentType);
        try
        {
            var facts = Oci.Content.MediaType.IsIndex(mediaType) ? OfIndex(ImageJson.ReadIndex(json), mediaType) : OfManifest(ImageJson.ReadManifest(json), mediaType);
            foreach (var descriptor in facts.Blobs.Concat(facts.Manifests))
                Check(descriptor);
            return facts;
        }
        catch (FormatException e)
        {
            throw Invalid(e.Message);
        }
    }

    /// <summary>Whether a layer need not be here: it may not be distributed, and is fetched from elsewhere.</summary>
    public static bool IsForeign(Descriptor descriptor) =>
        descriptor.MediaType.Contains(".nondistributable.", StringComparison.Ordinal) || descriptor.MediaType.Contains(".rootfs.foreign.", StringComparison.Ordinal);

    private static string TypeOf(byte[] json, string? contentType)
    {
        string? said = contentType?.Split(';')[0].Trim();
        string? written = ManifestType.Read(json);
        string? type = string.IsNullOrEmpty(said) ? written : said;
        if (type is null || !(Oci.Content.MediaType.IsManifest(type) || Oci.Content.MediaType.IsIndex(type)))
            throw Invalid($"the media type '{type}' is not that of a manifest or an index, OCI's or Docker's");
        if (written is not null && written != type)
            throw Invalid($"the request says '{type}' and the document says '{written}'");

        return type;
    }

    private static ManifestFacts OfManifest(Manifest manifest, string mediaType)
    {
        if (manifest.SchemaVersion != 2)
            throw Invalid($"its schemaVersion is {manifest.SchemaVersion}: expected 2");

        return new ManifestFacts(
            mediaType, Type(manifest.ArtifactType ?? manifest.Config.MediaType), manifest.Subject?.Digest, [manifest.Config, .. manifest.Layers], [], manifest.Annotations);
    }

    private static ManifestFacts OfIndex(ImageIndex index, string mediaType)
    {
        if (index.SchemaVersion != 2)
            throw Invalid($"its schemaVersion is {index.SchemaVersion}: expected 2");

        return new ManifestFacts(mediaType, Type(index.ArtifactType), index.Subject?.Digest, [], index.Manifests, index.Annotations);
    }

    private static void Check(Descriptor descriptor)
    {
        if (descriptor.Size < 0 || string.IsNullOrEmpty(descriptor.MediaType))
            throw Invalid($"the descriptor of '{descriptor.Digest}' has size {descriptor.Size} and media type '{descriptor.MediaType}'");
    }

    // Types go into the ledger, whose entries are small.
    private static string? Type(string? type) => type is null || type.Length <= MaxTypeLength
        ? type
        : throw Invalid($"the artifact type has {type.Length} characters: it may have {MaxTypeLength}");

    private string? Annotation(string key) => Annotations?.GetValueOrDefault(key) is { Length: > 0 and <= MaxTypeLength } value ? value : null;

    private static RegistryRefusal Invalid(string message) => new(400, ErrorCode.ManifestInvalid, $"the manifest was not accepted: {message}");
}
