using System.Collections.Concurrent;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layers.Erofs;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Layers;

/// <summary>A layer that another can be written from.</summary>
/// <param name="Index">What is in it.</param>
/// <param name="Trace">How it was written.</param>
/// <param name="Archive">Its archive.</param>
internal sealed record WrittenLayer(LayerIndex Index, LayerTrace Trace, LayerArchive Archive);

/// <summary>The files of a layer, ready to be stacked on others.</summary>
internal abstract record Snapshot
{
    private Snapshot()
    {
    }

    /// <summary>A directory in overlay form.</summary>
    public sealed record Unpacked(string Directory) : Snapshot;

    /// <summary>The layer's archive as it is, with an image that can be mounted and shows the same as the directory would.</summary>
    public sealed record Packed(string Image, LayerArchive Archive, LayerIndex Index) : Snapshot;
}

/// <summary>Layers, in the forms that steps need: a snapshot, the archive, a blob, the index of files. Each form is made from another when
/// it is needed and missing.</summary>
internal sealed class LayerCache
{
    private const int CopyBytes = 256 << 10;
    private const string LayersDirectory = "layers";

    private readonly string _snapshots;
    private readonly string _layers;
    private readonly LayerArchives _archives;
    private readonly string _directory;
    private readonly IContentStore _store;
    private readonly DirectoryStore _local;
    private readonly ConcurrentDictionary<Digest, LayerIndex> _indexes = new();
    private readonly ConcurrentDictionary<Digest, FileTree> _trees = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _making = new();
    private Task<bool>? _canMount;

    public LayerCache(string directory, IContentStore store)
    {
        _store = store;
        _directory = directory;
        _archives = new LayerArchives(Path.Combine(directory, "archives"));
        _snapshots = Directory.CreateDirectory(Path.Combine(directory, "snapshots")).FullName;
        _layers = Directory.CreateDirectory(Path.Combine(directory, LayersDirectory)).FullName;
        _local = new DirectoryStore(Path.Combine(directory, "store"));
    }

    /// <summary>Marks what is used, so that it is not pruned meanwhile; null when nobody prunes.</summary>
    public CacheUse? Use { get; init; }

    /// <summary>What steps downloaded.</summary>
    public IContentStore Local => _local;

    /// <summary>Where layers may be had that are not here; null when nowhere.</summary>
    public CacheImport? Imported { get; init; }

    /// <summary>Fetches a layer that is not here, if it may be had elsewhere, and checks it.</summary>
    public async Task EnsureAsync(Digest diffId, CancellationToken cancellationToken)
    {
        if (Imported?.FindLayer(diffId) is { } shared && !await IsHereAsync(diffId, cancellationToken))
            Remember(await Imported.FetchAsync(diffId, _store, cancellationToken), shared.Codec, shared.IsPacked);
    }

    /// <summary>A layer as others may have it: its blob as an image has it, compressed now only when it never was. One that is not here is
    /// not fetched for that.</summary>
    public async Task<SharedLayer> ShareAsync(Digest diffId, LayerCompression compression, CancellationToken cancellationToken)
    {
        if (!await IsHereAsync(diffId, cancellationToken) && Imported?.FindLayer(diffId) is { } elsewhere)
            return elsewhere;

        var facts = Facts(diffId) ?? throw Lost(diffId);
        foreach (var (codec, blob) in facts.Blobs.Where(b => b.Value.MediaType != MediaType.Layer).OrderBy(b => b.Key != compression.Codec))
        {
            if (await _store.SizeAsync(blob.Digest, cancellationToken) is not null)
                return new SharedLayer { DiffId = diffId, Bytes = facts.Bytes, Codec = codec, Blob = blob, IsPacked = facts.IsPacked };
        }

        var made = await BlobAsync(new ChainLayer(diffId, Foreign: null), compression, cancellationToken);
        return new SharedLayer { DiffId = diffId, Bytes = facts.Bytes, Codec = compression.Codec, Blob = made, IsPacked = facts.IsPacked };
    }

