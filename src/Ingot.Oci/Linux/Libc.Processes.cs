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

    [LibraryImport(Library, EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int what);

    [LibraryImport(Library, EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNs(SafeFileHandle file, int kind);

    [LibraryImport(Library, EntryPoint = "mount", SetLastError = true)]
    public static partial int Mount(ReadOnlySpan<byte> source, ReadOnlySpan<byte> target, ReadOnlySpan<byte> type, nuint flags, ReadOnlySpan<byte> options);

    [LibraryImport(Library, EntryPoint = "umount2", SetLastError = true)]
    public static partial int UMount2(ReadOnlySpan<byte> target, int flags);
}
