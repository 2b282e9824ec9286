using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Linux;

#pragma warning disable CS1591, CA1401 // each is what its manual page says, and this is the place where they are declared for all

/// <content>Processes, namespaces and mounts.</content>
public static unsafe partial class Libc
{
    [LibraryImport(Library, EntryPoint = "chdir", SetLastError = true)]
    public static partial int ChDir(ReadOnlySpan<byte> path);

    [LibraryImport(Library, EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int process, int signal);

    /// <summary>The user this process acts as.</summary>
    public static uint GetEUid() => EffectiveUser();

    /// <summary>Takes permissions away from what this process makes from now on, and returns those that were taken before.</summary>
    public static uint UMask(uint mask) => CreationMask(mask);

    /// <summary>A file that stands for one process and never for another, whatever becomes of its number;
    /// always with <c>O_CLOEXEC</c>.</summary>
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

    /// <summary>A file of another process, open here too; always with <c>O_CLOEXEC</c>. It takes the right to trace that process.</summary>
    public static int PidFdGetFd(SafeFileHandle process, int descriptor)
    {
        bool held = false;
        process.DangerousAddRef(ref held);
        try
        {
            return (int)SystemCall(Kernel.SYS_pidfd_getfd, process.DangerousGetHandle(), descriptor, 0, 0);
        }
        finally
        {
            process.DangerousRelease();
        }
    }

    /// <summary>The same open file under a number that is at least <paramref name="least"/>; always with <c>O_CLOEXEC</c>.</summary>
    public static int DuplicateFrom(int descriptor, int least) => FCntl(descriptor, Kernel.F_DUPFD_CLOEXEC, least);

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int family, int kind, int protocol);

    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FCntl(int descriptor, int command, int argument);

    [LibraryImport(Library, EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [LibraryImport(Library, EntryPoint = "umask")]
    private static partial uint CreationMask(uint mask);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third, nint fourth);

    [LibraryImport(Library, EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int what);

    [LibraryImport(Library, EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNs(SafeFileHandle file, int kind);

    [LibraryImport(Library, EntryPoint = "mount", SetLastError = true)]
    public static partial int Mount(
        ReadOnlySpan<byte> source, ReadOnlySpan<byte> target, ReadOnlySpan<byte> type, nuint flags, ReadOnlySpan<byte> options);

    [LibraryImport(Library, EntryPoint = "umount2", SetLastError = true)]
    public static partial int UMount2(ReadOnlySpan<byte> target, int flags);

    [LibraryImport(Library, EntryPoint = "waitid", SetLastError = true)]
    private static partial int WaitId(int kind, int process, nint information, int options);

    /// <summary>Waits until a child has ended, and leaves it to <see cref="WaitPid"/>.</summary>
    public static int WaitId(int process) => WaitId(Kernel.P_PID, process, 0, Kernel.WEXITED | Kernel.WNOWAIT);

    [LibraryImport(Library, EntryPoint = "waitpid", SetLastError = true)]
    public static partial int WaitPid(int process, out int status, int options);

    [LibraryImport(Library, EntryPoint = "posix_spawn")]
    internal static partial int PosixSpawn(
        out int process, ReadOnlySpan<byte> program, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_init")]
    internal static partial int PosixSpawnFileActionsInit(byte* actions);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addopen")]
    internal static partial int PosixSpawnFileActionsAddOpen(byte* actions, int descriptor, ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_adddup2")]
    internal static partial int PosixSpawnFileActionsAddDup2(byte* actions, int descriptor, int number);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addchdir_np")]
    internal static partial int PosixSpawnFileActionsAddChDir(byte* actions, ReadOnlySpan<byte> path);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_destroy")]
    internal static partial int PosixSpawnFileActionsDestroy(byte* actions);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_init")]
    internal static partial int PosixSpawnAttributesInit(byte* attributes);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setflags")]
    internal static partial int PosixSpawnAttributesSetFlags(byte* attributes, short flags);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setsigdefault")]
    internal static partial int PosixSpawnAttributesSetSignalDefault(byte* attributes, byte* signals);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setsigmask")]
    internal static partial int PosixSpawnAttributesSetSignalMask(byte* attributes, byte* signals);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_destroy")]
    internal static partial int PosixSpawnAttributesDestroy(byte* attributes);

    [LibraryImport(Library, EntryPoint = "sigfillset")]
    internal static partial int SigFillSet(byte* signals);

    [LibraryImport(Library, EntryPoint = "sigemptyset")]
    internal static partial int SigEmptySet(byte* signals);
}
