using Ingot.Builds.Cache;
using Ingot.Oci.Content;

namespace Ingot.Tests.Builds.Cache;

public sealed class CacheDurabilityTests : IDisposable
{
    private static readonly string[] s_parts = ["steps", "snapshots", "missing"];

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-durability-").FullName;

    public CacheDurabilityTests()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "steps"));
        Directory.CreateDirectory(Path.Combine(_directory, "snapshots"));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private CacheDurability Durability => new(_directory);

    private Task RecoverAsync() => Durability.RecoverAsync(s_parts, TimeProvider.System, CancellationToken.None);

    [Fact]
    public async Task WhileTheMachineRunsEverythingIsBelieved()
    {
        await RecoverAsync();
        Write("steps/a");
        Write("snapshots/b/file");
        await RecoverAsync();
        Assert.Equal(["snapshots/b", "steps/a"], Entries());
    }

    [Fact]
    public async Task AfterARestartWhatCameAfterTheLastSyncIsGone()
    {
        await RecoverAsync();
        Write("steps/before");
        Write("snapshots/before/file");
        await TickAsync();
        Durability.Sync();
        await TickAsync();
        Write("steps/after");
        Write("snapshots/after/file");
        Write("snapshots/unpacked/file");
        File.SetLastWriteTimeUtc(Path.Combine(_directory, "snapshots/unpacked"), DateTime.UnixEpoch);
        Restart();
        await RecoverAsync();
        Assert.Equal(["snapshots/before", "steps/before"], Entries());
        Write("steps/later");
        await RecoverAsync();
        Assert.Equal(["snapshots/before", "steps/before", "steps/later"], Entries());
    }

    [Fact]
    public async Task SeveralBuildersMaySyncAtOnce()
    {
        await RecoverAsync();

        Parallel.For(0, 64, _ => Durability.Sync());

        Assert.Equal(["boot", "durable", "recovery.lock", "snapshots", "steps"],
            Directory.EnumerateFileSystemEntries(_directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task WhatWasRenamedAfterTheSyncCameAfterIt()
    {
        await RecoverAsync();
        Write("made/file");
        await TickAsync();
        Durability.Sync();
        await TickAsync();
        Directory.Move(Path.Combine(_directory, "made"), Path.Combine(_directory, "snapshots/made"));
        Restart();
        await RecoverAsync();
        Assert.Empty(Entries());
    }

    [Theory]
    [InlineData("")]
    [InlineData("half-a-boot-")]
    [InlineData(null)]
    public async Task WithoutASyncOrAMarkNothingIsBelieved(string? boot)
    {
        Write("steps/a");
        if (boot is not null)
            Write("boot", boot);
        await RecoverAsync();
        Assert.Empty(Entries());
    }

    // Two builders after a boot: what the first makes is not old because the second is still looking.
    [Fact]
    public async Task WhatABuilderMakesStaysWhileAnotherRecovers()
    {
        for (int i = 0; i < 40; i++)
            Write($"steps/old{i}");
        Restart();
        var builders = Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            await RecoverAsync();
            Write($"steps/new{i}");
        }));
        await Task.WhenAll(builders);
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"steps/new{i}"), Entries());
    }

    [Fact]
    public async Task WhoComesSecondWaitsForWhoRecovers()
    {
        Write("steps/old");
        Task second;
        using (FileLock.TryTake(Path.Combine(_directory, "recovery.lock"), shared: false))
        {
            second = RecoverAsync();
            await Task.WhenAny(second, Task.Delay(200));
            Assert.False(second.IsCompleted);
        }

        await second;
        Assert.Empty(Entries());
    }

    private void Restart() => Write("boot", "another start of the machine");

    // The kernel's clock for files moves in steps of some milliseconds.
    private static Task TickAsync() => Task.Delay(30);

    private void Write(string path, string content = "x")
    {
        string full = Path.Combine(_directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
    }

    private IEnumerable<string> Entries() => Directory.EnumerateFileSystemEntries(Path.Combine(_directory, "steps"))
        .Concat(Directory.EnumerateFileSystemEntries(Path.Combine(_directory, "snapshots")))
        .Select(p => Path.GetRelativePath(_directory, p)).Order(StringComparer.Ordinal);
}
