using System.Collections.Concurrent;
using Ingot.Builds.Cache;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Builds.Running;

/// <summary>A result that a build used or made.</summary>
/// <param name="Record">It.</param>
/// <param name="IsOfImage">Whether its layer is an image's.</param>
/// <param name="IsImported">Whether only a shared cache has it.</param>
internal sealed record UsedResult(StepRecord Record, bool IsOfImage, bool IsImported);

/// <summary>Puts what a build used and made into shared caches. Blobs go as images have them;
/// what the other side has is not sent.</summary>
/// <param name="session">The build.</param>
/// <param name="used">The results.</param>
/// <param name="selections">The selections that were asked for.</param>
/// <param name="mounts">The cache mounts of the plan, name and id.</param>
internal sealed class CacheExport(
    BuildSession session, IReadOnlyList<UsedResult> used, IReadOnlyDictionary<string, Digest> selections,
    IReadOnlyList<(string Name, string Id)> mounts)
{
    private const int MaxParallel = 4;

    /// <summary>Exports; what went wrong is in the event, for the image is built all the same.</summary>
    public async Task<BuildEvent.CacheExported> RunAsync(CacheTarget target, CancellationToken cancellationToken)
    {
        try
        {
            return await ExportAsync(target, cancellationToken);
        }
        catch (Exception e) when (e is IngotException or IOException or HttpRequestException)
        {
            string message = $"the cache could not be exported to '{target.Place.Name}': {IngotException.ReasonOf(e)}";
            return new BuildEvent.CacheExported(target.Place.Name, 0, 0, 0, new SharedCacheException(target.Place, message, e));
        }
    }

    private async Task<BuildEvent.CacheExported> ExportAsync(CacheTarget target, CancellationToken cancellationToken)
    {
        var records = used.Where(u => target.AllStages || u.IsOfImage).Select(u => u.Record)
            .DistinctBy(r => r.StepKey.Digest).OrderBy(r => r.StepKey.Digest).ToList();
        var layers = new List<SharedLayer>();
        foreach (var diffId in records.Select(r => r.Result.DiffId).OfType<Digest>().Distinct().Order())
            layers.Add(await session.Layers.ShareAsync(diffId, session.Settings.Codec, cancellationToken));
        var shared = target.Mounts ? await MountsAsync(cancellationToken) : [];

        var moved = new ConcurrentBag<long>();
        var blobs = layers.Select(l => (l.Blob, Open: Opener(l)))
            .Concat(shared.Select(m => (m.Blob, Open: Opener(session.Layers.Local, m.Blob)))).DistinctBy(b => b.Blob.Digest).ToList();
        await Parallel.ForEachAsync(blobs,
            new ParallelOptions { MaxDegreeOfParallelism = MaxParallel, CancellationToken = cancellationToken }, async (blob, token) =>
            {
                if (await target.Place.PutAsync(blob.Blob, blob.Open, token))
                    moved.Add(blob.Blob.Size);
            });
        foreach (var mount in shared)
            await session.Layers.Local.DeleteAsync(mount.Blob.Digest, cancellationToken);

        var document = new SharedCacheDocument
        {
            Records = [.. records.Select(WithoutSource)],
            Layers = layers,
            Selections = target.AllStages
                ? [.. selections.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => new SharedSelection(s.Key, s.Value))]
                : [],
            Mounts = shared,
        };
        await PutAsync(target.Place, document, [.. blobs.Select(b => b.Blob)], cancellationToken);
        return new BuildEvent.CacheExported(target.Place.Name, records.Count, moved.Count, moved.Sum(), Failure: null);
    }

    // Where this host has it from is nobody else's business.
    private static StepRecord WithoutSource(StepRecord record) =>
        record with { Origin = record.Origin is { } origin ? origin with { Source = null } : null };

    private static async Task PutAsync(
        ICachePlace place, SharedCacheDocument document, IReadOnlyList<Descriptor> blobs, CancellationToken cancellationToken)
    {
        byte[] bytes = SharedCache.Write(document);
        if (bytes.Length > SharedCache.MaxConfigBytes)
            throw new BuildCacheException(
                $"the records have {bytes.Length} bytes, and {SharedCache.MaxConfigBytes} would be read: export fewer images at a time");

        var config = Descriptor.Of(SharedCache.ConfigType, bytes);
        await place.PutAsync(config, _ => new(new MemoryStream(bytes, writable: false)), cancellationToken);
        if (blobs.Count == 0)
        {
            // Some registries want at least one.
            byte[] empty = "{}"u8.ToArray();
            blobs = [Descriptor.Of(MediaType.Empty, empty)];
            await place.PutAsync(blobs[0], _ => new(new MemoryStream(empty, writable: false)), cancellationToken);
        }

        await place.PutManifestAsync(SharedCache.WriteManifest(config, blobs), cancellationToken);
    }

    // A layer that came from another shared cache, and was not needed, is only fetched when this one lacks it.
    private Func<CancellationToken, ValueTask<Stream>> Opener(SharedLayer layer) => async token =>
    {
        await session.Layers.EnsureAsync(layer.DiffId, token);
        return await Opener(session.Settings.Store, layer.Blob)(token);
    };

    private static Func<CancellationToken, ValueTask<Stream>> Opener(IContentStore store, Descriptor blob) => async token =>
        new VerifyingStream(await store.OpenAsync(blob.Digest, token)
            ?? throw new BuildCacheException($"the blob '{blob.Digest}' disappeared from the cache while it was exported"),
            blob.Digest, blob.Size);

    private async Task<IReadOnlyList<SharedMount>> MountsAsync(CancellationToken cancellationToken)
    {
        string root = Path.Combine(Path.GetFullPath(session.Settings.CacheDirectory), "mounts");
        var shared = new List<SharedMount>();
        foreach (var (name, id) in mounts.DistinctBy(m => m.Name).OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            using var held = CacheDirectory.TryRead(Path.Combine(root, name));
            if (held is not null)
                shared.Add(await ArchiveAsync(name, id, held.Path, cancellationToken));
        }

        return shared;
    }

    // Times stay: tools go by them.
    private async Task<SharedMount> ArchiveAsync(string name, string id, string directory, CancellationToken cancellationToken)
    {
        var writer = await LayerWriter.BeginAsync(session.Layers.Local, LayerCompression.Zstandard, cancellationToken);
        await using (writer)
        {
            await DirectoryLayer.WriteAsync(writer, directory, new DirectoryLayerOptions { Form = DirectoryForm.Plain }, cancellationToken);
            var layer = await writer.FinishAsync(cancellationToken);
            return new SharedMount { Name = name, Id = id, DiffId = layer.DiffId, Blob = layer.Blob! };
        }
    }
}
