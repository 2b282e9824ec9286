using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>A way to compress a layer. The same codec, version and input give the same bytes.</summary>
public sealed record LayerCompression
{
    // Half the time of zlib's own 6, for 2 % more bytes.
    private const int GzipLevel = 4;
    private const int ZstdLevel = 3;

    private static readonly LayerCompression[] s_all =
    [
        new("none", null, Content.MediaType.Layer, () => "none", output => new UncompressedStream(output), input => input),
        new("gzip", "zlib1g", Content.MediaType.LayerGzip, () => $"gzip level {GzipLevel}, zlib {ZLib.Version}",
            output => new GzipEncoder(output, GzipLevel), input => new GzipDecoder(input)),
        new("zstd", "libzstd1", Content.MediaType.LayerZstd,
            () => $"zstd level {ZstdLevel}, frames of 1 to 4 MiB by content, libzstd {Zstd.Version}",
            NewZstandard, input => new ZstdDecoder(input)),
    ];

    private readonly string? _package;
    private readonly Func<string> _codec;
    private readonly Func<Stream, Stream> _compress;
    private readonly Func<Stream, Stream> _decompress;

    private LayerCompression(
        string name, string? package, string mediaType, Func<string> codec, Func<Stream, Stream> compress, Func<Stream, Stream> decompress)
    {
        Name = name;
        MediaType = mediaType;
        _package = package;
        _codec = codec;
        _compress = compress;
        _decompress = decompress;
    }

    /// <summary>No compression.</summary>
    public static LayerCompression None => s_all[0];

    /// <summary>gzip: what every registry and runtime reads.</summary>
    public static LayerCompression Gzip => s_all[1];

    /// <summary>zstd: smaller and faster; Docker pulls it since version 23.</summary>
    public static LayerCompression Zstandard => s_all[2];

    /// <summary>The name in settings: <c>none</c>, <c>gzip</c> or <c>zstd</c>.</summary>
    public string Name { get; }

    /// <summary>The media type of a layer compressed so.</summary>
    public string MediaType { get; }

    /// <summary>What decides the compressed bytes besides the layer: codec, level, library and version. Provenance records it.</summary>
    public string Codec => HostLibrary.Use(_package, _codec);

    /// <summary>The compression of that name; null when there is none.</summary>
    public static LayerCompression? Find(string name) => Array.Find(s_all, compression => compression.Name == name);

    /// <summary>The compression of layers of that media type, OCI's or Docker's;
    /// throws <see cref="LayerException"/> for another type.</summary>
    public static LayerCompression ForMediaType(string mediaType) => FindMediaType(mediaType)
        ?? throw new LayerException($"'{mediaType}' is not a layer: "
            + $"expected one of {string.Join(", ", s_all.Select(compression => $"'{compression.MediaType}'"))}");

    /// <summary>As <see cref="ForMediaType"/>; null for another type, such as that of layers which may not be distributed.</summary>
    public static LayerCompression? FindMediaType(string mediaType) => mediaType switch
    {
        Content.MediaType.DockerLayerGzip => Gzip,
        Content.MediaType.DockerLayer => None,
        _ => Array.Find(s_all, compression => compression.MediaType == mediaType),
    };

    /// <summary>A stream that compresses what is written to it, asynchronously, into <paramref name="output"/>. Disposing it
    /// (asynchronously) finishes the data and leaves the output open.</summary>
    public Stream Compress(Stream output) => HostLibrary.Use(_package, () => _compress(output));

    internal static ZstdEncoder NewZstandard(Stream output) => new(output, ZstdLevel);

    /// <summary>A stream over the decompressed bytes of <paramref name="input"/>, which it owns. Memory is bounded,
    /// whatever the input.</summary>
    public Stream Decompress(Stream input) => HostLibrary.Use(_package, () => _decompress(input));

    /// <inheritdoc/>
    public override string ToString() => Name;
}
