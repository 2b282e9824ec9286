namespace Ingot.Oci.Layers;

/// <summary>The extended attributes by which an overlay file system speaks to itself.</summary>
internal static class OverlayAttribute
{
    public const string Prefix = "trusted.overlay.";
    public const string Opaque = "trusted.overlay.opaque";
    public const string Redirect = "trusted.overlay.redirect";
    public const string MetadataOnly = "trusted.overlay.metacopy";

    /// <summary>The one attribute that is part of a layer: what a program may do without being root.</summary>
    public const string Capability = "security.capability";

    public static ReadOnlySpan<byte> OpaqueValue => "y"u8;
}
