namespace Ingot.Builds;

/// <summary>A shared cache could not be used: it cannot be reached, or holds what it should not.</summary>
public sealed class SharedCacheException : IngotException
{
    internal SharedCacheException(ICachePlace place, string message, Exception? inner = null)
        : base(message, inner)
    {
        Place = place;
    }

    /// <summary>Which one.</summary>
    public ICachePlace Place { get; }
}
