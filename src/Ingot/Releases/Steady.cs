namespace Ingot.Releases;

/// <summary>What a service needs between rollouts: its proxy alive, its instances present and healthy, its weights right. As pure as <see cref="Rollout"/>.</summary>
public static class Steady
{
    /// <summary>What to keep after a rollout has ended; null when nothing serves, because a first deployment failed.</summary>
    public static SteadyState? After(RolloutState ended)
    {
        if (!ended.IsTerminal)
            throw new ArgumentException($"the rollout {ended.Spec} has not ended: it is in {ended.Phase}", nameof(ended));

        var spec = ended.Spec;
        bool done = ended.Phase == RolloutPhase.Done;
        var serving = done ? spec.Next : spec.Previous;
        return serving is null ? null : new SteadyState
        {
            Key = spec.Key,
            Proxy = spec.Proxy,
            Serving = serving,
            Warm = done ? [.. Rollout.Kept(spec)] : spec.Warm,
            DecidedAt = ended.DecidedAt,
            Instances = ended.Instances,
        };
    }

    /// <summary>Decides. The state is to be recorded before any move is carried out.</summary>
    /// <param name="state">Where it stands.</param>
    /// <param name="seen">What is.</param>
    /// <param name="now">The time.</param>
    /// <param name="withdrawn">The warm generations that may not run any more: they are stopped, and come back when they may. What serves goes on.</param>
    public static SteadyDecision Next(SteadyState state, Observation seen, DateTimeOffset now, IReadOnlySet<int>? withdrawn = null)
    {
        // A clock that went back must not make every observation look stale.
        var decided = state.DecidedAt < now ? state.DecidedAt : now;
        if (seen.Time < decided || seen.Time > now)
            return new SteadyDecision(state, []);

        seen = Rollout.Fresh(seen);
        var (moves, memory) = Upkeep.Of(state.Setup, Goals(state, withdrawn, now), state.Instances, seen, now, onTrial: null);
        return new SteadyDecision(state with { DecidedAt = now, Instances = memory }, seen.Synthetic is null ? moves : [.. moves, new Move.StopSynthetic()]);
    }

    internal static IReadOnlyList<GenerationGoal> Goals(SteadyState state, IReadOnlySet<int>? withdrawn = null, DateTimeOffset? now = null) =>
    [
        new GenerationGoal(state.Serving.Number, state.Serving.Replicas, 100, Presence.Running),
        .. state.Warm.Select(warm => withdrawn?.Contains(warm.Number) == true
            ? new GenerationGoal(warm.Number, warm.Replicas, 0, Presence.Stopped, now)
            : new GenerationGoal(warm.Number, warm.Replicas, 0, Presence.Running)),
    ];
}
