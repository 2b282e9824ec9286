using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Linux;

/// <summary>How a path was answered.</summary>
public enum PathAnswer
{
    /// <summary>It is open.</summary>
    Found,

    /// <summary>Nothing is there.</summary>
    Missing,

    /// <summary>It leads out of the directory, or over a link where none may be.</summary>
    Outside,
}

/// <summary>A file or directory that was found: what it is cannot change any more, whatever happens to its name.</summary>
public sealed class FoundFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    internal FoundFile(SafeFileHandle handle, StatX status)
    {
        _handle = handle;
        Status = status;
    }

    /// <summary>What it is.</summary>
    public StatX Status { get; }

    /// <summary>A path of it that holds as long as this is open, and for this process only.</summary>
    public string HandlePath => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_handle.DangerousGetHandle()}");

    /// <summary>Where it is, without links; what the kernel says when it is asked for the last time.</summary>
    public string Path => File.ResolveLinkTarget(HandlePath, returnFinalTarget: false)!.FullName;

    /// <summary>Its content, owned by the caller; only of a regular file.</summary>
    public FileStream OpenRead() => Status.Type == Kernel.S_IFREG
        ? new FileStream(HandlePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0)
        : throw new InvalidOperationException("only a regular file is read");

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}

/// <summary>A directory of the host beneath which files are found: links are resolved inside it, and what leads out of it is not opened,
/// also while somebody exchanges names. Nothing is opened for reading before it is known what it is: no pipe is waited for,
/// and no device is touched.</summary>
/// <remarks>The kernel resolves the paths (<see href="https://man7.org/linux/man-pages/man2/openat2.2.html">openat2 with
/// RESOLVE_BENEATH</see>): a check of our own would be true only until the next rename.</remarks>
public sealed class RootedDirectory : IDisposable
{
    private readonly SafeFileHandle _root;

    /// <summary>Opens a directory, following links in <paramref name="directory"/> itself.
    /// Throws <see cref="IOException"/> where there is none.</summary>
    public RootedDirectory(string directory)
    {
        int fd = Libc.Open(LinuxPath.Terminated(directory), LinuxAbi.Host.O_DIRECTORY | Kernel.O_PATH | Kernel.O_CLOEXEC);
        _root = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw LinuxError.Failed("open the directory", directory);
    }

    /// <summary>A path of it that holds as long as this is open, and for this process only.</summary>
    public string HandlePath => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_root.DangerousGetHandle()}");

    /// <summary>Where it is, without links.</summary>
    public string Path => File.ResolveLinkTarget(HandlePath, returnFinalTarget: false)!.FullName;

    /// <summary>Finds what is at a path, the file that a link leads to. What is neither there nor outside, and cannot be opened, throws
    /// <see cref="IOException"/>.</summary>
    /// <param name="path">Relative to the directory; an absolute one is outside.</param>
    /// <param name="answer">How it was answered.</param>
    /// <param name="followsLinks">Whether links on the way are followed; where not, they are outside.</param>
    public FoundFile? Find(string path, out PathAnswer answer, bool followsLinks = true) =>
        Find(_root, path, Kernel.RESOLVE_BENEATH | Kernel.RESOLVE_NO_MAGICLINKS | (followsLinks ? 0 : Kernel.RESOLVE_NO_SYMLINKS),
            out answer);

    /// <summary>Finds what is at an absolute path of a person's, wherever links lead.</summary>
    public static FoundFile? FindNamed(string path)
    {
        using var top = new RootedDirectory("/");
        return Find(top._root, path, resolve: 0, out _);
    }

    /// <summary>Finds what is at an absolute path in which no link may be: one that was resolved before,
    /// and is still what it was then.</summary>
    public static FoundFile? FindResolved(string path, out PathAnswer answer)
    {
        using var top = new RootedDirectory("/");
        return Find(top._root, path, Kernel.RESOLVE_NO_SYMLINKS | Kernel.RESOLVE_NO_MAGICLINKS, out answer);
    }

    /// <inheritdoc/>
    public void Dispose() => _root.Dispose();

    private static FoundFile? Find(SafeFileHandle root, string path, ulong resolve, out PathAnswer answer)
    {
        int fd = Libc.OpenAt2(root, LinuxPath.Terminated(path.Length == 0 ? "." : path), new OpenHow(Kernel.O_PATH, resolve));
        if (fd >= 0)
        {
            answer = PathAnswer.Found;
            return Found(new SafeFileHandle(fd, ownsHandle: true), path);
        }

        answer = AnswerOf(LinuxError.Last) ?? throw LinuxError.Failed("open", path);
        return null;
    }

    private static PathAnswer? AnswerOf(int error) => error switch
    {
        Kernel.ENOENT or Kernel.ENOTDIR => PathAnswer.Missing,
        Kernel.EXDEV or Kernel.ELOOP => PathAnswer.Outside,
        _ => null,
    };

    private static FoundFile Found(SafeFileHandle handle, string path)
    {
        if (Libc.StatX(handle, LinuxPath.Itself, Kernel.AT_EMPTY_PATH | Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS,
            out var status) == 0)
            return new FoundFile(handle, status);
        handle.Dispose();
        throw LinuxError.Failed("look at", path);
    }
}
