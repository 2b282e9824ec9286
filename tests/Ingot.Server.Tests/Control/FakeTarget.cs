using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;

namespace Ingot.Server.Tests.Control;

/// <summary>A host on which every instance is ready at once: it remembers what was carried out,
/// and outlives the controllers that talk to it.</summary>
internal sealed class FakeTarget : ITarget
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<(int Generation, int Index), InstanceObservation> _instances = [];
    private readonly SortedDictionary<(int Generation, int Index), (string Address, int Weight)> _servers = [];
    private readonly Dictionary<(int Generation, int Index), ServerCounters> _counters = [];
    private ProxySettings? _proxy;
    private long _requests;
    private long _failures;
    private int _ids;

    /// <summary>What happens while somebody asks what the target is.</summary>
    public Func<Task> OnDescribe { get; set; } = () => Task.CompletedTask;

    public ConcurrentQueue<Move> Carried { get; } = new();

    /// <summary>What happens before a move is carried out: it may fail, be slow, or hang.</summary>
    public Func<Move, CancellationToken, Task> OnMove { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What happens after a move was carried out and before that is known.</summary>
    public Func<Move, CancellationToken, Task> OnMoved { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What happens before the engine answers.</summary>
    public Func<CancellationToken, Task> OnLookAtEngine { get; set; } = _ => Task.CompletedTask;

    /// <summary>What happens before the proxy answers.</summary>
    public Func<CancellationToken, Task> OnLookAtProxy { get; set; } = _ => Task.CompletedTask;

    /// <summary>What happens before a service is taken away.</summary>
    public Func<CancellationToken, Task> OnRemove { get; set; } = _ => Task.CompletedTask;

    /// <summary>Of every hundred requests each server has answered, these many failed, by generation.</summary>
    public ConcurrentDictionary<int, int> FailingPercent { get; } = new();

    /// <summary>What instances wrote, by their ids.</summary>
    public ConcurrentDictionary<string, string[]> Logs { get; } = new();

    /// <summary>When a line was written.</summary>
    public Func<string, DateTimeOffset> LogTime { get; set; } = _ => DateTimeOffset.UnixEpoch;

    /// <summary>What happens before the log of an instance is read.</summary>
    public Func<string, Task> OnReadLog { get; set; } = _ => Task.CompletedTask;

    /// <summary>Generations whose instances end by themselves, again and again.</summary>
    public HashSet<int> Sick { get; } = [];

    public int LooksAtProxy { get; private set; }

    public int Containers
    {
        get
        {
            lock (_gate)
                return _instances.Count;
        }
    }

    /// <summary>Somebody else's container with the labels of one of ours; another takes the place of ours when it is there.</summary>
    public void Impersonate(int generation, Digest digest)
    {
        lock (_gate)
            _instances[(generation, 0)] = new InstanceObservation(generation, 0, "stranger-with-our-labels", InstanceState.Running, digest,
                "10.9.9.9:80", StartedAt: DateTimeOffset.UtcNow);
    }

    public IReadOnlyList<string> Addresses
    {
        get
        {
            lock (_gate)
                return [.. _servers.Values.Select(server => server.Address)];
        }
    }

    public int WeightOf(int generation)
    {
        lock (_gate)
            return _servers.Where(s => s.Key.Generation == generation).Sum(s => s.Value.Weight);
    }

    public int RunningOf(int generation)
    {
        lock (_gate)
            return _instances.Values.Count(i => i.Generation == generation && i.State == InstanceState.Running);
    }

    /// <summary>An instance ends by itself.</summary>
    public void End(int generation)
    {
        lock (_gate)
            _instances[(generation, 0)] = _instances[(generation, 0)] with { State = InstanceState.Exited, Address = null, ExitCode = 1 };
    }

    public async Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default)
    {
        await OnDescribe();
        return new TargetDescription("Docker Engine 28.2.2", ["none", "gzip", "zstd"], "Docker Engine 23 or later");
    }

    public async Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default)
    {
        LooksAtProxy++;
        await OnLookAtProxy(cancellationToken);
        lock (_gate)
        {
            Serve();
            return _proxy is null
                ? ProxyObservation.Down
                : new ProxyObservation(true, _proxy, "1", [.. _servers.Select(s => Server(s.Key, s.Value))], _requests, _failures);
        }
    }

    public async Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(
        ServiceSetup setup, CancellationToken cancellationToken = default)
    {
        await OnLookAtEngine(cancellationToken);
        lock (_gate)
            return [.. _instances.Values];
    }

    // A thousand requests between two looks, by the weights.
    private void Serve()
    {
        int all = _servers.Values.Sum(server => server.Weight);
        foreach (var (key, server) in _servers.Where(server => server.Value.Weight > 0 && !FailingPercent.IsEmpty))
        {
            long requests = 1000L * server.Weight / all, failures = requests * FailingPercent.GetValueOrDefault(key.Generation) / 100;
            var before = _counters.GetValueOrDefault(key);
            _counters[key] = before with { Responses = before.Responses + requests, ServerErrors = before.ServerErrors + failures };
            (_requests, _failures) = (_requests + requests, _failures + failures);
        }
    }

    public SyntheticObservation? ObserveSynthetic(ServiceKey key) => null;

    public async Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default)
    {
        await OnMove(move, cancellationToken);
        Carried.Enqueue(move);
        string? id;
        lock (_gate)
        {
            Apply(setup, move);
            id = move is Move.CreateInstance create ? _instances[(create.Generation, create.Index)].Id : null;
        }

        await OnMoved(move, cancellationToken);
        return id;
    }

    public async IAsyncEnumerable<LogLine> ReadLogAsync(
        string id, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await OnReadLog(id);
        foreach (string line in Logs.GetValueOrDefault(id, []).TakeLast(query.Tail ?? int.MaxValue))
            yield return new LogLine(LogTime(line), false, line);
    }

    // It has no labels by which a service could be found again: it is known from the ledger.
    public Task<IReadOnlyList<ServiceKey>> FindServicesAsync(CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<ServiceKey>>([]);

    public IReadOnlyList<string> Strangers(ServiceKey key) => [];

    public async Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default)
    {
        await OnRemove(cancellationToken);
        lock (_gate)
        {
            _instances.Clear();
            _servers.Clear();
            _proxy = null;
        }
    }

    private void Apply(ServiceSetup setup, Move move)
    {
        switch (move)
        {
            case Move.EnsureProxy proxy:
                _proxy = proxy.Settings;
                var begins = proxy.Shares is null ? null : Weights.Of(proxy.Shares);
                foreach (var server in proxy.Servers)
                {
                    int had = _servers.GetValueOrDefault((server.Generation, server.Index)).Weight;
                    _servers[(server.Generation, server.Index)] = (server.Address, begins?.GetValueOrDefault(server.Generation) ?? had);
                }

                break;
            case Move.CreateInstance create when _instances.TryGetValue((create.Generation, create.Index), out var there)
                && there.Id.StartsWith("stranger", StringComparison.Ordinal):
                throw new Ingot.Tools.ToolException("docker", "the name is taken");
            case Move.CreateInstance create when !_instances.ContainsKey((create.Generation, create.Index)):
                _instances[(create.Generation, create.Index)] = Create(create, setup.Find(create.Generation)!.Digest);
                break;
            case Move.AddServer add:
                _servers[(add.Generation, add.Index)] = (add.Address, _servers.GetValueOrDefault((add.Generation, add.Index)).Weight);
                break;
            case Move.SetShares shares:
                foreach (var (server, weight) in Weights.Of(shares))
                {
                    if (_servers.TryGetValue(server, out var known))
                        _servers[server] = known with { Weight = weight };
                }

                break;
            case Move.RemoveServer remove:
                _servers.Remove((remove.Generation, remove.Index));
                break;
            case Move.StopInstance stop
                when _instances.TryGetValue((stop.Generation, stop.Index), out var instance) && instance.Id == stop.Id:
                _instances[(stop.Generation, stop.Index)] =
                    _instances[(stop.Generation, stop.Index)] with { State = InstanceState.Exited, Address = null, ExitCode = 0 };
                break;
            case Move.RemoveInstance remove
                when _instances.TryGetValue((remove.Generation, remove.Index), out var instance) && instance.Id == remove.Id:
                _instances.Remove((remove.Generation, remove.Index));
                break;
        }
    }

    private InstanceObservation Create(Move.CreateInstance create, Digest digest)
    {
        int id = ++_ids;
        if (Sick.Contains(create.Generation))
            return new InstanceObservation(create.Generation, create.Index, $"id-{id}", InstanceState.Exited, digest, null, Restarts: 3,
                StartedAt: DateTimeOffset.UtcNow, ExitCode: 3);
        return new InstanceObservation(create.Generation, create.Index, $"id-{id}", InstanceState.Running, digest, $"10.0.0.{id}:80",
            StartedAt: DateTimeOffset.UtcNow);
    }

    private ServerObservation Server((int Generation, int Index) key, (string Address, int Weight) server) => new(
        key.Generation, key.Index, server.Address, server.Weight, ServerAdmin.Ready,
        _instances.TryGetValue(key, out var instance) && instance.State == InstanceState.Running && instance.Address == server.Address
            ? ServerHealth.Up
            : ServerHealth.Down,
        0, 0, _counters.GetValueOrDefault(key));
}
