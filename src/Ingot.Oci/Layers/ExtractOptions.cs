using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>What an unpacked layer does with what it deletes.</summary>
public enum WhiteoutForm
{
    /// <summary>Deleted files are deleted in the directory, which holds the lower layers already.</summary>
    Apply,

    /// <summary>The directory becomes a layer of an overlay file system: deleted files become character devices 0:0, opaque directories get
    /// <c>trusted.overlay.opaque</c>.</summary>
    Overlay,
}

/// <summary>How a layer is unpacked, and what it may cost.</summary>
public sealed record ExtractOptions
{
    /// <summary>What to do with whiteouts.</summary>
    public WhiteoutForm Whiteouts { get; init; }

    /// <summary>Whether devices are made; otherwise a layer with one is refused.</summary>
    public bool AllowDevices { get; init; }

    /// <summary>For <see cref="WhiteoutForm.Overlay"/>: the unpacked layers below, the topmost first. A directory that the layer uses
    /// without describing takes its owner and mode from there.</summary>
    public IReadOnlyList<string> LowerDirectories { get; init; } = [];

    /// <summary>The most bytes of content a layer may have.</summary>
    public long MaxBytes { get; init; } = 64L << 30;

    /// <summary>The archive's own limits.</summary>
    public TarLimits Limits { get; init; } = TarLimits.Default;
}
