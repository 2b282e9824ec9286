using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Evidence;

/// <summary>What kind of file stands in a root filesystem.</summary>
public enum RootFileType
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A symbolic link.</summary>
    SymbolicLink,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,

    /// <summary>A named pipe.</summary>
    Fifo,

    /// <summary>A socket.</summary>
    Socket,
}

/// <summary>What is known of a file without reading it.</summary>
/// <param name="Type">What kind of file it is.</param>
/// <param name="Mode">The permissions and the set-id and sticky bits: 12 bits.</param>
/// <param name="UserId">The owner's number.</param>
/// <param name="GroupId">The group's number.</param>
/// <param name="Size">Its bytes.</param>
public readonly record struct RootFileStatus(RootFileType Type, int Mode, long UserId, long GroupId, long Size);

/// <summary>A file met while walking a root filesystem.</summary>
/// <param name="Path">Its path below the root, without leading slash; bytes that are not text as <see cref="TarPath"/> has them.</param>
/// <param name="Status">What is known of it.</param>
public readonly record struct RootFile(string Path, RootFileStatus Status);

/// <summary>A root filesystem in a directory, seen as a process in it would see it: <c>/</c> is the directory, and no link leads out.</summary>
/// <remarks>The kernel resolves the paths (<see href="https://man7.org/linux/man-pages/man2/openat2.2.html">openat2 with RESOLVE_IN_ROOT</see>, Linux 5.6): a check of our own
/// could be fooled by a link. Devices, pipes and sockets are never opened.</remarks>
public sealed partial class ImageRoot : IDisposable
{
    // Files of a person's image may have any size; what is read whole are databases and lists.
    private const int MaxReadBytes = 64 << 20;

    private readonly SafeFileHandle _root;

