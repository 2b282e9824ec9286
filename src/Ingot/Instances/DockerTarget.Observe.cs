using System.Globalization;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

public sealed partial class DockerTarget
{
    /// <inheritdoc/>
    public Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default) => ObserveProxyAsync(setup.Key, cancellationToken);

    /// <inheritdoc/>
    public SyntheticObservation? ObserveSynthetic(ServiceKey key) => _senders.GetValueOrDefault(key)?.Observe();

    // Down is only said when the process is known to be gone. One that runs and does not answer throws.
    private async Task<ProxyObservation> ObserveProxyAsync(ServiceKey key, CancellationToken cancellationToken)
    {
        var config = Config(key, settings: null, []);
        if (Haproxy.FindProcess(config) is null)
            return ProxyObservation.Down;

        try
        {
            return Read(await new HaproxyRuntime(config.SocketPath).StatusAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (ToolException) when (Haproxy.FindProcess(config) is null)
        {
            // It died while it was asked.
            return ProxyObservation.Down;
        }
    }

    private static ProxyObservation Read(HaproxyStatus status) => new(
        true,
        ProxyDescription.Read(status.Info.Description),
        string.Create(CultureInfo.InvariantCulture, $"{status.Info.Pid}-{status.Info.StartedAt}"),
        [.. status.Servers.Select(Read).OfType<ServerObservation>()],
        Number(status.Frontend, "req_tot"),
        Number(status.Frontend, "hrsp_5xx"));

    private static ServerObservation? Read(HaproxyServerStatus server) => InstanceName.TryParse(server.Name, out int generation, out int index)
        ? new ServerObservation(generation, index, server.Address, server.Weight, Admin(server), Health(server), server.Number("scur"), server.Number("qcur"), Counters(server))
        : null;

    private static ServerAdmin Admin(HaproxyServerStatus server) =>
        server.IsMaintenance ? ServerAdmin.Maintenance : server.IsDraining ? ServerAdmin.Drain : ServerAdmin.Ready;

    private static ServerHealth Health(HaproxyServerStatus server) => server switch
    {
        { IsUp: false } => ServerHealth.Down,
        // HAProxy takes a server it has not checked yet for one that is up.
        { CheckStatus: "" or "INI" } => ServerHealth.Unknown,
        _ => ServerHealth.Up,
    };

    /// <summary>The counters of a server, each failed attempt once.</summary>
    /// <remarks>
    /// HAProxy counts an attempt that is tried again after an answer was due in <c>wretr</c> and, when it goes elsewhere, in <c>wredis</c> as
    /// well, or twice in <c>wretr</c> when it does not; an attempt that never connected is counted once, in either. Half the sum, or the
    /// attempts that went elsewhere when those are more, is the largest number that counts none twice, and it never falls.
    /// </remarks>
    private static ServerCounters Counters(HaproxyServerStatus server)
    {
        long responses = s_responses.Sum(server.Number);
        long elsewhere = server.Number("wredis");
        long retried = Math.Max(elsewhere, (server.Number("wretr") + elsewhere + 1) / 2);
        return new ServerCounters(responses, server.Number("hrsp_5xx"), server.Number("econ"), server.Number("eresp"), retried);
    }

    private static readonly string[] s_responses = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

    private static long Number(IReadOnlyDictionary<string, string> stats, string name) =>
        long.TryParse(stats.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
