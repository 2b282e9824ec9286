namespace Ingot.Builds;

/// <summary>A place where a secret was found.</summary>
/// <param name="Id">Which secret; its value stands nowhere.</param>
/// <param name="Form">How it stood there: <c>plain</c>, <c>base64</c>, <c>hex</c> or <c>URL-encoded</c>.</param>
/// <param name="Place">Where, for people.</param>
public sealed record SecretFinding(string Id, string Form, string Place)
{
    /// <inheritdoc/>
    public override string ToString() => $"the secret '{Id}' ({Form}) in {Place}";
}

/// <summary>A build ended because a secret that was given to it would have got into what it makes.
/// Nothing that holds the secret was kept.</summary>
public sealed class SecretLeakException : IngotException
{
    internal SecretLeakException(string made, IReadOnlyList<SecretFinding> findings)
        : base($"{made} contains what nobody must be able to read: {string.Join("; ", findings)}; "
            + "let the command read it with --mount=type=secret and write it nowhere")
    {
        Findings = findings;
    }

    /// <summary>Where secrets were found, each secret and place once.</summary>
    public IReadOnlyList<SecretFinding> Findings { get; }
}
