namespace Ingot.Oci.Tar;

/// <summary>What an archive may ask of its reader.</summary>
public sealed record TarLimits
{
    /// <summary>The defaults: what Linux itself allows for a name, and far more entries than an image has.</summary>
    public static TarLimits Default { get; } = new();

    /// <summary>The longest path or link target, in bytes. Linux allows 4096 with the NUL.</summary>
    public int MaxNameBytes { get; init; } = 4095;

    /// <summary>The largest extended header, in bytes.</summary>
    public int MaxExtendedHeaderBytes { get; init; } = 1 << 20;

    /// <summary>The most extended headers before one entry.</summary>
    public int MaxExtendedHeaders { get; init; } = 8;

    /// <summary>The most entries.</summary>
    public int MaxEntries { get; init; } = 4_000_000;
}