    /// <summary>Remembers a layer that was just written, under the codec of its blob, and keeps its archive.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="compression">What compressed its blob.</param>
    /// <param name="archive">Its archive, whose last file is moved away; null for none.</param>
    public void Add(Layer layer, LayerCompression compression, LayerArchive? archive = null)
    {
        if (archive is not null)
            _archives.Add(layer.DiffId, archive);
        if (archive is not null && layer.Trace is { } trace)
            _archives.AddTrace(layer.DiffId, trace);
        Remember(layer, compression.Codec, isPacked: archive is not null);
    }

    private void Remember(Layer layer, string codec, bool isPacked)
    {
        _indexes[layer.DiffId] = layer.Index;
        var facts = Facts(layer.DiffId)
            ?? new LayerFacts { Bytes = layer.TarSize, IsComplete = layer.Index.ImpliedDirectories().Count == 0, IsPacked = isPacked };
        if (layer.Blob is { } blob)
            facts = facts with { Blobs = new(facts.Blobs, StringComparer.Ordinal) { [codec] = blob } };
        AtomicFile.Write(IndexPath(layer.DiffId), layer.Index.Write());
        facts.Write(FactsPath(layer.DiffId));
    }

    /// <summary>Makes a directory in overlay form the snapshot of a complete layer; one that is there already stays,
    /// and the directory with it.</summary>
    public void AddSnapshot(Digest diffId, string directory) => MoveUnlessThere(directory, Path.Combine(_snapshots, diffId.Hex));

    /// <summary>A layer with everything that another can be written from; null when something of it is gone.</summary>
    public async Task<WrittenLayer?> FindWrittenAsync(Digest diffId, CancellationToken cancellationToken)
    {
        await MarkAsync(diffId, cancellationToken);
        if (_archives.FindTrace(diffId) is not { } trace || _archives.Find(diffId) is not { } archive || !File.Exists(IndexPath(diffId))
            || await _store.SizeAsync(trace.Blob.Digest, cancellationToken) != trace.Blob.Size)
            return null;

        return new WrittenLayer(await IndexOfAsync(diffId, cancellationToken), trace, archive);
    }

    /// <summary>Whether everything can be made from what there is of a layer.</summary>
    public async Task<bool> HasAsync(Digest diffId, CancellationToken cancellationToken)
    {
        await MarkAsync(diffId, cancellationToken);
        return await IsHereAsync(diffId, cancellationToken) || Imported?.FindLayer(diffId) is not null;
    }

    private async Task<bool> IsHereAsync(Digest diffId, CancellationToken cancellationToken)
    {
        if (Facts(diffId) is not { } facts || !File.Exists(IndexPath(diffId)))
            return false;
        return Directory.Exists(Path.Combine(_snapshots, diffId.Hex))
            || _archives.Find(diffId) is not null
            || await FindBlobAsync(facts, cancellationToken) is not null;
    }

    /// <summary>The blob of a layer in the store, compressed as asked; made from what there is when it is missing.
    /// A foreign layer keeps the blob it has.</summary>
    public async Task<Descriptor> BlobAsync(ChainLayer layer, LayerCompression compression, CancellationToken cancellationToken)
    {
        if (layer.Foreign is { } foreign)
            return foreign;

        await EnsureAsync(layer.DiffId, cancellationToken);
        var facts = Facts(layer.DiffId) ?? throw Lost(layer.DiffId);
        if (facts.Blobs.TryGetValue(compression.Codec, out var known)
            && await _store.SizeAsync(known.Digest, cancellationToken) is not null)
            return known;

        var writer = await LayerWriter.BeginAsync(_store, compression, cancellationToken);
        await using (writer)
        {
            await RewriteAsync(layer.DiffId, facts, writer, cancellationToken);
            var written = await writer.FinishAsync(cancellationToken);
            if (written.DiffId != layer.DiffId)
                throw new BuildCacheException(
                    $"the layer '{layer.DiffId}' was damaged in the cache and became '{written.DiffId}'; build again with --no-cache");

            Add(written, compression);
            return written.Blob!;
        }
    }

