namespace Ingot.Releases;

/// <summary>What must hold of every decision, checked apart from the code that decides. A controller asks before it carries moves out, and
/// carries none out when something is said.</summary>
public static class Invariants
{
    /// <summary>The sentences for everything in a rollout's decision that must not be; empty when all holds.</summary>
    public static IReadOnlyList<string> Check(RolloutState before, Observation seen, RolloutDecision decision)
    {
        var state = decision.State;
        var broken = new List<string>(Check(state.Setup, state.Goals, seen, decision.Moves, state.DecidedAt));
        if (state.Phase is RolloutPhase.Done or RolloutPhase.RolledBack && state.FinishedAt is null)
            broken.Add("a rollout has ended without a time");
        if (before.IsTerminal && state.Phase != before.Phase)
            broken.Add($"a rollout that had ended went from {before.Phase} to {state.Phase}");
        if (before.Spec.IsRollback
            && state.Cause is not null
            && (before.Cause is null ? before.Share > 0 : before.Cause != AbortCause.Withdrawn))
            broken.Add("a rollback is rolled back");
        broken.AddRange(RollbackTarget(state, decision.Moves));
        broken.AddRange(Bounded(state));
        return broken;
    }

    /// <summary>The sentences for everything in a decision between rollouts that must not be.</summary>
    /// <param name="seen">What it was decided on.</param>
    /// <param name="decision">The decision.</param>
    /// <param name="withdrawn">The warm generations that may not run any more.</param>
    public static IReadOnlyList<string> Check(Observation seen, SteadyDecision decision, IReadOnlySet<int>? withdrawn = null) =>
        Check(decision.State.Setup, Steady.Goals(decision.State, withdrawn, decision.State.DecidedAt), seen, decision.Moves,
            decision.State.DecidedAt);

    private static List<string> Check(
        ServiceSetup setup, IReadOnlyList<GenerationGoal> goals, Observation seen, IReadOnlyList<Move> moves, DateTimeOffset now)
    {
        var broken = new List<string>();
        broken.AddRange(moves.OfType<Move.SetShares>().SelectMany(move => WeightOnlyOnReady(seen, move)));
        broken.AddRange(SomeoneServes(goals, seen, moves));
        foreach (var move in moves)
        {
            if (IsBlind(seen, move))
                broken.Add($"'{move}' would be done without knowing how it stands");
            else if (Problem(setup, goals, seen, move, now) is { } problem)
                broken.Add(problem);
        }

        return broken;
    }

    // 4: weight above 0 only for a generation with a ready instance that the data plane knows; here for each server.
    private static IEnumerable<string> WeightOnlyOnReady(Observation seen, Move.SetShares move) =>
        from change in Weights.Of(move)
        let at = change.Key
        where change.Value > (seen.Server(at.Generation, at.Index)?.Weight ?? 0) && !seen.IsReady(at.Generation, at.Index)
        select $"{InstanceName.Of(at.Generation, at.Index)} would get weight {change.Value} and is not ready";

    // 1: where something ready takes requests, something ready still does afterwards.
    private static IEnumerable<string> SomeoneServes(IReadOnlyList<GenerationGoal> goals, Observation seen, IReadOnlyList<Move> moves)
    {
        bool Takes(ServerObservation server, int weight) => weight > 0 && seen.IsReady(server.Generation, server.Index);
        var changes = moves.OfType<Move.SetShares>().Select(Weights.Of).ToList();
        int After(ServerObservation server)
        {
            var last = changes.LastOrDefault(change => change.ContainsKey((server.Generation, server.Index)));
            return last?[(server.Generation, server.Index)] ?? server.Weight;
        }

        bool nothingIsToServe = goals.All(goal => goal.Share == 0) && goals.Any(goal => goal.Presence != Presence.Running);
        if (!nothingIsToServe
            && seen.Proxy.Servers.Any(server => Takes(server, server.Weight))
            && !seen.Proxy.Servers.Any(server => Takes(server, After(server))))
            yield return "no ready instance would be left with any weight";
    }

