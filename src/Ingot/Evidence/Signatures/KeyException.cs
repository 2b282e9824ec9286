namespace Ingot.Evidence.Signatures;

/// <summary>A key could not be read, written or believed.</summary>
public sealed class KeyException : IngotException
{
    internal KeyException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
