namespace Ingot.Evidence.Signatures;

/// <summary>A key could not be read, written or believed.</summary>
public sealed class KeyException : IngotException
{
    /// <summary>Says what was attempted, with the values, and the cure.</summary>
    public KeyException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
