namespace Ingot.Builds;

/// <summary>What the cache of builds holds is not what was put there, or went away while it was used.</summary>
public sealed class BuildCacheException : IngotException
{
    internal BuildCacheException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
