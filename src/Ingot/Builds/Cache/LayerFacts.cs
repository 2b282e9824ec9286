using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Builds.Cache;

/// <summary>What the cache knows of a layer beside its index.</summary>
internal sealed record LayerFacts
{
    /// <summary>The bytes before compression.</summary>
    [JsonPropertyName("bytes")]
    public required long Bytes { get; init; }

    /// <summary>Whether the layer says what every directory is that it has something in.
    /// Otherwise its snapshot depends on the layers below.</summary>
    [JsonPropertyName("complete")]
    public required bool IsComplete { get; init; }

    /// <summary>Whether it was made of files and not by a command. Commands above such a layer find its archive mounted, as those of images
    /// from elsewhere; above what a command made, a directory: what a filesystem says of sizes on disk is then the same whether a layer was
    /// just made or is made again.</summary>
    [JsonPropertyName("packed")]
    public bool IsPacked { get; init; }

    /// <summary>The layer's blobs, by what compressed them.</summary>
    [JsonPropertyName("blobs")]
    public SortedDictionary<string, Descriptor> Blobs { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Reads a file of facts; null when there is none that can be read.</summary>
    public static LayerFacts? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), LayerFactsContext.Default.LayerFacts);
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The blobs that a file of facts names; none when it cannot be read.</summary>
    public static IEnumerable<Digest> BlobsOf(string path) => Read(path)?.Blobs.Values.Select(b => b.Digest) ?? [];

    /// <summary>Writes the facts to a file.</summary>
    public void Write(string path) =>
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, LayerFactsContext.Default.LayerFacts));
}

[JsonSerializable(typeof(LayerFacts))]
internal sealed partial class LayerFactsContext : JsonSerializerContext;
