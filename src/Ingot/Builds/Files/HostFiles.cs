using Ingot.Oci.Content;
using Ingot.Oci.Linux;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Builds.Files;

/// <summary>What the kernel says of a file besides its content. While a file's stamp stays the same, so does its content: no program can
/// set the time of change back.</summary>
/// <param name="Device">The filesystem.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Modified">When its content was last changed, or was said to be: nanoseconds since 1970.</param>
/// <param name="Changed">When anything of it was last changed: nanoseconds since 1970.</param>
internal readonly record struct FileStamp(ulong Device, ulong Inode, long Size, long Modified, long Changed)
{
    private const long Second = 1_000_000_000;

    // Times advance with the kernel's ticks, of which there are at least a hundred in a second; some filesystems keep seconds,
    // or two of them.
    private const long Tick = 50_000_000;

    /// <summary>Whether a change after <paramref name="now"/> would get another time, so that the stamp says all there is to say.</summary>
    public bool IsSettled(long now) => Changed < now - (Changed % Second == 0 ? 3 * Second : Tick);
}

/// <summary>What a file of the host is, links not followed.</summary>
internal readonly record struct HostFile(int TypeAndMode, FileStamp Stamp)
{
    public long Size => Stamp.Size;

    public int Mode => TypeAndMode & 0xFFF;

    /// <summary>Null for a socket, which no layer holds.</summary>
    public TarEntryType? Type => (TypeAndMode & Kernel.S_IFMT) switch
    {
        Kernel.S_IFDIR => TarEntryType.Directory,
        Kernel.S_IFREG => TarEntryType.File,
        Kernel.S_IFLNK => TarEntryType.SymbolicLink,
        Kernel.S_IFCHR => TarEntryType.CharacterDevice,
        Kernel.S_IFBLK => TarEntryType.BlockDevice,
        Kernel.S_IFIFO => TarEntryType.Fifo,
        _ => null,
    };
}

/// <summary>A directory of the host whose files are reached without ever leaving it: no component of a path may be a link or lead upwards.
/// Paths are as in layers.</summary>
internal sealed partial class HostFiles : IDisposable
{
    private readonly SafeFileHandle _root;

    /// <summary>Opens a directory, following links in <paramref name="directory"/> itself.</summary>
    public HostFiles(string directory)
    {
        int fd = Libc.Open(Z(directory), LinuxAbi.Host.O_DIRECTORY | Kernel.O_CLOEXEC);
        _root = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open the directory", directory);
    }

    public void Dispose() => _root.Dispose();

    /// <summary>What is at a path; null when nothing is, or when a component on the way is a link or no directory.</summary>
    public HostFile? Find(string path)
    {
        using var file = TryOpen(path, Kernel.O_PATH | LinuxAbi.Host.O_NOFOLLOW);
        return file is null ? null : Status(file, path);
    }

    /// <summary>What is in a directory, in the order of layers.</summary>
    public IReadOnlyList<(string Name, HostFile File)> List(string path)
    {
        using var directory = TryOpen(path, LinuxAbi.Host.O_DIRECTORY) ?? throw Failed("open the directory", path);
        var children = new List<(string, HostFile)>();
        foreach (byte[] name in DirectoryEntries.TryList(directory) ?? throw Failed("list", path))
        {
            // A file that was deleted since is not there.
            if (TryStatusAt(directory, name) is { } status)
                children.Add((TarPath.Decode(name), status));
        }

        children.Sort((a, b) => TarPath.Compare(a.Item1, b.Item1));
        return children;
    }

    /// <summary>The text of a symbolic link.</summary>
    public string ReadLink(string path)
    {
        using var link = TryOpen(path, Kernel.O_PATH | LinuxAbi.Host.O_NOFOLLOW) ?? throw Failed("read the link", path);
        Span<byte> buffer = stackalloc byte[4096];
        nint length = Libc.ReadLinkAt(link, LinuxPath.Itself, buffer, (nuint)buffer.Length);
        return length >= 0 ? TarPath.Decode(buffer[..(int)length]) : throw Failed("read the link", path);
    }

    /// <summary>A stream over a regular file, owned by the caller.</summary>
    // Not blocking: a file may have become a pipe since it was looked at.
    public Stream OpenRead(string path) =>
        new HostFileStream(TryOpen(path, Kernel.O_RDONLY | Kernel.O_NONBLOCK) ?? throw Failed("open", path));

