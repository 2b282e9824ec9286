using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>How a layer says that something below it is gone
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts">whiteouts</see>).</summary>
public static class Whiteout
{
    /// <summary>What the name of a whiteout begins with; the rest is the name that is hidden.</summary>
    public const string Prefix = ".wh.";

    /// <summary>The name in a directory that hides everything lower layers have in it.</summary>
    public const string Opaque = ".wh..wh..opq";

    /// <summary>Whether the last component of <paramref name="path"/> is a whiteout, opaque or not.</summary>
    public static bool IsWhiteout(string path) => TarPath.Name(path).StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Whether <paramref name="path"/> hides everything in its directory.</summary>
    public static bool IsOpaque(string path) => TarPath.Name(path) == Opaque;

    /// <summary>The path of the whiteout that hides <paramref name="path"/>.</summary>
    public static string For(string path) => TarPath.Join(TarPath.Parent(path), Prefix + TarPath.Name(path));

    /// <summary>The path that a whiteout hides: for an opaque one its directory.</summary>
    public static string Hidden(string whiteout) => IsOpaque(whiteout)
        ? TarPath.Parent(whiteout)
        : TarPath.Join(TarPath.Parent(whiteout), TarPath.Name(whiteout)[Prefix.Length..]);
}