    /// <summary>Looks at <paramref name="directory"/>, which must exist.</summary>
    public ImageRoot(string directory)
    {
        Directory = Path.GetFullPath(directory);
        int fd = Open(Terminated(Directory), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        _root = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open", Directory);
    }

    /// <summary>Where the root is on the host.</summary>
    public string Directory { get; }

    /// <summary>What is at <paramref name="path"/>, a last link not followed; null when nothing is there.</summary>
    public RootFileStatus? Status(string path)
    {
        using var file = TryOpen(path, O_PATH | O_NOFOLLOW);
        return file is null ? null : StatusOf(file);
    }

    /// <summary>What <paramref name="path"/> leads to, links followed inside the root; null when nothing is there.</summary>
    public RootFileStatus? Target(string path)
    {
        using var file = TryOpen(path, O_PATH);
        return file is null ? null : StatusOf(file);
    }

    /// <summary>The text of the link at <paramref name="path"/>; null when no link is there.</summary>
    public string? ReadLink(string path)
    {
        using var file = TryOpen(path, O_PATH | O_NOFOLLOW);
        if (file is null || StatusOf(file).Type != RootFileType.SymbolicLink)
            return null;

        Span<byte> buffer = stackalloc byte[4096];
        nint length = ReadLinkAt(Fd(file), [0], buffer, (nuint)buffer.Length);
        return length >= 0 ? TarPath.Decode(buffer[..(int)length]) : throw Failed("read the link", path);
    }

    /// <summary>The content of the regular file that <paramref name="path"/> leads to, owned by the caller; null when there is none.</summary>
    public Stream? OpenFile(string path)
    {
        using var file = TryOpen(path, O_PATH);
        if (file is null || StatusOf(file).Type != RootFileType.File)
            return null;

        // Opened again through its descriptor: what was looked at is what is read, and only a regular file is.
        int fd = Open(Terminated($"/proc/self/fd/{Fd(file)}"), O_RDONLY | O_CLOEXEC, 0);
        return fd >= 0
            ? new FileStream(new SafeFileHandle(fd, ownsHandle: true), FileAccess.Read, bufferSize: 0)
            : throw Failed("open", path);
    }

    /// <summary>The whole content of the regular file that <paramref name="path"/> leads to; null when there is none.</summary>
    public byte[]? ReadFile(string path)
    {
        using var stream = OpenFile(path);
        if (stream is null)
            return null;

        if (stream.Length > MaxReadBytes)
            throw new IOException($"'{path}' of the image has {stream.Length} bytes: at most {MaxReadBytes} are read");

        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The lines of a text file without their line breaks, each byte one character; empty when there is no such file.</summary>
    public IReadOnlyList<string> ReadLines(string path) =>
        ReadFile(path) is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes).Split('\n').Select(l => l.TrimEnd('\r')).ToList() : [];

    /// <summary>The names in the directory that <paramref name="path"/> leads to, in byte order; empty when it is none.</summary>
    public IReadOnlyList<string> List(string path)
    {
        using var directory = TryOpen(path, O_RDONLY | O_DIRECTORY);
        return directory is null ? [] : [.. Names(directory).Order(s_byteOrder)];
    }

    /// <summary>Every file below the root in the order of their paths, links not followed.</summary>
    public IEnumerable<RootFile> Walk() => Walk("");

    /// <inheritdoc/>
    public void Dispose() => _root.Dispose();

    private static readonly Comparer<string> s_byteOrder = Comparer<string>.Create(TarPath.Compare);

    private IEnumerable<RootFile> Walk(string directory)
    {
        foreach (var name in ListUnfollowed(directory))
        {
            string path = TarPath.Join(directory, name);
            if (Status(path) is not { } status)
                continue;

            yield return new RootFile(path, status);
            if (status.Type == RootFileType.Directory)
            {
                foreach (var below in Walk(path))
                    yield return below;
            }
        }
    }

    private IReadOnlyList<string> ListUnfollowed(string path)
    {
        using var directory = TryOpen(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        return directory is null ? [] : [.. Names(directory).Order(s_byteOrder)];
    }

    private SafeFileHandle? TryOpen(string path, int flags)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
            return null;

        var how = new OpenHow { Flags = (ulong)(flags | O_CLOEXEC), Resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        string relative = path.TrimStart('/');
        int fd = (int)OpenAt2(SYS_openat2, Fd(_root), Terminated(relative.Length == 0 ? "." : relative), ref how, (nuint)Marshal.SizeOf<OpenHow>());
        if (fd >= 0)
            return new SafeFileHandle(fd, ownsHandle: true);

        return Marshal.GetLastPInvokeError() is ENOENT or ENOTDIR or ELOOP or ENAMETOOLONG ? null : throw Failed("open", path);
    }

    // struct statx: mode at 28, user at 20, group at 24, size at 40.
    private static RootFileStatus StatusOf(SafeFileHandle file)
    {
        Span<byte> buffer = stackalloc byte[256];
        if (StatX(Fd(file), [0], AT_EMPTY_PATH, STATX_BASIC, buffer) != 0)
            throw Failed("look at", "an open file");

        int mode = BinaryPrimitives.ReadUInt16LittleEndian(buffer[28..]);
        return new RootFileStatus(
            TypeOf(mode & 0xF000),
            mode & 0xFFF,
            BinaryPrimitives.ReadUInt32LittleEndian(buffer[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(buffer[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(buffer[40..]));
    }

    private static RootFileType TypeOf(int format) => format switch
    {
        0x8000 => RootFileType.File,
        0x4000 => RootFileType.Directory,
        0xA000 => RootFileType.SymbolicLink,
        0x2000 => RootFileType.CharacterDevice,
        0x6000 => RootFileType.BlockDevice,
        0x1000 => RootFileType.Fifo,
        _ => RootFileType.Socket,
    };

    // struct linux_dirent64: inode (8), offset (8), record length (2), type (1), name.
    private static List<string> Names(SafeFileHandle directory)
    {
        List<string> names = [];
        var buffer = new byte[32 << 10];
        while (true)
        {
            int length = (int)GetDirectoryEntries(Fd(directory), buffer, (nuint)buffer.Length);
            if (length < 0)
                throw Failed("list", "a directory");
            if (length == 0)
                return names;

            for (int at = 0; at < length; at += BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + 16)))
            {
                var name = buffer.AsSpan(at + 19);
                name = name[..name.IndexOf((byte)0)];
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                    names.Add(TarPath.Decode(name));
            }
        }
    }

    private static byte[] Terminated(string path) => [.. TarPath.Encode(path), 0];

    private static int Fd(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    private static IOException Failed(string what, string path)
    {
        int error = Marshal.GetLastPInvokeError();
        string cure = error == 1 ? " (run as root)" : "";
        return new IOException($"could not {what} '{path}': {Marshal.GetPInvokeErrorMessage(error)}{cure}", error);
    }

#pragma warning disable SA1310, CA1707 // the kernel's own names
    private const int O_RDONLY = 0;
    private const int O_NOFOLLOW = 0x20000;
    private const int O_DIRECTORY = 0x10000;
    private const int O_CLOEXEC = 0x80000;
    private const int O_PATH = 0x200000;
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint STATX_BASIC = 0x7FF;
    private const ulong RESOLVE_NO_MAGICLINKS = 0x02;
    private const ulong RESOLVE_IN_ROOT = 0x10;
    private const int ENOENT = 2;
    private const int ENOTDIR = 20;
    private const int ENAMETOOLONG = 36;
    private const int ELOOP = 40;

    // The same number on every processor: the call is younger than the shared table.
    private const nint SYS_openat2 = 437;
#pragma warning restore SA1310, CA1707

    [StructLayout(LayoutKind.Sequential)]
    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint OpenAt2(nint number, int directory, ReadOnlySpan<byte> path, ref OpenHow how, nuint size);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int StatX(int directory, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    private static partial nint ReadLinkAt(int directory, ReadOnlySpan<byte> path, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    private static partial nint GetDirectoryEntries(int directory, Span<byte> buffer, nuint length);
}
