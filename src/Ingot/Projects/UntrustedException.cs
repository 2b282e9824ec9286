namespace Ingot.Projects;

/// <summary>Something is said of an image, and nobody whose word counts says it.</summary>
public sealed class UntrustedException : IngotException
{
    internal UntrustedException(string message)
        : base(message)
    {
    }
}
