namespace Ingot.Builds;

/// <summary>A file or repository that a template adds could not be fetched, or is not the one that was asked for.
/// Addresses in it hold no credentials.</summary>
public sealed class DownloadException : IngotException
{
    internal DownloadException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