    private static string? Problem(
        ServiceSetup setup, IReadOnlyList<GenerationGoal> goals, Observation seen, Move move, DateTimeOffset now) =>
        move switch
        {
            Move.CreateInstance create => Admitted(setup, create),
            Move.RemoveServer remove => Drained(goals, seen, remove, now),
            Move.StopInstance stop => Idle(seen, stop.Generation, stop.Index, stop.Id),
            Move.RemoveInstance remove => Idle(seen, remove.Generation, remove.Index, remove.Id),
            Move.EnsureProxy proxy when seen.Proxy.Alive => Carried(proxy),
            _ => null,
        };

    // What could not be read is unknown: nothing follows from it.
    private static bool IsBlind(Observation seen, Move move) => move switch
    {
        { Lane: Lane.Instances } => !seen.KnowsInstances,
        Move.StartSynthetic or Move.StopSynthetic => false,
        Move.EnsureProxy or Move.AddServer => !seen.KnowsInstances || !seen.KnowsProxy,
        _ => !seen.KnowsProxy,
    };

    // 3: only generations that were asked for are made.
    private static string? Admitted(ServiceSetup setup, Move.CreateInstance create) => setup.Find(create.Generation) is { } generation
        && create.Index < generation.Replicas
        ? null
        : $"{InstanceName.Of(create.Generation, create.Index)} would be made and was never asked for";

    // 5: nothing is cut before its drain deadline.
    private static string? Drained(IReadOnlyList<GenerationGoal> goals, Observation seen, Move.RemoveServer remove, DateTimeOffset now)
    {
        if (seen.Server(remove.Generation, remove.Index) is not { } server)
            return null;

        string name = InstanceName.Of(remove.Generation, remove.Index);
        var goal = goals.FirstOrDefault(goal => goal.Generation == remove.Generation);
        bool lost = seen.KnowsInstances && seen.Instance(remove.Generation, remove.Index) is not { State: InstanceState.Running };
        if (goal is not { Presence: not Presence.Running } || server.Weight > 0)
            return $"{name} would be taken out of the proxy and still is to serve";
        return server.Sessions + server.Queued > 0 && !lost && goal.DrainUntil > now
            ? $"{name} would be taken out of the proxy with requests in flight"
            : null;
    }

    // 5, 7: a running instance is stopped only when the proxy sends it nothing.
    private static string? Idle(Observation seen, int generation, int index, string id)
    {
        if (seen.Instance(generation, index) is not { State: InstanceState.Running } instance || instance.Id != id)
            return null;
        if (!seen.KnowsProxy)
            return $"{InstanceName.Of(generation, index)} would be stopped while the proxy may send it requests";
        if (instance.Objection is not null && seen.Server(generation, index) is null or { Weight: 0, Sessions: 0 })
            return null;
        return seen.Server(generation, index) is { } server && server.Address == instance.Address && server.Health != ServerHealth.Down
            ? $"{InstanceName.Of(generation, index)} would be stopped while the proxy knows it as healthy"
            : null;
    }

    // What a server takes of the traffic stays as it is while a proxy that runs is replaced.
    private static string? Carried(Move.EnsureProxy proxy) =>
        proxy.Shares is null ? null : "the proxy would be replaced by one that divides the traffic otherwise";

    // 7: until the next generation has taken over, the one before it is there to go back to.
    private static IEnumerable<string> RollbackTarget(RolloutState state, IReadOnlyList<Move> moves)
    {
        if (state.Spec.Previous is not { } previous || state.Spec.IsRollback || state.Phase is RolloutPhase.Retiring or RolloutPhase.Done)
            yield break;
        if (state.Phase != RolloutPhase.Planned
            && !state.Goals.Any(goal => goal.Generation == previous.Number && goal.Presence == Presence.Running))
            yield return $"generation {previous.Number} would not be kept, in {state.Phase}";
        if (moves.Any(move => move is Move.StopInstance stop && stop.Generation == previous.Number))
            yield return $"generation {previous.Number} would be stopped, in {state.Phase}";
    }

    // 8: no unbounded wait.
    private static IEnumerable<string> Bounded(RolloutState state)
    {
        var watched = state.Phase == RolloutPhase.Warming ? state.ReadySince + Rollout.Watched(state.Spec.Next) : null;
        var deadline = watched > state.Deadline ? watched.Value : state.Deadline;
        if (!state.IsTerminal && state.Pause is null && state.DecidedAt > deadline + TimeSpan.FromMinutes(1))
            yield return $"{state.Phase} should have been left at {deadline:O}";
    }
}
