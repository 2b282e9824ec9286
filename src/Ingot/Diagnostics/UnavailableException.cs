namespace Ingot.Diagnostics;

/// <summary>Something that a person's file names cannot be had now: the world's failure, at a place of the file.</summary>
public sealed class UnavailableException : IngotException
{
    /// <summary>Says what could not be had, and where it is named.</summary>
    public UnavailableException(Diagnostic diagnostic, Exception? inner = null)
        : base(diagnostic.ToString(), inner) => Diagnostic = diagnostic;

    /// <summary>What could not be had, and where it is named.</summary>
    public Diagnostic Diagnostic { get; }
}
