using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Server.Registry;

/// <summary>What a registry must know of a manifest: what it refers to, what it is about.</summary>
/// <param name="MediaType">Its media type, as pushed.</param>
/// <param name="ArtifactType">What kind of artifact it is; the configuration's type when the manifest does not say.</param>
/// <param name="Subject">The manifest it says something about; null when there is none.</param>
/// <param name="Config">The configuration; null in an index.</param>
/// <param name="Layers">The layers; in an index, what it lists that is no manifest, as BuildKit's cache does.</param>
/// <param name="Manifests">What must be in the repository as manifests.</param>
/// <param name="Annotations">Its notes.</param>
internal sealed record ManifestFacts(
    string MediaType, string? ArtifactType, Digest? Subject, Descriptor? Config, IReadOnlyList<Descriptor> Layers,
    IReadOnlyList<Descriptor> Manifests,
    SortedDictionary<string, string>? Annotations)
{
    private const int MaxTypeLength = 255;

    /// <summary>The kind of statement, when the manifest is a sigstore bundle or BuildKit's evidence and says so.</summary>
    public string? PredicateType => Annotation("dev.sigstore.bundle.predicateType") ?? Annotation("in-toto.io/predicate-type");

    /// <summary>What must be in the repository as blobs.</summary>
    public IEnumerable<Descriptor> Blobs => Config is null ? Layers : Layers.Prepend(Config);

    /// <summary>The manifest, when this is an image, whose configuration must fit it; null otherwise.</summary>
    public Manifest? Image { get; private init; }

    /// <summary>Reads a manifest or an index, or refuses it.</summary>
    public static ManifestFacts Read(byte[] json, string? contentType)
    {
        string mediaType = TypeOf(json, contentType);
        try
        {
            return Oci.Content.MediaType.IsIndex(mediaType)
                ? OfIndex(ImageJson.ReadIndex(json), mediaType)
                : OfManifest(ImageJson.ReadManifest(json), mediaType);
        }
        catch (FormatException e)
        {
            throw Invalid(e.Message);
        }
    }

    /// <summary>Whether a layer need not be here: it may not be distributed, and is fetched from elsewhere.</summary>
    public static bool IsForeign(Descriptor descriptor) =>
        descriptor.MediaType.Contains(".nondistributable.", StringComparison.Ordinal)
            || descriptor.MediaType.Contains(".rootfs.foreign.", StringComparison.Ordinal);

    private static string TypeOf(byte[] json, string? contentType)
    {
        string? said = contentType?.Split(';')[0].Trim();
        string? written = ManifestType.Read(json);
        string? type = string.IsNullOrEmpty(said) ? written : said;
        if (type is not null && Oci.Content.MediaType.IsSchema1(type))
            throw Invalid("it is of Docker's schema 1, which has no digests of its layers; push it with a current Docker, "
                + "or convert it with 'skopeo copy --format v2s2'");
        if (type is null || !Oci.Content.MediaType.IsDocument(type))
            throw Invalid($"the media type '{type}' is not that of a manifest or an index, OCI's or Docker's");
        if (written is not null && written != type)
            throw Invalid($"the request says '{type}' and the document says '{written}'");

        return type;
    }

    private static ManifestFacts OfManifest(Manifest manifest, string mediaType) => new(
        mediaType, Type(manifest.ArtifactType ?? manifest.Config.MediaType), manifest.Subject?.Digest, manifest.Config, manifest.Layers, [],
        manifest.Annotations)
    {
        Image = manifest.IsImage ? manifest : null,
    };

    private static ManifestFacts OfIndex(ImageIndex index, string mediaType)
    {
        var kinds = index.Manifests.ToLookup(part => Oci.Content.MediaType.IsDocument(part.MediaType));
        return new ManifestFacts(mediaType, Type(index.ArtifactType), index.Subject?.Digest, Config: null, [.. kinds[false]],
            [.. kinds[true]], index.Annotations);
    }

    // Types go into the ledger, whose entries are small.
    private static string? Type(string? type) => type is null || type.Length <= MaxTypeLength
        ? type
        : throw Invalid($"the artifact type has {type.Length} characters: it may have {MaxTypeLength}");

    private string? Annotation(string key) =>
        Annotations?.GetValueOrDefault(key) is { Length: > 0 and <= MaxTypeLength } value ? value : null;

    private static RegistryRefusal Invalid(string message) =>
        new(400, ErrorCode.ManifestInvalid, $"the manifest was not accepted: {message}");
}
