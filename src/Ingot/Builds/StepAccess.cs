namespace Ingot.Builds;

/// <summary>What steps of a build may use beside their inputs.</summary>
public sealed record StepAccess
{
    /// <summary>The right of steps to have all privileges, as recipes and command lines name it.</summary>
    public const string InsecureEntitlement = "security.insecure";

    /// <summary>The right of steps to use the host's network.</summary>
    public const string HostNetworkEntitlement = "network.host";

    /// <summary>Values of secrets that steps may mount, by id. They get into no layer, record or log:
    /// a build whose output holds one fails.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Secrets { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Ids of secrets whose values are ordinary words: they are neither looked for nor covered.</summary>
    public IReadOnlyCollection<string> ExemptSecrets { get; init; } = [];

    /// <summary>Sockets of SSH agents that steps may mount, absolute paths by id.</summary>
    public IReadOnlyDictionary<string, string> SshAgents { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether steps may run with all privileges.</summary>
    public bool AllowInsecure { get; init; }

    /// <summary>Whether steps may use the host's network.</summary>
    public bool AllowHostNetwork { get; init; }
}
