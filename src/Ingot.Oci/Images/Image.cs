using System.Text.Json;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>An image of one platform: what its digest leads to.</summary>
/// <param name="Digest">The digest of the manifest.</param>
/// <param name="Descriptor">The descriptor of the manifest.</param>
/// <param name="Manifest">The manifest.</param>
/// <param name="Config">The configuration.</param>
public sealed record Image(Digest Digest, Descriptor Descriptor, Manifest Manifest, ImageConfig Config)
{
    private const int MaxNesting = 4;

    /// <summary>Loads the image that <paramref name="digest"/> names. Of an index it takes the manifest for <paramref name="platform"/>, or
    /// the host's when null.</summary>
    /// <exception cref="ImageException">There is none for the platform, or a document is malformed.</exception>
    /// <exception cref="ContentMismatchException">A document is not in the store, or not what its digest says.</exception>
    public static async Task<Image> LoadAsync(
        IContentStore store, Digest digest, Platform? platform = null, CancellationToken cancellationToken = default)
    {
        Descriptor? part = null;
        for (int depth = 0; depth < MaxNesting; depth++)
        {
            byte[] bytes = await store.ReadRequiredAsync(digest, cancellationToken).ConfigureAwait(false);
            string mediaType = MediaTypeOf(digest, bytes, part?.MediaType);
            if (!MediaType.IsIndex(mediaType))
                return await LoadAsync(store, digest, bytes, cancellationToken).ConfigureAwait(false);

            part = Select(digest, Parse(digest, bytes, ImageJson.ReadIndex), platform ?? Platform.Host);
            digest = part.Digest;
        }

        throw new ImageException($"'{digest}' is an index in an index in an index: {MaxNesting} are allowed");
    }

    /// <summary>The manifest in <paramref name="index"/> for a platform, the best it can run (see <see cref="Platform.Runs"/>);
    /// null when there is none.</summary>
    public static Descriptor? Select(ImageIndex index, Platform platform) => platform.Runs()
        .Select(wanted => index.Manifests.FirstOrDefault(manifest => manifest.Platform is { } other && other.Normalise() == wanted))
        .FirstOrDefault(found => found is not null);

    /// <summary>The platforms that an index has images for, as people write them; <c>none</c> when there are none.</summary>
    public static string Platforms(ImageIndex index)
    {
        // Attestations stand in an index as images for an unknown platform.
        string[] names = [.. index.Manifests.Select(other => other.Platform).OfType<Platform>().Where(other => other.Os != "unknown")
            .Select(other => other.ToString()).Distinct().Order(StringComparer.Ordinal)];
        return names.Length == 0 ? "none" : string.Join(", ", names);
    }

    /// <summary>The media type of a manifest or index by what it says and looks like, which must be one and the same; throws
    /// <see cref="ImageException"/> when it is neither, or both.</summary>
    /// <param name="digest">Its digest.</param>
    /// <param name="bytes">It.</param>
    /// <param name="said">What an index or a registry says that it is; null when nobody says anything. Other tools go by this.</param>
    public static string MediaTypeOf(Digest digest, byte[] bytes, string? said)
    {
        string type = MediaTypeOf(digest, bytes);
        return said is null || !MediaType.IsDocument(said) || said == type
            ? type
            : throw new ImageException(
                $"'{digest}' says that it is '{type}', and is handed out as '{said}': tools would disagree on what it is");
    }

    /// <summary>The media type of a manifest or index by what it says and looks like;
    /// throws <see cref="ImageException"/> when it is neither, or both.</summary>
    public static string MediaTypeOf(Digest digest, byte[] bytes)
    {
        bool isIndex = IsIndex(digest, bytes);
        string type = isIndex
            ? Parse(digest, bytes, ImageJson.ReadIndex).MediaType
            : Parse(digest, bytes, ImageJson.ReadManifest).MediaType;
        bool agrees = isIndex ? MediaType.IsIndex(type) : MediaType.IsManifest(type);
        return agrees
            ? type
            : throw new ImageException($"'{digest}' says that it is '{type}', and looks like {(isIndex ? "an index" : "a manifest")}");
    }

    private static Descriptor Select(Digest digest, ImageIndex index, Platform platform) => Select(index, platform)
        ?? throw new ImageException($"the index '{digest}' has no image for {platform}, only for: {Platforms(index)}");

    private static async Task<Image> LoadAsync(IContentStore store, Digest digest, byte[] bytes, CancellationToken cancellationToken)
    {
        var manifest = Parse(digest, bytes, ImageJson.ReadManifest);
        if (!manifest.IsImage)
            throw new ImageException($"'{digest}' is not an image but an artifact: its configuration is '{manifest.Config.MediaType}'");

        byte[] configBytes = await store.ReadRequiredAsync(manifest.Config.Digest, cancellationToken).ConfigureAwait(false);
        var config = Parse(manifest.Config.Digest, configBytes, ImageJson.ReadConfig);
        if (config.RootFs.DiffIds.Count != manifest.Layers.Count)
            throw new ImageException(
                $"'{digest}' has {manifest.Layers.Count} layers, and its configuration lists {config.RootFs.DiffIds.Count}");

        var descriptor = new Descriptor { MediaType = manifest.MediaType, Digest = digest, Size = bytes.Length };
        return new Image(digest, descriptor, manifest, config);
    }

    private static T Parse<T>(Digest digest, byte[] bytes, Func<ReadOnlySpan<byte>, T> read)
    {
        try
        {
            return read(bytes);
        }
        catch (FormatException e)
        {
            throw new ImageException($"'{digest}': {e.Message}", e);
        }
    }

    // By shape, because the media type is optional; a document of both shapes would be read differently by others (CVE-2021-41190).
    private static bool IsIndex(Digest digest, byte[] bytes)
    {
        try
        {
            StrictJson.Check(bytes, JsonShape.Any);
            using var document = JsonDocument.Parse(bytes);
            var root = document.RootElement;
            bool hasManifests = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("manifests", out _);
            bool hasLayers = root.ValueKind == JsonValueKind.Object
                && (root.TryGetProperty("layers", out _) || root.TryGetProperty("config", out _));
            if (hasManifests != hasLayers)
                return hasManifests;

            throw new ImageException(hasManifests
                ? $"'{digest}' is an index and a manifest at once"
                : $"'{digest}' is neither an index nor a manifest; Docker's old schema 1 is not read: push it again with a current Docker");
        }
        catch (FormatException e)
        {
            throw new ImageException($"'{digest}': {e.Message}", e);
        }
    }
}
