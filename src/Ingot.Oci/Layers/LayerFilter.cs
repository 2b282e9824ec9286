using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>Decides about one file while a layer is written.</summary>
/// <param name="entry">The entry as it would be written; a whiteout's has the whiteout's path.</param>
/// <param name="content">The content: of a file, or of the file a hard link names; empty for everything else.
/// Valid until the filter returns.</param>
public delegate FilterResult LayerFilter(TarEntry entry, LayerContent content);

/// <summary>What a <see cref="LayerFilter"/> decided.</summary>
public abstract record FilterResult
{
    private FilterResult()
    {
    }

    /// <summary>The file is written as it is.</summary>
    public static FilterResult Keep { get; } = new Kept(null);

    /// <summary>The file, or the directory with everything in it, is left out.</summary>
    public static FilterResult Drop { get; } = new Dropped();

    /// <summary>The file is written with the mode, owner, time and attributes of <paramref name="entry"/>;
    /// nothing else may differ.</summary>
    public static FilterResult KeepAs(TarEntry entry) => new Kept(entry);

    /// <summary>The file gets other content, and the metadata of <paramref name="entry"/> when given.
    /// A hard link becomes a file of its own.</summary>
    public static FilterResult Replace(byte[] content, TarEntry? entry = null) => new Replaced(content, entry);

    /// <summary>Some bytes of the file are others; its size stays. Only for files, and only where the source may change:
    /// other names of it change with it.</summary>
    public static FilterResult Patch(IReadOnlyList<ContentPatch> patches) => new Patched(patches);

    /// <summary>Written with some bytes changed.</summary>
    public sealed record Patched(IReadOnlyList<ContentPatch> Patches) : FilterResult;

    /// <summary>Written, with the metadata of <paramref name="Entry"/> unless that is null.</summary>
    public sealed record Kept(TarEntry? Entry) : FilterResult;

    /// <summary>Left out, with everything in it.</summary>
    public sealed record Dropped : FilterResult;

    /// <summary>Written with other content, and the metadata of <paramref name="Entry"/> unless that is null.</summary>
    public sealed record Replaced(byte[] Content, TarEntry? Entry) : FilterResult;
}

/// <summary>Bytes that take the place of as many others.</summary>
/// <param name="Offset">Where they begin, in bytes from the start of the file.</param>
/// <param name="Bytes">The bytes.</param>
public readonly record struct ContentPatch(long Offset, byte[] Bytes);
