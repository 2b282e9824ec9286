using System.Security.Cryptography;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Templates.Project;

namespace Ingot.Builds.Cache;

/// <summary>What is to be kept of a cache.</summary>
public sealed record CachePolicy
{
    /// <summary>What a cache may take unless something else is said: 20 GiB.</summary>
    public const long DefaultMaxBytes = 20L << 30;

    /// <summary>The bytes it may take on the disk; what was used longest ago goes first. Null for no bound.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>What was not used for that long goes; null for no bound.</summary>
    public TimeSpan? OlderThan { get; init; }

    /// <summary>Whether everything goes that may go.</summary>
    public bool All { get; init; }

    /// <summary>Whether only blobs of the store of images go that nothing needs, no image and no step of a build.</summary>
    public bool BlobsOnly { get; init; }

    /// <summary>Whether it is only said what would go.</summary>
    public bool DryRun { get; init; }

    /// <summary>What no image needs of the store of images stays for this long after it was written:
    /// somebody may be about to name it.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Reads a size such as <c>20GiB</c>, <c>500M</c> or <c>1.5Gi</c>; null when it is none.</summary>
    public static long? TryParseSize(string text) => Quantity.Size(text.EndsWith('B') ? text[..^1] : text);

    /// <summary>Reads an age such as <c>30d</c>, <c>12h</c> or <c>90m</c>; null when it is none.</summary>
    public static TimeSpan? TryParseAge(string text) => Quantity.Duration(text);
}

/// <summary>What went, or would go, of one kind.</summary>
/// <param name="Kind"><c>layers</c>, <c>snapshots</c> (of base images), <c>steps</c>, <c>downloads</c>, <c>mounts</c>, <c>records</c>,
/// <c>logs</c> or <c>blobs</c> (of images that nothing names).</param>
/// <param name="Items">How many things.</param>
/// <param name="Bytes">What they took on the disk.</param>
public sealed record PrunedKind(string Kind, int Items, long Bytes);

/// <summary>How a cache was pruned.</summary>
/// <param name="Kinds">What went, the most bytes first.</param>
/// <param name="Items">How many things went.</param>
/// <param name="Bytes">The bytes that went.</param>
/// <param name="Kept">The bytes that stay.</param>
/// <param name="InUse">The bytes of what stays only because builds are running, or because it is too young.</param>
public sealed record CachePruneReport(IReadOnlyList<PrunedKind> Kinds, int Items, long Bytes, long Kept, long InUse);

