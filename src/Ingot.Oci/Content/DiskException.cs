using Ingot.Oci.Linux;

namespace Ingot.Oci.Content;

/// <summary>A disk does not take what is written to it, and will not when it is tried again. The message says which disk, and how much is
/// missing.</summary>
public sealed class DiskException : IOException
{
    private const int MountPointField = 4;
    private const int LargestReserve = 20;

    private DiskException(string message, int error, Exception? inner)
        : base(message, inner) => HResult = error;

    /// <summary>What a failure to write to a file comes to; null when it has another cause than the disk.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytes">How much was to be written.</param>
    /// <param name="failure">What went wrong.</param>
    public static DiskException? Of(string path, long bytes, Exception failure)
    {
        int error = failure is UnauthorizedAccessException ? failure.InnerException?.HResult ?? Kernel.EACCES : failure.HResult;
        string? why = error switch
        {
            Kernel.ENOSPC => Full(path, bytes),
            Kernel.EDQUOT => $"the quota of the disk at '{MountPointOf(path)}' is used up: {bytes} bytes more are needed",
            Kernel.EROFS => $"the disk at '{MountPointOf(path)}' cannot be written: it is mounted read-only",
            Kernel.EACCES or Kernel.EPERM => $"the disk at '{MountPointOf(path)}' does not let this user write there",
            _ => null,
        };
        bool isNew = failure is not DiskException && failure is IOException or UnauthorizedAccessException;
        return isNew && why is not null ? new DiskException($"could not write '{path}': {why}", error, failure) : null;
    }

    /// <summary>Refuses to begin what has no room.</summary>
    /// <param name="directory">Where it will be written.</param>
    /// <param name="bytes">How much will be written.</param>
    /// <param name="what">What it is, for people.</param>
    /// <exception cref="DiskException">It has no room.</exception>
    public static void Require(string directory, long bytes, string what)
    {
        long free = new DriveInfo(directory).AvailableFreeSpace;
        if (free < bytes)
            throw new DiskException($"{what} has no room: {Full(directory, bytes)}", Kernel.ENOSPC, inner: null);
    }

    /// <summary>Refuses to go on with what has no known end when it comes to what must stay free.</summary>
    /// <param name="directory">Where it is written.</param>
    /// <param name="reserve">What must stay free; of a small disk a twentieth.</param>
    /// <param name="what">What it is, for people.</param>
    /// <exception cref="DiskException">It came to that.</exception>
    public static void RequireReserve(string directory, long reserve, string what) =>
        Require(directory, Math.Min(reserve, new DriveInfo(directory).TotalSize / LargestReserve), what);

    private static string Full(string path, long bytes)
    {
        long free = new DriveInfo(Path.GetDirectoryName(path) is { Length: > 0 } directory ? directory : "/").AvailableFreeSpace;
        string missing = bytes > free ? $", and {bytes - free} bytes are missing" : "";
        return $"the disk at '{MountPointOf(path)}' is full: {free} bytes are free{missing}; make room on it";
    }

    // https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts: of several at one place the last is seen.
    private static string MountPointOf(string path)
    {
        string full = Path.GetFullPath(path);
        return File.ReadLines("/proc/self/mountinfo")
            .Select(line => line.Split(' ').ElementAtOrDefault(MountPointField) ?? "/")
            .Select(point => point.Replace("\\040", " ", StringComparison.Ordinal))
            .Where(point => point == "/" || full == point || full.StartsWith(point + "/", StringComparison.Ordinal))
            .MaxBy(point => point.Length) ?? "/";
    }
}
