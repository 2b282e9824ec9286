using System.Diagnostics;
using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Cache;

public sealed class CachePruningTests : IDisposable
{
    private static readonly DateTimeOffset s_old = TimeProvider.System.GetUtcNow().AddDays(-10);
    private static readonly CachePolicy s_all = new() { All = true };

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-prune-").FullName;
    private readonly DirectoryStore _store;
    private readonly LayerCache _layers;

    public CachePruningTests()
    {
        _store = new DirectoryStore(Path.Combine(_directory, "content"));
        _layers = new LayerCache(Cache, _store);
    }

    private string Cache => Path.Combine(_directory, "cache");

    public void Dispose()
    {
        using var remove = Process.Start("rm", ["-rf", _directory]);
        remove.WaitForExit();
    }

    private Task<CachePruneReport> PruneAsync(CachePolicy policy, params Digest[] live) =>
        new CachePruning(Cache, _store, _ => Task.FromResult<IReadOnlySet<Digest>?>(live.ToHashSet())).RunAsync(policy);

    private async Task<Layer> LayerAsync(string content, DateTimeOffset? used = null, bool snapshot = false)
    {
        await using var writer = await LayerWriter.BeginAsync(_store, LayerCompression.Gzip);
        foreach (var (entry, bytes) in Tree.Entries($"f {content}"))
            await writer.WriteAsync(entry, bytes);
        var layer = await writer.FinishAsync();
        _layers.Add(layer, LayerCompression.Gzip);
        if (snapshot)
        {
            string directory = Directory.CreateDirectory(Path.Combine(_directory, "new-" + content)).FullName;
            await File.WriteAllBytesAsync(Path.Combine(directory, "file"), new byte[200_000]);
            _layers.AddSnapshot(layer.DiffId, directory);
        }

        Age(layer.DiffId.Hex, used ?? s_old);
        File.SetLastWriteTimeUtc(_store.PathOf(layer.Blob!.Digest), (used ?? s_old).UtcDateTime);
        return layer;
    }

