using System.Runtime.InteropServices;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Builds;

/// <summary>What the kernel says of a file besides its content. While a file's stamp stays the same, so does its content: no program can set the time of change back.</summary>
/// <param name="Device">The filesystem.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Modified">When its content was last changed, or was said to be: nanoseconds since 1970.</param>
/// <param name="Changed">When anything of it was last changed: nanoseconds since 1970.</param>
internal readonly record struct FileStamp(ulong Device, ulong Inode, long Size, long Modified, long Changed)
{
    private const long Second = 1_000_000_000;

    // Times advance with the kernel's ticks, of which there are at least a hundred in a second; some filesystems keep seconds, or two of them.
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
    public TarEntryType? Type => (TypeAndMode & 0xF000) switch
    {
        0x4000 => TarEntryType.Directory,
        0x8000 => TarEntryType.File,
        0xA000 => TarEntryType.SymbolicLink,
        0x2000 => TarEntryType.CharacterDevice,
        0x6000 => TarEntryType.BlockDevice,
        0x1000 => TarEntryType.Fifo,
        _ => null,
    };
}

/// <summary>A directory of the host whose files are reached without ever leaving it: no component of a path may be a link or lead upwards. Paths are as in layers.</summary>
internal sealed unsafe partial class HostFiles : IDisposable
{
    private const int NoEntry = 2;
    private const int Interrupted = 4;
    private const int NotDirectory = 20;
    private const int TooManyLinks = 40;

    // AT_FDCWD.
    private const int CurrentDirectory = -100;
    private const int ReadOnly = 0;
    private const int NonBlocking = 0x800;
    private const int PathOnly = 0x200000;
    private const int CloseOnExec = 0x80000;
    private const int EmptyPath = 0x1000;
    private const int NoFollow = 0x100;

    // https://man7.org/linux/man-pages/man2/openat2.2.html, Linux 5.6.
    private const nint OpenAt2 = 437;
    private const ulong ResolveNoMagicLinks = 2;
    private const ulong ResolveNoLinks = 4;
    private const ulong ResolveBeneath = 8;

    private static readonly bool s_isArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;
    private static readonly int s_directory = s_isArm ? 0x4000 : 0x10000;
    private static readonly int s_noFollow = s_isArm ? 0x8000 : 0x20000;

    private readonly SafeFileHandle _root;

    /// <summary>Opens a directory, following links in <paramref name="directory"/> itself.</summary>
    public HostFiles(string directory)
    {
        int fd = Open(Z(directory), s_directory | CloseOnExec);
        _root = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open the directory", directory);
    }

    public void Dispose() => _root.Dispose();

    /// <summary>What is at a path; null when nothing is, or when a component on the way is a link or no directory.</summary>
    public HostFile? Find(string path)
    {
        using var file = TryOpen(path, PathOnly | s_noFollow);
        return file is null ? null : Status(file, path);
    }

    /// <summary>What is in a directory, in the order of layers.</summary>
    public IReadOnlyList<(string Name, HostFile File)> List(string path)
    {
        using var directory = TryOpen(path, s_directory) ?? throw Failed("open the directory", path);
        var children = new List<(string, HostFile)>();
        foreach (byte[] name in Names(directory, path))
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
        using var link = TryOpen(path, PathOnly | s_noFollow) ?? throw Failed("read the link", path);
        Span<byte> buffer = stackalloc byte[4096];
        nint length = ReadLinkAt(link, Z(""), buffer, (nuint)buffer.Length);
        return length >= 0 ? TarPath.Decode(buffer[..(int)length]) : throw Failed("read the link", path);
    }

    /// <summary>A stream over a regular file, owned by the caller.</summary>
    // Not blocking: a file may have become a pipe since it was looked at.
    public Stream OpenRead(string path) => new HostFileStream(TryOpen(path, ReadOnly | NonBlocking) ?? throw Failed("open", path));

    /// <summary>Makes a directory with exactly that mode, whatever the umask is; one that is there gets it.</summary>
    public static void MakeDirectory(string path, int mode)
    {
        Directory.CreateDirectory(path);
        if (ChangeMode(Z(path), (uint)mode) != 0)
            throw Failed("set the mode of", path);
    }

    /// <summary>When a file's content, and when anything of it last changed, as the kernel says; null when it is not there.</summary>
    public static (DateTimeOffset Modified, DateTimeOffset Changed)? Times(string path) => StampOf(path) is { } stamp ? (TimeAt(stamp.Modified), TimeAt(stamp.Changed)) : null;

    /// <summary>Gives a file another name; false when the file system does not, or not once more.</summary>
    public static bool TryLink(string file, string name) => MakeLink(Z(file), Z(name)) == 0;

    /// <summary>What a file takes on its disk in bytes, shared among its names; 0 for a directory; null when it is not there.</summary>
    public static (bool IsDirectory, long Bytes)? DiskUsage(string path)
    {
        Span<byte> buffer = stackalloc byte[256];
        // struct statx, linux/stat.h: the number of names at 16, blocks of 512 bytes at 48.
        if (StatX(CurrentDirectory, Z(path), NoFollow, 0x7FF, buffer) == 0)
            return Read(buffer).Type == TarEntryType.Directory ? (true, 0) : (false, BitConverter.ToInt64(buffer[48..]) * 512 / BitConverter.ToUInt32(buffer[16..]));
        return Marshal.GetLastPInvokeError() == NoEntry ? null : throw Failed("look at", path);
    }

