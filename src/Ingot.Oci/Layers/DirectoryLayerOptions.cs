namespace Ingot.Oci.Layers;

/// <summary>How a directory says what a layer deletes.</summary>
public enum DirectoryForm
{
    /// <summary>A root file system of its own: nothing is deleted.</summary>
    Plain,

    /// <summary>The upper directory of an overlay file system: deleted files are character devices 0:0, opaque directories carry
    /// <c>trusted.overlay.opaque</c>
    /// (<see href="https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories">overlayfs</see>).</summary>
    OverlayUpper,
}

/// <summary>How a directory becomes a layer.</summary>
public sealed record DirectoryLayerOptions
{
    /// <summary>What kind of directory it is.</summary>
    public DirectoryForm Form { get; init; }

    /// <summary>No file is younger than this: later times become this one. Whiteouts get it, or 1970.
    /// Times are whole seconds in any case.</summary>
    public DateTimeOffset? Epoch { get; init; }

    /// <summary>Decides about each file, in order; null keeps all.</summary>
    public LayerFilter? Filter { get; init; }

    /// <summary>Whether the directory is changed to be what the layer says: what was dropped is deleted, what was replaced rewritten, and
    /// times, owners and modes are set.</summary>
    public bool ApplyToSource { get; init; }

    /// <summary>Where in the layer the directory's content goes; the directories up to there, that one included,
    /// are the caller's to write.</summary>
    public string Prefix { get; init; } = "";
}