    // As if nothing had been touched since.
    private void Age(string name, DateTimeOffset time)
    {
        foreach (var file in Directory.EnumerateFiles(Cache, name + "*", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(file, time.UtcDateTime);
    }

    private StepKey Record(string name, DateTimeOffset used)
    {
        var key = StepKey.Of([new KeyPart("run", name)]);
        new StepCache(Cache).Add(key, name, new StepResult());
        Age(key.Digest.Hex, used);
        foreach (var last in Directory.EnumerateFiles(Path.Combine(Cache, "last")))
            File.SetLastWriteTimeUtc(last, used.UtcDateTime);
        return key;
    }

    private Dictionary<string, (long, DateTime)> Everything() => Directory.EnumerateFileSystemEntries(_directory, "*",
        SearchOption.AllDirectories)
        .Where(p => !p.EndsWith(".lock", StringComparison.Ordinal))
        .ToDictionary(p => p, p => (File.Exists(p) ? new FileInfo(p).Length : 0, File.Exists(p) ? File.GetLastWriteTimeUtc(p) : default));

    private static long UsageOf(string directory)
    {
        using var du =
            Process.Start(new ProcessStartInfo("du", ["-s", "-l", "--block-size=1", directory]) { RedirectStandardOutput = true })!;
        return long.Parse(du.StandardOutput.ReadToEnd().Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task OfALayerEverythingGoesWithItsBlob()
    {
        var layer = await LayerAsync("a", snapshot: true);
        var report = await PruneAsync(s_all);
        Assert.False(await _layers.HasAsync(layer.DiffId, default));
        Assert.Null(await _store.SizeAsync(layer.Blob!.Digest));
        Assert.Empty(Directory.EnumerateFiles(Cache, layer.DiffId.Hex + "*", SearchOption.AllDirectories));
        Assert.Equal(["layers"], report.Kinds.Select(k => k.Kind));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Cache, "snapshots")));
        Assert.False(Directory.Exists(Path.Combine(Cache, "trash")));
    }

    [Fact]
    public async Task ABlobThatAnImageNeedsStays()
    {
        var layer = await LayerAsync("a");
        await PruneAsync(s_all, layer.Blob!.Digest);
        Assert.NotNull(await _store.SizeAsync(layer.Blob.Digest));
        Assert.False(await _layers.HasAsync(layer.DiffId, default));
    }

    [Fact]
    public async Task WhenItIsNotKnownWhatImagesNeedNoBlobGoes()
    {
        var layer = await LayerAsync("a");
        await new CachePruning(Cache, _store, live: null).RunAsync(s_all);
        await new CachePruning(Cache, _store, _ => Task.FromResult<IReadOnlySet<Digest>?>(null)).RunAsync(s_all);
        Assert.NotNull(await _store.SizeAsync(layer.Blob!.Digest));
    }

    [Fact]
    public async Task YoungBlobsStayEvenWithAll()
    {
        var layer = await LayerAsync("a", used: TimeProvider.System.GetUtcNow());
        var orphan = await _store.PutAsync("text/plain", "somebody is about to name it"u8.ToArray());
        var report = await PruneAsync(s_all);
        Assert.NotNull(await _store.SizeAsync(layer.Blob!.Digest));
        Assert.NotNull(await _store.SizeAsync(orphan.Digest));
        Assert.True(report.InUse > 0);
        File.SetLastWriteTimeUtc(_store.PathOf(orphan.Digest), s_old.UtcDateTime);
        Assert.Equal(["blobs"], (await PruneAsync(s_all)).Kinds.Select(k => k.Kind));
        Assert.Null(await _store.SizeAsync(orphan.Digest));
    }

    [Fact]
    public async Task TheLeastRecentlyUsedGoFirst()
    {
        var oldest = await LayerAsync("oldest", s_old, snapshot: true);
        var used = await LayerAsync("used", s_old.AddDays(1), snapshot: true);
        var newest = await LayerAsync("newest", s_old.AddDays(2), snapshot: true);
        using (var use = await CacheUse.BeginAsync(Cache, TimeProvider.System, default))
            await use.MarkAsync(used.DiffId, default);
        var before = await PruneAsync(new CachePolicy { DryRun = true, All = true });
        // Snapshots count by when they last changed: only now.
        foreach (var layer in (Layer[])[oldest, newest])
            Assert.True(await _layers.HasAsync(layer.DiffId, default));
        var report = await PruneAsync(new CachePolicy { MaxBytes = (before.Bytes + before.Kept) * 2 / 3 });
        Assert.Equal(1, report.Items);
        Assert.False(await _layers.HasAsync(oldest.DiffId, default));
        Assert.True(await _layers.HasAsync(used.DiffId, default) && await _layers.HasAsync(newest.DiffId, default));
    }

    [Fact]
    public async Task OnlyWhatIsOldGoesByAge()
    {
        var old = Record("old", s_old);
        var young = Record("young", s_old.AddDays(9));
        foreach (var last in Directory.EnumerateFiles(Path.Combine(Cache, "last")))
            File.Delete(last);
        var report = await PruneAsync(new CachePolicy { OlderThan = TimeSpan.FromDays(5) });
        Assert.Equal(1, report.Items);
        Assert.Null(new StepCache(Cache).Find(old));
        Assert.NotNull(new StepCache(Cache).Find(young));
    }

    [Fact]
    public async Task WhatARunningBuildUsesStaysAndGoesWhenItHasEnded()
    {
        var layer = await LayerAsync("a", snapshot: true);
        var other = await LayerAsync("b");
        using (var use = await CacheUse.BeginAsync(Cache, TimeProvider.System, default))
        {
            var building = new LayerCache(Cache, _store) { Use = use };
            Assert.True(await building.HasAsync(layer.DiffId, default));
            var report = await PruneAsync(s_all);
            Assert.True(report.InUse > 200_000);
            Assert.True(await building.HasAsync(layer.DiffId, default));
            Assert.False(await _layers.HasAsync(other.DiffId, default));
        }

        Age(layer.DiffId.Hex, s_old);
        await PruneAsync(s_all);
        Assert.False(await _layers.HasAsync(layer.DiffId, default));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Cache, "users")));
    }

    [Fact]
    public async Task ABuildThatWasKilledHoldsNothing()
    {
        var layer = await LayerAsync("a");
        await File.WriteAllBytesAsync(
            Path.Combine(Directory.CreateDirectory(Path.Combine(Cache, "users")).FullName, "0123456789abcdef"), []);
        await PruneAsync(s_all);
        Assert.False(await _layers.HasAsync(layer.DiffId, default));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Cache, "users")));
    }

    [Fact]
    public async Task ADryRunChangesNothingAndSaysWhatARunDoes()
    {
        await LayerAsync("a", snapshot: true);
        await LayerAsync("b");
        Record("r", s_old);
        var before = Everything();
        var said = await PruneAsync(s_all with { DryRun = true });
        Assert.Equal(before, Everything());
        var done = await PruneAsync(s_all);
        Assert.Equal((said.Items, said.Bytes, said.Kept), (done.Items, done.Bytes, done.Kept));
        Assert.Equal(said.Kinds, done.Kinds);
    }

    [Fact]
    public async Task SizesAreThoseOfTheDisk()
    {
        await LayerAsync("a", snapshot: true);
        await LayerAsync("b", snapshot: true);
        await PruneAsync(new CachePolicy { MaxBytes = long.MaxValue });
        long before = UsageOf(_directory);
        var report = await PruneAsync(s_all);
        long freed = before - UsageOf(_directory);
        // Beside what is told, the sizes of snapshots go, and directories may shrink.
        Assert.InRange(freed - report.Bytes, 0, 32 << 10);
        Assert.Equal(0, report.Kept);
    }

    [Fact]
    public async Task WhatAKilledPruneLeftGoesWithTheNext()
    {
        string left = Directory.CreateDirectory(Path.Combine(Cache, "trash", "x", "0")).FullName;
        await File.WriteAllTextAsync(Path.Combine(left, "file"), "half gone");
        Directory.CreateDirectory(Path.Combine(Cache, "locks"));
        await File.WriteAllTextAsync(Path.Combine(Cache, "locks", "dead"), "");
        using var held = FileLock.TryTake(Path.Combine(Cache, "locks", "alive"), shared: false)!;
        await PruneAsync(new CachePolicy { MaxBytes = long.MaxValue });
        Assert.False(Directory.Exists(Path.Combine(Cache, "trash")));
        Assert.Equal(["alive"], Directory.EnumerateFiles(Path.Combine(Cache, "locks")).Select(p => Path.GetFileName(p)));
    }

    [Fact]
    public async Task HalfALayerIsNone()
    {
        var layer = await LayerAsync("a", snapshot: true);
        foreach (var part in (string[])[Path.Combine(Cache, "layers", layer.DiffId.Hex + ".json"),
            Path.Combine(Cache, "layers", layer.DiffId.Hex + ".index")])
        {
            byte[] bytes = await File.ReadAllBytesAsync(part);
            File.Delete(part);
            Assert.False(await _layers.HasAsync(layer.DiffId, default));
            await File.WriteAllBytesAsync(part, bytes);
        }
    }

    [Fact]
    public async Task TwoAtOnceTakeEverythingOnce()
    {
        for (int i = 0; i < 30; i++)
            await LayerAsync($"l{i}");
        var both = await Task.WhenAll(Task.Run(() => PruneAsync(s_all)), Task.Run(() => PruneAsync(s_all)));
        Assert.Equal(30, both.Sum(r => r.Items));
        Assert.Contains(both, r => r.Items == 0);
    }

    [Fact]
    public async Task WhateverABuildFindsItKeepsWhilePrunesRun()
    {
        var layers = new List<Layer>();
        for (int i = 0; i < 40; i++)
            layers.Add(await LayerAsync($"l{i}"));
        using var use = await CacheUse.BeginAsync(Cache, TimeProvider.System, default);
        var building = new LayerCache(Cache, _store) { Use = use };
        var prune = Task.Run(() => PruneAsync(s_all));
        var found = new List<Layer>();
        foreach (var layer in layers)
        {
            if (await building.HasAsync(layer.DiffId, default))
                found.Add(layer);
            await Task.Yield();
        }

        var report = await prune;
        foreach (var layer in found)
            Assert.True(await _layers.HasAsync(layer.DiffId, default), $"{layer.DiffId} went");
        Assert.True(report.Items <= 40);
    }

    [Fact]
    public async Task CacheMountsGoUnlessAStepHoldsThem()
    {
        async Task<string> MakeAsync()
        {
            string directory = Directory.CreateDirectory(Path.Combine(_directory, "made" + Path.GetRandomFileName())).FullName;
            await File.WriteAllBytesAsync(Path.Combine(directory, "f"), new byte[10_000]);
            return directory;
        }

        string root = Path.Combine(Cache, "mounts");
        var held = await CacheDirectory.TakeAsync(CacheDirectory.Of(root, "held", null), CacheSharing.Locked, MakeAsync,
            TimeProvider.System, () => { }, default);
        (await CacheDirectory.TakeAsync(CacheDirectory.Of(root, "free", null), CacheSharing.Locked, MakeAsync, TimeProvider.System,
            () => { }, default)).Dispose();
        var report = await PruneAsync(s_all);
        Assert.Equal([("mounts", 1)], report.Kinds.Select(k => (k.Kind, k.Items)));
        Assert.True(File.Exists(Path.Combine(held.Path, "f")));
        held.Dispose();
        Assert.Equal(1, (await PruneAsync(s_all)).Items);
        Assert.False(Directory.Exists(held.Path));
        // And can be had again.
        using var again = await CacheDirectory.TakeAsync(CacheDirectory.Of(root, "held", null), CacheSharing.Locked, MakeAsync,
            TimeProvider.System, () => { }, default);
        Assert.True(File.Exists(Path.Combine(again.Path, "f")));
    }

    [Fact]
    public async Task WhatIsNoCacheIsLeftAlone()
    {
        Directory.CreateDirectory(Cache);
        await File.WriteAllTextAsync(Path.Combine(Cache, "boot"), "x");
        Directory.CreateDirectory(Path.Combine(Cache, "something", "else"));
        await PruneAsync(s_all);
        Assert.True(File.Exists(Path.Combine(Cache, "boot")) && Directory.Exists(Path.Combine(Cache, "something", "else")));
        Assert.Equal(0, (await new CachePruning(Path.Combine(_directory, "none"), _store, null).RunAsync(s_all)).Items);
    }

    [Theory]
    [InlineData("20GiB", 20L << 30)]
    [InlineData("500M", 500_000_000L)]
    [InlineData("500MB", 500_000_000L)]
    [InlineData("1.5Gi", 3L << 29)]
    [InlineData("0", 0L)]
    [InlineData("-1", null)]
    [InlineData("GiB", null)]
    [InlineData("", null)]
    [InlineData("10 GiB", null)]
    [InlineData("10Tera", null)]
    public void SizesAreReadOrRefused(string text, long? bytes) => Assert.Equal(bytes, CachePolicy.TryParseSize(text));
}
