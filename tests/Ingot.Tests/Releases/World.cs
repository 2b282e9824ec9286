using System.Globalization;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Tests.Releases;

/// <summary>How the instances of one generation behave.</summary>
public sealed record Behaviour
{
    public double ErrorRate { get; init; }

    /// <summary>Seconds from start until requests are answered; null for never.</summary>
    public int? ReadyAfter { get; init; } = 1;

    /// <summary>Seconds from start until the process ends; null for never.</summary>
    public int? EndsAfter { get; init; }
}

/// <summary>An engine, a proxy and users, a second at a time: what a docker target would report, without one.</summary>
public sealed class World(int seed)
{
    public static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    public static readonly ProxySettings Settings = new(new ListenAddress("127.0.0.1", 8080), TimeSpan.FromMilliseconds(500));

    /// <summary>How long a look takes.</summary>
    public static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private const int Rise = 2;
    private const int Fall = 3;

    private readonly Random _random = new(seed);
    private readonly SortedDictionary<string, Instance> _instances = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Server> _servers = new(StringComparer.Ordinal);
    private int _ids;
    private int _epoch;
    private long _requests;
    private long _failures;
    private ProxySettings? _settings;
    private SyntheticTraffic? _synthetic;

    /// <summary>The controller's clock, which may jump.</summary>
    public DateTimeOffset Now { get; private set; } = Start;

    /// <summary>Seconds that have really passed.</summary>
    public int Elapsed { get; private set; }

    public bool ProxyAlive { get; private set; }

    /// <summary>The engine takes no order and answers no question; what runs goes on.</summary>
    public bool EngineSilent { get; set; }

    /// <summary>The proxy's runtime socket takes no order and answers no question; it goes on with what it was told last.</summary>
    public bool ProxySilent { get; set; }

    /// <summary>Requests a second.</summary>
    public int Rate { get; set; } = 200;

    /// <summary>A share of requests that fails whichever instance takes them.</summary>
    public double SharedErrorRate { get; set; }

    public Dictionary<int, Behaviour> Behaviours { get; } = [];

    /// <summary>Requests no instance could answer: what a rollout must not cause.</summary>
    public long Dropped { get; private set; }

    /// <summary>Answers of 5xx that users got, and requests without an answer.</summary>
    public long Failures => _failures;

    /// <summary>Requests cut because their instance was taken away under them.</summary>
    public long Cut { get; private set; }

    /// <summary>Instances that run something else than was promised.</summary>
    public HashSet<string> Strangers { get; } = [];

    /// <summary>An address that something else listens on.</summary>
    public ListenAddress? Taken { get; set; }

    /// <summary>The address that users use; null for any that is open.</summary>
    public ListenAddress? Used { get; set; }

    /// <summary>What checks that fail get.</summary>
    public string? CheckGets { get; set; }

    /// <summary>Requests that never end are in flight at a generation.</summary>
    public int? Endless { get; set; }

    public static RolloutSpec Spec(int next, int? previous, params int[] canary) => new()
    {
        Key = new ServiceKey("shop", "web", "production"),
        Proxy = Settings,
        Next = Generation(next),
        Previous = previous is { } number ? Generation(number) : null,
        Rollout = new RolloutDefinition
        {
            Canary = canary,
            Observe = TimeSpan.FromSeconds(10),
            StepDeadline = TimeSpan.FromSeconds(60),
            Drain = TimeSpan.FromSeconds(20),
            DrainConnections = TimeSpan.FromSeconds(40),
        },
        By = "ada",
        Reason = "release",
    };

    public static Generation Generation(int number, int replicas = 2) => new()
    {
        Number = number,
        Repository = "127.0.0.1:7070/shop/web",
        Digest = Digest.Of([(byte)number]),
        Version = $"1.{number}.0",
        Replicas = replicas,
        Port = 8080,
    };

