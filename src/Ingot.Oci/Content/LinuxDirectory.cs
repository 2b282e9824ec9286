using System.Runtime.InteropServices;

namespace Ingot.Oci.Content;

/// <summary>The one thing to do with a directory that .NET cannot.</summary>
internal static partial class LinuxDirectory
{
    // O_RDONLY | O_DIRECTORY | O_CLOEXEC
    private const int OpenDirectory = 0x10000 | 0x80000;

    /// <summary>Waits until the names in a directory are on disk.</summary>
    public static void Sync(string directory)
    {
        int descriptor = Open(directory, OpenDirectory);
        if (descriptor < 0)
            throw new IOException($"the directory '{directory}' could not be opened: {Marshal.GetLastPInvokeErrorMessage()}");

        int result = SyncFile(descriptor);
        string error = Marshal.GetLastPInvokeErrorMessage();
        _ = Close(descriptor);
        if (result != 0)
            throw new IOException($"the directory '{directory}' could not be synced: {error}");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
