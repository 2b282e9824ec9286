using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>One file of a layer: its entry, and where and what its content is.</summary>
/// <param name="Entry">The entry as it stands in the archive.</param>
/// <param name="Digest">The digest of the content; null for what has none, and for a hard link to a file of a lower layer.</param>
/// <param name="Size">The bytes of content: for a hard link those of its file.</param>
/// <param name="Offset">Where in the uncompressed archive the content begins, in bytes; 0 when there is none.</param>
public sealed record FileRecord(TarEntry Entry, Digest? Digest, long Size, long Offset)
{
    /// <summary>The path below the root.</summary>
    public string Path => Entry.Path;

    /// <summary>What kind of file it is.</summary>
    public TarEntryType Type => Entry.Type;

    /// <summary>The permissions and the set-id and sticky bits: 12 bits.</summary>
    public int Mode => Entry.Mode;

    /// <summary>The owner's number.</summary>
    public long UserId => Entry.UserId;

    /// <summary>The group's number.</summary>
    public long GroupId => Entry.GroupId;

    /// <summary>When the content last changed.</summary>
    public DateTimeOffset ModifiedTime => Entry.ModifiedTime;

    /// <summary>For a symbolic link its text, for a hard link the path of its file.</summary>
    public string? LinkTarget => Entry.LinkTarget;
}
