namespace Ingot.Oci.Images;

/// <summary>A digest names no image that can be used: not there for the platform, malformed, or at odds with itself.</summary>
public sealed class ImageException : IngotException
{
    internal ImageException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