    /// <summary>Makes a directory with exactly that mode, whatever the umask is; one that is there gets it.</summary>
    public static void MakeDirectory(string path, int mode)
    {
        Directory.CreateDirectory(path);
        if (Libc.ChMod(Z(path), (uint)mode) != 0)
            throw Failed("set the mode of", path);
    }

    /// <summary>When a file's content, and when anything of it last changed, as the kernel says; null when it is not there.</summary>
    public static (DateTimeOffset Modified, DateTimeOffset Changed)? Times(string path) =>
        StampOf(path) is { } stamp ? (TimeAt(stamp.Modified), TimeAt(stamp.Changed)) : null;

    /// <summary>Gives a file another name; false when the file system does not, or not once more.</summary>
    public static bool TryLink(string file, string name) => Libc.Link(Z(file), Z(name)) == 0;

    /// <summary>What a file takes on its disk in bytes, shared among its names; 0 for a directory; null when it is not there.</summary>
    public static (bool IsDirectory, long Bytes)? DiskUsage(string path)
    {
        if (Libc.StatX(Kernel.AT_FDCWD, Z(path), Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS, out var status) == 0)
            return status.Type == Kernel.S_IFDIR ? (true, 0) : (false, status.AllocatedBytes / status.Links);
        return LinuxError.Last == Kernel.ENOENT ? null : throw Failed("look at", path);
    }

    /// <summary>The stamp of a file, links not followed; null when it is not there.</summary>
    public static FileStamp? StampOf(string path)
    {
        if (Libc.StatX(Kernel.AT_FDCWD, Z(path), Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS, out var status) == 0)
            return FileOf(status).Stamp;
        return LinuxError.Last == Kernel.ENOENT ? null : throw Failed("look at", path);
    }

    /// <summary>Gives a file or directory to someone; a last link is not followed.</summary>
    public static void SetOwner(string path, long userId, long groupId)
    {
        if (Libc.LChOwn(Z(path), checked((uint)userId), checked((uint)groupId)) != 0)
            throw Failed("set the owner of", path);
    }

    /// <summary>Waits until the filesystem of the directory has written everything it was given.</summary>
    public void SyncFilesystem()
    {
        if (Libc.SyncFs(_root) != 0)
            throw Failed("sync", "the filesystem");
    }

    private SafeFileHandle? TryOpen(string path, int flags)
    {
        var how = new OpenHow(flags, Kernel.RESOLVE_BENEATH | Kernel.RESOLVE_NO_SYMLINKS | Kernel.RESOLVE_NO_MAGICLINKS);
        int fd = Libc.OpenAt2(_root, Z(path.Length == 0 ? "." : path), in how);
        if (fd >= 0)
            return new SafeFileHandle(fd, ownsHandle: true);

        return LinuxError.Last is Kernel.ENOENT or Kernel.ENOTDIR or Kernel.ELOOP ? null : throw Failed("open", path);
    }

    private static HostFile Status(SafeFileHandle file, string path) =>
        Libc.StatX(file, LinuxPath.Itself, Kernel.AT_EMPTY_PATH | Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS, out var status) == 0
            ? FileOf(status)
            : throw Failed("look at", path);

    private static HostFile? TryStatusAt(SafeFileHandle directory, byte[] name)
    {
        if (Libc.StatX(directory, LinuxPath.Terminated(name), Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS, out var status) == 0)
            return FileOf(status);
        return LinuxError.Last == Kernel.ENOENT ? null : throw Failed("look at", TarPath.Decode(name));
    }

    private static HostFile FileOf(in StatX status) => new(
        status.TypeAndMode, new FileStamp(status.Device, status.Inode, status.Size, status.Modified.TotalNanoseconds,
            status.Changed.TotalNanoseconds));

    private static DateTimeOffset TimeAt(long nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);

    private static byte[] Z(string path) => LinuxPath.Terminated(TarPath.Encode(path));

    private static IOException Failed(string what, string path) => LinuxError.Failed(what, path);

    /// <summary>Reads a file from its start: neither asks first what kind of file it is nor takes another thread for it, which for a small
    /// file is most of the work.</summary>
    private sealed class HostFileStream(SafeFileHandle file) : ReadingStream
    {
        public override int Read(Span<byte> buffer)
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

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            cancellationToken.IsCancellationRequested
                ? ValueTask.FromCanceled<int>(cancellationToken)
                : new(Read(buffer.Span));

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                file.Dispose();
            base.Dispose(disposing);
        }
    }
}
