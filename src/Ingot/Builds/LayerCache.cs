using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds;

/// <summary>What the cache knows of a layer beside its index.</summary>
internal sealed record LayerFacts
{
    /// <summary>The bytes before compression.</summary>
    [JsonPropertyName("bytes")]
    public required long Bytes { get; init; }

    /// <summary>Whether the layer says what every directory is that it has something in. Otherwise its snapshot depends on the layers below.</summary>
    [JsonPropertyName("complete")]
    public required bool IsComplete { get; init; }

    /// <summary>The layer's blobs, by what compressed them.</summary>
    [JsonPropertyName("blobs")]
    public SortedDictionary<string, Descriptor> Blobs { get; init; } = new(StringComparer.Ordinal);
}

/// <summary>Layers, in the forms that steps need: a snapshot (a directory in overlay form), a blob, the index of files. Each form is made from another when it is needed and missing.</summary>
internal sealed class LayerCache
{
    private readonly string _snapshots;
    private readonly string _layers;
    private readonly IContentStore _store;
    private readonly DirectoryStore _local;
    private readonly ConcurrentDictionary<Digest, LayerIndex> _indexes = new();
    private readonly ConcurrentDictionary<Digest, FileTree> _trees = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _making = new();

    public LayerCache(string directory, IContentStore store)
    {
        _store = store;
        _snapshots = Directory.CreateDirectory(Path.Combine(directory, "snapshots")).FullName;
        _layers = Directory.CreateDirectory(Path.Combine(directory, "layers")).FullName;
        _local = new DirectoryStore(Path.Combine(directory, "store"));
    }

    /// <summary>Marks what is used, so that it is not pruned meanwhile; null when nobody prunes.</summary>
    public CacheUse? Use { get; init; }

    /// <summary>Layers that no image has yet, uncompressed.</summary>
    public IContentStore Local => _local;

    /// <summary>Where layers may be had that are not here; null when nowhere.</summary>
    public CacheImport? Imported { get; init; }

    /// <summary>Remembers a layer that was just written, under the codec of its blob.</summary>
    public void Add(Layer layer, LayerCompression compression) => Add(layer, compression.Codec);

    /// <summary>Fetches a layer that is not here, if it may be had elsewhere, and checks it.</summary>
    public async Task EnsureAsync(Digest diffId, CancellationToken cancellationToken)
    {
        if (Imported?.FindLayer(diffId) is { } shared && !await IsHereAsync(diffId, cancellationToken).ConfigureAwait(false))
            Add(await Imported.FetchAsync(diffId, _store, cancellationToken).ConfigureAwait(false), shared.Codec);
    }

    /// <summary>A layer as others may have it: its blob as an image has it, compressed now only when it never was. One that is not here is not fetched for that.</summary>
    public async Task<SharedLayer> ShareAsync(Digest diffId, LayerCompression compression, CancellationToken cancellationToken)
    {
        if (!await IsHereAsync(diffId, cancellationToken).ConfigureAwait(false) && Imported?.FindLayer(diffId) is { } elsewhere)
            return elsewhere;

        var facts = Facts(diffId) ?? throw Lost(diffId);
        foreach (var (codec, blob) in facts.Blobs.Where(b => b.Value.MediaType != MediaType.Layer).OrderBy(b => b.Key != compression.Codec))
        {
            if (await _store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) is not null)
                return new SharedLayer { DiffId = diffId, Bytes = facts.Bytes, Codec = codec, Blob = blob };
        }

