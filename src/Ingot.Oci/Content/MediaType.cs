namespace Ingot.Oci.Content;

/// <summary>The media types of the OCI image specification, and Docker's for the same things.</summary>
public static class MediaType
{
    /// <summary>An image manifest.</summary>
    public const string Manifest = "application/vnd.oci.image.manifest.v1+json";

    /// <summary>An image index.</summary>
    public const string Index = "application/vnd.oci.image.index.v1+json";

    /// <summary>An image configuration.</summary>
    public const string Config = "application/vnd.oci.image.config.v1+json";

    /// <summary>An uncompressed layer.</summary>
    public const string Layer = "application/vnd.oci.image.layer.v1.tar";

    /// <summary>A layer compressed with gzip.</summary>
    public const string LayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";

    /// <summary>A layer compressed with zstd.</summary>
    public const string LayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";

    /// <summary>The two bytes <c>{}</c>, for artifacts without a configuration.</summary>
    public const string Empty = "application/vnd.oci.empty.v1+json";

    /// <summary>Docker's schema 2 manifest.</summary>
    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

    /// <summary>Docker's manifest list.</summary>
    public const string DockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json";

    /// <summary>Docker's image configuration.</summary>
    public const string DockerConfig = "application/vnd.docker.container.image.v1+json";

    /// <summary>Docker's layer, compressed with gzip.</summary>
    public const string DockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    /// <summary>Docker's layer, not compressed.</summary>
    public const string DockerLayer = "application/vnd.docker.image.rootfs.diff.tar";

    /// <summary>Whether the type names a manifest of Docker's schema 1, signed or not, which nothing writes any more.</summary>
    public static bool IsSchema1(string mediaType) =>
        mediaType is "application/vnd.docker.distribution.manifest.v1+json" or "application/vnd.docker.distribution.manifest.v1+prettyjws";

    /// <summary>Whether the type names a manifest of one image, OCI's or Docker's.</summary>
    public static bool IsManifest(string mediaType) => mediaType is Manifest or DockerManifest;

    /// <summary>Whether the type names a document that a registry keeps as a manifest: of one image, or an index.</summary>
    public static bool IsDocument(string mediaType) => IsManifest(mediaType) || IsIndex(mediaType);

    /// <summary>Whether the type names an index of manifests, OCI's or Docker's.</summary>
    public static bool IsIndex(string mediaType) => mediaType is Index or DockerManifestList;
}