    // A look begins before the decision that it is for.
    public Observation Observe() => new(
        Now - Look,
        ProxyAlive && !ProxySilent ? ObserveProxy() : ProxyObservation.Down,
        EngineSilent ? [] : [.. _instances.Values.Select(Reported)],
        _synthetic is null ? null : new SyntheticObservation(_synthetic.Path, _synthetic.Rate, 0, 0, 0))
    {
        EngineTrouble = EngineSilent ? "the engine does not answer" : null,
        ProxyTrouble = ProxyAlive && ProxySilent ? "the proxy does not answer" : null,
    };

    private InstanceObservation Reported(Instance instance) =>
        Strangers.Contains(instance.Id) ? instance.Observe() with { Objection = "it runs another image" } : instance.Observe();

    public int WeightOf(int generation) => _servers.Values.Where(server => server.Generation == generation).Sum(server => server.Weight);

    public int RunningOf(int generation) =>
        _instances.Values.Count(instance => instance.Generation == generation && instance.State == InstanceState.Running);

    public int InstancesOf(int generation) => _instances.Values.Count(instance => instance.Generation == generation);

    public bool Knows(int generation) => _servers.Values.Any(server => server.Generation == generation);

    /// <summary>Makes what an earlier rollout would have left: a proxy and ready generations.</summary>
    public void Serve(int serving, params int[] warm) => ServeWith(2, serving, warm);

    /// <summary>The same, with so many instances of each.</summary>
    public void ServeWith(int replicas, int serving, params int[] warm)
    {
        Apply(new Move.EnsureProxy(Settings, []));
        foreach (int generation in (int[])[serving, .. warm])
        {
            for (int index = 0; index < replicas; index++)
            {
                Apply(new Move.CreateInstance(generation, index, 0));
                var instance = _instances[InstanceName.Of(generation, index)];
                Apply(new Move.AddServer(generation, index, instance.Address!));
                _servers[InstanceName.Of(generation, index)].Weight = generation == serving ? 100 : 0;
                (instance.StartedAt, _servers[InstanceName.Of(generation, index)].Health) = (-3600, ServerHealth.Up);
            }
        }
    }

    /// <summary>Time passes, without traffic on the way: clocks jump.</summary>
    public void JumpClock(TimeSpan by) => Now += by;

    public void Pass(int seconds)
    {
        for (int i = 0; i < seconds; i++)
        {
            Now += TimeSpan.FromSeconds(1);
            Elapsed++;
            foreach (var instance in _instances.Values)
                Live(instance);
            if (ProxyAlive)
                Check();
            Traffic();
        }
    }

    public void Apply(Move move)
    {
        if (move.Lane == Lane.Instances ? EngineSilent : ProxySilent)
            return;

        switch (move)
        {
            case Move.EnsureProxy proxy:
                StartProxy(proxy);
                break;
            case Move.CreateInstance create:
                Create(create.Generation, create.Index);
                break;
            case Move.StopInstance stop when Find(stop.Generation, stop.Index, stop.Id) is { } instance:
                End(instance, 0);
                break;
            case Move.RemoveInstance remove when Find(remove.Generation, remove.Index, remove.Id) is { } instance:
                End(instance, 0);
                _instances.Remove(InstanceName.Of(remove.Generation, remove.Index));
                break;
            case Move.StartSynthetic start:
                _synthetic = new SyntheticTraffic(start.Path, start.Rate);
                break;
            case Move.StopSynthetic:
                _synthetic = null;
                break;
            default:
                if (ProxyAlive)
                    ApplyToProxy(move);
                break;
        }
    }

    /// <summary>The process ends as by SIGKILL; the engine starts it again up to three times, elsewhere.</summary>
    public void Kill(int generation, int index)
    {
        if (_instances.GetValueOrDefault(InstanceName.Of(generation, index)) is not { State: InstanceState.Running } instance)
            return;

        Lose(instance);
        End(instance, 137);
        if (instance.Restarts < 3)
            StartAgain(instance);
    }

