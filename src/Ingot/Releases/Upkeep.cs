namespace Ingot.Releases;

/// <summary>Compares what a target is to look like with what it reports, and says the moves between the two. Rollouts set goals; this keeps
/// them, in every phase and between rollouts.</summary>
internal sealed class Upkeep
{
    private static readonly TimeSpan s_longestBackoff = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_standing = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_longestRetry = TimeSpan.FromSeconds(30);

    private readonly ServiceSetup _setup;
    private readonly IReadOnlyList<GenerationGoal> _goals;
    private readonly Observation _seen;
    private readonly DateTimeOffset _now;
    private readonly int? _onTrial;
    private readonly IReadOnlyList<TrafficShare> _shares;
    private readonly IReadOnlyDictionary<int, int> _weights;
    private readonly SortedDictionary<string, InstanceMemory> _memory;
    private readonly List<Move> _moves = [];

    private Upkeep(
        ServiceSetup setup, IReadOnlyList<GenerationGoal> goals, IReadOnlyDictionary<string, InstanceMemory> memory, Observation seen,
        DateTimeOffset now, int? onTrial)
    {
        _setup = setup;
        _goals = goals;
        _seen = seen;
        _now = now;
        _onTrial = onTrial;
        _shares = Shares(goals);
        _weights = Weights.Of(_shares);
        _memory = new SortedDictionary<string, InstanceMemory>(StringComparer.Ordinal);
        foreach (var (name, remembered) in memory)
            _memory[name] = remembered;
    }

    /// <summary>The moves that lead from what is seen to the goals, and what is to be remembered.</summary>
    /// <param name="setup">The service.</param>
    /// <param name="goals">What is to be.</param>
    /// <param name="memory">What was remembered.</param>
    /// <param name="seen">What is.</param>
    /// <param name="now">The time.</param>
    /// <param name="onTrial">The generation whose unhealthy instances are not replaced, because their health decides over it.</param>
    public static (IReadOnlyList<Move> Moves, IReadOnlyDictionary<string, InstanceMemory> Memory) Of(
        ServiceSetup setup,
        IReadOnlyList<GenerationGoal> goals,
        IReadOnlyDictionary<string, InstanceMemory> memory,
        Observation seen,
        DateTimeOffset now,
        int? onTrial)
    {
        var upkeep = new Upkeep(setup, goals, memory, seen, now, onTrial);
        // The traffic first: an instance that cannot be made must not keep a proxy from coming back.
        if (seen.KnowsProxy)
            upkeep.KeepProxy();
        if (seen.KnowsInstances)
            upkeep.KeepInstances();
        upkeep.LetGo();
        return (upkeep._moves, upkeep._memory);
    }

    /// <summary>Whether the proxy reports the weights the goals ask for. Instances that are not ready do not count:
    /// the proxy sends them nothing.</summary>
    public static bool IsAcknowledged(ServiceSetup setup, IReadOnlyList<GenerationGoal> goals, Observation seen)
    {
        return seen.Proxy.Alive && seen.Proxy.Settings == setup.Proxy && HasWeights(goals, seen);
    }

    /// <summary>The same of a proxy that may be set up otherwise.</summary>
    public static bool HasWeights(IReadOnlyList<GenerationGoal> goals, Observation seen)
    {
        var weights = Weights.Of(Shares(goals));
        var takers = seen.Proxy.Servers
            .Where(server => weights.GetValueOrDefault(server.Generation) > 0 && seen.IsReady(server.Generation, server.Index))
            .ToArray();
        var others = seen.Proxy.Servers.Where(server => weights.GetValueOrDefault(server.Generation) == 0);
        return takers.Length > 0
            && takers.All(server => server.Weight == weights[server.Generation])
            && others.All(server => server.Weight == 0);
    }

    /// <summary>Restarts and unwanted ends of a generation's instances, those already replaced included.</summary>
    public static int Failures(IReadOnlyDictionary<string, InstanceMemory> memory, Observation seen, int generation)
    {
        int replaced = memory
            .Where(pair => InstanceName.TryParse(pair.Key, out int g, out _) && g == generation)
            .Sum(pair => pair.Value.Failures);
        bool IsCounted(InstanceObservation instance) =>
            memory.GetValueOrDefault(InstanceName.Of(generation, instance.Index))?.Removing == instance.Id;
        return replaced + seen.Instances.Where(instance => instance.Generation == generation && !IsCounted(instance)).Sum(FailuresOf);
    }

