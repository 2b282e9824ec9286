using System.Globalization;
using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Tests.Releases;

/// <summary>Whole rollouts under seeded faults: killed controllers, lost and doubled and late moves, stale observations, dying instances
/// and proxies, jumping clocks.</summary>
public sealed class SimulationTests
{
    [Fact]
    public void UnderEveryFaultEachRolloutEndsOrPausesAndNoInvariantBreaks()
    {
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (int seed in Enumerable.Range(0, Seeds.Of(500)))
        {
            string outcome = new FaultyRun(seed, Faults.All).ToTheEnd();
            outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
        }

        string table = string.Join(", ", outcomes.Select(pair => $"{pair.Key} {pair.Value}"));
        TestContext.Current.SendDiagnosticMessage(table);
        Assert.True(outcomes.Keys.Count >= 5, table);
    }

    [Fact]
    public void FaultsOfTheControllerAndPeopleWhoChangeTheirMindsDropNoRequest()
    {
        foreach (int seed in Enumerable.Range(0, Seeds.Of(125)))
        {
            var run = new FaultyRun(seed, Faults.Controller | Faults.People, harmless: true);
            run.ToTheEnd();
            Assert.True(run.State.Spec.Previous is null || run.World.Dropped == 0 && run.World.Cut == 0,
                $"seed {seed}: {run.World.Dropped} requests dropped, {run.World.Cut} cut\n{run.Story}");
        }
    }

    [Fact]
    public void AHarmlessReleaseUnderFaultsOfTheControllerIsNeverRolledBackForItsHealth()
    {
        foreach (int seed in Enumerable.Range(0, Seeds.Of(125)))
        {
            var run = new FaultyRun(seed, Faults.Controller, harmless: true);
            run.ToTheEnd();
            Assert.False(run.State.Cause == AbortCause.Health, $"seed {seed}: {run.State.Reason}\n{run.Story}");
        }
    }

    [Fact]
    public void TrafficIsBackInTheSameSecondWhereverTheProxyAnswers()
    {
        int seen = 0;
        foreach (int seed in Enumerable.Range(0, Seeds.Of(125)))
        {
            var run = new FaultyRun(seed, Faults.Engine | Faults.Target | Faults.People | Faults.Records);
            run.ToTheEnd();
            seen += run.WentBack;
        }

        Assert.True(seen > Seeds.Of(125) / 10, $"only {seen} rollouts turned back");
    }

    [Fact]
    public void BetweenRolloutsEveryFaultHealsOnceItIsOver()
    {
        foreach (int seed in Enumerable.Range(0, Seeds.Of(125)))
            new FaultySteady(seed).Heals();
    }
}

/// <summary>How many seeds the simulations take.</summary>
internal static class Seeds
{
    /// <summary>More for a night: INGOT_SEEDS=100000 takes 200 times as many of everything.</summary>
    private static readonly double s_more =
        int.Parse(Environment.GetEnvironmentVariable("INGOT_SEEDS") ?? "500", CultureInfo.InvariantCulture) / 500.0;

    public static int Of(int byDefault) => Math.Max(1, (int)(byDefault * s_more));
}

[Flags]
internal enum Faults
{
    None = 0,

    /// <summary>The controller is killed, its moves are lost or carried out twice, its observations are old,
    /// the clock jumps back.</summary>
    Controller = 1,

    /// <summary>Instances are killed, and the proxy.</summary>
    Target = 2,

    /// <summary>The engine is silent for a while, slow with every move, fails some, and is seen late;
    /// instances turn into something else.</summary>
    Engine = 8,

    /// <summary>The clock jumps, and what was decided is not recorded: in the safe direction it is carried out all the same,
    /// elsewhere it is not.</summary>
    Records = 16,

    /// <summary>People pause, turn back and release again.</summary>
    People = 4,

    All = Controller | Target | People | Engine | Records,
}

internal sealed class FaultyRun
{
    private readonly Random _random;
    private readonly int _seed;
    private readonly Faults _faults;
    private readonly bool _harmless;
    private readonly int? _previous;
    private readonly List<Observation> _earlier = [];
    private readonly List<string> _story = [];
    private readonly Dictionary<string, (int At, Move Move)> _slow = [];
    private readonly Dictionary<string, DateTimeOffset> _touched = [];
    private Observation? _engineSeen;

