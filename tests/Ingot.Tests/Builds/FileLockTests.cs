using System.Diagnostics;
using Ingot.Builds;
using Ingot.Plans;
using Ingot.Testing;

namespace Ingot.Tests.Builds;

public sealed class FileLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string LockPath => Path.Combine(_directory.Root, "lock");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void OneHoldsItAloneOrSeveralShareIt()
    {
        using (var alone = FileLock.TryTake(LockPath, shared: false))
        {
            Assert.NotNull(alone);
            Assert.Null(FileLock.TryTake(LockPath, shared: false));
            Assert.Null(FileLock.TryTake(LockPath, shared: true));
        }

        using var one = FileLock.TryTake(LockPath, shared: true);
        using var two = FileLock.TryTake(LockPath, shared: true);
        Assert.NotNull(two);
        Assert.Null(FileLock.TryTake(LockPath, shared: false));
    }

    [Fact]
    public async Task WhoWaitsGetsItWhenTheFileIsRemoved()
    {
        var held = FileLock.TryTake(LockPath, shared: false)!;
        int waited = 0;
        var waiting = Enumerable.Range(0, 3).Select(_ => FileLock.TakeAsync(LockPath, shared: false, TimeProvider.System, () => Interlocked.Increment(ref waited), CancellationToken.None)).ToList();
        Assert.Equal(3, waited);
        held.Remove(LockPath);
        for (; waiting.Count > 0;)
        {
            var first = await Task.WhenAny(waiting);
            Assert.Equal(1, waiting.Count(w => w.IsCompleted));
            waiting.Remove(first);
            (await first).Remove(LockPath);
        }

        Assert.False(File.Exists(LockPath));
    }

    [Fact]
    public async Task AKilledHolderGivesItUp()
    {
        using var holder = Process.Start(new ProcessStartInfo("flock", [LockPath, "sleep", "619"]))!;
        while (FileLock.TryTake(LockPath, shared: false) is { } early)
        {
            early.Dispose();
            await Task.Delay(20);
        }

        using (var children = Process.Start("pkill", ["-KILL", "-P", holder.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await children.WaitForExitAsync();
        using var taken = await FileLock.TakeAsync(LockPath, shared: false, TimeProvider.System, null, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.NotNull(taken);
    }

    [Fact]
    public async Task WaitingCanBeGivenUp()
    {
        using var held = FileLock.TryTake(LockPath, shared: false);
        using var stop = new CancellationTokenSource(50);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => FileLock.TakeAsync(LockPath, shared: true, TimeProvider.System, null, stop.Token));
    }

    [Fact]
    public async Task ACacheIsOneDirectoryUnlessBuildsDisagree()
    {
        string places = CacheDirectory.Of(_directory.Root, "id", initial: null);
        using var one = await TakeAsync(places, CacheSharing.Shared);
        using var two = await TakeAsync(places, CacheSharing.Shared);
        using var own = await TakeAsync(places, CacheSharing.Private);
        using var other = await TakeAsync(places, CacheSharing.Private);
        Assert.Equal(one.Path, two.Path);
        Assert.Equal(3, new[] { one.Path, own.Path, other.Path }.Distinct().Count());

        var waiting = TakeAsync(places, CacheSharing.Locked);
        Assert.False(waiting.IsCompleted);
        one.Dispose();
        two.Dispose();
        using var locked = await waiting;
        Assert.Equal(one.Path, locked.Path);
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("/")]
    [InlineData("a\nb")]
    [InlineData("")]
    public void WhateverTheIdItIsADirectoryOfTheCache(string id) =>
        Assert.Equal(_directory.Root, Path.GetDirectoryName(CacheDirectory.Of(_directory.Root, id, initial: null)));

    [Fact]
    public async Task ACacheThatCouldNotBeMadeIsHeldByNobody()
    {
        string places = CacheDirectory.Of(_directory.Root, "fails", initial: null);
        await Assert.ThrowsAsync<IOException>(() => CacheDirectory.TakeAsync(places, CacheSharing.Locked, () => throw new IOException("no space"), TimeProvider.System, () => { }, CancellationToken.None));
        using var taken = await TakeAsync(places, CacheSharing.Locked);
        Assert.True(Directory.Exists(taken.Path));
    }

    private Task<CacheDirectory> TakeAsync(string places, CacheSharing sharing) => CacheDirectory.TakeAsync(
        places, sharing, () => Task.FromResult(Directory.CreateDirectory(Path.Combine(_directory.Root, Path.GetRandomFileName())).FullName), TimeProvider.System, () => { }, CancellationToken.None);
}
