using System.Runtime.InteropServices;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>What <c>statx</c> says of a file, links not followed.</summary>
internal readonly record struct FileStatus(int TypeAndMode, long UserId, long GroupId, long Size, long Inode, long Device, int Links, int DeviceMajor, int DeviceMinor, DateTimeOffset ModifiedTime)
{
    private const int TypeMask = 0xF000;

    public int Mode => TypeAndMode & 0xFFF;
    public bool IsDirectory => (TypeAndMode & TypeMask) == 0x4000;
    public bool IsFile => (TypeAndMode & TypeMask) == 0x8000;
    public bool IsSymbolicLink => (TypeAndMode & TypeMask) == 0xA000;
    public bool IsCharacterDevice => (TypeAndMode & TypeMask) == 0x2000;
    public bool IsBlockDevice => (TypeAndMode & TypeMask) == 0x6000;
    public bool IsFifo => (TypeAndMode & TypeMask) == 0x1000;
    public bool IsSocket => (TypeAndMode & TypeMask) == 0xC000;

    /// <summary>How an overlay file system marks a deleted file.</summary>
    public bool IsOverlayWhiteout => IsCharacterDevice && DeviceMajor == 0 && DeviceMinor == 0;
}

/// <summary>The system calls that the base library lacks. Names are bytes and relative to an open directory, so that neither a name that is no text nor a symbolic link on the way leads anywhere else.</summary>
internal static partial class LinuxFiles
{
    public const int FifoType = 0x1000;
    public const int CharacterDeviceType = 0x2000;
    public const int BlockDeviceType = 0x6000;

    private const int NoEntry = 2;
    private const int Interrupted = 4;
    private const int Exists = 17;
    private const int NotDirectory = 20;
    private const int OtherFileSystem = 18;
    private const int InvalidArgument = 22;
    private const int NoSystemCall = 38;
    private const int TooManyLinks = 40;
    private const int NoData = 61;
    private const int NotSupported = 95;

    // Between two of them somebody may want it to stop.

    private const int NoFollow = 0x100;
    private const int RemoveDirectoryFlag = 0x200;
    private const int EmptyPath = 0x1000;
    private const uint BasicStats = 0x7FF;

    private const int WriteOnly = 1;
    private const int Create = 0x40;
    private const int Exclusive = 0x80;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const uint PrivateMode = 0x180;

    // The two flags that differ between processors.
    private static readonly int s_directory = IsArm ? 0x4000 : 0x10000;
    private static readonly int s_noFollow = IsArm ? 0x8000 : 0x20000;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    /// <summary>Opens a directory by an ordinary path, following links: the one place where a person's path enters.</summary>
    public static SafeFileHandle OpenRoot(string path)
    {
        int fd = Open(Z(TarPath.Encode(path)), s_directory | CloseOnExec, 0);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open the directory", path);
    }

    /// <summary>Opens a directory in a directory; null when there is nothing of the name, or something else than a directory.</summary>
    public static SafeFileHandle? TryOpenDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = OpenAt(parent, Z(name), s_directory | s_noFollow | CloseOnExec, 0);
        if (fd >= 0)
            return new SafeFileHandle(fd, ownsHandle: true);

