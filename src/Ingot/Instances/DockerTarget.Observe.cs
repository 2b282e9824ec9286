using System.Globalization;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

public sealed partial class DockerTarget
{
    /// <inheritdoc/>
    public SyntheticObservation? ObserveSynthetic(ServiceKey key) => _senders.GetValueOrDefault(key)?.Observe();

    private static ServerObservation? Read(HaproxyServerStatus server) => InstanceName.TryParse(server.Name,
        out int generation, out int index)
        ? new ServerObservation(generation, index, server.Address, server.Weight, Admin(server), Health(server), server.Number("scur"),
            server.Number("qcur"), Counters(server))
        {
            Check = CheckResult(server),
        }
        : null;

    /// <summary>What a check got, by HAProxy's names for it (<see href="https://docs.haproxy.org/2.6/management.html#9.1">statistics,
    /// check_status</see>).</summary>
    internal static string? CheckResult(HaproxyServerStatus server) => server.CheckStatus switch
    {
        "L4CON" => "refused the connection",
        "L4TOUT" => "took no connection in time",
        "L7TOUT" => "did not answer in time",
        "L7RSP" => "answered with something that is not HTTP",
        "L7STS" => $"answered {server.Number("check_code")}",
        "SOCKERR" or "PROCERR" or "PROCTOUT" => "could not be asked by the proxy",
        _ => null,
    };

    private static ServerAdmin Admin(HaproxyServerStatus server) =>
        server.IsMaintenance ? ServerAdmin.Maintenance : server.IsDraining ? ServerAdmin.Drain : ServerAdmin.Ready;

    private static ServerHealth Health(HaproxyServerStatus server) => server switch
    {
        { IsUp: false } => ServerHealth.Down,
        // HAProxy takes a server it has not checked yet for one that is up.
        { CheckStatus: "" or "INI" } => ServerHealth.Unknown,
        _ => ServerHealth.Up,
    };

    /// <summary>The counters of a server: what users saw, once a request, and beside it the attempts that were hidden from them.</summary>
    /// <remarks>
    /// As HAProxy 2.6 counts, measured (CounterTests). <c>hrsp_*</c>: an answer of the server's own, passed on; every answer is final here,
    /// since none is asked for again. <c>eresp</c>: the last attempt was sent and no answer came, so that the user got 502 or 504.
    /// <c>econ</c>: the last attempt could not be sent, so that the user got 503; it stands at the server that was tried last, although
    /// those before were tried elsewhere, and is its own failure only as far as all were tried there. An attempt that never connected and
    /// is made again at the same server is counted in <c>wretr</c>, one that goes elsewhere in <c>wredis</c> alone: so many of the first
    /// kind as come before one in <c>econ</c> say that there was nobody else. An attempt that was sent and is made again is counted in
    /// <c>wretr</c> and, when it goes elsewhere, in <c>wredis</c> as well, or twice in <c>wretr</c> when it does not. Half the sum, or the
    /// attempts that went elsewhere when those are more, is the largest number that counts none twice, and it never falls. An answer that
    /// breaks off is in <c>eresp</c> and, since it had begun, in <c>hrsp_*</c> too. Failures of HAProxy's own, such as nobody to send to,
    /// are in its frontend's <c>hrsp_5xx</c> and at no server.
    /// </remarks>
    private static ServerCounters Counters(HaproxyServerStatus server)
    {
        long responses = s_responses.Sum(server.Number);
        long elsewhere = server.Number("wredis");
        long again = server.Number("wretr");
        long nobodyElse = Math.Min(server.Number("econ"), again / HaproxyConfig.Retries);
        long retried = Math.Max(elsewhere, (again + elsewhere + 1) / 2);
        return new ServerCounters(responses, server.Number("hrsp_5xx"), nobodyElse, server.Number("eresp"), retried);
    }

    private static readonly string[] s_responses = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

    private static long Number(IReadOnlyDictionary<string, string> stats, string name) =>
        long.TryParse(stats.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
