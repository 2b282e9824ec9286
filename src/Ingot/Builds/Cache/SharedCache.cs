using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Builds.Cache;

/// <summary>A layer of a shared cache.</summary>
internal sealed record SharedLayer
{
    /// <summary>The layer.</summary>
    [JsonPropertyName("diff_id")]
    public required Digest DiffId { get; init; }

    /// <summary>Its bytes before compression, as the exporter has it.</summary>
    [JsonPropertyName("bytes")]
    public required long Bytes { get; init; }

    /// <summary>What compressed the blob.</summary>
    [JsonPropertyName("codec")]
    public required string Codec { get; init; }

    /// <summary>The blob.</summary>
    [JsonPropertyName("blob")]
    public required Descriptor Blob { get; init; }

    /// <summary>Whether commands above it find it mounted (<see cref="LayerFacts.IsPacked"/>):
    /// on a machine that fetched it as where it was made.</summary>
    [JsonPropertyName("packed")]
    public bool IsPacked { get; init; }
}

/// <summary>What patterns select in a chain of layers, under the name that caches have for the question.</summary>
internal sealed record SharedSelection(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("digest")] Digest Digest);

/// <summary>What is in a cache mount.</summary>
internal sealed record SharedMount
{
    /// <summary>The name that caches have for the mount: of its id and what it begins with.</summary>
    [JsonPropertyName("name")]
    public required string Name { get; init; }

    /// <summary>Its id, for people.</summary>
    [JsonPropertyName("id")]
    public required string Id { get; init; }

    /// <summary>The digest of the archive.</summary>
    [JsonPropertyName("diff_id")]
    public required Digest DiffId { get; init; }

    /// <summary>The compressed archive.</summary>
    [JsonPropertyName("blob")]
    public required Descriptor Blob { get; init; }
}

/// <summary>The configuration of a shared cache's manifest: all that is known without a blob.</summary>
internal sealed record SharedCacheDocument
{
    /// <summary>The version of this form.</summary>
    [JsonPropertyName("version")]
    public int Version { get; init; } = SharedCache.Version;

    /// <summary>Results of steps.</summary>
    [JsonPropertyName("records")]
    public required IReadOnlyList<StepRecord> Records { get; init; }

    /// <summary>The layers that results name.</summary>
    [JsonPropertyName("layers")]
    public required IReadOnlyList<SharedLayer> Layers { get; init; }

    /// <summary>Selections in layers.</summary>
    [JsonPropertyName("selections")]
    public IReadOnlyList<SharedSelection> Selections { get; init; } = [];

    /// <summary>Cache mounts.</summary>
    [JsonPropertyName("mounts")]
    public IReadOnlyList<SharedMount> Mounts { get; init; } = [];
}

/// <summary>The form of a shared cache: an OCI manifest whose configuration holds the records,
/// and whose layers are blobs as images have them.</summary>
internal static class SharedCache
{
    /// <summary>What kind of artifact the manifest is.</summary>
    public const string ArtifactType = "application/vnd.ingot.cache.v1";

    /// <summary>The type of the configuration.</summary>
    public const string ConfigType = "application/vnd.ingot.cache.config.v1+json";

    /// <summary>The version of the form.</summary>
    public const int Version = 1;

    /// <summary>The most bytes that a configuration may have.</summary>
    public const int MaxConfigBytes = 32 << 20;

    private const int MaxEntries = 100_000;

    /// <summary>The bytes of a configuration: equal for equal documents.</summary>
    public static byte[] Write(SharedCacheDocument document) =>
        JsonSerializer.SerializeToUtf8Bytes(document, SharedCacheContext.Default.SharedCacheDocument);

    /// <summary>The manifest of a configuration and blobs.</summary>
    public static byte[] WriteManifest(Descriptor config, IReadOnlyList<Descriptor> blobs) =>
        ImageJson.Write(new Manifest { ArtifactType = ArtifactType, Config = config, Layers = blobs });

