using Ingot.Builds.Cache;
using Ingot.Plans;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Cache;

public sealed class CacheDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

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
        await Assert.ThrowsAsync<IOException>(() => CacheDirectory.TakeAsync(places, CacheSharing.Locked,
            () => throw new IOException("no space"), TimeProvider.System, () => { }, CancellationToken.None));
        using var taken = await TakeAsync(places, CacheSharing.Locked);
        Assert.True(Directory.Exists(taken.Path));
    }

    private Task<CacheDirectory> TakeAsync(string places, CacheSharing sharing) => CacheDirectory.TakeAsync(
        places, sharing, () => Task.FromResult(Directory.CreateDirectory(Path.Combine(_directory.Root, Path.GetRandomFileName())).FullName),
        TimeProvider.System, () => { }, CancellationToken.None);
}
