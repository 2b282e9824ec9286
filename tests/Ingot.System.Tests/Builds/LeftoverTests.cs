using System.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Builds;

/// <summary>What a killed builder left of its containers and locks is gone after the next build.</summary>
[Collection("builds of commands")]
public sealed class LeftoverTests(BuildFixture fixture) : IDisposable
{
    private readonly List<string> _groups = [];

    public void Dispose()
    {
        foreach (string group in _groups.Where(Directory.Exists))
            Directory.Delete(group);
    }

    [Fact]
    public async Task EmptyControlGroupsOfDeadBuildersAndLocksThatNobodyHoldsAreTakenAway()
    {
        Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
        string? place = new[] { "/sys/fs/cgroup/pids", "/sys/fs/cgroup" }
            .FirstOrDefault(p => File.Exists(Path.Combine(p, "cgroup.procs")) && Directory.Exists(p));
        Assert.SkipWhen(place is null || !await MayMakeGroupsAsync(place), "needs control groups that can be written");
        string dead = Group(place!, "ingot-00000000deadbeef-1-run", isOld: true);
        string young = Group(place!, "ingot-00000000deadbeef-2-run", isOld: false);
        string foreign = Group(place!, "ingot-of-somebody-else", isOld: true);
        string busy = Group(place!, "ingot-00000000deadbeef-3-run", isOld: true);
        using var process = Process.Start("sleep", "60");
        await File.WriteAllTextAsync(Path.Combine(busy, "cgroup.procs"), $"{process.Id}\n", TestContext.Current.CancellationToken);
        string locks = Path.Combine(fixture.Home, "cache", "locks");
        string free = Path.Combine(locks, Digest.Of([1]).Hex);
        await File.WriteAllBytesAsync(free, [], TestContext.Current.CancellationToken);
        string held = Path.Combine(locks, Digest.Of([2]).Hex);
        using var taken = FileLock.TryTake(held, shared: false);
        try
        {
            await fixture.BuildAsync($"FROM base\nRUN echo {Guid.NewGuid()}\n");

            Assert.Equal((false, true, true, true),
                (Directory.Exists(dead), Directory.Exists(young), Directory.Exists(foreign), Directory.Exists(busy)));
            Assert.Equal((false, true), (File.Exists(free), File.Exists(held)));
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            taken!.Remove(held);
        }
    }

    private static async Task<bool> MayMakeGroupsAsync(string place) =>
        (await CommandRunner.TryRunAsync(new Command("sh", "-c", "grep -q ':/$' /proc/self/cgroup && mkdir "
            + $"{place}/ingot-test-{Environment.ProcessId} && rmdir {place}/ingot-test-{Environment.ProcessId}"),
            onLine: null, CancellationToken.None)).ExitCode == 0;

    private string Group(string place, string name, bool isOld)
    {
        string path = Path.Combine(place, name);
        Directory.CreateDirectory(path);
        _groups.Add(path);
        if (isOld)
            Directory.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(-2));
        return path;
    }
}