    // What was in flight and may not be sent twice has no answer.
    private void Lose(Instance instance)
    {
        if (!_servers.TryGetValue(InstanceName.Of(instance.Generation, instance.Index), out var server) || server.Weight == 0)
            return;
        (server.Unanswered, _failures) = (server.Unanswered + 10, _failures + 10);
    }

    public void KillProxy()
    {
        (ProxyAlive, ProxySilent) = (false, false);
        _servers.Clear();
    }

    private ProxyObservation ObserveProxy() => new(
        true,
        _settings,
        _epoch.ToString(CultureInfo.InvariantCulture),
        [.. _servers.Values.Select(server => server.Observe() with { Check = server.Health == ServerHealth.Down ? CheckGets : null })],
        _requests,
        _failures);

    private Instance? Find(int generation, int index, string id) =>
        _instances.GetValueOrDefault(InstanceName.Of(generation, index)) is { } instance && instance.Id == id ? instance : null;

    private void StartProxy(Move.EnsureProxy proxy)
    {
        if (ProxyAlive && _settings == proxy.Settings || proxy.Settings.Listen == Taken)
            return;

        var weights = proxy.Shares is { } shares ? Weights.Of(shares) : null;
        var had = _servers.ToDictionary(server => server.Key, server => server.Value.Weight, StringComparer.Ordinal);
        _servers.Clear();
        (ProxyAlive, _settings, _requests, _failures) = (true, proxy.Settings, 0, 0);
        _epoch++;
        foreach (var server in proxy.Servers)
        {
            string name = InstanceName.Of(server.Generation, server.Index);
            int weight = weights?.GetValueOrDefault(server.Generation) ?? had.GetValueOrDefault(name);
            _servers[name] = new Server(server.Generation, server.Index, server.Address) { Weight = weight };
        }
    }

    private void Create(int generation, int index)
    {
        string name = InstanceName.Of(generation, index);
        if (!_instances.TryGetValue(name, out var instance))
            _instances[name] = instance = new Instance(generation, index, $"id{++_ids}", Digest.Of([(byte)generation]));
        if (instance.State == InstanceState.Created)
            StartAgain(instance);
    }

    private void StartAgain(Instance instance)
    {
        if (instance.State == InstanceState.Exited)
            instance.Restarts++;
        instance.State = InstanceState.Running;
        instance.Address = $"10.0.{_random.Next(200)}.{++_ids}:8080";
        (instance.StartedAt, instance.StartedAtClock) = (Elapsed, Now);
        instance.ExitCode = null;
    }

    private static void End(Instance instance, int exitCode)
    {
        if (instance.State == InstanceState.Running)
            (instance.State, instance.Address, instance.ExitCode) = (InstanceState.Exited, null, exitCode);
    }

    private void Live(Instance instance)
    {
        var behaviour = Behaviours.GetValueOrDefault(instance.Generation) ?? new();
        if (instance.State != InstanceState.Running || behaviour.EndsAfter is not { } seconds || Elapsed - instance.StartedAt < seconds)
            return;

        End(instance, 1);
        if (instance.Restarts < 3)
            StartAgain(instance);
    }

    private void ApplyToProxy(Move move)
    {
        switch (move)
        {
            case Move.AddServer add:
                string name = InstanceName.Of(add.Generation, add.Index);
                if (!_servers.TryGetValue(name, out var known) || known.Address != add.Address)
                    _servers[name] = new Server(add.Generation, add.Index, add.Address) { Weight = known?.Weight ?? 0 };
                break;
            case Move.SetShares shares:
                foreach (var (at, weight) in Weights.Of(shares))
                {
                    if (_servers.TryGetValue(InstanceName.Of(at.Generation, at.Index), out var changed))
                        changed.Weight = weight;
                }

                break;
            case Move.RemoveServer remove:
                if (_servers.TryGetValue(InstanceName.Of(remove.Generation, remove.Index), out var server)
                    && (remove.CutSessions || server.Sessions == 0))
                {
                    Cut += server.Sessions;
                    _servers.Remove(InstanceName.Of(remove.Generation, remove.Index));
                }

                break;
        }
    }

