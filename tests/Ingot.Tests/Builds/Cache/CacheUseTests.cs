using Ingot.Builds.Cache;
using Ingot.Oci.Content;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Cache;

public sealed class CacheUseTests : IDisposable
{
    private readonly TemporaryDirectory _cache = new();

    public void Dispose() => _cache.Dispose();

    // Whoever prunes holds the gate: until it lets go nothing is marked, whoever asked first.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AMarkIsNotBelievedBeforeItIsThere(bool isNoted)
    {
        using var use = await CacheUse.BeginAsync(_cache.Root, TimeProvider.System, CancellationToken.None);
        Task[] marking;
        using (FileLock.TryTake(CacheUse.GateOf(_cache.Root), shared: false))
        {
            if (isNoted)
                use.Note("thing");
            marking = [use.MarkAsync("thing", CancellationToken.None).AsTask(), use.MarkAsync("thing", CancellationToken.None).AsTask()];
            await Task.WhenAny(marking).WaitAsync(TimeSpan.FromMilliseconds(200)).ContinueWith(_ => { }, TaskScheduler.Default);
            Assert.All(marking, m => Assert.False(m.IsCompleted));
        }

        await Task.WhenAll(marking).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(File.Exists(Path.Combine(CacheUse.MarksOf(_cache.Root), "thing")));
    }

    [Fact]
    public async Task WhoGivesUpWaitingLeavesTheMarkToTheOthers()
    {
        using var use = await CacheUse.BeginAsync(_cache.Root, TimeProvider.System, CancellationToken.None);
        using var impatient = new CancellationTokenSource();
        Task other;
        using (FileLock.TryTake(CacheUse.GateOf(_cache.Root), shared: false))
        {
            var one = use.MarkAsync("thing", impatient.Token).AsTask();
            other = use.MarkAsync("thing", CancellationToken.None).AsTask();
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        }

        await other.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(File.Exists(Path.Combine(CacheUse.MarksOf(_cache.Root), "thing")));
    }

    [Fact]
    public async Task AMarkThatFailedIsMadeByTheNext()
    {
        using var use = await CacheUse.BeginAsync(_cache.Root, TimeProvider.System, CancellationToken.None);
        string marks = CacheUse.MarksOf(_cache.Root);
        Directory.Delete(marks);
        await Assert.ThrowsAnyAsync<IOException>(() => use.MarkAsync("thing", CancellationToken.None).AsTask());
        Directory.CreateDirectory(marks);
        await use.MarkAsync("thing", CancellationToken.None);
        Assert.True(File.Exists(Path.Combine(marks, "thing")));
    }
}
