namespace Ingot;

/// <summary>The world or a peer failed. The message says what was attempted, with the values, and the cure where one is known.</summary>
public abstract class IngotException : Exception
{
    /// <summary>Carries the sentence, and what caused it.</summary>
    protected IngotException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
