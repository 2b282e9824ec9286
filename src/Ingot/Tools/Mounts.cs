using System.Globalization;
using Ingot.Oci.Linux;

namespace Ingot.Tools;

/// <summary>An image of a layer to be mounted.</summary>
/// <param name="Image">The image, a file.</param>
/// <param name="Devices">The files that hold its contents, in the image's order.</param>
/// <param name="Target">The mount point.</param>
public sealed record ImageMount(string Image, IReadOnlyList<string> Devices, string Target);

/// <summary>Mounting: overlay filesystems, images of layers, and what is mounted where.</summary>
public static class Mounts
{
    private const int MaxOptions = 4095;

    /// <summary>Mounts directories over one another. Paths are relative to <paramref name="directory"/> where they can be: the kernel takes at most a page of options.</summary>
    /// <param name="directory">Where the command runs.</param>
    /// <param name="lower">The lower directories, uppermost first, at least one. A path holds neither ',' nor ':'.</param>
    /// <param name="upper">Where changes go; null for a mount that cannot be written (which needs two lower directories).</param>
    /// <param name="work">The kernel's own directory on the filesystem of <paramref name="upper"/>; null without one.</param>
    /// <param name="target">The mount point.</param>
    public static Command Overlay(string directory, IReadOnlyList<string> lower, string? upper, string? work, string target)
    {
        string options = "lowerdir=" + string.Join(':', lower);
        // The diff must be self-contained: no redirects into lower layers, no metadata without its data, no inode numbers of the host in xattrs.
        options += ",index=off,metacopy=off,redirect_dir=off";
        if (upper is not null)
            options += $",upperdir={upper},workdir={work}";
        return new Command("mount", "-t", "overlay", "overlay", "-o", options, target) { Directory = directory };
    }

    /// <summary>Mounts an image of a layer: see <see cref="Erofs(string, IReadOnlyList{string}, string)"/>.</summary>
    public static void Erofs(ImageMount mount) => Erofs(mount.Image, mount.Devices, mount.Target);

    /// <summary>Mounts an image of a layer, for reading, where this process and what it starts see it; <see cref="Detach"/> takes it away. No program: mount(8) makes a loop device of every file, and the kernel then wants devices throughout.</summary>
    /// <param name="image">The image, a file.</param>
    /// <param name="devices">The files that hold its contents, in the image's order. No path holds ','.</param>
    /// <param name="target">The mount point.</param>
    /// <exception cref="ToolException">The kernel cannot mount it: it lacks EROFS or is older than 6.12, this process may not mount, or the files lie where filesystems are stacked already.</exception>
    public static void Erofs(string image, IReadOnlyList<string> devices, string target)
    {
        string options = string.Join(',', devices.Select(device => "device=" + device));
        if (devices.Any(device => device.Contains(',', StringComparison.Ordinal)) || options.Length > MaxOptions)
            throw new ToolException("mount", $"could not mount '{image}': the kernel does not take the paths '{options}'");
        if (Mount(image, target, "erofs", Kernel.MS_RDONLY, options) != 0)
            throw new ToolException("mount", $"could not mount '{image}' at '{target}' as erofs with '{options}': {LinuxError.Message}");
    }

    /// <summary>Gives the calling thread mounts of its own: what it mounts from now on only it and the programs it starts see, and it goes with them. The thread must end when its work is done.</summary>
    /// <exception cref="ToolException">This process may not.</exception>
    public static void Seclude()
    {
        if (Libc.Unshare(Kernel.CLONE_NEWNS) != 0 || Mount("none", "/", "none", Kernel.MS_REC | Kernel.MS_PRIVATE, "") != 0)
            throw new ToolException("mount", $"could not get mounts of its own: {LinuxError.Message}");
    }

    /// <summary>Takes a mount away as <see cref="Unmount"/> does, without a program.</summary>
    public static void Detach(string target)
    {
        if (Libc.UMount2(LinuxPath.Terminated(target), Kernel.MNT_DETACH) != 0)
            throw new ToolException("umount", $"could not unmount '{target}': {LinuxError.Message}");
    }

    /// <summary>Mounts a filesystem in memory that only root can enter.</summary>
    /// <param name="target">The mount point.</param>
    /// <param name="bytes">How large it may become.</param>
    public static Command Memory(string target, long bytes) =>
        new("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"mode=700,size={bytes}"), "tmpfs", target);

    /// <summary>Writes exactly <paramref name="bytes"/> of the standard input to a file, and takes no more of it.</summary>
    public static Command Receive(string path, int bytes) =>
        new("dd", "status=none", "iflag=fullblock,count_bytes", "bs=64K", string.Create(CultureInfo.InvariantCulture, $"count={bytes}"), "of=" + path);

    /// <summary>Takes a mount away, at once for new users and for the rest when the last one is gone.</summary>
    public static Command Unmount(string target) => new("umount", "--lazy", target);

    /// <summary>The mount points at or below a directory, deepest first.</summary>
    public static IReadOnlyList<string> Below(string directory) => Below(File.ReadLines("/proc/self/mountinfo"), directory);

    // https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts: the fifth field, blanks as octal escapes.
    internal static IReadOnlyList<string> Below(IEnumerable<string> mountInfo, string directory)
    {
        string prefix = directory.TrimEnd('/') + "/";
        return [.. mountInfo
            .Select(line => Unescape(line.Split(' ')[4]))
            .Where(path => (path + "/").StartsWith(prefix, StringComparison.Ordinal))
            .OrderByDescending(path => path.Length)];
    }

    private static string Unescape(string field)
    {
        for (int i = field.IndexOf('\\', StringComparison.Ordinal); i >= 0; i = field.IndexOf('\\', i + 1))
        {
            int value = field.AsSpan(i + 1, 3).ToString().Aggregate(0, (sum, digit) => sum * 8 + (digit - '0'));
            field = string.Create(CultureInfo.InvariantCulture, $"{field[..i]}{(char)value}{field[(i + 4)..]}");
        }

        return field;
    }

    private static int Mount(string source, string target, string type, nuint flags, string options) => Libc.Mount(
        LinuxPath.Terminated(source), LinuxPath.Terminated(target), LinuxPath.Terminated(type), flags, LinuxPath.Terminated(options));
}
