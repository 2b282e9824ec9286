using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>The one thing to do with a directory that .NET cannot.</summary>
public static class LinuxDirectory
{
    /// <summary>Waits until the names in a directory are on disk.</summary>
    public static void Sync(string directory)
    {
        using var handle = new SafeFileHandle(
            Libc.Open(LinuxPath.Terminated(directory), LinuxAbi.Host.O_DIRECTORY | Kernel.O_CLOEXEC), ownsHandle: true);
        if (handle.IsInvalid)
            throw LinuxError.Failed("open the directory", directory);
        if (Libc.FSync(handle) != 0)
            throw LinuxError.Failed("sync the directory", directory);
    }
}
