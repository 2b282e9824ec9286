using Ingot.Oci.Linux;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>What <c>statx</c> says of a file, links not followed.</summary>
internal readonly record struct FileStatus(
    int TypeAndMode, long UserId, long GroupId, long Size, long Inode, long Device, int Links, int DeviceMajor, int DeviceMinor,
    DateTimeOffset ModifiedTime)
{
    private int Type => TypeAndMode & Kernel.S_IFMT;

    public int Mode => TypeAndMode & 0xFFF;
    public bool IsDirectory => Type == Kernel.S_IFDIR;
    public bool IsFile => Type == Kernel.S_IFREG;
    public bool IsSymbolicLink => Type == Kernel.S_IFLNK;
    public bool IsCharacterDevice => Type == Kernel.S_IFCHR;
    public bool IsBlockDevice => Type == Kernel.S_IFBLK;
    public bool IsFifo => Type == Kernel.S_IFIFO;
    public bool IsSocket => Type == Kernel.S_IFSOCK;

    /// <summary>How an overlay file system marks a deleted file.</summary>
    public bool IsOverlayWhiteout => IsCharacterDevice && DeviceMajor == 0 && DeviceMinor == 0;
}

/// <summary>The system calls that the base library lacks. Names are bytes and relative to an open directory, so that neither a name that is
/// no text nor a symbolic link on the way leads anywhere else.</summary>
internal static class LinuxFiles
{
    public const int FifoType = Kernel.S_IFIFO;
    public const int CharacterDeviceType = Kernel.S_IFCHR;
    public const int BlockDeviceType = Kernel.S_IFBLK;

    private const uint PrivateMode = 0b110_000_000;
    private const uint PrivateDirectoryMode = 0b111_000_000;
    private const int MaxLinkBytes = 4096;

    /// <summary>Opens a directory by an ordinary path, following links: the one place where a person's path enters.</summary>
    public static SafeFileHandle OpenRoot(string path)
    {
        int fd = Libc.Open(Z(TarPath.Encode(path)), LinuxAbi.Host.O_DIRECTORY | Kernel.O_CLOEXEC);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open the directory", path);
    }

    /// <summary>Opens a directory in a directory; null when there is nothing of the name, or something else than a directory.</summary>
    public static SafeFileHandle? TryOpenDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = Libc.OpenAt(parent, Z(name), LinuxAbi.Host.O_DIRECTORY | LinuxAbi.Host.O_NOFOLLOW | Kernel.O_CLOEXEC);
        if (fd >= 0)
            return new SafeFileHandle(fd, ownsHandle: true);

