using System.Globalization;
using System.Net;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Tools;

/// <summary>Mounting: overlay filesystems, images of layers, and what is mounted where.</summary>
public static class Mounts
{
    private const int MaxOptions = 4095;

    /// <summary>Mounts directories over one another, where this process and what it starts see it.</summary>
    /// <exception cref="ToolException">A path cannot be said to the kernel, or it will not have the mount.</exception>
    internal static void Overlay(OverlayMount overlay)
    {
        string options = OptionsOf(overlay);
        if (Mount("overlay", overlay.Target, "overlay", 0, options) != 0)
            throw new ToolException("mount", $"could not mount '{overlay.Target}' as overlay with '{options}': {LinuxError.Message}");
    }

    // In a path ':' and ',' would end it and '\' would hide what follows.
    internal static string OptionsOf(OverlayMount overlay)
    {
        string[] own = overlay.Upper is null ? [] : [overlay.Upper, overlay.Work!];
        string options = "lowerdir=" + string.Join(':', overlay.Lower);
        // The diff must be self-contained: no redirects into lower layers, no metadata without its data,
        // no inode numbers of the host in xattrs.
        options += ",index=off,metacopy=off,redirect_dir=off";
        if (overlay.Upper is not null)
            options += $",upperdir={overlay.Upper},workdir={overlay.Work}";
        return !overlay.Lower.Concat(own).Any(path => path.AsSpan().ContainsAny(":,\\")) && options.Length <= MaxOptions
            ? options
            : throw new ToolException("mount", $"could not mount '{overlay.Target}': the kernel does not take the paths '{options}'");
    }

    /// <summary>Mounts an image of a layer, for reading, where this process and what it starts see it; <see cref="Detach"/> takes it away.
    /// No program: mount(8) makes a loop device of every file, and the kernel then wants devices throughout.</summary>
    /// <param name="image">The image, a file.</param>
    /// <param name="devices">The files that hold its contents, in the image's order. No path holds ','.</param>
    /// <param name="target">The mount point.</param>
    /// <exception cref="ToolException">The kernel cannot mount it: it lacks EROFS or is older than 6.12, this process may not mount, or the
    /// files lie where filesystems are stacked already.</exception>
    public static void Erofs(string image, IReadOnlyList<string> devices, string target)
    {
        string options = string.Join(',', devices.Select(device => "device=" + device));
        if (devices.Any(device => device.Contains(',', StringComparison.Ordinal)) || options.Length > MaxOptions)
            throw new ToolException("mount", $"could not mount '{image}': the kernel does not take the paths '{options}'");
        if (Mount(image, target, "erofs", Kernel.MS_RDONLY, options) != 0)
            throw new ToolException("mount", $"could not mount '{image}' at '{target}' as erofs with '{options}': {LinuxError.Message}");
    }

    /// <summary>Gives the calling thread mounts and a working directory of its own: what it mounts from now on only it and the programs it
    /// starts see, and it goes with them. The thread must end when its work is done.</summary>
    /// <exception cref="ToolException">This process may not.</exception>
    internal static void Seclude(string directory)
    {
        if (Libc.Unshare(Kernel.CLONE_NEWNS) != 0 || Mount("none", "/", "none", Kernel.MS_REC | Kernel.MS_PRIVATE, "") != 0)
            throw new ToolException("mount", $"could not get mounts of its own: {LinuxError.Message}");
        if (Libc.ChDir(LinuxPath.Terminated(directory)) != 0)
            throw LinuxError.Failed("go to", directory);
    }

    /// <summary>Runs something on a thread with mounts and a working directory of its own, which are gone when it returns.</summary>
    public static Task<T> SecludedAsync<T>(string directory, IReadOnlyList<Preparation> mounts, Func<T> run)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                using var made = Preparations.Make(mounts, directory, CancellationToken.None);
                result.SetResult(run());
            }
            catch (Exception e)
            {
                // Whoever awaits the result gets it; on this thread it would end the process.
                result.SetException(e);
            }
        })
        { IsBackground = true, Name = "mounts" };
        thread.Start();
        return result.Task;
    }

    /// <summary>Makes a file that is a new network namespace, with nothing in it but a loopback that is down and routes that lead
    /// nowhere. The calling thread stays in its own.</summary>
    /// <exception cref="ToolException">This process may not.</exception>
    internal static void NewNetwork(string target, IReadOnlyList<IPNetwork> closed)
    {
        const string Own = "/proc/thread-self/ns/net";
        File.WriteAllBytes(target, []);
        using var before = new SafeFileHandle(Libc.Open(LinuxPath.Terminated(Own), Kernel.O_RDONLY | Kernel.O_CLOEXEC), ownsHandle: true);
        if (before.IsInvalid || Libc.Unshare(Kernel.CLONE_NEWNET) != 0)
            throw new ToolException("network", $"could not get a network of its own: {LinuxError.Message}");
        bool isMade = Mount(Own, target, "none", Kernel.MS_BIND, "") == 0;
        string why = LinuxError.Message;
        bool isBack = false;
        try
        {
            ClosedRoutes.Add(closed);
        }
        finally
        {
            isBack = Libc.SetNs(before, Kernel.CLONE_NEWNET) == 0;
        }

        if (!isBack)
            throw new ToolException("network", $"could not leave '{target}' again: {LinuxError.Message}");
        if (!isMade)
            throw new ToolException("network", $"could not make '{target}' a network: {why}");
    }

    /// <summary>Takes a mount away, at once for new users and for the rest when the last one is gone.</summary>
    public static void Detach(string target)
    {
        if (Libc.UMount2(LinuxPath.Terminated(target), Kernel.MNT_DETACH) != 0)
            throw new ToolException("umount", $"could not unmount '{target}': {LinuxError.Message}");
    }

    /// <summary>Mounts a filesystem in memory that only root can enter.</summary>
    internal static void Memory(MemoryMount memory)
    {
        string options = string.Create(CultureInfo.InvariantCulture, $"mode=700,size={memory.Bytes}");
        if (Mount("tmpfs", memory.Target, "tmpfs", 0, options) != 0)
            throw new ToolException("mount", $"could not mount '{memory.Target}' as tmpfs with '{options}': {LinuxError.Message}");
    }

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
