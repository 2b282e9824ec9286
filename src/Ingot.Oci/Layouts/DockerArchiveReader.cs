using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Layouts;

/// <summary>One image in the <c>manifest.json</c> of what <c>docker save</c> writes
/// (<see href="https://github.com/moby/docker-image-spec/blob/v1.2/v1.2.md">combined image JSON and filesystem changeset
/// format</see>).</summary>
internal sealed record DockerArchiveImage
{
    [JsonPropertyName("Config")]
    public string? Config { get; init; }

    [JsonPropertyName("RepoTags")]
    public IReadOnlyList<string>? RepoTags { get; init; }

    [JsonPropertyName("Layers")]
    public IReadOnlyList<string>? Layers { get; init; }
}

[JsonSerializable(typeof(IReadOnlyList<DockerArchiveImage>))]
[JsonSerializable(typeof(Dictionary<string, Dictionary<string, string>>))]
internal sealed partial class DockerArchiveJson : JsonSerializerContext
{
    /// <summary>The names in <c>manifest.json</c>.</summary>
    public static JsonShape Images { get; } = JsonShape.Of("Config", "RepoTags", "Layers", "Parent", "LayerSources");

    /// <summary>The names in the JSON file of a layer, from before there was a <c>manifest.json</c>.</summary>
    public static JsonShape LegacyLayer { get; } = JsonShape.Of(
        "id", "parent", "created", "author", "comment", "container", "container_config", "config", "architecture", "os", "variant",
        "docker_version", "Size");
}

/// <summary>Reads what <c>docker save</c> wrote: with a <c>manifest.json</c>, or, from before Docker 1.10,
/// with <c>repositories</c> and a JSON file a layer.</summary>
internal sealed class DockerArchiveReader(ImageFiles files, IContentStore store)
{
    private const int MaxLayers = 1000;

