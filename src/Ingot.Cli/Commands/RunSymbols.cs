using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Plans;

namespace Ingot.Cli.Commands;

/// <summary>The options for what commands of steps run with, as Docker's of those names.</summary>
internal sealed partial class RunSymbols
{
    private static readonly string[] s_networks = ["default", "none", "host"];

    private readonly Option<string> _network = new("--network")
    {
        Description = "The network of RUN instructions that name none: default, none, or host, "
            + $"which needs --allow {StepAccess.HostNetworkEntitlement}",
        HelpName = "MODE",
    };

    private readonly Option<string[]> _hosts = new("--add-host")
    {
        Description = "A name that RUN instructions find in /etc/hosts",
        HelpName = "NAME:ADDRESS",
    };

    private readonly Option<string> _shm = new("--shm-size")
    {
        Description = "The size of /dev/shm for RUN instructions, such as 128m; 64m when left out",
        HelpName = "SIZE",
    };
    private readonly Option<string[]> _limits = new("--ulimit")
    {
        Description = "A limit for the processes of RUN instructions; -1 is none",
        HelpName = "NAME=SOFT[:HARD]",
    };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_network, _hosts, _shm, _limits])
            command.Add(option);
    }

    public RunSettings Read(ParseResult result) => new()
    {
        Network = ReadNetwork(result.GetValue(_network)),
        Hosts = [.. (result.GetValue(_hosts) ?? []).Select(ReadHost)],
        SharedMemory = result.GetValue(_shm) is { } size ? ReadSize(size) : null,
        Limits = [.. (result.GetValue(_limits) ?? []).Select(ReadLimit).GroupBy(l => l.Name).Select(g => g.Last())
            .OrderBy(l => l.Name, StringComparer.Ordinal)],
    };

    private static StepNetwork ReadNetwork(string? name) => name switch
    {
        null or "default" => StepNetwork.Default,
        "none" => StepNetwork.None,
        "host" => StepNetwork.Host,
        _ => throw new InvalidInputException("network", $"'{name}' is not a network for steps",
            Suggestion.For(name, s_networks) ?? "default, none or host"),
    };

    // The first of the two signs: addresses of version 6 have colons themselves.
    private static string ReadHost(string text)
    {
        int sign = text.AsSpan().IndexOfAny('=', ':');
        string name = sign < 0 ? text : text[..sign];
        string address = sign < 0 ? "" : text[(sign + 1)..].Trim('[', ']');
        if (address == "host-gateway")
            throw new InvalidInputException("add-host", $"'--add-host {text}': steps do not reach the host they run on",
                "name the address of another host, or have the RUN use '--network=host', and allow it with '--allow network.host'");
        if (!HostName().IsMatch(name) || !IPAddress.TryParse(address, out var parsed) || address.Contains('%', StringComparison.Ordinal))
            throw new InvalidInputException("add-host", $"'{text}' is not a name with an address",
                "expected NAME:ADDRESS, such as mirror.internal:10.0.0.7");
        return $"{parsed}\t{name}";
    }

    private static long ReadSize(string text)
    {
        var match = Size().Match(text);
        string unit = match.Groups["unit"].Value.ToUpperInvariant();
        int shift = unit.Length == 0 ? 0 : 10 * " KMG".IndexOf(unit[0], StringComparison.Ordinal);
        return match.Success
            && long.TryParse(match.Groups["number"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0
                && number <= long.MaxValue >> shift
            ? number << shift
            : throw new InvalidInputException("shm-size", $"'{text}' is not a size", "expected one such as 128m or 1g");
    }

    private static StepLimit ReadLimit(string text) => StepLimit.TryParse(text)
        ?? throw new InvalidInputException("ulimit", $"'{text}' is not a limit of processes",
            Suggestion.For(text.Split('=')[0], StepLimit.Names) ?? "expected NAME=SOFT[:HARD], such as nofile=1024:2048");

    [GeneratedRegex("^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?\\z")]
    private static partial Regex HostName();

    [GeneratedRegex("^(?<number>[0-9]{1,19})((?<unit>[kmgKMG])([iI]?[bB])?|[bB])?\\z")]
    private static partial Regex Size();
}
