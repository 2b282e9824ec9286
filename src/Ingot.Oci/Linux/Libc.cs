using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Linux;

#pragma warning disable CS1591, CA1401 // each is what its manual page says, and this is the place where they are declared for all

/// <summary>The calls of the C library that the base library lacks; nothing else in Ingot declares one. Each is what its page in section 2
/// or 3 of the manual says: a negative result is a failure, and <see cref="LinuxError"/> then knows which. Paths end with a NUL
/// (<see cref="LinuxPath"/>).</summary>
public static unsafe partial class Libc
{
    private const string Library = "libc";
    private const int MaxOpenAttempts = 10_000;

    [LibraryImport(Library, EntryPoint = "open", SetLastError = true)]
    public static partial int Open(ReadOnlySpan<byte> path, int flags, uint mode = 0);

    [LibraryImport(Library, EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mode = 0);

    [LibraryImport(Library, EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(int directory, byte* path, int flags, uint mode = 0);

    /// <summary>Opens below a directory; always with <c>O_CLOEXEC</c>. Where something was renamed meanwhile and the kernel could not be
    /// sure of <c>..</c>, it is asked again, but not for ever: somebody may rename all day.</summary>
    public static int OpenAt2(SafeFileHandle directory, ReadOnlySpan<byte> path, in OpenHow how)
    {
        for (int attempt = 1; ; attempt++)
        {
            int fd = (int)SystemCall(LinuxAbi.Host.SYS_openat2, directory, path, in how, OpenHow.Bytes);
            if (fd >= 0 || attempt >= MaxOpenAttempts || LinuxError.Last is not (Kernel.EINTR or Kernel.EAGAIN))
                return fd;
        }
    }

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true)]
    public static partial int StatX(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, out StatX status);

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true)]
    public static partial int StatX(int directory, ReadOnlySpan<byte> path, int flags, uint mask, out StatX status);

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true)]
    public static partial int StatX(int directory, byte* path, int flags, uint mask, out StatX status);

    [LibraryImport(Library, EntryPoint = "getdents64", SetLastError = true)]
    public static partial nint GetDirectoryEntries(SafeFileHandle directory, Span<byte> buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadLinkAt(SafeFileHandle directory, ReadOnlySpan<byte> path, Span<byte> buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(SafeFileHandle file, Span<byte> buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(SafeFileHandle file, ReadOnlySpan<byte> buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "preadv2", SetLastError = true)]
    public static partial nint PReadV2(SafeFileHandle file, in IoVector vector, int count, long offset, int flags);

    [LibraryImport(Library, EntryPoint = "pwritev2", SetLastError = true)]
    public static partial nint PWriteV2(SafeFileHandle file, in IoVector vector, int count, long offset, int flags);

    [LibraryImport(Library, EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MkDirAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode);

    [LibraryImport(Library, EntryPoint = "mknodat", SetLastError = true)]
    public static partial int MkNodAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode, ulong device);

    [LibraryImport(Library, EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int SymLinkAt(ReadOnlySpan<byte> target, SafeFileHandle directory, ReadOnlySpan<byte> path);

    [LibraryImport(Library, EntryPoint = "link", SetLastError = true)]
    public static partial int Link(ReadOnlySpan<byte> existing, ReadOnlySpan<byte> name);

    [LibraryImport(Library, EntryPoint = "linkat", SetLastError = true)]
    public static partial int LinkAt(
        SafeFileHandle targetDirectory, ReadOnlySpan<byte> target, SafeFileHandle directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport(Library, EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int UnlinkAt(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport(Library, EntryPoint = "lchown", SetLastError = true)]
    public static partial int LChOwn(ReadOnlySpan<byte> path, uint userId, uint groupId);

    [LibraryImport(Library, EntryPoint = "fchownat", SetLastError = true)]
    public static partial int FChOwnAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint userId, uint groupId, int flags);

    [LibraryImport(Library, EntryPoint = "chmod", SetLastError = true)]
    public static partial int ChMod(ReadOnlySpan<byte> path, uint mode);

    [LibraryImport(Library, EntryPoint = "fchmod", SetLastError = true)]
    public static partial int FChMod(SafeFileHandle file, uint mode);

    [LibraryImport(Library, EntryPoint = "fchmodat", SetLastError = true)]
    public static partial int FChModAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode, int flags);

    [LibraryImport(Library, EntryPoint = "utimensat", SetLastError = true)]
    public static partial int UTimeNsAt(SafeFileHandle directory, ReadOnlySpan<byte> path, long* times, int flags);

    [LibraryImport(Library, EntryPoint = "futimens", SetLastError = true)]
    public static partial int FUTimeNs(SafeFileHandle file, long* times);

    [LibraryImport(Library, EntryPoint = "fgetxattr", SetLastError = true)]
    public static partial nint FGetXAttr(SafeFileHandle file, ReadOnlySpan<byte> name, Span<byte> value, nuint size);

    [LibraryImport(Library, EntryPoint = "getxattr", SetLastError = true)]
    public static partial nint GetXAttr(ReadOnlySpan<byte> path, ReadOnlySpan<byte> name, Span<byte> value, nuint size);

    [LibraryImport(Library, EntryPoint = "fsetxattr", SetLastError = true)]
    public static partial int FSetXAttr(SafeFileHandle file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, nuint size, int flags);

    [LibraryImport(Library, EntryPoint = "fremovexattr", SetLastError = true)]
    public static partial int FRemoveXAttr(SafeFileHandle file, ReadOnlySpan<byte> name);

    [LibraryImport(Library, EntryPoint = "flistxattr", SetLastError = true)]
    public static partial nint FListXAttr(SafeFileHandle file, Span<byte> names, nuint size);

    /// <summary>The kind of a filesystem, one of the numbers of <c>linux/magic.h</c>.</summary>
    public static int FilesystemType(SafeFileHandle file, out long type)
    {
        // The structure differs between processors; what it begins with does not, where words have 64 bits.
        Span<byte> buffer = stackalloc byte[256];
        int result = FStatFs(file, buffer);
        type = BitConverter.ToInt64(buffer);
        return result;
    }

    [LibraryImport(Library, EntryPoint = "syncfs", SetLastError = true)]
    public static partial int SyncFs(SafeFileHandle file);

    [LibraryImport(Library, EntryPoint = "fsync", SetLastError = true)]
    public static partial int FSync(SafeFileHandle file);

    [LibraryImport(Library, EntryPoint = "flock", SetLastError = true)]
    public static partial int FLock(SafeFileHandle file, int operation);

    [LibraryImport(Library, EntryPoint = "fstatfs", SetLastError = true)]
    private static partial int FStatFs(SafeFileHandle file, Span<byte> buffer);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, SafeFileHandle directory, ReadOnlySpan<byte> path, in OpenHow how, nuint size);
}

/// <summary><c>struct iovec</c>.</summary>
/// <param name="Start">The first byte.</param>
/// <param name="Length">How many.</param>
public readonly record struct IoVector(nint Start, nuint Length);
