using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Linux;

#pragma warning disable CS1591 // each is what its manual page says

/// <content>Processes, namespaces and mounts.</content>
public static unsafe partial class Libc
{
    [LibraryImport(Library, EntryPoint = "chdir", SetLastError = true)]
    public static partial int ChDir(ReadOnlySpan<byte> path);

    [LibraryImport(Library, EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int process, int signal);

    [LibraryImport(Library, EntryPoint = "geteuid")]
    public static partial uint GetEUid();

    [LibraryImport(Library, EntryPoint = "umask")]
    public static partial uint UMask(uint mask);

    /// <summary>A file that stands for one process and never for another, whatever becomes of its number; always with <c>O_CLOEXEC</c>.</summary>
    public static int PidFdOpen(int process) => (int)SystemCall(Kernel.SYS_pidfd_open, process, 0, 0, 0);

    /// <summary>Sends a signal to the process a file stands for.</summary>
    public static int PidFdSendSignal(SafeFileHandle process, int signal)
    {
        bool held = false;
        process.DangerousAddRef(ref held);
        try
        {
            return (int)SystemCall(Kernel.SYS_pidfd_send_signal, process.DangerousGetHandle(), signal, 0, 0);
        }
        finally
        {
            process.DangerousRelease();
        }
    }

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third, nint fourth);

    [LibraryImport(Library, EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int what);

    [LibraryImport(Library, EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNs(SafeFileHandle file, int kind);

    [LibraryImport(Library, EntryPoint = "mount", SetLastError = true)]
    public static partial int Mount(ReadOnlySpan<byte> source, ReadOnlySpan<byte> target, ReadOnlySpan<byte> type, nuint flags, ReadOnlySpan<byte> options);

    [LibraryImport(Library, EntryPoint = "umount2", SetLastError = true)]
    public static partial int UMount2(ReadOnlySpan<byte> target, int flags);
}