        var made = await BlobAsync(new ChainLayer(diffId, Foreign: null), compression, cancellationToken).ConfigureAwait(false);
        return new SharedLayer { DiffId = diffId, Bytes = facts.Bytes, Codec = compression.Codec, Blob = made };
    }

    private void Add(Layer layer, string codec)
    {
        _indexes[layer.DiffId] = layer.Index;
        var facts = Facts(layer.DiffId) ?? new LayerFacts { Bytes = layer.TarSize, IsComplete = IsComplete(layer.Index) };
        if (layer.Blob is { } blob)
            facts = facts with { Blobs = new(facts.Blobs, StringComparer.Ordinal) { [codec] = blob } };
        AtomicFile.Write(IndexPath(layer.DiffId), layer.Index.Write());
        AtomicFile.Write(FactsPath(layer.DiffId), JsonSerializer.SerializeToUtf8Bytes(facts, LayerCacheContext.Default.LayerFacts));
    }

    /// <summary>Makes a directory in overlay form the snapshot of a complete layer; one that is there already stays, and the directory with it.</summary>
    public void AddSnapshot(Digest diffId, string directory) => MoveUnlessThere(directory, Path.Combine(_snapshots, diffId.Hex));

    /// <summary>Whether everything can be made from what there is of a layer.</summary>
    public async Task<bool> HasAsync(Digest diffId, CancellationToken cancellationToken)
    {
        await MarkAsync(diffId, cancellationToken).ConfigureAwait(false);
        return await IsHereAsync(diffId, cancellationToken).ConfigureAwait(false) || Imported?.FindLayer(diffId) is not null;
    }

    private async Task<bool> IsHereAsync(Digest diffId, CancellationToken cancellationToken)
    {
        if (Facts(diffId) is not { } facts || !File.Exists(IndexPath(diffId)))
            return false;
        return Directory.Exists(Path.Combine(_snapshots, diffId.Hex)) || await FindBlobAsync(facts, cancellationToken).ConfigureAwait(false) is not null;
    }

    /// <summary>The blob of a layer in the store, compressed as asked; made from what there is when it is missing. A foreign layer keeps the blob it has.</summary>
    public async Task<Descriptor> BlobAsync(ChainLayer layer, LayerCompression compression, CancellationToken cancellationToken)
    {
        if (layer.Foreign is { } foreign)
            return foreign;

        await EnsureAsync(layer.DiffId, cancellationToken).ConfigureAwait(false);
        var facts = Facts(layer.DiffId) ?? throw Lost(layer.DiffId);
        if (facts.Blobs.TryGetValue(compression.Codec, out var known) && await _store.SizeAsync(known.Digest, cancellationToken).ConfigureAwait(false) is not null)
            return known;

        var writer = await LayerWriter.BeginAsync(_store, compression, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            await RewriteAsync(layer.DiffId, facts, writer, cancellationToken).ConfigureAwait(false);
            var written = await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
            if (written.DiffId != layer.DiffId)
                throw new BuildCacheException($"the layer '{layer.DiffId}' was damaged in the cache and became '{written.DiffId}'; build again with --no-cache");

            Add(written, compression);
            return written.Blob!;
        }
    }

    /// <summary>The snapshots of a chain, the topmost first; those that are missing are unpacked.</summary>
    /// <param name="chain">The layers.</param>
    /// <param name="workspace">Where to unpack.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<IReadOnlyList<string>> SnapshotsAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        var snapshots = new List<string>();
        var below = LayerChain.Empty;
        foreach (var layer in chain.Layers)
        {
            below = below.With(layer);
            snapshots.Insert(0, await SnapshotAsync(layer, below, snapshots, workspace, cancellationToken).ConfigureAwait(false));
        }

        return snapshots;
    }

    /// <summary>What a chain shows.</summary>
    public async Task<FileTree> TreeAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        if (chain.Layers.Count == 0)
            return FileTree.Empty;
        if (_trees.TryGetValue(chain.Id, out var known))
            return known;

        var below = await TreeAsync(chain.Take(chain.Layers.Count - 1), workspace, cancellationToken).ConfigureAwait(false);
        return _trees[chain.Id] = below.With(await IndexAsync(chain, workspace, cancellationToken).ConfigureAwait(false));
    }

    // Of the topmost layer. An image of the store was not made here: unpacking its layers is what reads them.
    private async Task<LayerIndex> IndexAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        var diffId = chain.Layers[^1].DiffId;
        if (_indexes.TryGetValue(diffId, out var known))
            return known;

        await MarkAsync(diffId, cancellationToken).ConfigureAwait(false);
        if (chain.Layers[^1].Foreign is null)
            await EnsureAsync(diffId, cancellationToken).ConfigureAwait(false);
        if (!File.Exists(IndexPath(diffId)))
            await SnapshotsAsync(chain, workspace, cancellationToken).ConfigureAwait(false);
        return _indexes[diffId] = LayerIndex.Read(await File.ReadAllBytesAsync(IndexPath(diffId), cancellationToken).ConfigureAwait(false));
    }

    private async Task<string> SnapshotAsync(ChainLayer layer, LayerChain upToHere, IReadOnlyList<string> lower, Workspace workspace, CancellationToken cancellationToken)
    {
        await MarkAsync(layer.DiffId, cancellationToken).ConfigureAwait(false);
        await MarkAsync(upToHere.Id, cancellationToken).ConfigureAwait(false);
        if (layer.Foreign is null)
            await EnsureAsync(layer.DiffId, cancellationToken).ConfigureAwait(false);
        bool isOwn = Facts(layer.DiffId) is { IsComplete: true };
        string snapshot = Path.Combine(_snapshots, isOwn ? layer.DiffId.Hex : upToHere.Id.Hex);
        var gate = _making.GetOrAdd(snapshot, _ => new SemaphoreSlim(1));
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!Directory.Exists(snapshot) || !File.Exists(IndexPath(layer.DiffId)))
                await UnpackAsync(layer, snapshot, lower, workspace, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }

        return snapshot;
    }

    private ValueTask MarkAsync(Digest name, CancellationToken cancellationToken) => Use?.MarkAsync(name, cancellationToken) ?? default;

    private async Task UnpackAsync(ChainLayer layer, string snapshot, IReadOnlyList<string> lower, Workspace workspace, CancellationToken cancellationToken)
    {
        var (store, blob) = layer.Foreign is { } foreign
            ? (_store, foreign)
            : Facts(layer.DiffId) is { } facts && await FindBlobAsync(facts, cancellationToken).ConfigureAwait(false) is { } found ? found : throw Lost(layer.DiffId);
        string directory = workspace.NewDirectory("unpack");
        var options = new ExtractOptions
        {
            Whiteouts = WhiteoutForm.Overlay,
            LowerDirectories = lower,
            // A command of the template may make devices; an image from elsewhere has no reason to.
            AllowDevices = layer.Foreign is null,
        };
        var index = await LayerExtractor.ExtractAsync(store, blob, layer.DiffId, directory, options, cancellationToken).ConfigureAwait(false);
        AtomicFile.Write(IndexPath(layer.DiffId), index.Write());
        MoveUnlessThere(directory, snapshot);
    }

    private async Task RewriteAsync(Digest diffId, LayerFacts facts, LayerWriter writer, CancellationToken cancellationToken)
    {
        string snapshot = Path.Combine(_snapshots, diffId.Hex);
        if (facts.IsComplete && Directory.Exists(snapshot))
        {
            var options = new DirectoryLayerOptions { Form = DirectoryForm.OverlayUpper };
            await DirectoryLayer.WriteAsync(writer, snapshot, options, cancellationToken).ConfigureAwait(false);
            return;
        }

        var (store, blob) = await FindBlobAsync(facts, cancellationToken).ConfigureAwait(false) ?? throw Lost(diffId);
        var tar = await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken).ConfigureAwait(false);
        await using (tar.ConfigureAwait(false))
        {
            using var reader = new TarReader(tar, leaveOpen: true);
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
                await writer.WriteAsync(entry, reader.Content, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(IContentStore Store, Descriptor Blob)?> FindBlobAsync(LayerFacts facts, CancellationToken cancellationToken)
    {
        foreach (var blob in facts.Blobs.Values)
        {
            foreach (var store in (IContentStore[])[_local, _store])
            {
                if (await store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) is not null)
                    return (store, blob);
            }
        }

        return null;
    }

    private static void MoveUnlessThere(string directory, string snapshot)
    {
        try
        {
            Directory.Move(directory, snapshot);
        }
        catch (IOException) when (Directory.Exists(snapshot))
        {
            // Another builder made the same layer meanwhile.
        }
    }

    /// <summary>The blobs that a file of facts names; none when it cannot be read.</summary>
    public static IEnumerable<Digest> BlobsOf(string factsFile) => ReadFacts(factsFile)?.Blobs.Values.Select(b => b.Digest) ?? [];

    private LayerFacts? Facts(Digest diffId) => ReadFacts(FactsPath(diffId));

    private static LayerFacts? ReadFacts(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), LayerCacheContext.Default.LayerFacts);
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException or FormatException)
        {
            return null;
        }
    }

    private static bool IsComplete(LayerIndex index)
    {
        var directories = index.Files.Where(f => f.Type == TarEntryType.Directory).Select(f => f.Path).Append("").ToHashSet();
        return index.Files.Select(f => f.Path).Concat(index.Whiteouts).All(path => directories.Contains(TarPath.Parent(path)));
    }

    private string IndexPath(Digest diffId) => Path.Combine(_layers, diffId.Hex + ".index");

    private string FactsPath(Digest diffId) => Path.Combine(_layers, diffId.Hex + ".json");

    private static BuildCacheException Lost(Digest diffId) => new($"the layer '{diffId}' went from the cache while it was used: build again");
}

[JsonSerializable(typeof(LayerFacts))]
internal sealed partial class LayerCacheContext : JsonSerializerContext;
