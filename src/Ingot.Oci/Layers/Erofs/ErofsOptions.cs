using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers.Erofs;

/// <summary>How a layer becomes an image; the counterpart of <see cref="ExtractOptions"/> for <see cref="WhiteoutForm.Overlay"/>.</summary>
public sealed record ErofsOptions
{
    /// <summary>Where the content of a file lies; null when all lies in the first device, at <see cref="FileRecord.Offset"/>. Not asked for
    /// empty files and hard links.</summary>
    public Func<FileRecord, ErofsPlace>? PlaceOf { get; init; }

    /// <summary>Whether devices are made; otherwise a layer with one is refused.</summary>
    public bool AllowDevices { get; init; }

    /// <summary>The layers below as directories in overlay form, unpacked or mounted, the topmost first. A directory that the layer uses
    /// without describing takes its owner, mode and time from there.</summary>
    public IReadOnlyList<string> LowerDirectories { get; init; } = [];
}
