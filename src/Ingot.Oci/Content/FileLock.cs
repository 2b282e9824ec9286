using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>A lock that processes and tasks of one host share through a file. The kernel gives it up with the process,
/// however that ends.</summary>
public sealed class FileLock : IDisposable
{
    private const int Open = Kernel.O_RDWR | Kernel.O_CREAT | Kernel.O_CLOEXEC;
    private const uint OwnerOnly = 0b110_000_000;

    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(20);

    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock, alone or with others who share it; null when somebody holds it otherwise.</summary>
    public static FileLock? TryTake(string path, bool shared)
    {
        while (true)
        {
            var file = new SafeFileHandle(Libc.Open(LinuxPath.Terminated(path), Open, OwnerOnly), ownsHandle: true);
            if (file.IsInvalid)
                throw LinuxError.Failed("open", path);
            if (!TryLock(file, shared, path))
            {
                file.Dispose();
                return null;
            }

            // Between opening and locking it may have been removed: then others lock another file of that name.
            if (LinksOf(file, path) > 0)
                return new FileLock(file);
            file.Dispose();
        }
    }

    /// <summary>Takes the lock, and waits as long as others hold it. <paramref name="waiting"/> is called once when there is somebody to
    /// wait for.</summary>
    public static async Task<FileLock> TakeAsync(
        string path, bool shared, TimeProvider time, Action? waiting, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (TryTake(path, shared) is { } taken)
                return taken;

            waiting?.Invoke();
            waiting = null;
            await Task.Delay(s_between, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives the lock up.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>Removes the file and gives the lock up; whoever waits for it makes a new one. Only for a lock that is not shared.</summary>
    public void Remove(string path)
    {
        File.Delete(path);
        Dispose();
    }

    private static bool TryLock(SafeFileHandle file, bool shared, string path)
    {
        while (Libc.FLock(file, (shared ? Kernel.LOCK_SH : Kernel.LOCK_EX) | Kernel.LOCK_NB) != 0)
        {
            switch (LinuxError.Last)
            {
                case Kernel.EINTR:
                    continue;
                case Kernel.EAGAIN:
                    return false;
                default:
                    throw LinuxError.Failed("lock", path);
            }
        }

        return true;
    }

    private static uint LinksOf(SafeFileHandle file, string path) =>
        Libc.StatX(file, LinuxPath.Itself, Kernel.AT_SYMLINK_NOFOLLOW | Kernel.AT_EMPTY_PATH, Kernel.STATX_BASIC_STATS, out var status) == 0
            ? status.Links
            : throw LinuxError.Failed("look at", path);
}