    /// <summary>The configuration that a manifest names; throws <see cref="FormatException"/> for what is no cache,
    /// or one that is too large to be read.</summary>
    public static Descriptor ConfigOf(ReadOnlySpan<byte> manifest)
    {
        var read = ImageJson.ReadManifest(manifest);
        if (read.ArtifactType != ArtifactType || read.Config.MediaType != ConfigType)
            throw new FormatException($"it is '{read.ArtifactType ?? read.Config.MediaType}' and not '{ArtifactType}'");
        if (read.Config.Size is < 0 or > MaxConfigBytes)
            throw new FormatException($"its configuration has {read.Config.Size} bytes: {MaxConfigBytes} are read");
        return read.Config;
    }

    /// <summary>Reads a configuration, or throws <see cref="FormatException"/>.</summary>
    public static SharedCacheDocument Read(ReadOnlySpan<byte> json)
    {
        try
        {
            var document = JsonSerializer.Deserialize(json, SharedCacheContext.Default.SharedCacheDocument)
                ?? throw new FormatException("the configuration is null");
            if (document.Version != Version)
                throw new FormatException($"it is of version {document.Version}, and {Version} is read");
            // The generated readers forget initialisers.
            document = document with { Selections = document.Selections ?? [], Mounts = document.Mounts ?? [] };
            Check(document);
            return document;
        }
        catch (JsonException e)
        {
            throw new FormatException($"the configuration cannot be read: {IngotException.ReasonOf(e)}", e);
        }
    }

    /// <summary>Reads a blob to its end into a store.</summary>
    public static async Task CopyAsync(Stream stream, IContentStore store, Descriptor blob, CancellationToken cancellationToken)
    {
        (store as DirectoryStore)?.RequireSpace(blob.Digest, blob.Size);
        var writer = await store.BeginAsync(cancellationToken);
        await using (writer)
        {
            await stream.CopyToAsync(writer, cancellationToken);
            await writer.CommitAsync(blob.Digest, cancellationToken);
        }
    }

    private static void Check(SharedCacheDocument document)
    {
        if (document.Records is null || document.Layers is null || document.Records.Count > MaxEntries || document.Layers.Count > MaxEntries
            || document.Selections.Count > MaxEntries || document.Mounts.Count > MaxEntries)
            throw new FormatException("the configuration lacks records or layers, or has too many");
        if (document.Records.Any(r => !IsWhole(r)))
            throw new FormatException("a record is incomplete");
        if (document.Layers.Any(l => l?.Blob is null || l.Codec is null || l.Bytes < 0 || !IsLayer(l.Blob)))
            throw new FormatException("a layer is incomplete");
        if (document.Selections.Any(s => s is null || !IsName(s.Name, 64) || s.Digest.IsEmpty))
            throw new FormatException("a selection is incomplete");
        if (document.Mounts.Any(m => m?.Blob is null || m.Id is null || !IsName(m.Name, 32) || !IsLayer(m.Blob)))
            throw new FormatException("a cache mount is incomplete");
    }

    private static bool IsWhole(StepRecord record) =>
        record is { Key: { Count: > 0 } key, Result: { Rules: not null, Packages: not null, Materials: not null } result }
        && key.Count % 2 == 0 && key.All(k => k is not null) && result.Bytes >= 0
        && result.Rules.All(r => r is not null)
        && result.Packages.All(p => p is { Name: not null, Architecture: not null, Version: not null })
        && result.Materials.All(m => m is { Address: not null, Identity: not null })
        && record.Origin is null or { Place: not null, Text: not null, Base: not null };

    private static bool IsLayer(Descriptor blob) =>
        blob.Size >= 0 && !blob.Digest.IsEmpty && blob.MediaType is MediaType.Layer or MediaType.LayerGzip or MediaType.LayerZstd;

    // It becomes the name of a file.
    private static bool IsName(string? text, int length) => text?.Length == length && text.All(char.IsAsciiHexDigitLower);
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SharedCacheDocument))]
internal sealed partial class SharedCacheContext : JsonSerializerContext;