    /// <summary>How many instances of a generation were replaced, each since it last stood for a while.</summary>
    public static int Streak(IReadOnlyDictionary<string, InstanceMemory> memory, int generation) =>
        memory.Where(pair => InstanceName.TryParse(pair.Key, out int g, out _) && g == generation).Sum(pair => pair.Value.Streak);

    /// <summary>What is remembered after a move on an instance has failed, and how many have since it was last ready; null when it was no
    /// move on an instance.</summary>
    public static (IReadOnlyDictionary<string, InstanceMemory> Memory, int? Failed) Failed(
        IReadOnlyDictionary<string, InstanceMemory> memory, Move move, DateTimeOffset now)
    {
        if (move.Subject is not { } subject)
            return (memory, null);

        var earlier = memory.GetValueOrDefault(subject) ?? new();
        int failed = earlier.FailedMoves + 1;
        var wait = Backoff(failed);
        var until = now + (wait < s_longestRetry ? wait : s_longestRetry);
        var after = new SortedDictionary<string, InstanceMemory>(StringComparer.Ordinal);
        foreach (var (name, remembered) in memory)
            after[name] = remembered;
        after[subject] = earlier with { FailedMoves = failed, NotBefore = earlier.NotBefore > until ? earlier.NotBefore : until };
        return (after, failed);
    }

    /// <summary>What a decision remembers, with the failures that came after its basis was read.</summary>
    public static IReadOnlyDictionary<string, InstanceMemory> KeepFailures(
        IReadOnlyDictionary<string, InstanceMemory> basis,
        IReadOnlyDictionary<string, InstanceMemory> current,
        IReadOnlyDictionary<string, InstanceMemory> decided)
    {
        var news = current.Where(pair => pair.Value.FailedMoves > (basis.GetValueOrDefault(pair.Key)?.FailedMoves ?? 0)).ToArray();
        if (news.Length == 0)
            return decided;

        var after = new SortedDictionary<string, InstanceMemory>(StringComparer.Ordinal);
        foreach (var (name, remembered) in decided)
            after[name] = remembered;
        foreach (var (name, failed) in news)
        {
            var kept = after.GetValueOrDefault(name) ?? new();
            after[name] = kept with
            {
                FailedMoves = failed.FailedMoves,
                NotBefore = kept.NotBefore > failed.NotBefore ? kept.NotBefore : failed.NotBefore,
            };
        }

        return after;
    }

    private static int FailuresOf(InstanceObservation instance) => instance.Restarts + (instance.State == InstanceState.Exited ? 1 : 0);

    private void KeepInstances()
    {
        foreach (var goal in _goals.Where(goal => goal.Presence == Presence.Running))
            KeepInstances(goal);
    }

    private void KeepInstances(GenerationGoal goal)
    {
        bool replacing = Enumerable.Range(0, goal.Replicas)
            .Any(index => _seen.Instance(goal.Generation, index) is null or { State: InstanceState.Exited });
        for (int index = 0; index < goal.Replicas; index++)
        {
            var instance = _seen.Instance(goal.Generation, index);
            var remembered = Remembered(goal.Generation, index);
            switch (instance?.State)
            {
                case null when !IsHeldBack(remembered):
                case InstanceState.Created when !IsHeldBack(remembered):
                    _moves.Add(new Move.CreateInstance(goal.Generation, index, remembered.Replaced));
                    break;
                case InstanceState.Exited:
                    Replace(instance, remembered);
                    break;
                case InstanceState.Running:
                    bool mayReplace = goal.Generation != _onTrial && !replacing;
                    replacing |= Watch(instance, remembered, mayReplace);
                    break;
            }
        }
    }

    /// <summary>Remembers how a running instance is; true when it is replaced, one of a generation at a time,
    /// because its checks have failed for long.</summary>
    private bool Watch(InstanceObservation instance, InstanceMemory remembered, bool mayReplace)
    {
        if (HealthOf(instance) is not { } health)
            return false;

        if (health != ServerHealth.Down)
        {
            remembered = remembered with { UnhealthySince = null, FailedMoves = health == ServerHealth.Up ? 0 : remembered.FailedMoves };
            bool stands = health == ServerHealth.Up && remembered.NotBefore + s_standing <= _now;
            Remember(instance, stands ? remembered with { Streak = 0, NotBefore = null } : remembered);
            return false;
        }

        var since = remembered.UnhealthySince is { } earlier && earlier < _now ? earlier : _now;
        Remember(instance, remembered with { UnhealthySince = since });
        if (!mayReplace || _now - since < Grace(instance.Generation) || IsStarting(instance) || IsHeldBack(remembered))
            return false;

        Replace(instance, remembered);
        return true;
    }