    public FaultyRun(int seed, Faults faults, bool harmless = false)
    {
        (_seed, _faults, _harmless) = (seed, faults, harmless);
        _random = new Random(seed);
        World = new World(seed) { Rate = harmless ? 60 : Pick(0, 2, 20, 60) };
        bool rollback = !harmless && _random.Next(6) == 0;
        bool first = !rollback && _random.Next(6) == 0;
        int next = rollback ? 1 : 2;
        _previous = rollback ? 2 : first ? null : 1;
        var spec = World.Spec(next, _previous, Pick<int[]>([], [10], [5, 25, 50])) with { IsRollback = rollback };
        spec = spec with
        {
            Rollout = spec.Rollout with
            {
                Keep = _random.Next(3),
                Detect = 0.05,
                Synthetic = _random.Next(3) == 0 ? new SyntheticTraffic("/", 10) : null,
            },
        };
        if (_previous is not null && !rollback && _random.Next(4) == 0)
            spec =
                spec with { ServingProxy = World.Settings, Proxy = World.Settings with { Listen = new ListenAddress("127.0.0.1", 9090) } };
        if (_previous is { } serving)
            World.Serve(serving, rollback && _random.Next(3) > 0 ? [1] : []);
        World.Behaviours[next] = Behave();
        State = Rollout.Begin(spec, World.Now);
    }

    public World World { get; }

    /// <summary>1 when it turned back while it had traffic.</summary>
    public int WentBack { get; private set; }

    public RolloutState State { get; private set; }

    /// <summary>What was decided last, for messages.</summary>
    public string Story => string.Join('\n', _story.TakeLast(40));

    /// <summary>Runs under faults, then without; what it came to.</summary>
    public string ToTheEnd()
    {
        int faulty = _random.Next(30, 150);
        for (int i = 0; !State.IsTerminal && i < 600; i++)
        {
            bool faults = i < faulty;
            World.Pass(1);
            if (faults)
                Disturb();
            else
                Mend();
            Decide(faults);
            if (i > 250 && State.Pause is { Cause: PauseCause.TooLittleTraffic })
                State = Rollout.Resume(State, "ada", World.Now);
            if (i > faulty + 200 && State.Pause is { Cause: PauseCause.Target })
                return $"paused in {State.Phase}";
        }

        Assert.True(State.IsTerminal, $"seed {_seed}: still in {State.Phase} after 10 minutes: {State.Waiting}\n{Story}");
        return Settled();
    }

    // What a finished rollout must look like once nothing disturbs it any more.
    private string Settled()
    {
        Mend();
        var steady = Steady.After(State);
        int? serving = State.Phase == RolloutPhase.Done ? State.Spec.Next.Number : State.Spec.Previous?.Number;
        Assert.Equal(serving, steady?.Serving.Number);
        bool healthy = serving is { } number
            && World.Behaviours.GetValueOrDefault(number) is null or { ReadyAfter: not null, EndsAfter: null };
        // The longest backoff, and the time instances take.
        for (int i = 0; i < 400 && steady is not null && healthy && !(i > 5 && IsSettled(steady)); i++)
        {
            World.Pass(1);
            var decision = Steady.Next(steady, World.Observe(), World.Now);
            steady = decision.State;
            if (decision.Moves.Count > 0)
                _story.Add($"{World.Elapsed} steady: {string.Join(" | ", decision.Moves)}");
            foreach (var move in decision.Moves)
                World.Apply(move);
        }

        Assert.True(!healthy || IsSettled(steady!), $"seed {_seed}: after {State.Phase} generation {serving} has weight "
            + $"{World.WeightOf(serving ?? 0)} and {World.RunningOf(serving ?? 0)} instances\n{Story}");
        return $"{State.Phase}{(State.Cause is { } cause ? $" by {cause}" : "")}";
    }

    private bool IsSettled(SteadyState steady) =>
        (World.WeightOf(steady.Serving.Number), World.RunningOf(steady.Serving.Number)) == (200, 2)
        && steady.Warm.All(warm => (World.WeightOf(warm.Number), World.RunningOf(warm.Number)) == (0, 2));