    /// <summary>The snapshots of a chain, the topmost first; those that are missing are made: an image where the host can mount one,
    /// else a directory.</summary>
    /// <param name="chain">The layers.</param>
    /// <param name="workspace">Where to make them.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<IReadOnlyList<Snapshot>> SnapshotsAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        var snapshots = new List<Snapshot>();
        for (int count = 1; count <= chain.Layers.Count; count++)
            snapshots.Insert(0, await SnapshotAsync(chain.Take(count), mayBePacked: true, workspace, cancellationToken));
        return snapshots;
    }

    /// <summary>Opens files of a chain by where they are.</summary>
    public async Task<IFileOpener> OpenerAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        var snapshots = await SnapshotsAsync(chain, workspace, cancellationToken);
        return new ChainOpener([.. snapshots.Reverse().Select(LayerFiles.Open)]);
    }

    /// <summary>What a cache knows of what is in a layer; null for nothing.</summary>
    public static async Task<LayerIndex?> KnownIndexAsync(string directory, Digest diffId, CancellationToken cancellationToken)
    {
        try
        {
            return LayerIndex.Read(await File.ReadAllBytesAsync(IndexPath(Path.Combine(directory, LayersDirectory), diffId),
                cancellationToken));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Whether it is known what is in a layer.</summary>
    public bool IsIndexed(Digest diffId) => _indexes.ContainsKey(diffId) || File.Exists(IndexPath(diffId));

    /// <summary>What a chain shows.</summary>
    public async Task<FileTree> TreeAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        if (chain.Layers.Count == 0)
            return FileTree.Empty;
        if (_trees.TryGetValue(chain.Id, out var known))
            return known;

        var below = await TreeAsync(chain.Take(chain.Layers.Count - 1), workspace, cancellationToken);
        return _trees[chain.Id] = below.With(await IndexAsync(chain, workspace, cancellationToken));
    }

    // Of the topmost layer. An image of the store was not made here: unpacking its layers is what reads them.
    private async Task<LayerIndex> IndexAsync(LayerChain chain, Workspace workspace, CancellationToken cancellationToken)
    {
        var diffId = chain.Layers[^1].DiffId;
        if (_indexes.TryGetValue(diffId, out var known))
            return known;

        await MarkAsync(diffId, cancellationToken);
        if (chain.Layers[^1].Foreign is null)
            await EnsureAsync(diffId, cancellationToken);
        if (!File.Exists(IndexPath(diffId)))
            await SnapshotsAsync(chain, workspace, cancellationToken);
        return await IndexOfAsync(diffId, cancellationToken);
    }

    private async Task<LayerIndex> IndexOfAsync(Digest diffId, CancellationToken cancellationToken) =>
        _indexes.TryGetValue(diffId, out var known)
            ? known
            : _indexes[diffId] = LayerIndex.Read(await File.ReadAllBytesAsync(IndexPath(diffId), cancellationToken));

    // Of the topmost layer.
    private async Task<Snapshot> SnapshotAsync(LayerChain chain, bool mayBePacked, Workspace workspace, CancellationToken cancellationToken)
    {
        var layer = chain.Layers[^1];
        await MarkAsync(layer.DiffId, cancellationToken);
        await MarkAsync(chain.Id, cancellationToken);
        if (layer.Foreign is null)
            await EnsureAsync(layer.DiffId, cancellationToken);
        var facts = Facts(layer.DiffId);
        // Otherwise the snapshot depends on what is below.
        bool isOwn = facts is { IsComplete: true };
        string directory = Path.Combine(_snapshots, isOwn ? layer.DiffId.Hex : chain.Id.Hex);
        var gate = _making.GetOrAdd(directory, _ => new SemaphoreSlim(1));
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (Directory.Exists(directory) && File.Exists(IndexPath(layer.DiffId)))
                return new Snapshot.Unpacked(directory);
            if (mayBePacked
                && (layer.Foreign is not null || facts is { IsPacked: true })
                && await CanMountAsync(workspace, cancellationToken)
                && await PackAsync(chain, facts, workspace, cancellationToken) is { } packed)
                return packed;

            await UnpackAsync(chain, directory, isOwn, workspace, cancellationToken);
            return new Snapshot.Unpacked(directory);
        }
        finally
        {
            gate.Release();
        }
    }

    private ValueTask MarkAsync(Digest name, CancellationToken cancellationToken) => Use?.MarkAsync(name, cancellationToken) ?? default;

    private Task<bool> CanMountAsync(Workspace workspace, CancellationToken cancellationToken)
    {
        lock (_making)
            return _canMount ??= LayerMounts.AreSupportedAsync(_directory, () => workspace.NewDirectory("trial"), cancellationToken);
    }

    // Null for a layer that no image can show: then it is unpacked.
    private async Task<Snapshot.Packed?> PackAsync(
        LayerChain chain, LayerFacts? facts, Workspace workspace, CancellationToken cancellationToken)
    {
        var layer = chain.Layers[^1];
        try
        {
            var archive = facts is null || layer.Foreign is not null
                ? await ForeignArchiveAsync(layer, workspace, cancellationToken)
                : await ArchiveAsync(layer.DiffId, facts, workspace, cancellationToken);
            var index = await IndexOfAsync(layer.DiffId, cancellationToken);
            bool isComplete = facts?.IsComplete ?? index.ImpliedDirectories().Count == 0;
            string image = _archives.ImagePath(isComplete ? layer.DiffId : chain.Id, archive);
            if (!File.Exists(image))
                WriteImage(image, archive, isComplete ? index : await WholeAsync(chain, index, workspace, cancellationToken),
                    allowDevices: layer.Foreign is null);
            return new Snapshot.Packed(image, archive, index);
        }
        catch (LayerException)
        {
            return null;
        }
    }

    // Directories that the layer does not describe are as they are below it.
    private async Task<LayerIndex> WholeAsync(LayerChain chain, LayerIndex index, Workspace workspace, CancellationToken cancellationToken)
    {
        var below = await TreeAsync(chain.Take(chain.Layers.Count - 1), workspace, cancellationToken);
        return index.With(index.ImpliedDirectories().Select(path => below.Find(path)?.Record.Entry).OfType<TarEntry>()
            .Where(e => e.Type == TarEntryType.Directory));
    }

    private static void WriteImage(string image, LayerArchive archive, LayerIndex index, bool allowDevices)
    {
        using var bytes = new MemoryStream();
        var options = new ErofsOptions
        {
            AllowDevices = allowDevices,
            PlaceOf = file => archive.Find(file.Offset) is var (device, at, _) ? new ErofsPlace(device + 1, at) : default,
        };
        ErofsImage.Write(bytes, index, [.. archive.Files.Select(file => new ErofsDevice(new FileInfo(file).Length))], options);
        AtomicFile.Write(image, bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    // The archive of a layer from elsewhere, which is indexed while it is decompressed.
    private async Task<LayerArchive> ForeignArchiveAsync(ChainLayer layer, Workspace workspace, CancellationToken cancellationToken)
    {
        if (File.Exists(IndexPath(layer.DiffId)) && _archives.Find(layer.DiffId) is { } known)
            return known;

        string made = Path.Combine(workspace.NewDirectory("archive"), "layer.tar");
        using (var file = new UncachedFile(made))
        {
            var index = await LayerReader.IndexAsync(_store, layer.Foreign!, layer.DiffId, file, cancellationToken: cancellationToken);
            file.Flush();
            AtomicFile.Write(IndexPath(layer.DiffId), index.Write());
        }

        _archives.Add(layer.DiffId, LayerArchive.Whole(made));
        return _archives.Find(layer.DiffId) ?? throw Lost(layer.DiffId);
    }

    // The archive of a layer of ours; decompressed from a blob when it is missing.
    private async Task<LayerArchive> ArchiveAsync(Digest diffId, LayerFacts facts, Workspace workspace, CancellationToken cancellationToken)
    {
        if (_archives.Find(diffId) is { } known)
            return known;

        string made = Path.Combine(workspace.NewDirectory("archive"), "layer.tar");
        var tar = await OpenTarAsync(diffId, facts, cancellationToken);
        await using (tar)
        {
            using var file = new UncachedFile(made);
            await tar.CopyToAsync(file, CopyBytes, cancellationToken);
            file.Flush();
        }

        _archives.Add(diffId, LayerArchive.Whole(made));
        return _archives.Find(diffId) ?? throw Lost(diffId);
    }

    // Verified at its end.
    private async Task<Stream> OpenTarAsync(Digest diffId, LayerFacts facts, CancellationToken cancellationToken)
    {
        if (_archives.Find(diffId) is { } archive)
            return LayerBlob.OpenArchive(archive, diffId);

        var (store, blob) = await FindBlobAsync(facts, cancellationToken) ?? throw Lost(diffId);
        return await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken);
    }

    private async Task UnpackAsync(LayerChain chain, string snapshot, bool isOwn, Workspace workspace, CancellationToken cancellationToken)
    {
        var layer = chain.Layers[^1];
        var lower = new List<string>();
        for (int count = 1; count < chain.Layers.Count && !isOwn; count++)
            lower.Insert(0,
                ((Snapshot.Unpacked)await SnapshotAsync(chain.Take(count), mayBePacked: false, workspace, cancellationToken)).Directory);

        string directory = workspace.NewDirectory("unpack");
        var options = new ExtractOptions
        {
            Whiteouts = WhiteoutForm.Overlay,
            LowerDirectories = lower,
            // A command of the template may make devices; an image from elsewhere has no reason to.
            AllowDevices = layer.Foreign is null,
        };
        var tar = layer.Foreign is { } foreign
            ? await LayerBlob.OpenAsync(_store, foreign, layer.DiffId, cancellationToken)
            : await OpenTarAsync(layer.DiffId, Facts(layer.DiffId) ?? throw Lost(layer.DiffId), cancellationToken);
        await using (tar)
        {
            var index = await LayerExtractor.ExtractAsync(tar, directory, options, cancellationToken);
            AtomicFile.Write(IndexPath(layer.DiffId), index.Write());
        }

        MoveUnlessThere(directory, snapshot);
    }

    private async Task RewriteAsync(Digest diffId, LayerFacts facts, LayerWriter writer, CancellationToken cancellationToken)
    {
        string snapshot = Path.Combine(_snapshots, diffId.Hex);
        if (facts.IsComplete && Directory.Exists(snapshot))
        {
            var options = new DirectoryLayerOptions { Form = DirectoryForm.OverlayUpper };
            await DirectoryLayer.WriteAsync(writer, snapshot, options, cancellationToken);
            return;
        }

        var tar = await OpenTarAsync(diffId, facts, cancellationToken);
        await using (tar)
        {
            using var reader = new TarReader(tar, leaveOpen: true);
            while (await reader.NextAsync(cancellationToken) is { } entry)
                await writer.WriteAsync(entry, reader.Content, cancellationToken);
        }
    }

    private async Task<(IContentStore Store, Descriptor Blob)?> FindBlobAsync(LayerFacts facts, CancellationToken cancellationToken)
    {
        foreach (var blob in facts.Blobs.Values)
        {
            foreach (var store in (IContentStore[])[_local, _store])
            {
                if (await store.SizeAsync(blob.Digest, cancellationToken) is not null)
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

    private LayerFacts? Facts(Digest diffId) => LayerFacts.Read(FactsPath(diffId));

    private string IndexPath(Digest diffId) => IndexPath(_layers, diffId);

    private static string IndexPath(string layers, Digest diffId) => Path.Combine(layers, diffId.Hex + ".index");

    private string FactsPath(Digest diffId) => Path.Combine(_layers, diffId.Hex + ".json");

    private static BuildCacheException Lost(Digest diffId) =>
        new($"the layer '{diffId}' disappeared from the cache while in use: build again");
}
