using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>Makes names durable: a file that was renamed into a directory keeps its name through a power cut only when the directory was synced too. The base library cannot open one.</summary>
internal static partial class DirectorySync
{
    private const int CloseOnExec = 0x80000;

    public static void Flush(string directory)
    {
        int fd = Open([.. Encoding.UTF8.GetBytes(directory), 0], CloseOnExec);
        if (fd < 0)
            throw Failed(directory);

        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        if (FSync(handle) != 0)
            throw Failed(directory);
    }

    private static IOException Failed(string directory) => new($"could not sync the directory '{directory}': {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(ReadOnlySpan<byte> path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);
}
