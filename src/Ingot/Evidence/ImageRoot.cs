using Ingot.Oci.Images;
using Ingot.Oci.Linux;
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

/// <summary>A root filesystem in a directory, seen as a process in it would see it: <c>/</c> is the directory,
/// and no link leads out.</summary>
/// <remarks>The kernel resolves the paths (<see href="https://man7.org/linux/man-pages/man2/openat2.2.html">openat2 with
/// RESOLVE_IN_ROOT</see>, Linux 5.6): a check of our own could be fooled by a link. Devices, pipes and sockets are never opened.</remarks>
public sealed class ImageRoot : IDisposable
{
    // Files of a person's image may have any size; what is read whole are databases and lists.
    private const int MaxReadBytes = 64 << 20;

    private readonly SafeFileHandle _root;

    /// <summary>Looks at <paramref name="directory"/>, which must exist.</summary>
    public ImageRoot(string directory)
    {
        Directory = Path.GetFullPath(directory);
        int fd = Libc.Open(Terminated(Directory), Kernel.O_PATH | LinuxAbi.Host.O_DIRECTORY | Kernel.O_CLOEXEC);
        _root = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open", Directory);
    }

    /// <summary>Where the root is on the host.</summary>
    public string Directory { get; }

    /// <summary>What is at <paramref name="path"/>, a last link not followed; null when nothing is there.</summary>
    public RootFileStatus? Status(string path)
    {
        using var file = TryOpen(path, Kernel.O_PATH | LinuxAbi.Host.O_NOFOLLOW);
        return file is null ? null : StatusOf(file);
    }

    /// <summary>What <paramref name="path"/> leads to, links followed inside the root; null when nothing is there.</summary>
    public RootFileStatus? Target(string path)
    {
        using var file = TryOpen(path, Kernel.O_PATH);
        return file is null ? null : StatusOf(file);
    }

    /// <summary>The text of the link at <paramref name="path"/>; null when no link is there.</summary>
    public string? ReadLink(string path)
    {
        using var file = TryOpen(path, Kernel.O_PATH | LinuxAbi.Host.O_NOFOLLOW);
        if (file is null || StatusOf(file).Type != RootFileType.SymbolicLink)
            return null;

        Span<byte> buffer = stackalloc byte[4096];
        nint length = Libc.ReadLinkAt(file, LinuxPath.Itself, buffer, (nuint)buffer.Length);
        return length >= 0 ? TarPath.Decode(buffer[..(int)length]) : throw Failed("read the link", path);
    }

    /// <summary>The content of the regular file that <paramref name="path"/> leads to, owned by the caller;
    /// null when there is none.</summary>
    public Stream? OpenFile(string path)
    {
        using var file = TryOpen(path, Kernel.O_PATH);
        if (file is null || StatusOf(file).Type != RootFileType.File)
            return null;

        // Opened again through its descriptor: what was looked at is what is read, and only a regular file is.
        int fd = Libc.Open(Terminated($"/proc/self/fd/{file.DangerousGetHandle()}"), Kernel.O_RDONLY | Kernel.O_CLOEXEC);
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

    /// <summary>The image's users and groups.</summary>
    public Accounts ReadAccounts() => Accounts.Parse(ReadFile("etc/passwd"), ReadFile("etc/group"));

    /// <summary>Whether what stands at <paramref name="path"/> has capabilities, of any version and of any user namespace;
    /// a last link is not followed.</summary>
    public bool HasCapabilities(string path)
    {
        using var file = TryOpen(path, Kernel.O_PATH | LinuxAbi.Host.O_NOFOLLOW);
        if (file is null)
            return false;

        // A descriptor that is open for its path alone gives no attributes; through its name it does.
        if (Libc.GetXAttr(Terminated($"/proc/self/fd/{file.DangerousGetHandle()}"), "security.capability\0"u8, default, 0) >= 0)
            return true;
        return LinuxError.Last is Kernel.ENODATA or Kernel.EOPNOTSUPP ? false : throw Failed("read the capabilities of", path);
    }

    /// <summary>The names in the directory that <paramref name="path"/> leads to, in byte order; empty when it is none.</summary>
    public IReadOnlyList<string> List(string path)
    {
        using var directory = TryOpen(path, Kernel.O_RDONLY | LinuxAbi.Host.O_DIRECTORY);
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
        using var directory = TryOpen(path, Kernel.O_RDONLY | LinuxAbi.Host.O_DIRECTORY | LinuxAbi.Host.O_NOFOLLOW);
        return directory is null ? [] : [.. Names(directory).Order(s_byteOrder)];
    }

    private SafeFileHandle? TryOpen(string path, int flags)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
            return null;

        var how = new OpenHow(flags, Kernel.RESOLVE_IN_ROOT | Kernel.RESOLVE_NO_MAGICLINKS);
        string relative = path.TrimStart('/');
        int fd = Libc.OpenAt2(_root, Terminated(relative.Length == 0 ? "." : relative), in how);
        if (fd >= 0)
            return new SafeFileHandle(fd, ownsHandle: true);

        return LinuxError.Last is Kernel.ENOENT or Kernel.ENOTDIR or Kernel.ELOOP or Kernel.ENAMETOOLONG
            ? null
            : throw Failed("open", path);
    }

    private static RootFileStatus StatusOf(SafeFileHandle file) =>
        Libc.StatX(file, LinuxPath.Itself, Kernel.AT_EMPTY_PATH, Kernel.STATX_BASIC_STATS, out var status) == 0
            ? new RootFileStatus(TypeOf(status.Type), status.Mode, status.UserId, status.GroupId, status.Size)
            : throw Failed("look at", "an open file");

    private static RootFileType TypeOf(int format) => format switch
    {
        Kernel.S_IFREG => RootFileType.File,
        Kernel.S_IFDIR => RootFileType.Directory,
        Kernel.S_IFLNK => RootFileType.SymbolicLink,
        Kernel.S_IFCHR => RootFileType.CharacterDevice,
        Kernel.S_IFBLK => RootFileType.BlockDevice,
        Kernel.S_IFIFO => RootFileType.Fifo,
        _ => RootFileType.Socket,
    };

    private static IEnumerable<string> Names(SafeFileHandle directory) =>
        (DirectoryEntries.TryList(directory) ?? throw Failed("list", "a directory")).Select(name => TarPath.Decode(name));

    private static byte[] Terminated(string path) => LinuxPath.Terminated(TarPath.Encode(path));

    private static IOException Failed(string what, string path) => LinuxError.Failed(what, path);
}
