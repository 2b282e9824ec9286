using System.CommandLine;
using Ingot.Builds;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary>The options for what steps of a build may use beside their inputs.</summary>
internal sealed class StepAccessSymbols
{
    public Option<string[]> Secrets { get; } = new("--secret")
    {
        Description = "A secret that steps may mount, from a file or a variable; it never gets into a layer, history or record. exempt: "
            + "its value is an ordinary word, which is neither searched for nor masked",
        HelpName = "id=ID[,src=FILE|,env=NAME][,exempt]",
    };

    public Option<string[]> Ssh { get; } = new("--ssh")
    {
        Description = "An SSH agent that steps may use: 'default' for $SSH_AUTH_SOCK, or its socket",
        HelpName = "ID[=SOCKET]",
    };

    public Option<string[]> Allow { get; } = new("--allow")
    {
        Description = $"What steps may ask for: {StepAccess.HostNetworkEntitlement} or {StepAccess.InsecureEntitlement}",
        HelpName = "RIGHT",
    };

    public StepAccess Read(ParseResult result, string directory)
    {
        string[] allowed = result.GetValue(Allow) ?? [];
        foreach (var right in allowed.Where(r => r is not (StepAccess.InsecureEntitlement or StepAccess.HostNetworkEntitlement)))
            throw new InvalidInputException("allow", $"'{right}' is not something that can be allowed",
                Suggestion.For(right, [StepAccess.InsecureEntitlement, StepAccess.HostNetworkEntitlement])
                    ?? $"{StepAccess.HostNetworkEntitlement} or {StepAccess.InsecureEntitlement}");

        return new StepAccess
        {
            Secrets = BuildSecrets.Read(result.GetValue(Secrets) ?? [], directory),
            SshAgents = BuildSecrets.ReadAgents(result.GetValue(Ssh) ?? [], directory),
            AllowInsecure = allowed.Contains(StepAccess.InsecureEntitlement),
            AllowHostNetwork = allowed.Contains(StepAccess.HostNetworkEntitlement),
            ExemptSecrets = BuildSecrets.ReadExempt(result.GetValue(Secrets) ?? []),
        };
    }
}