/// <summary>Takes away what is not worth keeping of a cache of builds: never what a running build uses, nor a blob that an image needs.
/// Killed at any moment it leaves a cache that is right.</summary>
/// <param name="cacheDirectory">The cache, as in <see cref="BuildSettings.CacheDirectory"/>.</param>
/// <param name="store">Where images are.</param>
/// <param name="live">Finds the blobs there that images need; null, as an answer too, when that cannot be known:
/// then no blob is taken away.</param>
/// <param name="time">The clock.</param>
public sealed class CachePruning(
    string cacheDirectory, DirectoryStore store, Func<CancellationToken, Task<IReadOnlySet<Digest>?>>? live, TimeProvider? time = null)
{
    private const int Batch = 64;

    // Two clocks of one kernel may be this far apart, and more.
    private static readonly TimeSpan s_margin = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_abandoned = TimeSpan.FromDays(1);
    private static readonly TimeSpan s_oldMark = TimeSpan.FromDays(60);

    private readonly string _cache = Path.GetFullPath(cacheDirectory);
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    private int _moved;

    private string Trash => Path.Combine(_cache, "trash");

    /// <summary>Prunes. Another that is at it is waited for.</summary>
    public async Task<CachePruneReport> RunAsync(CachePolicy policy, CancellationToken cancellationToken = default)
    {
        // A host that only serves has never built, and has blobs all the same.
        Directory.CreateDirectory(_cache);
        using var only = await FileLock.TakeAsync(Path.Combine(_cache, "prune.lock"), shared: false, _time,
            waiting: null, cancellationToken);
        if (!policy.DryRun)
        {
            Directory.CreateDirectory(CacheUse.MarksOf(_cache));
            await EmptyTrashAsync(cancellationToken);
        }

        var needed = live is null ? null : await live(cancellationToken);
        var items = await CacheInventory.ReadAsync(_cache, store, needed, keepSizes: !policy.DryRun, cancellationToken);
        var (victims, inUse) = await ChooseAsync(items, policy, cancellationToken);
        var gone = policy.DryRun ? victims : await TakeAsync(victims, policy, cancellationToken);
        if (!policy.DryRun)
            await FinishAsync(gone, cancellationToken);

        long bytes = gone.Sum(i => i.Bytes), kept = items.Sum(i => i.Bytes) - bytes;
        if (!policy.DryRun)
            CacheSize.SetMeasured(_cache, kept);
        var kinds = gone.GroupBy(i => i.Kind).Select(g => new PrunedKind(g.Key, g.Count(), g.Sum(i => i.Bytes)))
            .OrderByDescending(k => k.Bytes).ThenBy(k => k.Kind, StringComparer.Ordinal);
        return new CachePruneReport([.. kinds], gone.Count, bytes, kept, inUse);
    }

    private async Task<(List<CacheItem> Victims, long InUse)> ChooseAsync(
        IReadOnlyList<CacheItem> items, CachePolicy policy, CancellationToken cancellationToken)
    {
        var barrier = await BarrierAsync(cancellationToken);
        var now = _time.GetUtcNow();
        long total = items.Sum(i => i.Bytes), inUse = 0;
        var victims = new List<CacheItem>();
        foreach (var item in items.Where(i => !policy.BlobsOnly || i.Kind == CacheInventory.Blobs).OrderBy(i => i.LastUse)
            .ThenByDescending(i => i.Bytes).ThenBy(i => i.Name, StringComparer.Ordinal))
        {
            bool isWanted = policy.All || now - item.LastUse > policy.OlderThan || total > policy.MaxBytes;
            if (!isWanted)
                continue;
            if (!MayGo(item, barrier, now, policy))
            {
                inUse += item.Bytes;
                continue;
            }

            victims.Add(item);
            total -= item.Bytes;
        }

        return (victims, inUse);
    }

    private static bool MayGo(CacheItem item, DateTimeOffset? barrier, DateTimeOffset now, CachePolicy policy)
    {
        if (item.Lock is { } held)
            return !IsHeld(held);
        return !(item.LastUse >= barrier) && (item.Blobs.Count == 0 || now - item.LastUse >= policy.Grace);
    }

    private static bool IsHeld(string path)
    {
        using var taken = FileLock.TryTake(path, shared: false);
        return taken is null;
    }

    // What was used since the oldest living build began stays.
    private async Task<DateTimeOffset?> BarrierAsync(CancellationToken cancellationToken)
    {
        using var gate = await FileLock.TakeAsync(CacheUse.GateOf(_cache), shared: false, _time, waiting: null, cancellationToken);
        return CacheUse.OldestUser(_cache, sweep: false) - s_margin;
    }

    // A few at a time: builds that want to mark something wait for as long as a batch takes.
    private async Task<List<CacheItem>> TakeAsync(List<CacheItem> victims, CachePolicy policy, CancellationToken cancellationToken)
    {
        var gone = new List<CacheItem>();
        foreach (var batch in victims.Chunk(Batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            string trash =
                Directory.CreateDirectory(Path.Combine(Trash, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)))).FullName;
            using (await FileLock.TakeAsync(CacheUse.GateOf(_cache), shared: false, _time, waiting: null, cancellationToken))
            {
                var barrier = CacheUse.OldestUser(_cache, sweep: true) - s_margin;
                gone.AddRange(batch.Where(item => Take(item, barrier, trash, policy)));
            }

            await Workspace.DeleteAsync(trash, cancellationToken);
        }

        return gone;
    }

    // It may have been used since it was chosen.
    private bool Take(CacheItem item, DateTimeOffset? barrier, string trash, CachePolicy policy)
    {
        using var held = item.Lock is { } path ? FileLock.TryTake(path, shared: false) : null;
        if (item.Lock is not null && held is null)
            return false;
        if (item.Lock is null && (CacheInventory.LastUse(_cache, item) > item.LastUse || !MayGo(item, barrier, _time.GetUtcNow(), policy)))
            return false;

        foreach (var part in item.Paths)
            Move(part, Path.Combine(trash, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{_moved++}")));
        // One that somebody asked for in this very moment stays.
        bool isGone = item.Blobs.Aggregate(true,
            (gone, blob) => store.RemoveUnused(Digest.FromHash(Convert.FromHexString(Path.GetFileName(blob))), item.LastUse) && gone);
        if (!isGone && item.Paths.Count == 0)
            return false;
        if (item.Lock is null)
            File.Delete(Path.Combine(CacheUse.MarksOf(_cache), item.Name));
        return true;
    }

    private static void Move(string path, string target)
    {
        try
        {
            Directory.Move(path, target);
        }
        catch (IOException) when (HostFiles.DiskUsage(path) is null)
        {
            // Whoever made it has taken it away.
        }
    }

    private async Task FinishAsync(List<CacheItem> gone, CancellationToken cancellationToken)
    {
        string sizes = Directory.CreateDirectory(Path.Combine(_cache, "sizes")).FullName;
        foreach (var item in gone.Where(i => i.Lock is null))
            File.Delete(Path.Combine(sizes, item.Name));
        StepCache.SweepLocks(_cache);
        RemoveOldMarks();
        var abandoned = _time.GetUtcNow() - s_abandoned;
        store.RemoveAbandoned(abandoned);
        if (Directory.Exists(Path.Combine(_cache, "store")))
            new DirectoryStore(Path.Combine(_cache, "store")).RemoveAbandoned(abandoned);
        await EmptyTrashAsync(cancellationToken);
    }

    // Of what is no thing of the cache, such as an image.
    private void RemoveOldMarks()
    {
        var old = (_time.GetUtcNow() - s_oldMark).UtcDateTime;
        string marks = CacheUse.MarksOf(_cache);
        foreach (var mark in Directory.Exists(marks) ? Directory.EnumerateFiles(marks) : [])
        {
            if (File.GetLastWriteTimeUtc(mark) < old)
                File.Delete(mark);
        }
    }

    private async Task EmptyTrashAsync(CancellationToken cancellationToken)
    {
        if (Directory.Exists(Trash))
            await Workspace.DeleteAsync(Trash, cancellationToken);
    }
}
