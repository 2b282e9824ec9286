using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>Decides about one file while a layer is written.</summary>
/// <param name="entry">The entry as it would be written; a whiteout's has the whiteout's path.</param>
/// <param name="content">Reads the whole content: of a file, or of the file a hard link names; empty for everything else.</param>
public delegate FilterResult LayerFilter(TarEntry entry, Func<byte[]> content);

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

    /// <summary>The file is written with the mode, owner, time and attributes of <paramref name="entry"/>; nothing else may differ.</summary>
    public static FilterResult KeepAs(TarEntry entry) => new Kept(entry);

    /// <summary>The file gets other content, and the metadata of <paramref name="entry"/> when given. A hard link becomes a file of its own.</summary>
    public static FilterResult Replace(byte[] content, TarEntry? entry = null) => new Replaced(content, entry);

    /// <summary>Written, with the metadata of <paramref name="Entry"/> unless that is null.</summary>
    public sealed record Kept(TarEntry? Entry) : FilterResult;

    /// <summary>Left out, with everything in it.</summary>
    public sealed record Dropped : FilterResult;

    /// <summary>Written with other content, and the metadata of <paramref name="Entry"/> unless that is null.</summary>
    public sealed record Replaced(byte[] Content, TarEntry? Entry) : FilterResult;
}