        return LinuxError.Last is Kernel.ENOENT or Kernel.ENOTDIR or Kernel.ELOOP ? null : throw Failed("open the directory", name);
    }

    public static SafeFileHandle OpenDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name) =>
        TryOpenDirectory(parent, name) ?? throw Failed("open the directory", name);

    // Not blocking: a file may have become a pipe since it was looked at.
    public static SafeFileHandle OpenFile(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = Libc.OpenAt(parent, Z(name), LinuxAbi.Host.O_NOFOLLOW | Kernel.O_NONBLOCK | Kernel.O_CLOEXEC);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open", name);
    }

    public static SafeFileHandle OpenFileForWriting(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = Libc.OpenAt(parent, Z(name), Kernel.O_WRONLY | LinuxAbi.Host.O_NOFOLLOW | Kernel.O_NONBLOCK | Kernel.O_CLOEXEC);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open for writing", name);
    }

    /// <summary>Makes a new file, readable by its owner only; something of the name must not be there.</summary>
    public static SafeFileHandle CreateFile(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        int fd = Libc.OpenAt(parent, Z(name),
            Kernel.O_WRONLY | Kernel.O_CREAT | Kernel.O_EXCL | LinuxAbi.Host.O_NOFOLLOW | Kernel.O_CLOEXEC, PrivateMode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("create", name);
    }

    public static FileStatus? TryStatus(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (Libc.StatX(parent, Z(name), NoFollowOrItself(name), Kernel.STATX_BASIC_STATS, out var status) != 0)
            return LinuxError.Last is Kernel.ENOENT or Kernel.ENOTDIR ? null : throw Failed("look at", name);

        var (major, minor) = status.FileDevice;
        return new FileStatus(
            status.TypeAndMode, status.UserId, status.GroupId, status.Size, (long)status.Inode, (long)status.Device,
            (int)status.Links, major, minor,
            TimeOf(status.Modified.Seconds, status.Modified.Nanoseconds));
    }

    public static FileStatus Status(SafeFileHandle parent, ReadOnlySpan<byte> name) =>
        TryStatus(parent, name) ?? throw Failed("look at", name);

    /// <summary>The names in a directory, in no order, without <c>.</c> and <c>..</c>.</summary>
    public static List<byte[]> List(SafeFileHandle directory) => DirectoryEntries.TryList(directory) ?? throw Failed("list", "a directory");

    public static byte[] ReadLink(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        Span<byte> buffer = stackalloc byte[MaxLinkBytes];
        nint length = Libc.ReadLinkAt(parent, Z(name), buffer, (nuint)buffer.Length);
        return length >= 0 ? buffer[..(int)length].ToArray() : throw Failed("read the link", name);
    }

    public static int Read(SafeFileHandle file, Span<byte> buffer)
    {
        while (true)
        {
            nint read = Libc.Read(file, buffer, (nuint)buffer.Length);
            if (read >= 0)
                return (int)read;
            if (LinuxError.Last != Kernel.EINTR)
                throw Failed("read", "a file");
        }
    }

    public static void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint written = Libc.Write(file, bytes, (nuint)bytes.Length);
            if (written < 0 && LinuxError.Last != Kernel.EINTR)
                throw Failed("write", "a file");
            bytes = bytes[(int)Math.Max(written, 0)..];
        }
    }

    public static void MakeDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (Libc.MkDirAt(parent, Z(name), PrivateDirectoryMode) != 0)
            throw Failed("make the directory", name);
    }

    public static void MakeNode(SafeFileHandle parent, ReadOnlySpan<byte> name, int type, int major, int minor)
    {
        if (Libc.MkNodAt(parent, Z(name), (uint)type | PrivateMode, DeviceNumber(major, minor)) != 0)
            throw Failed("make the device or pipe", name);
    }

    public static void MakeSymbolicLink(SafeFileHandle parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        if (Libc.SymLinkAt(Z(target), parent, Z(name)) != 0)
            throw Failed("make the symbolic link", name);
    }

    public static void MakeHardLink(SafeFileHandle targetParent, ReadOnlySpan<byte> target, SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (Libc.LinkAt(targetParent, Z(target), parent, Z(name), 0) != 0)
            throw Failed("make the hard link", name);
    }

    public static void Unlink(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (Libc.UnlinkAt(parent, Z(name), 0) != 0)
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

        if (Libc.UnlinkAt(parent, Z(name), Kernel.AT_REMOVEDIR) != 0)
            throw Failed("delete the directory", name);
    }

    public static void SetOwner(SafeFileHandle parent, ReadOnlySpan<byte> name, long userId, long groupId)
    {
        if (Libc.FChOwnAt(parent, Z(name), checked((uint)userId), checked((uint)groupId), NoFollowOrItself(name)) != 0)
            throw Failed("set the owner of", name);
    }

    // Never called for a link. Older C libraries have no flag against following one,
    // and sandboxes may refuse the system call that has: then it is looked at first.
    public static void SetMode(SafeFileHandle parent, ReadOnlySpan<byte> name, int mode)
    {
        int result = name.IsEmpty
            ? Libc.FChMod(parent, (uint)mode)
            : Libc.FChModAt(parent, Z(name), (uint)mode, Kernel.AT_SYMLINK_NOFOLLOW);
        bool isRefused = result != 0
            && !name.IsEmpty
            && LinuxError.Last is Kernel.EOPNOTSUPP or Kernel.ENOSYS or Kernel.EPERM or Kernel.EINVAL;
        if (isRefused)
        {
            if (TryStatus(parent, name) is { IsSymbolicLink: true })
                throw new IOException($"could not set the mode of '{TarPath.Decode(name)}': it is a symbolic link");
            result = Libc.FChModAt(parent, Z(name), (uint)mode, 0);
        }

        if (result != 0)
            throw Failed("set the mode of", name);
    }

    /// <summary>Sets both times, links not followed; an empty name means the open file itself.</summary>
    public static unsafe void SetTime(SafeFileHandle parent, ReadOnlySpan<byte> name, DateTimeOffset time)
    {
        long seconds = time.ToUnixTimeSeconds();
        long nanoseconds = (time - DateTimeOffset.FromUnixTimeSeconds(seconds)).Ticks * 100;
        long* times = stackalloc long[4] { seconds, nanoseconds, seconds, nanoseconds };
        int result = name.IsEmpty ? Libc.FUTimeNs(parent, times) : Libc.UTimeNsAt(parent, Z(name), times, Kernel.AT_SYMLINK_NOFOLLOW);
        if (result != 0)
            throw Failed("set the time of", name);
    }

    /// <summary>An extended attribute of an open file; null when it has none of the name.</summary>
    public static byte[]? GetAttribute(SafeFileHandle file, string name)
    {
        Span<byte> buffer = stackalloc byte[4096];
        nint length = Libc.FGetXAttr(file, Z(TarPath.Encode(name)), buffer, (nuint)buffer.Length);
        if (length >= 0)
            return buffer[..(int)length].ToArray();

        return LinuxError.Last is Kernel.ENODATA or Kernel.EOPNOTSUPP ? null : throw Failed("read the attribute", name);
    }

    public static void SetAttribute(SafeFileHandle file, string name, ReadOnlySpan<byte> value)
    {
        if (Libc.FSetXAttr(file, Z(TarPath.Encode(name)), value, (nuint)value.Length, 0) != 0)
            throw Failed("set the attribute", name);
    }

    public static void RemoveAttribute(SafeFileHandle file, string name)
    {
        if (Libc.FRemoveXAttr(file, Z(TarPath.Encode(name))) != 0 && LinuxError.Last is not (Kernel.ENODATA or Kernel.EOPNOTSUPP))
            throw Failed("remove the attribute", name);
    }

    /// <summary>The names of an open file's extended attributes.</summary>
    public static IReadOnlyList<string> ListAttributes(SafeFileHandle file)
    {
        Span<byte> buffer = stackalloc byte[16 << 10];
        nint length = Libc.FListXAttr(file, buffer, (nuint)buffer.Length);
        if (length < 0)
            return LinuxError.Last == Kernel.EOPNOTSUPP ? [] : throw Failed("list the attributes of", "a file");

        return length == 0 ? [] : TarPath.Decode(buffer[..(int)length]).Split('\0', StringSplitOptions.RemoveEmptyEntries);
    }

    // A file system may hold times that no calendar here does; a layer could not say them either.
    private static DateTimeOffset TimeOf(long seconds, uint nanoseconds)
    {
        long inRange = Math.Clamp(seconds, DateTimeOffset.MinValue.ToUnixTimeSeconds(), DateTimeOffset.MaxValue.ToUnixTimeSeconds() - 1);
        return DateTimeOffset.FromUnixTimeSeconds(inRange).AddTicks(nanoseconds / 100);
    }

    // The path is short-lived and mostly short; system calls want a NUL at its end.
    private static byte[] Z(ReadOnlySpan<byte> name) => LinuxPath.Terminated(name);

    private static int NoFollowOrItself(ReadOnlySpan<byte> name) => Kernel.AT_SYMLINK_NOFOLLOW | (name.IsEmpty ? Kernel.AT_EMPTY_PATH : 0);

    private static ulong DeviceNumber(int major, int minor)
    {
        ulong high = (uint)major, low = (uint)minor;
        return ((high & 0xFFFFF000) << 32) | ((high & 0xFFF) << 8) | ((low & 0xFFFFFF00) << 12) | (low & 0xFF);
    }

    private static IOException Failed(string what, ReadOnlySpan<byte> name) =>
        Failed(what, name.IsEmpty ? "an open file" : TarPath.Decode(name));

    private static IOException Failed(string what, string name) => LinuxError.Failed(what, name);
}
