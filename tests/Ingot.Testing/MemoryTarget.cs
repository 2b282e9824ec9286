using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Testing;

/// <summary>A host in memory, with the containers and proxies of any number of homes. Every instance is ready at once.</summary>
public sealed class MemoryHost
{
    private readonly Lock _gate = new();
    private readonly List<MemoryContainer> _containers = [];
    private readonly Dictionary<(string Home, ServiceKey Key), MemoryProxy> _proxies = [];
    private int _ids;

    public T Read<T>(Func<IReadOnlyList<MemoryContainer>, IReadOnlyDictionary<(string Home, ServiceKey Key), MemoryProxy>, T> read)
    {
        lock (_gate)
            return read(_containers, _proxies);
    }

    /// <summary>Adds a container and returns its id; null when there is one already that <paramref name="isSame"/>.</summary>
    public (string Id, bool IsNew) Add(MemoryContainer container, Func<MemoryContainer, bool> isSame)
    {
        lock (_gate)
        {
            if (_containers.FirstOrDefault(isSame) is { } there)
                return (there.Id, false);
            string id = $"id-{++_ids}";
            _containers.Add(container with { Id = id, Address = container.State == InstanceState.Running ? AddressOf(id) : null });
            return (id, true);
        }
    }

    public void Change(Func<MemoryContainer, bool> which, Func<MemoryContainer, MemoryContainer?> change)
    {
        lock (_gate)
        {
            for (int i = _containers.Count - 1; i >= 0; i--)
            {
                if (!which(_containers[i]))
                    continue;
                if (change(_containers[i]) is { } changed)
                    _containers[i] = changed with { Address = changed.State == InstanceState.Running ? AddressOf(changed.Id) : null };
                else
                    _containers.RemoveAt(i);
            }
        }
    }

    public void ChangeProxy(string home, ServiceKey key, Func<MemoryProxy?, MemoryProxy?> change)
    {
        lock (_gate)
        {
            if (change(_proxies.GetValueOrDefault((home, key))) is { } changed)
                _proxies[(home, key)] = changed;
            else
                _proxies.Remove((home, key));
        }
    }

    private static string AddressOf(string id) => $"10.0.0.{id[3..]}:80";
}

/// <summary>A container. What is not an instance has no home, or labels that cannot be read.</summary>
public sealed record MemoryContainer(string? Home, ServiceKey Key, int Generation, int Index, Digest Digest, Digest Spec, Digest Runs)
{
    public string Id { get; init; } = "";

    public InstanceState State { get; init; } = InstanceState.Running;

    public string? Address { get; init; }

    public int? ExitCode { get; init; }

    public bool IsReadable { get; init; } = true;

    public bool IsOf(string home, ServiceKey key) => Home == home && Key == key;
}

/// <summary>A proxy and its servers.</summary>
public sealed record MemoryProxy(ProxySettings Settings, IReadOnlyDictionary<(int Generation, int Index),
    (string Address, int Weight)> Servers);

/// <summary>A target on a <see cref="MemoryHost"/>. It remembers what was carried out, outlives the controllers that talk to it, and can be
/// made to hang and to fail.</summary>
public class MemoryTarget(MemoryHost host, string home) : ITarget
{
    public MemoryTarget()
        : this(new MemoryHost(), "0123456789ab")
    {
    }

    public MemoryHost Host => host;

    /// <summary>What happens before a call does anything: it may wait, and it may throw. Calls are named <c>describe</c>, <c>proxy</c>,
    /// <c>instances</c>, <c>remove</c>, <c>find</c>, <c>log</c>, and by a move's key.</summary>
    public Func<string, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What happens after a move took effect, before the caller learns of it.</summary>
    public Func<Move, CancellationToken, Task> After { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>After which a call is given up.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(5);

    public ConcurrentQueue<Move> Carried { get; } = new();

    public int WeightOf(int generation) => host.Read((_, proxies) => proxies.Where(proxy => proxy.Key.Home == home)
        .SelectMany(proxy => proxy.Value.Servers).Where(server => server.Key.Generation == generation).Sum(server => server.Value.Weight));

    public int RunningOf(int generation) =>
        host.Read((containers, _) =>
            containers.Count(one => one.Home == home && one.Generation == generation && one.State == InstanceState.Running));

    /// <summary>An instance ends by itself.</summary>
    public void End(int generation) =>
        host.Change(one => one.Home == home && one.Generation == generation && one.Index == 0, one =>
            one with { State = InstanceState.Exited, ExitCode = 1 });

    public virtual async Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default)
    {
        await BeginAsync("describe", cancellationToken);
        return new TargetDescription("Docker Engine 28.2.2", ["none", "gzip", "zstd"], "Docker Engine 23 or later");
    }

