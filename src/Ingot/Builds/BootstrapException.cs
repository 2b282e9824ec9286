namespace Ingot.Builds;

/// <summary>A bootstrap did not come to what is locked.</summary>
public sealed class BootstrapException : IngotException
{
    internal BootstrapException(string message)
        : base(message)
    {
    }
}