    /// <summary>The stamp of a file, links not followed; null when it is not there.</summary>
    public static FileStamp? StampOf(string path)
    {
        Span<byte> buffer = stackalloc byte[256];
        if (StatX(CurrentDirectory, Z(path), NoFollow, 0x7FF, buffer) == 0)
            return Read(buffer).Stamp;
        return Marshal.GetLastPInvokeError() == NoEntry ? null : throw Failed("look at", path);
    }

    /// <summary>Gives a file or directory to someone; a last link is not followed.</summary>
    public static void SetOwner(string path, long userId, long groupId)
    {
        if (ChangeOwner(Z(path), checked((uint)userId), checked((uint)groupId)) != 0)
            throw Failed("set the owner of", path);
    }

    /// <summary>Waits until the filesystem of the directory has written everything it was given.</summary>
    public void SyncFilesystem()
    {
        if (SyncFs(_root) != 0)
            throw Failed("sync", "the filesystem");
    }

    private SafeFileHandle? TryOpen(string path, int flags)
    {
        ulong* how = stackalloc ulong[3] { (ulong)(flags | CloseOnExec), 0, ResolveBeneath | ResolveNoLinks | ResolveNoMagicLinks };
        while (true)
        {
            nint fd = SystemCall(OpenAt2, _root, Z(path.Length == 0 ? "." : path), how, 24);
            if (fd >= 0)
                return new SafeFileHandle(fd, ownsHandle: true);

            switch (Marshal.GetLastPInvokeError())
            {
                // EAGAIN: something was renamed meanwhile and the kernel could not be sure.
                case Interrupted or 11:
                    continue;
                case NoEntry or NotDirectory or TooManyLinks:
                    return null;
                default:
                    throw Failed("open", path);
            }
        }
    }

    private static HostFile Status(SafeFileHandle file, string path)
    {
        Span<byte> buffer = stackalloc byte[256];
        return StatX(file, Z(""), EmptyPath | NoFollow, 0x7FF, buffer) == 0 ? Read(buffer) : throw Failed("look at", path);
    }

    private static HostFile? TryStatusAt(SafeFileHandle directory, byte[] name)
    {
        Span<byte> buffer = stackalloc byte[256];
        if (StatX(directory, [.. name, 0], NoFollow, 0x7FF, buffer) == 0)
            return Read(buffer);
        return Marshal.GetLastPInvokeError() == NoEntry ? null : throw Failed("look at", TarPath.Decode(name));
    }

    // struct statx, linux/stat.h: mode at 28, inode at 32, size at 40, times of change at 96 and of modification at 112, device at 136.
    private static HostFile Read(ReadOnlySpan<byte> statx) => new(
        BitConverter.ToUInt16(statx[28..]),
        new FileStamp(BitConverter.ToUInt64(statx[136..]), BitConverter.ToUInt64(statx[32..]), BitConverter.ToInt64(statx[40..]), NanosecondsAt(statx[112..]), NanosecondsAt(statx[96..])));

    private static long NanosecondsAt(ReadOnlySpan<byte> time) => (BitConverter.ToInt64(time) * 1_000_000_000) + BitConverter.ToUInt32(time[8..]);

    private static DateTimeOffset TimeAt(long nanoseconds) => DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);

    private static List<byte[]> Names(SafeFileHandle directory, string path)
    {
        var names = new List<byte[]>();
        byte[] buffer = new byte[32 << 10];
        while (true)
        {
            int length = (int)GetDirectoryEntries(directory, buffer, (nuint)buffer.Length);
            if (length < 0)
                throw Failed("list", path);
            if (length == 0)
                return names;

            // struct linux_dirent64: inode, offset, record length at 16, type, name at 19.
            for (var rest = (ReadOnlySpan<byte>)buffer.AsSpan(0, length); !rest.IsEmpty; rest = rest[BitConverter.ToUInt16(rest[16..])..])
            {
                var name = rest[19..];
                name = name[..name.IndexOf((byte)0)];
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                    names.Add(name.ToArray());
            }
        }
    }

    private static byte[] Z(string path) => [.. TarPath.Encode(path), 0];

    private static IOException Failed(string what, string path)
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException($"could not {what} '{path}': {Marshal.GetPInvokeErrorMessage(error)}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(ReadOnlySpan<byte> path, int flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, SafeFileHandle directory, ReadOnlySpan<byte> path, ulong* how, nuint size);

    /// <summary>Reads a file from its start: neither asks first what kind of file it is nor takes another thread for it, which for a small file is most of the work.</summary>
    private sealed class HostFileStream(SafeFileHandle file) : ReadingStream
    {
        public override int Read(Span<byte> buffer)
        {
            while (true)
            {
                nint read = HostFiles.Read(file, buffer, (nuint)buffer.Length);
                if (read >= 0)
                    return (int)read;
                if (Marshal.GetLastPInvokeError() != Interrupted)
                    throw Failed("read", "a file");
            }
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<int>(cancellationToken)
            : new(Read(buffer.Span));

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                file.Dispose();
            base.Dispose(disposing);
        }
    }

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle file, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatX(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatX(int directory, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    private static partial nint GetDirectoryEntries(SafeFileHandle directory, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true)]
    private static partial int MakeLink(ReadOnlySpan<byte> file, ReadOnlySpan<byte> name);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true)]
    private static partial int ChangeMode(ReadOnlySpan<byte> path, uint mode);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true)]
    private static partial int ChangeOwner(ReadOnlySpan<byte> path, uint userId, uint groupId);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(SafeFileHandle directory);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    private static partial nint ReadLinkAt(SafeFileHandle directory, ReadOnlySpan<byte> path, Span<byte> buffer, nuint length);
}
