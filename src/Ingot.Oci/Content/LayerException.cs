namespace Ingot.Oci.Content;

/// <summary>A layer cannot be read, written or unpacked safely.</summary>
public sealed class LayerException : IngotException
{
    internal LayerException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
