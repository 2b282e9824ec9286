using System.Text;

namespace Ingot.Oci.Linux;

/// <summary>Paths as the kernel takes them.</summary>
public static class LinuxPath
{
    /// <summary>The open file or directory itself, where a call takes a directory and a name.</summary>
    public static ReadOnlySpan<byte> Itself => [0];

    /// <summary>The bytes with the NUL that ends them; a NUL within throws <see cref="IOException"/>, because the kernel would take the
    /// part before it for all.</summary>
    public static byte[] Terminated(ReadOnlySpan<byte> path) => !path.Contains((byte)0)
        ? [.. path, 0]
        : throw new IOException($"the path '{Encoding.UTF8.GetString(path).Replace("\0", "\\0", StringComparison.Ordinal)}' holds a NUL: "
            + "no file has such a name");

    /// <summary>A path of this host, which is text.</summary>
    public static byte[] Terminated(string path) => Terminated(Encoding.UTF8.GetBytes(path));
}
