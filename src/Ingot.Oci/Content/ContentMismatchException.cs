namespace Ingot.Oci.Content;

/// <summary>Bytes were read whose digest or size is not the one they were asked for by.</summary>
public sealed class ContentMismatchException : IngotException
{
    internal ContentMismatchException(string message)
        : base(message)
    {
    }
}