    private bool Answers(Server server) =>
        _instances.GetValueOrDefault(InstanceName.Of(server.Generation, server.Index)) is { State: InstanceState.Running } instance
        && instance.Address == server.Address
        && (Behaviours.GetValueOrDefault(server.Generation) ?? new()).ReadyAfter is { } seconds
        && Elapsed - instance.StartedAt >= seconds;

    private void Check()
    {
        foreach (var server in _servers.Values)
            server.Checked(Answers(server), Rise, Fall);
    }

    private void Traffic()
    {
        foreach (var server in _servers.Values)
            server.Sessions = server.Generation == Endless ? Math.Max(1, server.Sessions / 2) : server.Sessions / 2;
        for (int i = 0; i < Rate; i++)
            Request();
    }

    private void Request()
    {
        _requests++;
        Server? failed = null;
        for (int attempt = 0; attempt < 4; attempt++)
        {
            if ((Choose(failed) ?? Choose(null)) is not { } server)
                break;
            if (!Answers(server))
            {
                failed = server;
                server.Retries++;
                continue;
            }

            server.Responses++;
            server.Sessions = _random.Next(4);
            if (_random.NextDouble() < SharedErrorRate + (Behaviours.GetValueOrDefault(server.Generation)?.ErrorRate ?? 0))
            {
                server.Errors++;
                _failures++;
            }

            return;
        }

        _failures++;
        Dropped++;
    }

    // A retry goes to another server where there is one.
    private Server? Choose(Server? except)
    {
        int total = 0;
        foreach (var server in _servers.Values)
            total += Takes(server, except) ? server.Weight : 0;
        if (!ProxyAlive || total == 0 || !IsOpen(Used))
            return null;

        int at = _random.Next(total);
        foreach (var server in _servers.Values)
        {
            if (Takes(server, except) && (at -= server.Weight) < 0)
                return server;
        }

        return null;
    }

    private bool IsOpen(ListenAddress? address) => address is null || address == _settings?.Listen || address == _settings?.Former;

    private static bool Takes(Server server, Server? except) => server.Health != ServerHealth.Down && server != except;

    private sealed class Instance(int generation, int index, string id, Digest digest)
    {
        public int Generation => generation;

        public int Index => index;

        public string Id => id;

        public InstanceState State { get; set; } = InstanceState.Created;

        public string? Address { get; set; }

        public int StartedAt { get; set; }

        public DateTimeOffset StartedAtClock { get; set; }

        public int Restarts { get; set; }

        public int? ExitCode { get; set; }

        public InstanceObservation Observe() => new(generation, index, id, State, digest, Address, Restarts, StartedAtClock, ExitCode);
    }

    private sealed class Server(int generation, int index, string address)
    {
        private int _good;
        private int _bad;

        public int Generation => generation;

        public int Index => index;

        public string Address => address;

        public int Weight { get; set; }

        public ServerHealth Health { get; set; }

        public long Sessions { get; set; }

        public long Responses { get; set; }

        public long Errors { get; set; }

        public long Retries { get; set; }

        public long Unanswered { get; set; }

        // As HAProxy: a server that was never checked is used, one failed check takes it out, and `rise` good ones bring it back.
        public void Checked(bool answers, int rise, int fall)
        {
            (_good, _bad) = answers ? (_good + 1, 0) : (0, _bad + 1);
            Health = Health switch
            {
                ServerHealth.Unknown => answers ? ServerHealth.Up : ServerHealth.Down,
                ServerHealth.Up when _bad >= fall => ServerHealth.Down,
                ServerHealth.Down when _good >= rise => ServerHealth.Up,
                var health => health,
            };
        }

        public ServerObservation Observe() => new(
            generation, index, address, Weight, ServerAdmin.Ready, Health, Sessions, 0,
            new ServerCounters(Responses, Errors, 0, Unanswered, Retries));
    }
}
