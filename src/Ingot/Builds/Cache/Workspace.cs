using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Ingot.Builds.Files;
using Ingot.Tools;

namespace Ingot.Builds.Cache;

/// <summary>A directory in which one build works, and which is gone when it ends, however it ends:
/// the next build takes away what a killed one left.</summary>
/// <remarks>
/// The build holds a lock on a file in it, which the kernel releases with the process. Only a directory whose lock is free is taken away,
/// so builds can run side by side. The directory is made when it is first needed: a build whose results are all cached has none.
/// </remarks>
internal sealed partial class Workspace : IAsyncDisposable
{
    private const string LockFile = "lock";
    private const string RuncState = "runc";
    private const int PrivateMode = 0b111_000_000;
    private const int OrdinaryMode = 0b111_101_101;

    // A container that is being started has an empty group, for as long as a blink.
    private static readonly TimeSpan s_abandoned = TimeSpan.FromHours(1);

    // What was killed leaves its group when it is dead to the last thread, and runc does not wait for that long.
    private static readonly TimeSpan s_dying = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(50);

    private readonly string _parent;
    private readonly string _name = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
    private readonly Lock _gate = new();
    private FileStream? _lock;
    private int _directories;

    public Workspace(string parent)
    {
        _parent = Path.GetFullPath(parent);
        HostFiles.MakeDirectory(_parent, PrivateMode);
        Runc = new Runc(Path.Combine(Root, RuncState));
    }

    /// <summary>The runtime, with state that is this build's.</summary>
    public Runc Runc { get; }

    private string Root => Path.Combine(_parent, _name);

    /// <summary>A new empty directory of mode 0755: it may become the root of a filesystem.</summary>
    public string NewDirectory(string purpose)
    {
        Open();
        string path = Path.Combine(Root, $"{Interlocked.Increment(ref _directories)}-{purpose}");
        HostFiles.MakeDirectory(path, OrdinaryMode);
        return path;
    }

    /// <summary>A name for a container that no other container of the host has.</summary>
    public string ContainerName(string directory) => $"ingot-{_name}-{Path.GetFileName(directory)}";

    /// <summary>Takes away what builds left that were killed: containers, mounts, files.</summary>
    public static async Task SweepAsync(string parent, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(parent))
            return;

        foreach (var directory in Directory.EnumerateDirectories(parent))
        {
            // One that begins with a dot is being made.
            if (!Path.GetFileName(directory).StartsWith('.') && TryLock(directory) is { } held)
            {
                using (held)
                    await RemoveAsync(directory, cancellationToken);
            }
        }
    }

    /// <summary>Takes away empty control groups of containers of ours, also of builders whose home is gone: nobody else would.</summary>
    public static void SweepControlGroups(DateTimeOffset now) => ControlGroups.Remove(name => Container().IsMatch(name), now - s_abandoned);

    /// <summary>Removes a directory with everything in it, whatever the names are.</summary>
    public static async Task DeleteAsync(string directory, CancellationToken cancellationToken) =>
        await CommandRunner.RunAsync(new Command("rm", "-rf", "--one-file-system", "--", directory), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_lock is null)
            return;

        await RemoveAsync(Root, CancellationToken.None);
        await _lock.DisposeAsync();
    }

    private static async Task RemoveAsync(string directory, CancellationToken cancellationToken)
    {
        var runc = new Runc(Path.Combine(directory, RuncState));
        if (Directory.Exists(runc.StateDirectory))
        {
            foreach (var container in Directory.EnumerateDirectories(runc.StateDirectory))
                await CommandRunner.TryRunAsync(runc.Delete(Path.GetFileName(container)), onLine: null, cancellationToken);
            await RemoveControlGroupsAsync(Path.GetFileName(directory), cancellationToken);
        }

        foreach (var mount in Mounts.Below(directory))
            Mounts.Detach(mount);
        // The lock last: without it the directory would be taken for a dead build's.
        string[] contents = [.. Directory.EnumerateFileSystemEntries(directory).Where(entry => Path.GetFileName(entry) != LockFile)];
        if (contents.Length > 0)
            await CommandRunner.RunAsync(new Command("rm", ["-rf", "--one-file-system", "--", .. contents]), cancellationToken);
        try
        {
            File.Delete(Path.Combine(directory, LockFile));
            Directory.Delete(directory);
        }
        catch (IOException) when (!Directory.Exists(directory) || File.Exists(Path.Combine(directory, LockFile)))
        {
            // Another build looked just now, and takes it away or has.
        }
    }

    private static async Task RemoveControlGroupsAsync(string build, CancellationToken cancellationToken)
    {
        var waiting = Stopwatch.StartNew();
        while (!ControlGroups.Remove(name => name.StartsWith($"ingot-{build}-", StringComparison.Ordinal), DateTimeOffset.MaxValue)
            && waiting.Elapsed < s_dying)
            await Task.Delay(s_pace, cancellationToken);
    }

    private void Open()
    {
        lock (_gate)
        {
            if (_lock is not null)
                return;

            // Renamed when it is locked: a directory without a lock would be taken for a dead build's.
            string hidden = Path.Combine(_parent, "." + _name);
            Directory.CreateDirectory(hidden);
            _lock = new FileStream(Path.Combine(hidden, LockFile), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            _lock.Write(System.Text.Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
            _lock.Flush();
            Directory.Move(hidden, Root);
            Directory.CreateDirectory(Runc.StateDirectory);
        }
    }

    // Null when a living build holds it. A directory without the file is one whose removal was cut short.
    private static FileStream? TryLock(string directory)
    {
        try
        {
            return new FileStream(Path.Combine(directory, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    // As ContainerName makes them.
    [GeneratedRegex("^ingot-[0-9a-f]{16}-[0-9]+-[a-z]+$")]
    private static partial Regex Container();
}