    private void Decide(bool faults)
    {
        bool controller = faults && _faults.HasFlag(Faults.Controller);
        var seen = Late(World.Observe(), faults);
        _earlier.Add(seen);
        if (controller && Chance(0.1))
            seen = _earlier[_random.Next(Math.Max(0, _earlier.Count - 8), _earlier.Count)];

        var decision = Rollout.Next(State, seen, World.Now);
        var broken = Invariants.Check(State, seen, decision);
        Assert.True(broken.Count == 0, $"seed {_seed} at {World.Now:T} in {State.Phase}: {string.Join("; ", broken)}\n{Story}");
        if (decision.Moves.Count > 0)
            _story.Add($"{World.Elapsed} {decision.State.Phase}: {string.Join(" | ", decision.Moves)}");

        // Killed before the record, or the record did not go in: the old state decides again. Traffic goes back first all the same.
        bool isSafe = decision.State.Phase is RolloutPhase.Aborting or RolloutPhase.Restoring;
        bool unrecorded = faults && (_faults.HasFlag(Faults.Records) && Chance(0.05) || controller && !isSafe && Chance(0.05));
        foreach (var move in unrecorded && isSafe ? decision.Moves.Where(move => move.Lane == Lane.Traffic) : [])
            World.Apply(move);
        if (unrecorded)
        {
            AssertBack(decision.State, seen, controller);
            return;
        }

        State = controller && Chance(0.3) ? ReleasesJson.ReadRollout(ReleasesJson.Write(decision.State)) : decision.State;
        foreach (var move in decision.Moves)
            Carry(move, seen, faults);
        AssertBack(State, seen, controller);
    }

    // The engine is asked beside the proxy: what it said may be some seconds old.
    private Observation Late(Observation seen, bool faults)
    {
        if (faults && _faults.HasFlag(Faults.Engine) && _engineSeen is { } earlier && World.Now - earlier.Time is var age
            && age >= TimeSpan.Zero && age < TimeSpan.FromSeconds(8) && Chance(0.7))
            return seen with { Instances = earlier.Instances, EngineTrouble = earlier.EngineTrouble, InstancesTime = earlier.Time };
        return _engineSeen = seen;
    }

    // Nothing that the engine, the clock, the ledger or a slow move does keeps the weight of what is turned back up.
    private void AssertBack(RolloutState decided, Observation seen, bool movesMayBeLost)
    {
        bool answers = seen.Time == World.Now - World.Look && seen.Proxy.Alive && World.ProxyAlive && !World.ProxySilent && !movesMayBeLost;
        if (decided.Phase != RolloutPhase.Aborting || !answers || decided.Spec.Previous is not { } previous
            || seen.ReadyInstances(previous.Number) == 0)
            return;

        WentBack = 1;
        int left = World.WeightOf(decided.Spec.Next.Number);
        Assert.True(left == 0, $"seed {_seed} at {World.Elapsed}: generation {decided.Spec.Next.Number} still has weight {left}\n{Story}");
    }

    private void Mend()
    {
        World.EngineSilent = World.ProxySilent = false;
        World.Strangers.Clear();
        foreach (var (_, move) in _slow.Values)
            World.Apply(move);
        _slow.Clear();
    }

    private void Carry(Move move, Observation seen, bool faults)
    {
        bool controller = faults && _faults.HasFlag(Faults.Controller);
        if (controller && Chance(0.05))
            return;
        if (move.Subject is { } subject)
        {
            // One at a time for each instance, and none that was decided before the last one ended.
            if (_slow.ContainsKey(subject)
                || _touched.TryGetValue(subject, out var touched) && seen.InstancesTime < touched && touched <= World.Now)
                return;
            if (faults && _faults.HasFlag(Faults.Engine) && Chance(0.05))
            {
                State = Rollout.Failed(State, move, "the engine is busy", World.Now);
                return;
            }

            if (faults && (_faults.HasFlag(Faults.Engine) && Chance(0.5) || controller && Chance(0.1)))
            {
                _slow[subject] = (World.Elapsed + _random.Next(1, 20), move);
                return;
            }

            _touched[subject] = World.Now;
        }

        World.Apply(move);
        faults = controller;
        if (faults && Chance(0.1))
            World.Apply(move);
    }

    private void Disturb()
    {
        foreach (var (subject, (_, move)) in _slow.Where(slow => slow.Value.At <= World.Elapsed).ToArray())
        {
            World.Apply(move);
            _slow.Remove(subject);
            _touched[subject] = World.Now;
        }

        if (_faults.HasFlag(Faults.Engine))
            DisturbEngine();
        if (_faults.HasFlag(Faults.Records) && Chance(0.003))
            World.JumpClock(TimeSpan.FromMinutes(_random.Next(-90, 90)));
        if (_faults.HasFlag(Faults.Controller))
            DisturbController();
        if (_faults.HasFlag(Faults.Target))
            DisturbTarget();
        if (_faults.HasFlag(Faults.People))
            DisturbPeople();
    }

    private void DisturbController()
    {
        if (Chance(0.003))
            World.JumpClock(TimeSpan.FromMinutes(_random.Next(-90, 90)));
    }

    private void DisturbEngine()
    {
        World.EngineSilent = World.EngineSilent ? !Chance(0.1) : Chance(0.01);
        if (Chance(0.01) && World.Observe().Instances is { Count: > 0 } instances)
            World.Strangers.Add(instances[_random.Next(instances.Count)].Id);
        if (Chance(0.1))
            World.Strangers.Clear();
    }

