using System.Security.Cryptography;
using Ingot.Builds.Files;
using Ingot.Oci.Content;

namespace Ingot.Builds.Cache;

/// <summary>Keeps a cache honest over a power failure without waiting for the disk at every step.</summary>
/// <remarks>
/// What steps write is not synced: a crash of a program loses nothing, because the kernel still has it. After a start of the machine,
/// though, files may be there whose content never reached the disk. So everything that was written after the last sync of the whole
/// filesystem is then taken away, before anyone reads it. The kernel's own times are compared: a file's last change of any kind, being
/// renamed included, and the time the mark of the last sync was written.
/// </remarks>
internal sealed class CacheDurability
{
    private const int MarkBytes = 8;

    private readonly string _directory;

    public CacheDurability(string directory) => _directory = directory;

    /// <summary>What the kernel calls this start of the machine.</summary>
    public static string Boot => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    private string BootFile => Path.Combine(_directory, "boot");

    private string DurableFile => Path.Combine(_directory, "durable");

    /// <summary>Takes away what cannot be believed, once after each start of the machine: whoever else begins meanwhile waits until that is
    /// done, for what it made would be taken for old.</summary>
    /// <param name="parts">The directories of the cache whose entries are meant.</param>
    /// <param name="time">The clock, for the wait.</param>
    /// <param name="cancellationToken">Ends it; the next builder goes on.</param>
    public async Task RecoverAsync(IEnumerable<string> parts, TimeProvider time, CancellationToken cancellationToken)
    {
        if (IsRecovered())
            return;

        string file = Path.Combine(_directory, "recovery.lock");
        using var alone = await FileLock.TakeAsync(file, shared: false, time, waiting: null, cancellationToken);
        if (!IsRecovered())
            await RemoveAsync(parts, cancellationToken);
    }

    private bool IsRecovered() => File.Exists(BootFile) && File.ReadAllText(BootFile) == Boot;

    private async Task RemoveAsync(IEnumerable<string> parts, CancellationToken cancellationToken)
    {
        var until = HostFiles.Times(DurableFile)?.Modified ?? DateTimeOffset.MinValue;
        foreach (var entry in parts.Select(p => Path.Combine(_directory, p)).Where(Directory.Exists)
            .SelectMany(p => Directory.EnumerateFileSystemEntries(p)))
        {
            if (HostFiles.Times(entry) is { } times && times.Changed >= until)
                await Workspace.DeleteAsync(entry, cancellationToken);
        }

        AtomicFile.Write(BootFile, System.Text.Encoding.ASCII.GetBytes(Boot));
    }

    /// <summary>Makes everything that was written until now durable.</summary>
    public void Sync()
    {
        // Its time is that of its content; the rename to its name comes after the sync. Another builder may be at it too: when that one's
        // mark is older, and comes last, more is forgotten than need be.
        string mark = $"{DurableFile}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(MarkBytes))}";
        File.WriteAllBytes(mark, []);
        using (var directory = new HostFiles(_directory))
            directory.SyncFilesystem();
        File.Move(mark, DurableFile, overwrite: true);
    }
}
