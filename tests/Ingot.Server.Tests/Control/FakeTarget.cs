using System.Collections.Concurrent;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;

namespace Ingot.Server.Tests.Control;

/// <summary>A host on which every instance is ready at once: it remembers what was carried out, and outlives the controllers that talk to it.</summary>
internal sealed class FakeTarget : ITarget
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<(int Generation, int Index), InstanceObservation> _instances = [];
    private readonly SortedDictionary<(int Generation, int Index), (string Address, int Weight)> _servers = [];
    private ProxySettings? _proxy;
    private int _ids;

    /// <summary>What happens while somebody asks what the target is.</summary>
    public Func<Task> OnDescribe { get; set; } = () => Task.CompletedTask;

    public ConcurrentQueue<Move> Carried { get; } = new();

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

    public Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default)
    {
        lock (_gate)
            return Task.FromResult(_proxy is null ? ProxyObservation.Down : new ProxyObservation(true, _proxy, "1", [.. _servers.Select(s => Server(s.Key, s.Value))]));
    }

    public Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(ServiceSetup setup, CancellationToken cancellationToken = default)
    {
        lock (_gate)
            return Task.FromResult<IReadOnlyList<InstanceObservation>>([.. _instances.Values]);
    }

    public SyntheticObservation? ObserveSynthetic(ServiceKey key) => null;

    public Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default)
    {
        Carried.Enqueue(move);
        lock (_gate)
        {
            Apply(setup, move);
            return Task.FromResult(move is Move.CreateInstance create ? _instances[(create.Generation, create.Index)].Id : null);
        }
    }

    public Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            _instances.Clear();
            _servers.Clear();
            _proxy = null;
        }

        return Task.CompletedTask;
    }

    private void Apply(ServiceSetup setup, Move move)
    {
        switch (move)
        {
            case Move.EnsureProxy proxy:
                _proxy = proxy.Settings;
                foreach (var server in proxy.Servers)
                    _servers[(server.Generation, server.Index)] = (server.Address, server.Weight);
                break;
            case Move.CreateInstance create when !_instances.ContainsKey((create.Generation, create.Index)):
                _instances[(create.Generation, create.Index)] = Create(create, setup.Find(create.Generation)!.Digest);
                break;
            case Move.AddServer add:
                _servers[(add.Generation, add.Index)] = (add.Address, _servers.GetValueOrDefault((add.Generation, add.Index)).Weight);
                break;
            case Move.SetWeights weights:
                foreach (var server in weights.Servers)
                    _servers[(server.Generation, server.Index)] = _servers[(server.Generation, server.Index)] with { Weight = server.Weight };
                break;
            case Move.RemoveServer remove:
                _servers.Remove((remove.Generation, remove.Index));
                break;
            case Move.StopInstance stop:
                _instances[(stop.Generation, stop.Index)] = _instances[(stop.Generation, stop.Index)] with { State = InstanceState.Exited, Address = null, ExitCode = 0 };
                break;
            case Move.RemoveInstance remove:
                _instances.Remove((remove.Generation, remove.Index));
                break;
        }
    }

    private InstanceObservation Create(Move.CreateInstance create, Digest digest)
    {
        int id = ++_ids;
        return new InstanceObservation(create.Generation, create.Index, $"id-{id}", InstanceState.Running, digest, $"10.0.0.{id}:80", StartedAt: DateTimeOffset.UtcNow);
    }

    private static ServerObservation Server((int Generation, int Index) key, (string Address, int Weight) server) =>
        new(key.Generation, key.Index, server.Address, server.Weight, ServerAdmin.Ready, ServerHealth.Up, 0, 0, default);
}