    // What they say comes before the look that is decided on.
    private void DisturbPeople()
    {
        var now = World.Now - World.Look;
        if (Chance(0.004))
            State = Rollout.Pause(State, "ada", "lunch", now + TimeSpan.FromSeconds(_random.Next(5, 60)), now);
        if (Chance(0.002))
            State = Rollout.Abort(State, "ada", "wrong day", now);
        if (Chance(0.002))
            State = Rollout.Supersede(State, "release 3", now);
    }

    private void DisturbTarget()
    {
        if (Chance(0.03))
            World.Kill(Chance(0.5) ? State.Spec.Next.Number : _previous ?? State.Spec.Next.Number, _random.Next(2));
        if (Chance(0.01))
            World.KillProxy();
        World.ProxySilent = World.ProxySilent ? !Chance(0.2) : World.ProxyAlive && Chance(0.005);
        World.SharedErrorRate = Chance(0.02) ? _random.NextDouble() * 0.4 : Chance(0.05) ? 0 : World.SharedErrorRate;
    }

    private Behaviour Behave() => _harmless ? new Behaviour { ReadyAfter = _random.Next(0, 20) } : _random.Next(8) switch
    {
        0 => new Behaviour { ReadyAfter = null },
        1 => new Behaviour { EndsAfter = _random.Next(1, 40) },
        2 => new Behaviour { ErrorRate = _random.NextDouble() },
        3 => new Behaviour { ErrorRate = _random.NextDouble() * 0.05 },
        4 => new Behaviour { ReadyAfter = _random.Next(5, 50) },
        _ => new Behaviour(),
    };

    private bool Chance(double probability) => _random.NextDouble() < probability;

    private T Pick<T>(params T[] choices) => choices[_random.Next(choices.Length)];
}

/// <summary>A service between rollouts whose instances and proxy are killed at random.</summary>
internal sealed class FaultySteady(int seed)
{
    private readonly Random _random = new(seed);
    private readonly World _world = new(seed) { Rate = 20 };

    public void Heals()
    {
        _world.Serve(2, 1);
        var state = new SteadyState
        {
            Key = World.Spec(2, 1).Key,
            Proxy = World.Settings,
            Serving = World.Generation(2),
            Warm = [World.Generation(1)],
            DecidedAt = _world.Now,
        };
        int faulty = _random.Next(20, 80);
        for (int i = 0; i < faulty + 400 && !(i > faulty + 5 && IsHealed()); i++)
        {
            if (i == faulty)
            {
                _world.Behaviours.Clear();
                _world.EngineSilent = _world.ProxySilent = false;
            }

            if (i < faulty)
                Disturb();
            state = Step(state, lost: i < faulty);
        }

        Assert.True(IsHealed(),
            $"seed {seed}: weight {_world.WeightOf(2)}, {_world.RunningOf(2)} instances; warm {_world.WeightOf(1)}, {_world.RunningOf(1)}");
    }

    private bool IsHealed() => (_world.WeightOf(2), _world.RunningOf(2), _world.WeightOf(1), _world.RunningOf(1)) == (200, 2, 0, 2);

    private SteadyState Step(SteadyState state, bool lost)
    {
        _world.Pass(1);
        var seen = _world.Observe();
        var decision = Steady.Next(state, seen, _world.Now);
        var broken = Invariants.Check(seen, decision);
        Assert.True(broken.Count == 0, $"seed {seed} at {_world.Now:T}: {string.Join("; ", broken)}");
        foreach (var move in decision.Moves.Where(_ => !lost || _random.Next(10) > 0))
            _world.Apply(move);
        return _random.Next(5) == 0 ? ReleasesJson.ReadSteady(ReleasesJson.Write(decision.State)) : decision.State;
    }

    private void Disturb()
    {
        if (_random.Next(20) == 0)
            _world.Kill(_random.Next(1, 3), _random.Next(2));
        if (_random.Next(60) == 0)
            _world.KillProxy();
        _world.EngineSilent = _random.Next(_world.EngineSilent ? 2 : 40) == 0;
        _world.ProxySilent = _random.Next(_world.ProxySilent ? 2 : 40) == 0;
        if (_random.Next(60) == 0)
            _world.Behaviours[_random.Next(1, 3)] = new Behaviour { ReadyAfter = null };
        if (_random.Next(120) == 0)
            _world.JumpClock(TimeSpan.FromMinutes(_random.Next(-30, 30)));
    }
}