    // Null: nothing is known. What its generation does not promise is replaced like what is ill,
    // while another serves and it is sent nothing.
    private ServerHealth? HealthOf(InstanceObservation instance)
    {
        if (instance.Objection is not null)
        {
            bool isIdle = _seen.Proxy.Alive
                && _seen.Server(instance.Generation, instance.Index) is null or { Weight: 0, Sessions: 0, Queued: 0 };
            return isIdle && _seen.ReadyInstances(instance.Generation) > 0 ? ServerHealth.Down : null;
        }

        return _seen.Proxy.Alive && _seen.Server(instance.Generation, instance.Index) is { } server && server.Address == instance.Address
            ? server.Health
            : null;
    }

    // Removing may take many looks: what is on its way out was counted by the first.
    private void Replace(InstanceObservation instance, InstanceMemory remembered)
    {
        bool isOnItsWay = remembered.Removing == instance.Id;
        if (!isOnItsWay || remembered.FailedMoves == 0 || !IsHeldBack(remembered))
            _moves.Add(new Move.RemoveInstance(instance.Generation, instance.Index, instance.Id));
        if (isOnItsWay)
            return;

        Remember(instance, new InstanceMemory(
            UnhealthySince: null,
            remembered.Replaced + 1,
            remembered.Streak + 1,
            _now + Backoff(remembered.Streak),
            remembered.Failures + FailuresOf(instance),
            remembered.FailedMoves,
            instance.Id));
    }

