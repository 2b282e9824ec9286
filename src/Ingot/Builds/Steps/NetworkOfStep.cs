using System.Net;
using System.Net.Sockets;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Steps;

/// <summary>The network of one step.</summary>
/// <param name="Preparations">What is made ready for it.</param>
/// <param name="Namespaces">The network namespace; none for that of the host.</param>
/// <param name="ResolverFile">The text of <c>/etc/resolv.conf</c>.</param>
internal sealed record NetworkOfStep(
    IReadOnlyList<Preparation> Preparations, IReadOnlyList<RuntimeNamespace> Namespaces, string ResolverFile)
{
    // With it a command sends frames past all routes.
    private const string SendsFrames = "CAP_NET_RAW";

    private const string HostResolver = "/etc/resolv.conf";
    private const int MaxResolvers = 3;

    // The file in the directory of the step that is its network namespace.
    private const string Namespace = "network";

    /// <summary>What a command in it has the right to.</summary>
    public RuntimeCapabilities Capabilities { get; private init; } = RuntimeCapabilities.Default;

    /// <summary>The network: by default one of its own from which neither the host nor what runs on it can be reached.</summary>
    public static NetworkOfStep Of(RunStep step, BuildSession session, string directory)
    {
        string host = File.Exists(HostResolver) ? File.ReadAllText(HostResolver) : "";
        if (step.Network == StepNetwork.None)
            return new NetworkOfStep([], [new RuntimeNamespace("network")], "");
        if (step.Network == StepNetwork.Host)
            return session.Settings.Access.AllowHostNetwork
                ? new NetworkOfStep([], [], host)
                : throw new InvalidOperationException($"'{step.Text}' uses the host's network, and nobody checked that it may");
        if (Slirp.Obstacle() is not { } obstacle)
            return Carried(HostNetworks.Now(), host, directory);
        if (!session.Settings.Access.AllowHostNetwork)
            throw new ToolException(
                "slirp4netns",
                $"'{step.Text}' needs a network of its own: {obstacle}; or allow builds the host's with --allow network.host");

        session.Output($"this command uses the host's network, as --allow network.host permits: {obstacle}");
        return new NetworkOfStep([], [], host);
    }

    private static NetworkOfStep Carried(HostNetworks host, string resolverFile, string directory)
    {
        var closed = Slirp.Closable(host.Neighbours);
        return new NetworkOfStep([new CarriedNetwork(Namespace, closed)], [new("network", NamespaceIn(directory))],
            TextFor(resolverFile, closed))
        {
            Capabilities = RuntimeCapabilities.Default.Without(SendsFrames),
        };
    }

    /// <summary>The text for a network of its own: who carries its packets resolves names too. Resolvers that the step can reach stay as
    /// further ones.</summary>
    internal static string TextFor(string host, IReadOnlyList<IPNetwork> closed)
    {
        var lines = host.Split('\n').Select(l => l.Trim()).ToList();
        // The first is asked by whoever carries the packets.
        var others = lines.Where(l => Words(l) is ["nameserver", var address, ..] && IsIpv4(address)).Skip(1)
            .Where(l => IsReachable(IPAddress.Parse(Words(l)[1]), closed));
        var rest = lines.Where(l => Words(l) is ["search" or "domain" or "options", ..]);
        return string.Concat(others.Prepend("nameserver " + Slirp.Resolver).Take(MaxResolvers).Concat(rest).Select(l => l + "\n"));
    }

    // The runtime hands paths of namespaces on as one list.
    internal static string NamespaceIn(string directory) => !directory.Contains(',', StringComparison.Ordinal)
        ? Path.Combine(directory, Namespace)
        : throw new ToolException("runc",
            $"runc accepts no network whose path has a comma, and steps run in '{directory}': set INGOT_HOME to another directory");

    private static string[] Words(string line) => line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);

    private static bool IsIpv4(string address) =>
        IPAddress.TryParse(address, out var parsed) && parsed.AddressFamily == AddressFamily.InterNetwork;

    private static bool IsReachable(IPAddress address, IReadOnlyList<IPNetwork> closed) =>
        !IPAddress.IsLoopback(address) && !closed.Any(n => n.Contains(address));
}
