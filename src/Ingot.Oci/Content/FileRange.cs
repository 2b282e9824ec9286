using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>Copies parts of files within the kernel.</summary>
public static partial class FileRange
{
    private const long PieceBytes = 32 << 20;

    // Errors that say that the kernel, or a filesystem, does not do it.
    private const int Interrupted = 4;
    private const int OtherFileSystem = 18;
    private const int InvalidArgument = 22;
    private const int NoSystemCall = 38;
    private const int NotSupported = 95;

    /// <summary>Copies a part of one file to a place in another; the bytes are shared where the filesystem can. False when the kernel does not do that between these two, and then nothing was copied; a source that ends before throws <see cref="EndOfStreamException"/>.</summary>
    public static bool TryCopy(SafeFileHandle source, long from, SafeFileHandle target, long to, long length, CancellationToken cancellationToken)
    {
        long start = from, end = from + length;
        while (from < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            nint copied = CopyFileRange(source, ref from, target, ref to, (nuint)Math.Min(end - from, PieceBytes), 0);
            if (copied == 0)
                throw Ended(end - from);
            int error = copied > 0 ? 0 : Marshal.GetLastPInvokeError();
            if (error is 0 or Interrupted)
                continue;
            if (from == start && error is OtherFileSystem or InvalidArgument or NoSystemCall or NotSupported)
                return false;
            throw new IOException($"could not copy {end - from} bytes of a file: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }

        return true;
    }

    internal static EndOfStreamException Ended(long missing) => new($"a file ended {missing} bytes early: it is damaged, or changed while it was copied");

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint CopyFileRange(SafeFileHandle source, ref long from, SafeFileHandle target, ref long to, nuint length, uint flags);
}
