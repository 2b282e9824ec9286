namespace Ingot.Oci.Tar;

/// <summary>Bytes are not a tar archive that may be believed.</summary>
public sealed class TarFormatException : IngotException
{
    internal TarFormatException(long offset, string message)
        : base($"the archive is malformed at byte {offset}: {message}") => Offset = offset;

    /// <summary>Where in the archive the offending header or content begins, in bytes.</summary>
    public long Offset { get; }
}
