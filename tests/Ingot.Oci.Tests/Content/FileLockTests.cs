using System.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Content;

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
        var waiting = Enumerable.Range(0, 3)
            .Select(_ => FileLock.TakeAsync(LockPath, shared: false, TimeProvider.System, () => Interlocked.Increment(ref waited),
                CancellationToken.None))
            .ToList();
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

        using (var children = Process.Start("pkill",
            ["-KILL", "-P", holder.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await children.WaitForExitAsync();
        using var taken = await FileLock.TakeAsync(LockPath, shared: false, TimeProvider.System, null, CancellationToken.None)
            .WaitAsync(TimeSpan.FromSeconds(20));
        Assert.NotNull(taken);
    }

    [Fact]
    public async Task WaitingCanBeGivenUp()
    {
        using var held = FileLock.TryTake(LockPath, shared: false);
        using var stop = new CancellationTokenSource(50);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            FileLock.TakeAsync(LockPath, shared: true, TimeProvider.System, null, stop.Token));
    }
}
