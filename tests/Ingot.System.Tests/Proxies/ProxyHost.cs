using System.Globalization;
using System.Net.Http;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.SystemTests.Rollouts;
using Ingot.Templates.Project;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Proxies;

/// <summary>A service's proxy on this host, in front of instances of this process; it is gone when this is.</summary>
internal sealed class ProxyHost : IAsyncDisposable
{
    private static readonly HealthDefinition s_health = new()
    {
        Path = "/healthz",
        Interval = TimeSpan.FromMilliseconds(200),
        Healthy = 1,
        Unhealthy = 2,
    };

    private readonly TemporaryDirectory _home = new();

    public ProxyHost(int? port = null)
    {
        Target = NewTarget();
        Setup = new ServiceSetup(
            new ServiceKey($"p{Environment.ProcessId}", "web", "production"),
            new ProxySettings(new ListenAddress("127.0.0.1", port ?? DockerHost.FreePort()), TimeSpan.FromMilliseconds(500)),
            [Generation(1), Generation(2)]);
    }

    /// <summary>Why these tests cannot run here; null when they can.</summary>
    public static string? Missing { get; } =
        Environment.UserName != "root" ? "needs root" : !File.Exists("/usr/sbin/haproxy") ? "needs haproxy" : null;

    public static void Need() => Assert.SkipUnless(Missing is null, Missing ?? "");

    public DockerTarget Target { get; private set; }

    public ServiceSetup Setup { get; private set; }

    public Backend One { get; private set; } = new("1");

    public Backend Two { get; } = new("2");

    public Uri Address => Of(Setup.Proxy.Listen);

    public static Uri Of(ListenAddress listen) => new($"http://{listen}/");

    public void Change(ProxySettings settings) => Setup = Setup with { Proxy = settings };

    /// <summary>A server that knows nothing of what the one before did.</summary>
    public async Task RestartServerAsync()
    {
        await Target.DisposeAsync();
        Target = NewTarget();
    }

    /// <summary>Starts the proxy with both servers, of which the first takes so many percent.</summary>
    public Task EnsureAsync(int one = 100) => Target.CarryOutAsync(Setup, new Move.EnsureProxy(
        Setup.Proxy, [new ProxyServer(1, 0, One.Address), new ProxyServer(2, 0, Two.Address)], Shares(one)));

    public Task ShareAsync(int one) => Target.CarryOutAsync(Setup, new Move.SetShares(
        Shares(one), [new ServerTurn(1, 0, Takes: one > 0), new ServerTurn(2, 0, Takes: one < 100)]));

    public Task<ProxyObservation> SeeAsync() => Target.ObserveProxyAsync(Setup);

    public async Task<ServerCounters> CountersAsync(int generation) =>
        (await SeeAsync()).Servers.Single(server => server.Generation == generation).Counters;

    public async Task<string> WeightsAsync() => string.Join(' ',
        (await SeeAsync()).Servers.OrderBy(server => server.Generation).Select(server => $"g{server.Generation}={server.Weight}"));

    /// <summary>The process of HAProxy.</summary>
    public async Task<int> ProxyAsync() => int.Parse((await SeeAsync()).Epoch.Split('-')[0], CultureInfo.InvariantCulture);

    /// <summary>What keeps it: the process that started it.</summary>
    public async Task<int> KeeperAsync() => int.Parse(
        (await File.ReadAllTextAsync($"/proc/{await ProxyAsync()}/stat")).Split(") ")[1].Split(' ')[1], CultureInfo.InvariantCulture);

    /// <summary>Waits until the proxy is as it should be.</summary>
    public async Task<ProxyObservation> UntilAsync(Func<ProxyObservation, bool> isSo)
    {
        for (int i = 0; ; i++)
        {
            var seen = await SeeAsync();
            if (isSo(seen) || i > 400)
                return seen;
            await Task.Delay(25);
        }
    }

    public Task UntilUpAsync() =>
        UntilAsync(seen => seen.Servers.Count == 2 && seen.Servers.All(server => server.Health == ServerHealth.Up));

    public static Task SignalAsync(string signal, params int[] processes) =>
        CommandRunner.RunAsync(new Command("kill", ["-" + signal, .. processes.Select(p => $"{p}")]));

    /// <summary>Everything on this host that was started for this proxy.</summary>
    public static async Task<string[]> LeftAsync(string directory) =>
        (await CommandRunner.TryRunAsync(new Command("pgrep", "-af", directory), onLine: null)).Output.Split('\n',
            StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The directory of what the running proxy is started with.</summary>
    public async Task<string> DirectoryAsync() =>
        Path.GetDirectoryName((await File.ReadAllTextAsync($"/proc/{await ProxyAsync()}/cmdline"))
            .Split('\0')
            .First(word => word.EndsWith("/haproxy.cfg", StringComparison.Ordinal)))!;

    public static HttpClient Client() =>
        new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(90) };

    public async ValueTask DisposeAsync()
    {
        await Target.RemoveProxyAsync(Setup.Key);
        await Target.DisposeAsync();
        One.Dispose();
        Two.Dispose();
        _home.Dispose();
    }

    private static TrafficShare[] Shares(int one) => [new(1, one, 1), new(2, 100 - one, 1)];

    private DockerTarget NewTarget() => new(_home.Root, "0123456789ab", TimeProvider.System);

    private static Generation Generation(int number) => new()
    {
        Number = number,
        Repository = "127.0.0.1:1/nothing",
        Digest = Digest.Of("nothing"u8),
        Version = $"{number}.0.0",
        Replicas = 1,
        Port = 8080,
        Health = s_health,
    };
}