        return Marshal.GetLastPInvokeError() is NoEntry or NotDirectory or TooManyLinks ? null : throw Failed("open the directory", name);
    }

    public static SafeFileHandle OpenDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name) =>
        TryOpenDirectory(parent, name) ?? throw Failed("open the directory", name);

    // Not blocking: a file may have become a pipe since it was looked at.
    public static SafeFileHandle OpenFile(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = OpenAt(parent, Z(name), s_noFollow | NonBlocking | CloseOnExec, 0);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open", name);
    }

    public static SafeFileHandle OpenFileForWriting(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = OpenAt(parent, Z(name), WriteOnly | s_noFollow | NonBlocking | CloseOnExec, 0);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open for writing", name);
    }

    /// <summary>Makes a new file, readable by its owner only; something of the name must not be there.</summary>
    public static SafeFileHandle CreateFile(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = OpenAt(parent, Z(name), WriteOnly | Create | Exclusive | s_noFollow | CloseOnExec, PrivateMode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("create", name);
    }

    public static FileStatus? TryStatus(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        Span<byte> buffer = stackalloc byte[256];
        if (StatX(parent, Z(name), NoFollow | (name.IsEmpty ? EmptyPath : 0), BasicStats, buffer) != 0)
            return Marshal.GetLastPInvokeError() is NoEntry or NotDirectory ? null : throw Failed("look at", name);

        // struct statx has one layout on every processor: linux/stat.h.
        return new FileStatus(
            BitConverter.ToUInt16(buffer[28..]),
            BitConverter.ToUInt32(buffer[20..]),
            BitConverter.ToUInt32(buffer[24..]),
            BitConverter.ToInt64(buffer[40..]),
            BitConverter.ToInt64(buffer[32..]),
            BitConverter.ToInt64(buffer[136..]),
            BitConverter.ToInt32(buffer[16..]),
            BitConverter.ToInt32(buffer[128..]),
            BitConverter.ToInt32(buffer[132..]),
            TimeOf(BitConverter.ToInt64(buffer[112..]), BitConverter.ToUInt32(buffer[120..])));
    }

    public static FileStatus Status(SafeFileHandle parent, ReadOnlySpan<byte> name) => TryStatus(parent, name) ?? throw Failed("look at", name);

    /// <summary>The names in a directory, in no order, without <c>.</c> and <c>..</c>.</summary>
    public static List<byte[]> List(SafeFileHandle directory)
    {
        var names = new List<byte[]>();
        Span<byte> buffer = stackalloc byte[16 << 10];
        while (true)
        {
            int length = (int)GetDirectoryEntries(directory, buffer, (nuint)buffer.Length);
            if (length < 0)
                throw Failed("list", "a directory");
            if (length == 0)
                return names;

            // struct linux_dirent64: inode, offset, record length, type, name.
            for (var rest = (ReadOnlySpan<byte>)buffer[..length]; !rest.IsEmpty;)
            {
                int record = BitConverter.ToUInt16(rest[16..]);
                var name = rest[19..record];
                name = name[..name.IndexOf((byte)0)];
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                    names.Add(name.ToArray());
                rest = rest[record..];
            }
        }
    }

    public static byte[] ReadLink(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        Span<byte> buffer = stackalloc byte[4096];
        nint length = ReadLinkAt(parent, Z(name), buffer, (nuint)buffer.Length);
        return length >= 0 ? buffer[..(int)length].ToArray() : throw Failed("read the link", name);
    }

    public static int Read(SafeFileHandle file, Span<byte> buffer)
    {
        while (true)
        {
            nint read = ReadFd(file, buffer, (nuint)buffer.Length);
            if (read >= 0)
                return (int)read;
            if (Marshal.GetLastPInvokeError() != Interrupted)
                throw Failed("read", "a file");
        }
    }

    public static void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint written = WriteFd(file, bytes, (nuint)bytes.Length);
            if (written < 0 && Marshal.GetLastPInvokeError() != Interrupted)
                throw Failed("write", "a file");
            bytes = bytes[(int)Math.Max(written, 0)..];
        }
    }

    public static void MakeDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (MkDirAt(parent, Z(name), PrivateMode | 0x40) != 0)
            throw Failed("make the directory", name);
    }

    public static void MakeNode(SafeFileHandle parent, ReadOnlySpan<byte> name, int type, int major, int minor)
    {
        if (MkNodAt(parent, Z(name), (uint)type | PrivateMode, DeviceNumber(major, minor)) != 0)
            throw Failed("make the device or pipe", name);
    }

    public static void MakeSymbolicLink(SafeFileHandle parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        if (SymLinkAt(Z(target), parent, Z(name)) != 0)
            throw Failed("make the symbolic link", name);
    }

    public static void MakeHardLink(SafeFileHandle targetParent, ReadOnlySpan<byte> target, SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (LinkAt(targetParent, Z(target), parent, Z(name), 0) != 0)
            throw Failed("make the hard link", name);
    }

    public static void Unlink(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (UnlinkAt(parent, Z(name), 0) != 0)
            throw Failed("delete", name);
    }

    /// <summary>Deletes a file, or a directory with everything in it. Links are deleted, not followed.</summary>
    public static void RemoveTree(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        using (var directory = TryOpenDirectory(parent, name))
        {
            if (directory is null)
            {
                Unlink(parent, name);
                return;
            }

            foreach (byte[] child in List(directory))
                RemoveTree(directory, child);
        }

        if (UnlinkAt(parent, Z(name), RemoveDirectoryFlag) != 0)
            throw Failed("delete the directory", name);
    }

    public static void SetOwner(SafeFileHandle parent, ReadOnlySpan<byte> name, long userId, long groupId)
    {
        if (ChOwnAt(parent, Z(name), checked((uint)userId), checked((uint)groupId), NoFollow | (name.IsEmpty ? EmptyPath : 0)) != 0)
            throw Failed("set the owner of", name);
    }

    // fchmodat follows links, and has no flag against it: never called for one.
    public static void SetMode(SafeFileHandle parent, ReadOnlySpan<byte> name, int mode)
    {
        int result = name.IsEmpty ? FChMod(parent, (uint)mode) : ChModAt(parent, Z(name), (uint)mode, 0);
        if (result != 0)
            throw Failed("set the mode of", name);
    }

    /// <summary>Sets both times, links not followed; an empty name means the open file itself.</summary>
    public static unsafe void SetTime(SafeFileHandle parent, ReadOnlySpan<byte> name, DateTimeOffset time)
    {
        long seconds = time.ToUnixTimeSeconds();
        long nanoseconds = (time - DateTimeOffset.FromUnixTimeSeconds(seconds)).Ticks * 100;
        long* times = stackalloc long[4] { seconds, nanoseconds, seconds, nanoseconds };
        int result = name.IsEmpty ? FUTimeNs(parent, times) : UTimeNsAt(parent, Z(name), times, NoFollow);
        if (result != 0)
            throw Failed("set the time of", name);
    }

    /// <summary>An extended attribute of an open file; null when it has none of the name.</summary>
    public static byte[]? GetAttribute(SafeFileHandle file, string name)
    {
        Span<byte> buffer = stackalloc byte[4096];
        nint length = FGetXAttr(file, Z(TarPath.Encode(name)), buffer, (nuint)buffer.Length);
        if (length >= 0)
            return buffer[..(int)length].ToArray();

        return Marshal.GetLastPInvokeError() is NoData or NotSupported ? null : throw Failed("read the attribute", name);
    }

    public static void SetAttribute(SafeFileHandle file, string name, ReadOnlySpan<byte> value)
    {
        if (FSetXAttr(file, Z(TarPath.Encode(name)), value, (nuint)value.Length, 0) != 0)
            throw Failed("set the attribute", name);
    }

    public static void RemoveAttribute(SafeFileHandle file, string name)
    {
        if (FRemoveXAttr(file, Z(TarPath.Encode(name))) != 0 && Marshal.GetLastPInvokeError() is not (NoData or NotSupported))
            throw Failed("remove the attribute", name);
    }

    /// <summary>The names of an open file's extended attributes.</summary>
    public static IReadOnlyList<string> ListAttributes(SafeFileHandle file)
    {
        Span<byte> buffer = stackalloc byte[16 << 10];
        nint length = FListXAttr(file, buffer, (nuint)buffer.Length);
        if (length < 0)
            return Marshal.GetLastPInvokeError() == NotSupported ? [] : throw Failed("list the attributes of", "a file");

        return length == 0 ? [] : TarPath.Decode(buffer[..(int)length]).Split('\0', StringSplitOptions.RemoveEmptyEntries);
    }

    // A file system may hold times that no calendar here does; a layer could not say them either.
    private static DateTimeOffset TimeOf(long seconds, uint nanoseconds)
    {
        long inRange = Math.Clamp(seconds, DateTimeOffset.MinValue.ToUnixTimeSeconds(), DateTimeOffset.MaxValue.ToUnixTimeSeconds() - 1);
        return DateTimeOffset.FromUnixTimeSeconds(inRange).AddTicks(nanoseconds / 100);
    }

    // The path is short-lived and mostly short; system calls want a NUL at its end.
    private static byte[] Z(ReadOnlySpan<byte> name) => [.. name, 0];

    private static ulong DeviceNumber(int major, int minor)
    {
        ulong high = (uint)major, low = (uint)minor;
        return ((high & 0xFFFFF000) << 32) | ((high & 0xFFF) << 8) | ((low & 0xFFFFFF00) << 12) | (low & 0xFF);
    }

    private static IOException Failed(string what, ReadOnlySpan<byte> name) => Failed(what, name.IsEmpty ? "an open file" : TarPath.Decode(name));

    private static IOException Failed(string what, string name)
    {
        int error = Marshal.GetLastPInvokeError();
        string cure = error == 1 ? " (run as root)" : error == Exists ? " (something of that name is in the way)" : "";
        return new IOException($"could not {what} '{name}': {Marshal.GetPInvokeErrorMessage(error)}{cure}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAt(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatX(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    private static partial nint GetDirectoryEntries(SafeFileHandle directory, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    private static partial nint ReadLinkAt(SafeFileHandle directory, ReadOnlySpan<byte> path, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadFd(SafeFileHandle file, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteFd(SafeFileHandle file, ReadOnlySpan<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    private static partial int MkDirAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode);

    [LibraryImport("libc", EntryPoint = "mknodat", SetLastError = true)]
    private static partial int MkNodAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    private static partial int SymLinkAt(ReadOnlySpan<byte> target, SafeFileHandle directory, ReadOnlySpan<byte> path);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    private static partial int LinkAt(SafeFileHandle targetDirectory, ReadOnlySpan<byte> target, SafeFileHandle directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    private static partial int UnlinkAt(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    private static partial int ChOwnAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint userId, uint groupId, int flags);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    private static partial int ChModAt(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode, int flags);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int FChMod(SafeFileHandle file, uint mode);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    private static unsafe partial int UTimeNsAt(SafeFileHandle directory, ReadOnlySpan<byte> path, long* times, int flags);

    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    private static unsafe partial int FUTimeNs(SafeFileHandle file, long* times);

    [LibraryImport("libc", EntryPoint = "fgetxattr", SetLastError = true)]
    private static partial nint FGetXAttr(SafeFileHandle file, ReadOnlySpan<byte> name, Span<byte> value, nuint size);

    [LibraryImport("libc", EntryPoint = "fsetxattr", SetLastError = true)]
    private static partial int FSetXAttr(SafeFileHandle file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "fremovexattr", SetLastError = true)]
    private static partial int FRemoveXAttr(SafeFileHandle file, ReadOnlySpan<byte> name);

    [LibraryImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    private static partial nint FListXAttr(SafeFileHandle file, Span<byte> names, nuint size);
}
