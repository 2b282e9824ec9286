using System.Collections.Concurrent;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Cache;

/// <summary>What shared caches offer one build. Records were read; blobs are fetched when they are needed,
/// and checked before anything is made of them.</summary>
/// <remarks>Whoever may write a shared cache decides what results it has. What is checked is that a blob is the layer that a record names,
/// by its digest and the digest of what comes out of it.</remarks>
internal sealed class CacheImport
{
    private readonly Dictionary<Digest, StepRecord> _records = [];
    private readonly Dictionary<Digest, (ICachePlace Place, SharedLayer Layer)> _layers = [];
    private readonly Dictionary<string, Digest> _selections = [];
    private readonly Dictionary<string, (ICachePlace Place, SharedMount Mount)> _mounts = [];
    private readonly ConcurrentDictionary<Digest, Lazy<Task<Layer>>> _fetched = new();

    /// <summary>Reads the records of shared caches, the first of several that know something being believed. A missing cache is noted; an
    /// unreadable one causes a warning.</summary>
    public static async Task<CacheImport> ReadAsync(
        IEnumerable<ICachePlace> places, IBuildProgress progress, CancellationToken cancellationToken)
    {
        var import = new CacheImport();
        foreach (var place in places)
        {
            try
            {
                if (await ReadAsync(place, cancellationToken) is not { } document)
                {
                    progress.Report(new BuildEvent.CacheNote($"there is no cache '{place.Name}' yet", IsWarning: false));
                    continue;
                }

                import.Add(place, document);
                progress.Report(new BuildEvent.CacheNote($"'{place.Name}' offers {document.Records.Count} results", IsWarning: false));
            }
            catch (Exception e) when (e is FormatException or IngotException or IOException or HttpRequestException)
            {
                progress.Report(new BuildEvent.CacheNote(
                    $"the cache '{place.Name}' cannot be read and is not used: {IngotException.ReasonOf(e)}", IsWarning: true));
            }
        }

        return import;
    }

    /// <summary>The record of a key; null when there is none.</summary>
    public StepRecord? Find(Digest key) => _records.GetValueOrDefault(key);

    /// <summary>Every record.</summary>
    public IEnumerable<StepRecord> Records => _records.Values;

    /// <summary>The answer that is kept under a name; null when there is none.</summary>
    public Digest? FindSelection(string name) => _selections.TryGetValue(name, out var digest) ? digest : null;

    /// <summary>A layer that may be had; null when there is none.</summary>
    public SharedLayer? FindLayer(Digest diffId) => _layers.TryGetValue(diffId, out var found) ? found.Layer : null;

    /// <summary>What may be had for a cache mount; null when there is nothing.</summary>
    public SharedMount? FindMount(string name) => _mounts.TryGetValue(name, out var found) ? found.Mount : null;

    /// <summary>Fetches a layer into a store unless its blob is there, and checks it; once, however many ask. One that is not what it
    /// should be throws <see cref="SharedCacheException"/>.</summary>
    public Task<Layer> FetchAsync(Digest diffId, IContentStore store, CancellationToken cancellationToken) =>
        _fetched.GetOrAdd(diffId, _ => new(() => FetchOnceAsync(diffId, store, cancellationToken))).Value;

    /// <summary>Fetches the archive of a cache mount into a store. Throws as <see cref="FetchAsync"/>.</summary>
    public async Task FetchMountAsync(string name, IContentStore store, CancellationToken cancellationToken)
    {
        var (place, mount) = _mounts[name];
        await BringAsync(place, mount.Blob, store, $"the cache mount '{mount.Id}'", cancellationToken);
    }

    private static async Task<SharedCacheDocument?> ReadAsync(ICachePlace place, CancellationToken cancellationToken)
    {
        if (await place.ReadManifestAsync(cancellationToken) is not { } manifest)
            return null;

        var config = SharedCache.ConfigOf(manifest);
        var stream = await place.OpenAsync(config, cancellationToken)
            ?? throw new FormatException($"its configuration '{config.Digest}' is missing");
        await using (stream)
        {
            using var bytes = new MemoryStream((int)config.Size);
            await stream.CopyToAsync(bytes, cancellationToken);
            return SharedCache.Read(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        }
    }

    private void Add(ICachePlace place, SharedCacheDocument document)
    {
        foreach (var layer in document.Layers)
            _layers.TryAdd(layer.DiffId, (place, layer));
        foreach (var record in document.Records)
            _records.TryAdd(record.StepKey.Digest,
                record with { Origin = record.Origin is { } origin ? origin with { Source = place.Name } : null });
        foreach (var selection in document.Selections)
            _selections.TryAdd(selection.Name, selection.Digest);
        foreach (var mount in document.Mounts)
            _mounts.TryAdd(mount.Name, (place, mount));
    }

    private async Task<Layer> FetchOnceAsync(Digest diffId, IContentStore store, CancellationToken cancellationToken)
    {
        var (place, shared) = _layers[diffId];
        string what = $"the layer '{diffId}'";
        await BringAsync(place, shared.Blob, store, what, cancellationToken);
        try
        {
            var index = await LayerReader.IndexAsync(store, shared.Blob, diffId, limits: null, cancellationToken);
            return new Layer(diffId, shared.Bytes, index, shared.Blob);
        }
        catch (Exception e) when (e is not DiskException && e is IngotException or IOException or InvalidDataException)
        {
            throw new SharedCacheException(place,
                $"{what} of the cache '{place.Name}' is not what it should be: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static async Task BringAsync(
        ICachePlace place, Descriptor blob, IContentStore store, string what, CancellationToken cancellationToken)
    {
        if (await store.SizeAsync(blob.Digest, cancellationToken) == blob.Size)
            return;

        try
        {
            var stream = await place.OpenAsync(blob, cancellationToken)
                ?? throw new SharedCacheException(place,
                    $"{what} of the cache '{place.Name}' is no longer there: the blob '{blob.Digest}' is missing");
            await using (stream)
                await SharedCache.CopyAsync(stream, store, blob, cancellationToken);
        }
        catch (Exception e)
            when (e is not (SharedCacheException or DiskException) && e is IngotException or IOException or HttpRequestException)
        {
            throw new SharedCacheException(
                place, $"{what} of the cache '{place.Name}' could not be fetched: {IngotException.ReasonOf(e)}", e);
        }
    }
}
