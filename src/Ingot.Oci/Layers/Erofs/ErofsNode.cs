namespace Ingot.Oci.Layers.Erofs;

/// <summary>What a node of the image is.</summary>
internal enum ErofsNodeKind
{
    /// <summary>What the layer's entry says.</summary>
    Entry,

    /// <summary>A directory that the layer has something in and does not describe.</summary>
    ImpliedDirectory,

    /// <summary>A deletion: the character device 0:0.</summary>
    Whiteout,

    /// <summary>A deletion of what no lower layer can have: not in the image.</summary>
    Dropped,
}

/// <summary>A name in the image, and unless it is one of several names, its inode.</summary>
internal sealed class ErofsNode
{
    public required string Path { get; init; }
    public required ErofsNode? Parent { get; init; }
    public ErofsNodeKind Kind { get; set; }
    public FileRecord? Record { get; init; }

    /// <summary>Whether a whiteout of this layer names it.</summary>
    public bool IsHidden { get; set; }

    /// <summary>Whether it hides everything that lower layers have in it.</summary>
    public bool IsOpaque { get; set; }

    /// <summary>Whether this or a directory above is opaque: nothing below it comes from lower layers.</summary>
    public bool IsWithinOpaque { get; set; }

    // Children in the order of their names.
    public ErofsNode? FirstChild { get; set; }
    public ErofsNode? LastChild { get; set; }
    public ErofsNode? Next { get; set; }

    // The name's bytes in the tree's pool.
    public int NameStart { get; init; }
    public int NameLength { get; init; }

    /// <summary>For a hard link the file it is a name of.</summary>
    public ErofsNode? Target { get; set; }

    // What the inode says.
    public int Mode { get; set; }
    public long UserId { get; set; }
    public long GroupId { get; set; }
    public DateTimeOffset ModifiedTime { get; set; } = DateTimeOffset.UnixEpoch;
    public int Links { get; set; } = 1;
    public uint Device { get; set; }
    public byte[] Attributes { get; set; } = [];

    /// <summary>The bytes of content: of a file's content, a link's text, a directory's entries.</summary>
    public long Size { get; set; }

    // Where the inode is in the image, and where content is that is neither in a device nor behind the inode; in bytes.
    public long Position { get; set; }
    public long DataPosition { get; set; }
    public bool IsInline { get; set; }

    /// <summary>The type's bits of the mode, as Linux has them.</summary>
    public int Type => Mode & ErofsFormat.TypeMask;
    public bool IsDirectory => Type == ErofsFormat.DirectoryType;

    /// <summary>Whether it is a name in the image.</summary>
    public bool IsThere => Kind != ErofsNodeKind.Dropped;

    /// <summary>Whether it is an inode of its own.</summary>
    public bool HasInode => IsThere && Target is null;

    public void Append(ErofsNode child)
    {
        if (LastChild is null)
            FirstChild = child;
        else
            LastChild.Next = child;
        LastChild = child;
    }
}