    // The first replacement is immediate; after that each waits twice as long as the one before, from two seconds.
    private static TimeSpan Backoff(int streak) =>
        streak == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(s_longestBackoff.TotalSeconds, Math.Pow(2, Math.Min(streak, 20))));

    // An instance that was just started has as long as a new generation's would.
    private bool IsStarting(InstanceObservation instance) =>
        instance.StartedAt is { } started
            && started <= _now
            && _now - started < (_setup.Find(instance.Generation)?.Health ?? new()).Deadline;

    // A time further off than any backoff was written by a clock that has gone back since.
    private bool IsHeldBack(InstanceMemory remembered) => remembered.NotBefore > _now && remembered.NotBefore <= _now + s_longestBackoff;

    private TimeSpan Grace(int generation) => Wellbeing.Grace(_setup.Find(generation)?.Health ?? new());

    private void KeepProxy()
    {
        bool isAsSetUp = _seen.Proxy.Alive && _seen.Proxy.Settings == _setup.Proxy;
        foreach (var goal in _goals.Where(goal => goal.Presence == Presence.Running && _seen.KnowsInstances && _seen.Proxy.Alive))
            KeepServers(goal);
        // Nothing goes forward through a proxy that is set up otherwise, and what is on trial is not known to be right while the engine is
        // silent. Traffic goes back through any proxy.
        if (_seen.Proxy.Alive && (isAsSetUp && _seen.KnowsInstances || !TrialWouldRise()))
            KeepWeights();

        // What each server takes is kept, so none of it may be about to change; without the engine it would begin with no servers.
        if (!isAsSetUp && _seen.KnowsInstances && !_moves.OfType<Move.SetShares>().Any())
            _moves.Add(new Move.EnsureProxy(_setup.Proxy, [.. RunningServers()], _seen.Proxy.Alive ? null : _shares));
    }

    private bool TrialWouldRise()
    {
        int total = _seen.Proxy.Servers.Sum(server => server.Weight);
        int trial = _seen.Proxy.Servers.Where(server => server.Generation == _onTrial).Sum(server => server.Weight);
        // Weights are whole numbers: half a percent is none.
        return _goals
            .Any(goal => goal.Generation == _onTrial && goal.Share > 0 && (total == 0 || goal.Share > (100.0 * trial / total) + 0.5));
    }

    private IEnumerable<ProxyServer> RunningServers() =>
        from goal in _goals
        where goal.Presence == Presence.Running
        from index in Enumerable.Range(0, goal.Replicas)
        let instance = _seen.Instance(goal.Generation, index)
        let address = instance is { State: InstanceState.Running, Objection: null } ? instance.Address : null
        where address is not null
        select new ProxyServer(goal.Generation, index, address);

    private void KeepServers(GenerationGoal goal)
    {
        for (int index = 0; index < goal.Replicas; index++)
        {
            if (_seen.Instance(goal.Generation, index) is not { State: InstanceState.Running, Objection: null, Address: { } address })
                continue;
            if (_seen.Server(goal.Generation, index) is { Admin: ServerAdmin.Ready } server && server.Address == address)
                continue;
            _moves.Add(new Move.AddServer(goal.Generation, index, address));
        }
    }

    private void KeepWeights()
    {
        bool someoneTakes = _seen.Proxy.Servers.Any(server => Wanted(server) > 0 && _seen.IsReady(server.Generation, server.Index));
        var changes = new List<ServerTurn>();
        foreach (var server in _seen.Proxy.Servers)
        {
            int wanted = Wanted(server);
            if (wanted > server.Weight
                ? _seen.IsReady(server.Generation, server.Index)
                : wanted < server.Weight && (someoneTakes || IsAbandoned(server)))
                changes.Add(new ServerTurn(server.Generation, server.Index, wanted > 0));
        }

        if (changes.Count > 0)
            _moves.Add(new Move.SetShares(_shares, changes));
    }

    // A generation that takes nothing needs no place in a move.
    private static TrafficShare[] Shares(IReadOnlyList<GenerationGoal> goals) =>
        [.. goals.Where(goal => goal.Share > 0).Select(goal => new TrafficShare(goal.Generation, goal.Share, goal.Replicas))];

    // What its generation does not promise gets nothing.
    private int Wanted(ServerObservation server) =>
        _seen.Instance(server.Generation, server.Index) is { Objection: not null } ? 0 : _weights.GetValueOrDefault(server.Generation);

    // Nothing is to serve at all: a first deployment that failed.
    private bool IsAbandoned(ServerObservation server) =>
        _weights.Values.All(weight => weight == 0)
            && _goals.Any(goal => goal.Generation == server.Generation && goal.Presence != Presence.Running);

    private void LetGo()
    {
        foreach (var goal in _goals.Where(goal => goal.Presence != Presence.Running))
        {
            foreach (var server in _seen.Proxy.Servers.Where(server => server.Generation == goal.Generation && server.Weight == 0))
                RemoveServer(goal, server);
            // Whether the proxy still sends it requests must be known.
            foreach (var instance in _seen.Instances.Where(instance => instance.Generation == goal.Generation && _seen.KnowsProxy))
                RemoveInstance(goal, instance);
        }
    }

    // Drain before stop: what is in flight at weight 0 runs out, or its deadline passes; only then is the server taken out.
    private void RemoveServer(GenerationGoal goal, ServerObservation server)
    {
        bool idle = server.Sessions + server.Queued == 0;
        bool lost = _seen.KnowsInstances && _seen.Instance(server.Generation, server.Index) is not { State: InstanceState.Running };
        bool late = goal.DrainUntil is not { } until || until <= _now;
        if (idle || lost || late)
            _moves.Add(new Move.RemoveServer(server.Generation, server.Index, CutSessions: !idle));
    }

    // An instance is stopped only once the proxy is seen not to know it. A proxy that is known to be dead sends nothing.
    private void RemoveInstance(GenerationGoal goal, InstanceObservation instance)
    {
        if (_seen.Server(instance.Generation, instance.Index) is not null)
            return;
        if (goal.Presence == Presence.Removed || instance.State == InstanceState.Created)
            _moves.Add(new Move.RemoveInstance(instance.Generation, instance.Index, instance.Id));
        else if (instance.State != InstanceState.Exited)
            _moves.Add(new Move.StopInstance(instance.Generation, instance.Index, instance.Id));
    }

    private InstanceMemory Remembered(int generation, int index) => _memory.GetValueOrDefault(InstanceName.Of(generation, index)) ?? new();

    private void Remember(InstanceObservation instance, InstanceMemory memory)
    {
        string name = InstanceName.Of(instance.Generation, instance.Index);
        if (memory == new InstanceMemory())
            _memory.Remove(name);
        else
            _memory[name] = memory;
    }
}
