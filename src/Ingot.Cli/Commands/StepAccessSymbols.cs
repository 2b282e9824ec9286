using System.CommandLine;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary>What steps of a build may use beside their inputs.</summary>
/// <param name="Secrets">Values by id.</param>
/// <param name="SshAgents">Sockets by id.</param>
/// <param name="AllowInsecure">Whether steps may have all privileges.</param>
/// <param name="AllowHostNetwork">Whether steps may use the host's network.</param>
internal sealed record StepAccess(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Secrets, IReadOnlyDictionary<string, string> SshAgents,
    bool AllowInsecure, bool AllowHostNetwork)
{
    /// <summary>Ids of secrets whose values are ordinary words.</summary>
    public IReadOnlyList<string> ExemptSecrets { get; init; } = [];
}

/// <summary>The options for it.</summary>
internal sealed class StepAccessSymbols
{
    /// <summary>The right of steps to have all privileges.</summary>
    public const string InsecureEntitlement = "security.insecure";

    /// <summary>The right of steps to use the host's network.</summary>
    public const string HostNetworkEntitlement = "network.host";

    public Option<string[]> Secrets { get; } = new("--secret") { Description = "A secret that steps may mount, from a file or a variable; it gets into no layer, history or record. exempt: its value is an ordinary word, and is neither looked for nor covered", HelpName = "id=ID[,src=FILE|,env=NAME][,exempt]" };

    public Option<string[]> Ssh { get; } = new("--ssh") { Description = "An SSH agent that steps may use: 'default' for $SSH_AUTH_SOCK, or its socket", HelpName = "ID[=SOCKET]" };

    public Option<string[]> Allow { get; } = new("--allow") { Description = $"What steps may ask for: {HostNetworkEntitlement} or {InsecureEntitlement}", HelpName = "RIGHT" };

    public StepAccess Read(ParseResult result, string directory)
    {
        string[] allowed = result.GetValue(Allow) ?? [];
        foreach (var right in allowed.Where(r => r is not (InsecureEntitlement or HostNetworkEntitlement)))
            throw new InvalidInputException("allow", $"'{right}' is nothing that can be allowed", Suggestion.For(right, [InsecureEntitlement, HostNetworkEntitlement]) ?? $"{HostNetworkEntitlement} or {InsecureEntitlement}");

        return new StepAccess(
            BuildSecrets.Read(result.GetValue(Secrets) ?? [], directory), BuildSecrets.ReadAgents(result.GetValue(Ssh) ?? [], directory),
            allowed.Contains(InsecureEntitlement), allowed.Contains(HostNetworkEntitlement))
        {
            ExemptSecrets = BuildSecrets.ReadExempt(result.GetValue(Secrets) ?? []),
        };
    }
}
