namespace Ingot.Oci.Registries;

/// <summary>A registry refused, failed, or answered something else than the protocol says.</summary>
public sealed class RegistryException : IngotException
{
    internal RegistryException(int status, string? code, string repository, string message, Exception? inner = null)
        : base(message, inner)
    {
        Status = status;
        Code = code;
        Repository = repository;
    }

    /// <summary>The HTTP status; 0 when there was no answer.</summary>
    public int Status { get; }

    /// <summary>The first error code of the answer, such as <c>DENIED</c>; null when there was none.</summary>
    public string? Code { get; }

    /// <summary>The repository that was asked about; empty for the registry itself.</summary>
    public string Repository { get; }
}
