using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>A lock that processes and tasks of one host share through a file. The kernel gives it up with the process, however that ends.</summary>
public sealed partial class FileLock : IDisposable
{
    private const int WouldBlock = 11;
    private const int Interrupted = 4;
    // O_RDWR | O_CREAT | O_CLOEXEC
    private const int Open = 2 | 0x40 | 0x80000;
    private const int OwnerOnly = 0b110_000_000;
    private const int LockShared = 1;
    private const int LockExclusive = 2;
    private const int LockNow = 4;
    private const int NoFollowEmptyPath = 0x1100;
    private const int LinksAt = 16;

    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(20);

    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock, alone or with others who share it; null when somebody holds it otherwise.</summary>
    public static FileLock? TryTake(string path, bool shared)
    {
        while (true)
        {
            var file = new SafeFileHandle(OpenFile(path, Open, OwnerOnly), ownsHandle: true);
            if (file.IsInvalid)
                throw Failed("open", path);
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

    /// <summary>Takes the lock, and waits as long as others hold it. <paramref name="waiting"/> is called once when there is somebody to wait for.</summary>
    public static async Task<FileLock> TakeAsync(string path, bool shared, TimeProvider time, Action? waiting, CancellationToken cancellationToken)
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
        while (Lock(file, (shared ? LockShared : LockExclusive) | LockNow) != 0)
        {
            switch (Marshal.GetLastPInvokeError())
            {
                case Interrupted:
                    continue;
                case WouldBlock:
                    return false;
                default:
                    throw Failed("lock", path);
            }
        }

        return true;
    }

    // struct statx, linux/stat.h: the number of links at 16.
    private static uint LinksOf(SafeFileHandle file, string path)
    {
        Span<byte> status = stackalloc byte[256];
        return StatX(file, [0], NoFollowEmptyPath, 0x7FF, status) == 0 ? BitConverter.ToUInt32(status[LinksAt..]) : throw Failed("look at", path);
    }

    private static IOException Failed(string what, string path)
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException($"could not {what} '{path}': {Marshal.GetPInvokeErrorMessage(error)}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatX(SafeFileHandle file, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);
}
