using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Instances;

public sealed partial class DockerTarget
{
    private const string Unprivileged = "haproxy";
    private const string Runtime = "/run/ingot";

    private static readonly TimeSpan s_defaultRequestTimeout = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_proxyMoveTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_proxyStartTime = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<ServiceKey, ProxyFile> _proxyFiles = new();

    /// <inheritdoc/>
    // Down is only said when nothing listens on the command socket. One that runs and does not answer throws.
    public async Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default)
    {
        var config = Config(setup.Key, settings: null, []);
        if (await Proxy(setup.Key).TryStatusAsync(cancellationToken) is not { } status)
            return ProxyObservation.Down;

        // One that nobody would start again is set up anew, which gives it a keeper.
        var settings = Haproxy.IsKept(config, status.Info.Pid) ? ProxyDescription.Read(status.Info.Description) : null;
        if (settings is not null)
            FileOf(setup.Key).Follow(() => Config(setup.Key, settings, Servers(setup, status)));
        return new ProxyObservation(
            true,
            settings,
            $"{status.Info.Pid}-{status.Info.StartedAt}",
            [.. status.Servers.Select(Read).OfType<ServerObservation>()],
            Number(status.Frontend, "req_tot"),
            Number(status.Frontend, "hrsp_5xx"));
    }

    // In memory: it is of use as long as its processes are, and a full disk does not keep traffic from going back.
    private HaproxyConfig Config(ServiceKey key, ProxySettings? settings, IReadOnlyList<HaproxyServer> servers) => new()
    {
        Directory = Path.Combine(Runtime, ShortHash(Mark(key))),
        Listen = settings is null
            ? []
            : [.. new[] { settings.Listen, settings.Former ?? settings.Listen }
                .Distinct()
                .Select(address => IPEndPoint.Parse(address.ToString()))],
        CheckTimeout = settings?.CheckTimeout ?? TimeSpan.Zero,
        RequestTimeout = settings?.RequestTimeout ?? s_defaultRequestTimeout,
        Description = settings is null ? "" : ProxyDescription.Write(settings),
        User = HostUsers.Exists(Unprivileged) ? Unprivileged : null,
        Servers = servers,
    };

    // A directory that says that this home has a proxy for the service.
    private string Mark(ServiceKey key) => Path.Combine(_proxies, key.Stem);

    private HaproxyRuntime Proxy(ServiceKey key) => new(Config(key, settings: null, []).SocketPath, _time);

    private ProxyFile FileOf(ServiceKey key) => _proxyFiles.GetOrAdd(key, _ => new ProxyFile());

    private Task EnsureProxyAsync(ServiceSetup setup, Move.EnsureProxy move, CancellationToken cancellationToken) =>
        WithinAsync(s_proxyStartTime, "starting the proxy",
            token => FileOf(setup.Key).ChangeAsync(() => EnsureProxyOnceAsync(setup, move, token), token), cancellationToken);

    private async Task EnsureProxyOnceAsync(ServiceSetup setup, Move.EnsureProxy move, CancellationToken cancellationToken)
    {
        var config = Config(setup.Key, move.Settings, []);
        var info = await Haproxy.FindAsync(config, _time, cancellationToken);
        if (info is not null && info.Description == config.Description && Haproxy.IsKept(config, info.Pid))
            return;

        // The engine may not have said where all of them are: what takes traffic goes on taking it.
        var known = info is null ? Haproxy.Saved(config) : Servers(setup, await Proxy(setup.Key).StatusAsync(cancellationToken));
        var weights = move.Shares is null ? null : Weights.Of(move.Shares);
        int Weight(string name, int generation) => weights is not null
            ? weights.GetValueOrDefault(generation)
            : known.FirstOrDefault(server => server.Name == name)?.Weight ?? 0;
        var asked = (from server in move.Servers
                     let name = InstanceName.Of(server.Generation, server.Index)
                     let check = CheckOf(Generation(setup, server.Generation))
                     select new HaproxyServer(name, server.Address, Weight(name, server.Generation), check)).ToArray();
        var others = known.Where(server => asked.All(other => other.Name != server.Name));
        _ = Try(() => Directory.CreateDirectory(Mark(setup.Key)));
        await Haproxy.RunAsync(config with { Servers = [.. asked, .. others] }, _time, cancellationToken);
    }

    private Task AddServerAsync(ServiceSetup setup, Move.AddServer move, CancellationToken cancellationToken) =>
        ChangeAsync(setup, async (proxy, token) =>
        {
            var check = CheckOf(Generation(setup, move.Generation));
            string name = InstanceName.Of(move.Generation, move.Index);
            var status = await proxy.StatusAsync(token);
            if (status.Servers.FirstOrDefault(server => server.Name == name) is { } known && known.Address != move.Address)
                await RemoveServerAsync(proxy, setup.Key, name, cut: true, token);

            await proxy.SetMapAsync(Config(setup.Key, settings: null, []).ChecksPath, name, check.SafePath, token);
            await proxy.TryAddAsync(name, move.Address, check, token);
            await proxy.EnableAsync(name, token);
            Save(setup, await proxy.StatusAsync(token), servers => servers);
        }, move, cancellationToken);

    private Task SetSharesAsync(ServiceSetup setup, Move.SetShares move, CancellationToken cancellationToken) =>
        ChangeAsync(setup, (proxy, token) => SetSharesAsync(setup, proxy, move, token), move, cancellationToken);

    private async Task SetSharesAsync(ServiceSetup setup, HaproxyRuntime proxy, Move.SetShares move, CancellationToken token)
    {
        var wanted = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (server, weight) in Weights.Of(move))
            wanted[InstanceName.Of(server.Generation, server.Index)] = weight;
        var before = await proxy.StatusAsync(token);
        // Written before it is done: a process that is started again in between must not begin with weights that were turned back.
        var unsaved = Try(() => Save(setup, before,
            servers => servers.Select(server => server with { Weight = wanted.GetValueOrDefault(server.Name, server.Weight) })));
        await WeighAsync(proxy, wanted, before, token);
        if (unsaved is not null)
            throw unsaved;
    }

    private static async Task WeighAsync(
        HaproxyRuntime proxy, Dictionary<string, int> wanted, HaproxyStatus before, CancellationToken cancellationToken)
    {
        // Those that rise come first: there must never be none.
        foreach (var (name, weight) in wanted.OrderByDescending(change => change.Value > (WeightOf(before, change.Key) ?? 0)))
            await proxy.SetWeightAsync(name, weight, cancellationToken);

        var after = await proxy.StatusAsync(cancellationToken);
        foreach (var (name, weight) in wanted)
        {
            if (WeightOf(after, name) != weight)
                throw new ToolException("haproxy", $"'{name}' was given weight {weight} and HAProxy reports {WeightOf(after, name) ?? -1}");
        }
    }

    private static int? WeightOf(HaproxyStatus status, string name) => status.Servers.FirstOrDefault(server => server.Name == name)?.Weight;

    private Task RemoveServerAsync(ServiceSetup setup, Move.RemoveServer move, CancellationToken cancellationToken) =>
        ChangeAsync(setup, async (proxy, token) =>
        {
            string name = InstanceName.Of(move.Generation, move.Index);
            var before = await proxy.StatusAsync(token);
            var unsaved = Try(() => Save(setup, before, servers => servers.Where(server => server.Name != name)));
            await RemoveServerAsync(proxy, setup.Key, name, move.CutSessions, token);
            if (unsaved is not null)
                throw unsaved;
        }, move, cancellationToken);

    private async Task RemoveServerAsync(HaproxyRuntime proxy, ServiceKey key, string name, bool cut, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        if (!await proxy.TryMaintainAsync(name, cancellationToken))
            return;
        if (cut)
            await proxy.CutSessionsAsync(name, cancellationToken);
        while (!await proxy.TryDeleteAsync(name, cancellationToken))
        {
            if (_time.GetElapsedTime(start) > s_settling)
                throw new ToolException("haproxy",
                    $"'{name}' still has connections after {s_settling.TotalSeconds:0} s and stays in maintenance");
            await Task.Delay(s_poll, _time, cancellationToken);
        }

        await proxy.RemoveFromMapAsync(Config(key, settings: null, []).ChecksPath, name, cancellationToken);
    }

    /// <summary>Ends the proxy of a service and what keeps it, and takes their files away, the mark last. What is gone already is no
    /// error.</summary>
    public Task RemoveProxyAsync(ServiceKey key, CancellationToken cancellationToken = default) => WithinAsync(
        s_proxyStartTime, "ending the proxy", token => FileOf(key).ChangeAsync(() => RemoveProxyOnceAsync(key, token), token),
        cancellationToken);

    private async Task RemoveProxyOnceAsync(ServiceKey key, CancellationToken cancellationToken)
    {
        var config = Config(key, settings: null, []);
        await Haproxy.StopAsync(config, _time, cancellationToken);
        foreach (string directory in (string[])[config.Directory, Mark(key)])
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
    }

    private Task ChangeAsync(
        ServiceSetup setup, Func<HaproxyRuntime, CancellationToken, Task> change, Move move, CancellationToken cancellationToken) =>
        WithinAsync(s_proxyMoveTime, $"'{move}'", token => FileOf(setup.Key).ChangeAsync(() => change(Proxy(setup.Key), token), token),
            cancellationToken);

    // Whatever hangs, the one who asked learns of it as a failure, and never as a wish to stop.
    private async Task WithinAsync(TimeSpan limit, string what, Func<CancellationToken, Task> act, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            await act(either.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ToolException("haproxy", $"{what} did not end within {limit.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ToolException("haproxy", $"{what} failed: {IngotException.ReasonOf(e)}", e);
        }
    }

    private void Save(ServiceSetup setup, HaproxyStatus status, Func<IReadOnlyList<HaproxyServer>, IEnumerable<HaproxyServer>> change)
    {
        // One of another version is about to be set up anew, with a file of its own.
        if (ProxyDescription.Read(status.Info.Description) is { } settings)
            FileOf(setup.Key).Save(Config(setup.Key, settings, [.. change(Servers(setup, status))]));
    }

    /// <summary>The servers that take part, as they are now. One that is out of use is on its way out.</summary>
    private IReadOnlyList<HaproxyServer> Servers(ServiceSetup setup, HaproxyStatus status)
    {
        var saved = new Lazy<IReadOnlyList<HaproxyServer>>(() => Haproxy.Saved(Config(setup.Key, settings: null, [])));
        HaproxyCheck Check(string name) =>
            InstanceName.TryParse(name, out int generation, out _) && setup.Find(generation) is { } known ? CheckOf(known)
            : saved.Value.FirstOrDefault(server => server.Name == name)?.Check ?? CheckOf(new HealthDefinition());

        return [.. status.Servers
            .Where(server => !server.IsMaintenance)
            .Select(server => new HaproxyServer(server.Name, server.Address, server.Weight, Check(server.Name)))];
    }

    private static ToolException? Try(Action save)
    {
        try
        {
            save();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ToolException("haproxy",
                $"what HAProxy was told could not be written down, and would be lost if it ended now: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static HaproxyCheck CheckOf(Generation generation) => CheckOf(generation.Health);

    private static HaproxyCheck CheckOf(HealthDefinition health) => new(health.Path, health.Interval, health.Healthy, health.Unhealthy);
}

/// <summary>The file with which a proxy is started again when it ends: as it was last told to be. It is written with every move, and
/// follows what is seen, so that nothing that was turned back comes back.</summary>
#pragma warning disable CA1001 // a semaphore holds nothing as long as nobody asks for its handle
internal sealed class ProxyFile
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private HaproxyConfig? _written;

    /// <summary>Changes the proxy; one change at a time.</summary>
    public async Task ChangeAsync(Func<Task> change, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            // What it comes to is seen at the next look.
            _written = null;
            await change();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Writes what a change leads to, while it is under way.</summary>
    public void Save(HaproxyConfig config)
    {
        Haproxy.Save(config);
        _written = config;
    }

    /// <summary>Writes what is seen, when it is not what was written, unless a change is under way.</summary>
    public void Follow(Func<HaproxyConfig> seen)
    {
        if (!_gate.Wait(0))
            return;
        try
        {
            var config = seen();
            if (_written is null || !IsSame(_written, config))
                Save(config);
        }
        catch (IOException)
        {
            // A move that cannot write says so; the next look tries again.
            _written = null;
        }
        finally
        {
            _gate.Release();
        }
    }

    private static bool IsSame(HaproxyConfig a, HaproxyConfig b) => a.Description == b.Description && a.Servers.SequenceEqual(b.Servers);
}

/// <summary>How a running proxy tells what it was set up with: in a line of its own configuration, which no file can contradict.</summary>
internal static class ProxyDescription
{
    private const string None = "-";

    public static string Write(ProxySettings settings) => $"ingot-2 {Write(settings.Listen)} {settings.CheckTimeout.Ticks} "
        + $"{(settings.Former is { } former ? Write(former) : None)} "
        + $"{settings.RequestTimeout?.Ticks.ToString(CultureInfo.InvariantCulture) ?? None}";

    /// <summary>Null when the line is not ours, or of another version: the proxy is then set up anew.</summary>
    public static ProxySettings? Read(string line)
    {
        if (line.Split(' ') is not ["ingot-2", var listen, var check, var former, var request]
            || Address(listen) is not { } address || Time(check) is not { } checkTimeout
            || (former != None && Address(former) is null) || (request != None && Time(request) is null))
            return null;
        return new ProxySettings(address, checkTimeout) { Former = Address(former), RequestTimeout = Time(request) };
    }

    private static string Write(ListenAddress address) => address.ToString();

    private static ListenAddress? Address(string word) =>
        word.LastIndexOf(':') is >= 0 and var colon
            && int.TryParse(word.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            ? new ListenAddress(word[..colon], port)
            : null;

    private static TimeSpan? Time(string word) =>
        long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long ticks) ? TimeSpan.FromTicks(ticks) : null;
}

/// <summary>The users of this host.</summary>
internal static class HostUsers
{
    public static bool Exists(string name) =>
        File.Exists("/etc/passwd") && File.ReadLines("/etc/passwd").Any(line => line.StartsWith(name + ":", StringComparison.Ordinal));
}
