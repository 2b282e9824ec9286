using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>Copies parts of files within the kernel.</summary>
internal static partial class FileRange
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Copies a part of one file to a place in another. The bytes are shared where the filesystem can.</summary>
    public static void Copy(SafeFileHandle source, long from, SafeFileHandle target, long to, long length)
    {
        while (length > 0)
        {
            nint copied = CopyFileRange(source, ref from, target, ref to, (nuint)length, 0);
            if (copied <= 0)
            {
                CopyBytes(source, from, target, to, length);
                return;
            }

            length -= copied;
        }
    }

    // A filesystem, or a pair of them, that the kernel does not copy between.
    private static void CopyBytes(SafeFileHandle source, long from, SafeFileHandle target, long to, long length)
    {
        byte[] buffer = new byte[(int)Math.Min(length, BufferBytes)];
        while (length > 0)
        {
            int read = RandomAccess.Read(source, buffer.AsSpan(0, (int)Math.Min(length, buffer.Length)), from);
            if (read == 0)
                throw new EndOfStreamException($"a file ended at {from} and {length} bytes more were expected: it is damaged");
            RandomAccess.Write(target, buffer.AsSpan(0, read), to);
            (from, to, length) = (from + read, to + read, length - read);
        }
    }

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint CopyFileRange(SafeFileHandle source, ref long from, SafeFileHandle target, ref long to, nuint length, uint flags);
}