    public async Task<ImportedImage> ImportAsync(string? name, CancellationToken cancellationToken)
    {
        byte[]? listed = await files.ReadAsync("manifest.json", cancellationToken).ConfigureAwait(false);
        var (config, layers, tag) = listed is not null
            ? await ChooseAsync(listed, name, cancellationToken).ConfigureAwait(false)
            : await LegacyAsync(name, cancellationToken).ConfigureAwait(false);
        var diffIds = Parse("its configuration", config, ImageJson.ReadConfig).RootFs.DiffIds;
        if (diffIds.Count != layers.Count)
            throw new ImageException($"'{files.Name}' has {layers.Count} layers, and its configuration lists {diffIds.Count}");

        foreach (var (path, diffId) in layers.Zip(diffIds))
            await CheckAsync(path, diffId, cancellationToken).ConfigureAwait(false);

        var blobs = new List<Descriptor>();
        foreach (var (path, diffId) in layers.Zip(diffIds))
            blobs.Add(await StoreAsync(path, diffId, cancellationToken).ConfigureAwait(false));
        var configBlob = await store.PutAsync(MediaType.Config, config, cancellationToken).ConfigureAwait(false);
        var manifest = await store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = configBlob, Layers = blobs }),
            cancellationToken).ConfigureAwait(false);
        return new ImportedImage(manifest, tag);
    }

    private async Task<(byte[] Config, IReadOnlyList<string> Layers, string? Tag)> ChooseAsync(
        byte[] listed, string? name, CancellationToken cancellationToken)
    {
        var images = Parse("manifest.json", listed, json =>
        {
            StrictJson.Check(json, DockerArchiveJson.Images);
            return JsonSerializer.Deserialize(json, DockerArchiveJson.Default.IReadOnlyListDockerArchiveImage);
        }) ?? [];
        var found = images.Where(i => i is not null && (name is null || (i.RepoTags ?? []).Contains(name))).ToList();
        string names = string.Join(", ", images.SelectMany(i => i?.RepoTags ?? []).Take(20));
        var image = found switch
        {
            [var one] => one,
            [] => throw new ImageException(name is null
                ? $"'{files.Name}' holds no image"
                : $"'{files.Name}' has no image '{name}', only: {names}"),
            _ => throw new ImageException($"'{files.Name}' has {found.Count} images: say which, of: {names}"),
        };
        if (image.Config is null || image.Layers is null || image.Layers.Count > MaxLayers || image.Layers.Any(l => l is null))
            throw new ImageException(
                $"'manifest.json' in '{files.Name}' has an image without 'Config' or 'Layers', or with more than {MaxLayers} layers");
        return (await files.ReadRequiredAsync(image.Config, cancellationToken).ConfigureAwait(false), image.Layers,
            name ?? (image.RepoTags is [var first, ..] ? first : null));
    }

    private async Task CheckAsync(string path, Digest diffId, CancellationToken cancellationToken)
    {
        var layer = files.OpenRequired(path);
        await using (layer.ConfigureAwait(false))
        {
            var compression = await LayerReader.DetectAsync(layer, cancellationToken).ConfigureAwait(false);
            await LayerReader.CheckAsync(layer, compression, layer.Length, diffId, limits: null, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<Descriptor> StoreAsync(string path, Digest diffId, CancellationToken cancellationToken)
    {
        var layer = files.OpenRequired(path);
        await using (layer.ConfigureAwait(false))
        {
            var compression = await LayerReader.DetectAsync(layer, cancellationToken).ConfigureAwait(false);
            return await LayerConversion.WriteAsync(compression.Decompress(layer), diffId, store, LayerCompression.Gzip,
                cancellationToken).ConfigureAwait(false);
        }
    }

    // Before 1.10: repositories names the topmost layer, each layer's JSON names its parent, and the topmost one's holds the configuration.
    private async Task<(byte[] Config, IReadOnlyList<string> Layers, string? Tag)> LegacyAsync(
        string? name, CancellationToken cancellationToken)
    {
        var repositories = Parse(
            "repositories", await files.ReadRequiredAsync("repositories", cancellationToken).ConfigureAwait(false), json =>
            {
                StrictJson.Check(json, JsonShape.Any);
                return JsonSerializer.Deserialize(json, DockerArchiveJson.Default.DictionaryStringDictionaryStringString);
            }) ?? [];
        var all = repositories.SelectMany(r => (r.Value ?? []).Select(t => (Name: $"{r.Key}:{t.Key}", Id: t.Value)))
            .Where(t => name is null || t.Name == name).ToList();
        if (all is not [var (tag, top)] || top is null)
            throw new ImageException($"'{files.Name}' has {all.Count} images{(name is null ? "" : $" '{name}'")}: say which, of: "
                + $"{string.Join(", ", repositories.Keys.Take(20))}");

        var chain = new List<(string Id, JsonObject Json)>();
        for (string? id = top; id is not null; id = (string?)chain[0].Json["parent"])
        {
            if (chain.Count == MaxLayers || chain.Any(c => c.Id == id))
                throw new ImageException($"the layers of '{tag}' in '{files.Name}' form a loop, or are more than {MaxLayers}");
            byte[] json = await files.ReadRequiredAsync($"{id}/json", cancellationToken).ConfigureAwait(false);
            chain.Insert(0, (id, Parse($"{id}/json", json, bytes =>
            {
                StrictJson.Check(bytes, DockerArchiveJson.LegacyLayer);
                return JsonNode.Parse(bytes) as JsonObject;
            }) ?? throw new ImageException($"'{id}/json' in '{files.Name}' is not an object")));
        }

        string[] layers = [.. chain.Select(c => $"{c.Id}/layer.tar")];
        return (await LegacyConfigAsync(chain, layers, cancellationToken).ConfigureAwait(false), layers, tag);
    }

    private async Task<byte[]> LegacyConfigAsync(
        List<(string Id, JsonObject Json)> chain, string[] layers, CancellationToken cancellationToken)
    {
        var diffIds = new List<Digest>();
        foreach (string path in layers)
        {
            var layer = files.OpenRequired(path);
            await using (layer.ConfigureAwait(false))
                diffIds.Add(await LayerReader.CheckAsync(layer,
                    await LayerReader.DetectAsync(layer, cancellationToken).ConfigureAwait(false), layer.Length, diffId: null, limits: null,
                    cancellationToken).ConfigureAwait(false));
        }

        var top = chain[^1].Json;
        var history =
            chain.Select(c => new HistoryEntry { Created = Text(c.Json["created"]), CreatedBy = Command(c.Json["container_config"]) });
        var parameters = top["config"] is JsonObject config
            ? Parse(
                "config",
                System.Text.Encoding.UTF8.GetBytes(
                    $$"""{"architecture":"x","os":"x","rootfs":{"type":"layers","diff_ids":[]},"config":{{config.ToJsonString()}}}"""),
                ImageJson.ReadConfig).Config
            : new ContainerConfig();
        return ImageJson.Write(new ImageConfig
        {
            Created = Text(top["created"]),
            Architecture = Text(top["architecture"]) ?? Platform.Host.Architecture,
            Os = Text(top["os"]) ?? "linux",
            Config = parameters,
            RootFs = new RootFileSystem { DiffIds = diffIds },
            History = [.. history],
        });
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private static string? Command(JsonNode? config) =>
        (config as JsonObject)?["Cmd"] is JsonArray words ? string.Join(' ', words.Select(Text)) : null;

    private T Parse<T>(string what, byte[] bytes, Func<ReadOnlySpan<byte>, T> read)
    {
        try
        {
            return read(bytes);
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw new ImageException($"'{what}' in '{files.Name}' is not understood: {IngotException.ReasonOf(e)}", e);
        }
    }
}
