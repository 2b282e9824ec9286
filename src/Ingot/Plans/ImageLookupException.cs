namespace Ingot.Plans;

/// <summary>An image that a template names is there and cannot be used: none for the platform, of an old format, not what its lock says.
/// The planner says it at the place of the name.</summary>
public sealed class ImageLookupException : IngotException
{
    /// <summary>Carries what is wrong and what could be done about it.</summary>
    /// <param name="code">A stable id such as <c>image-platform</c>.</param>
    /// <param name="message">One lower-case sentence with the name in quotes.</param>
    /// <param name="cure">What could be done; null when nothing is known.</param>
    /// <param name="inner">What caused it.</param>
    public ImageLookupException(string code, string message, string? cure = null, Exception? inner = null)
        : base(message, inner)
    {
        Code = code;
        Cure = cure;
    }

    /// <summary>The id of the diagnostic.</summary>
    public string Code { get; }

    /// <summary>What could be done; null when nothing is known.</summary>
    public string? Cure { get; }
}