    public async Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default)
    {
        await BeginAsync("proxy", cancellationToken);
        return host.Read((_, proxies) => proxies.GetValueOrDefault((home, setup.Key)) is { } proxy
            ? new ProxyObservation(true, proxy.Settings, "1", [.. proxy.Servers.OrderBy(server => server.Key).Select(Server)])
            : ProxyObservation.Down);
    }

    public async Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(ServiceSetup setup,
        CancellationToken cancellationToken = default)
    {
        await BeginAsync("instances", cancellationToken);
        var ours = host.Read((containers, _) => containers.Where(one => one.IsOf(home, setup.Key) && one.IsReadable).ToList());
        var instances = new List<InstanceObservation>();
        foreach (var one in ours.OrderBy(one => one.Generation).ThenBy(one => one.Index))
            instances.Add(Observe(setup, one, instances));
        return instances;
    }

    public IReadOnlyList<string> Strangers(ServiceKey key) =>
        host.Read((containers, _) => containers.Where(one => one.IsOf(home, key) && !one.IsReadable)
            .Select(one => $"the container '{one.Id}' has labels that cannot be read").ToList());

    /// <summary>What every instance writes once it is started.</summary>
    public static IReadOnlyList<string> Says { get; } = ["starts", "has opened its files", "listens"];

    public async IAsyncEnumerable<LogLine> ReadLogAsync(string id, LogQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await BeginAsync("log", cancellationToken);
        if (!host.Read((containers, _) => containers.Any(one => one.Id == id)))
            yield break;
        foreach (string line in Says.TakeLast(query.Tail ?? int.MaxValue))
            yield return new LogLine(null, IsError: false, line);
        if (query.Follow)
            await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    public SyntheticObservation? ObserveSynthetic(ServiceKey key) => null;

    public async Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default)
    {
        Carried.Enqueue(move);
        await BeginAsync(move.Key, cancellationToken);
        string? id = Apply(setup, move);
        await BoundedAsync(token => After(move, token), move.Key, cancellationToken);
        return id;
    }

    public async Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default)
    {
        await BeginAsync("remove", cancellationToken);
        host.Change(one => one.IsOf(home, key), _ => null);
        host.ChangeProxy(home, key, _ => null);
    }

    public async Task<IReadOnlyList<ServiceKey>> FindServicesAsync(CancellationToken cancellationToken = default)
    {
        await BeginAsync("find", cancellationToken);
        return host.Read((containers, proxies) => containers.Where(one => one.Home == home).Select(one => one.Key)
            .Concat(proxies.Keys.Where(proxy => proxy.Home == home).Select(proxy => proxy.Key)).Distinct()
                .OrderBy(key => key.Stem, StringComparer.Ordinal).ToList());
    }

    private Task BeginAsync(string call, CancellationToken cancellationToken) =>
        BoundedAsync(token => Before(call, token), call, cancellationToken);

    private async Task BoundedAsync(Func<CancellationToken, Task> act, string call, CancellationToken cancellationToken)
    {
        using var clock = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        clock.CancelAfter(Patience);
        try
        {
            await act(clock.Token).WaitAsync(clock.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ToolException("memory", $"'{call}' was not answered within {Patience.TotalSeconds:0.##} s", e);
        }
    }

    private static InstanceObservation Observe(ServiceSetup setup, MemoryContainer one, List<InstanceObservation> others)
    {
        var promised = setup.Find(one.Generation);
        string? objection = promised is not null
            && (one.Runs != promised.Digest || one.Digest != promised.Digest || one.Spec != promised.SpecDigest)
            ? $"the container '{one.Id}' runs '{one.Runs}' and not '{promised.Digest}'"
            : others.Any(other => (other.Generation, other.Index) == (one.Generation, one.Index) && other.Objection is null)
                ? $"the container '{one.Id}' is a second one" : null;
        return new InstanceObservation(one.Generation, one.Index, one.Id, one.State, one.Digest, one.Address,
            StartedAt: TimeProvider.System.GetUtcNow(), ExitCode: one.ExitCode)
        { Objection = objection };
    }

    private string? Apply(ServiceSetup setup, Move move)
    {
        switch (move)
        {
            case Move.CreateInstance create:
                return Create(setup, create);
            case Move.StopInstance stop:
                RefuseForeign(stop.Id);
                host.Change(one => one.Id == stop.Id && one.State != InstanceState.Exited, one =>
                    one with { State = InstanceState.Exited, ExitCode = 0 });
                break;
            case Move.RemoveInstance remove:
                RefuseForeign(remove.Id);
                host.Change(one => one.Id == remove.Id, _ => null);
                break;
            case Move.StartSynthetic or Move.StopSynthetic:
                break;
            default:
                host.ChangeProxy(home, setup.Key, proxy => Apply(setup, proxy, move));
                break;
        }

        return null;
    }

    private string Create(ServiceSetup setup, Move.CreateInstance create)
    {
        var generation = setup.Find(create.Generation)!;
        var wanted = new MemoryContainer(home, setup.Key, create.Generation, create.Index, generation.Digest, generation.SpecDigest,
            generation.Digest);
        var (id, isNew) = host.Add(wanted, one => one with { Id = "", Address = null, State = wanted.State, ExitCode = null } == wanted);
        if (!isNew)
            host.Change(one => one.Id == id, one => one with { State = InstanceState.Running, ExitCode = null });
        return id;
    }

    private void RefuseForeign(string id)
    {
        if (host.Read((containers, _) => containers.Any(one => one.Id == id && one.Home != home)))
            throw new ToolException("memory", $"the container '{id}' is not this home's");
    }

    private static MemoryProxy? Apply(ServiceSetup setup, MemoryProxy? proxy, Move move)
    {
        if (move is Move.EnsureProxy ensure)
            return proxy?.Settings == ensure.Settings ? proxy : Replace(proxy, ensure);
        if (proxy is null)
            throw new ToolException("memory", $"the proxy of {setup.Key} does not run");

        var servers = new Dictionary<(int Generation, int Index), (string Address, int Weight)>(proxy.Servers);
        switch (move)
        {
            case Move.AddServer add:
                var known = servers.GetValueOrDefault((add.Generation, add.Index));
                servers[(add.Generation, add.Index)] = (add.Address, known.Address == add.Address ? known.Weight : 0);
                break;
            case Move.SetShares shares:
                foreach (var (server, weight) in Weights.Of(shares))
                    servers[server] = (servers[server].Address, weight);
                break;
            case Move.RemoveServer remove:
                servers.Remove((remove.Generation, remove.Index));
                break;
        }

        return proxy with { Servers = servers };
    }

    private static MemoryProxy Replace(MemoryProxy? proxy, Move.EnsureProxy ensure)
    {
        var weights = ensure.Shares is null ? null : Weights.Of(ensure.Shares);
        Dictionary<(int Generation, int Index), (string Address, int Weight)> servers = proxy is null ? [] : new(proxy.Servers);
        foreach (var server in ensure.Servers)
        {
            var at = (server.Generation, server.Index);
            servers[at] = (server.Address, weights?.GetValueOrDefault(server.Generation) ?? servers.GetValueOrDefault(at).Weight);
        }

        return new MemoryProxy(ensure.Settings, servers);
    }

    private static ServerObservation Server(KeyValuePair<(int Generation, int Index), (string Address, int Weight)> server) =>
        new(server.Key.Generation, server.Key.Index, server.Value.Address, server.Value.Weight, ServerAdmin.Ready, ServerHealth.Up, 0, 0,
            default);
}
