using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Linux;

/// <summary>Lists open directories: <c>struct linux_dirent64</c>
/// (<see href="https://man7.org/linux/man-pages/man2/getdents.2.html">getdents64</see>).</summary>
public static class DirectoryEntries
{
    /// <summary>Where in an entry its length is, two bytes.</summary>
    public const int LengthAt = 16;

    /// <summary>Where in an entry its name begins, which a NUL ends.</summary>
    public const int NameAt = 19;

    private const int BufferBytes = 32 << 10;

    /// <summary>The names in a directory, in no order, without <c>.</c> and <c>..</c>; null when it cannot be listed:
    /// <see cref="LinuxError"/> knows why.</summary>
    public static List<byte[]>? TryList(SafeFileHandle directory)
    {
        var names = new List<byte[]>();
        Span<byte> buffer = stackalloc byte[BufferBytes];
        while (true)
        {
            int length = (int)Libc.GetDirectoryEntries(directory, buffer, (nuint)buffer.Length);
            if (length < 0)
                return null;
            if (length == 0)
                return names;

            for (var rest = (ReadOnlySpan<byte>)buffer[..length]; !rest.IsEmpty; rest = rest[BitConverter.ToUInt16(rest[LengthAt..])..])
            {
                var name = rest[NameAt..];
                name = name[..name.IndexOf((byte)0)];
                if (!IsDots(name))
                    names.Add(name.ToArray());
            }
        }
    }

    /// <summary>Whether a name is the directory's own or its parent's.</summary>
    public static bool IsDots(ReadOnlySpan<byte> name) => name.SequenceEqual("."u8) || name.SequenceEqual(".."u8);
}
