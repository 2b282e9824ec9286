using Ingot.Oci.Content;
using Ingot.Templates.Project;

namespace Ingot.Releases;

/// <summary>What a service needs between rollouts: its proxy alive, its instances present and healthy, its weights right. As pure as
/// <see cref="Rollout"/>.</summary>
public static class Steady
{
    private static readonly TimeSpan s_strays = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_away = TimeSpan.FromMinutes(2);

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
            Proxy = done ? spec.Proxy : spec.ServingProxy ?? spec.Proxy,
            Serving = serving,
            Warm = done ? [.. Rollout.Kept(spec)] : spec.Warm,
            DecidedAt = ended.DecidedAt,
            Instances = ended.Instances,
            Leaving = [.. ended.Goals.Where(goal => goal.Presence != Presence.Running)],
            MayReturn = !spec.IsRollback,
        };
    }

    /// <summary>The rollout that returns from what serves to a generation that stands by.</summary>
    /// <param name="state">What serves, and what stands by.</param>
    /// <param name="to">One of <see cref="SteadyState.Warm"/>.</param>
    /// <param name="rollout">Windows and budgets.</param>
    /// <param name="by">Who asks.</param>
    /// <param name="reason">Why.</param>
    public static RolloutSpec GoBack(SteadyState state, Generation to, RolloutDefinition rollout, string by, string reason) => new()
    {
        Key = state.Key,
        Proxy = state.Proxy,
        Next = to,
        Previous = state.Serving,
        Warm = [.. state.Warm.Where(warm => warm.Number != to.Number)],
        Rollout = rollout,
        IsRollback = true,
        By = by,
        Reason = reason,
    };

    /// <summary>Notes that a move could not be carried out: one on an instance is tried again after a while,
    /// and others do not wait for it.</summary>
    public static SteadyState Failed(SteadyState state, Move move, DateTimeOffset now) =>
        state with { Instances = Upkeep.Failed(state.Instances, move, now).Memory };

    /// <summary>A decision, with the moves that failed while it was made: it was made without knowing of them.</summary>
    /// <param name="basis">What was decided on.</param>
    /// <param name="current">What has become of that meanwhile.</param>
    /// <param name="decided">What was decided.</param>
    public static SteadyState KeepFailures(SteadyState basis, SteadyState current, SteadyState decided) =>
        decided with { Instances = Upkeep.KeepFailures(basis.Instances, current.Instances, decided.Instances) };

    /// <summary>Decides. The state is to be recorded before any move is carried out.</summary>
    /// <param name="state">Where it stands.</param>
    /// <param name="seen">What is.</param>
    /// <param name="now">The time.</param>
    /// <param name="withdrawn">The warm generations that may not run any more: they are stopped, and come back when they may.
    /// What serves goes on.</param>
    public static SteadyDecision Next(SteadyState state, Observation seen, DateTimeOffset now, IReadOnlySet<int>? withdrawn = null)
    {
        if (Rollout.IsStale(state.DecidedAt, seen, now))
            return new SteadyDecision(state, []);

        seen = Rollout.Fresh(seen);
        state = FollowClock(state, now);
        state = state with { Leaving = [.. state.Leaving, .. Strays(state, seen, now)] };
        var (moves, memory) = Upkeep.Of(state.Setup, Goals(state, withdrawn, now), state.Instances, seen, now, onTrial: null);
        var wellbeing = Wellbeing.Of(state.Serving, memory, seen, now);
        bool isBelow = seen.Proxy.Alive && wellbeing.IsBelowFloor(state.Serving.Replicas);
        var since = state.BelowFloorSince is { } earlier && earlier <= now ? earlier : now;
        var next = state with
        {
            DecidedAt = now,
            Instances = memory,
            BelowFloorSince = isBelow && now - state.DecidedAt < s_away ? since : null,
            Leaving = [.. state.Leaving.Where(goal => !IsGone(goal, seen))],
        };
        return new SteadyDecision(next, seen.Synthetic is null ? moves : [.. moves, new Move.StopSynthetic()])
        {
            Return = isBelow && next.MayReturn && StandsBy(next, seen, withdrawn) is { } warm
                ? Returns(next, warm, wellbeing, seen, now)
                : null,
        };
    }

    // A clock that went back takes the times of what is leaving with it; other times are taken as none.
    private static SteadyState FollowClock(SteadyState state, DateTimeOffset now) => now - state.DecidedAt is var passed
        && passed >= TimeSpan.Zero
        ? state
        : state with { Leaving = [.. state.Leaving.Select(goal => goal with { DrainUntil = goal.DrainUntil + passed })] };

    // What nobody asked for and still runs, such as an instance that was only made after its rollout had turned back.
    private static IEnumerable<GenerationGoal> Strays(SteadyState state, Observation seen, DateTimeOffset now)
    {
        var known = Goals(state).Select(goal => goal.Generation).ToHashSet();
        return seen.Instances.Select(instance => instance.Generation)
            .Concat(seen.Proxy.Servers.Select(server => server.Generation))
            .Distinct()
            .Where(generation => !known.Contains(generation))
            .Select(generation => new GenerationGoal(generation, 0, 0, Presence.Stopped, now + s_strays))
            .Where(goal => !IsGone(goal, seen));
    }

    private static bool IsGone(GenerationGoal goal, Observation seen) => seen.Proxy.Alive && seen.KnowsInstances
        && seen.Proxy.Servers.All(server => server.Generation != goal.Generation)
        && seen.Instances.Where(instance => instance.Generation == goal.Generation)
            .All(instance => goal.Presence == Presence.Stopped && instance.State == InstanceState.Exited);

    private static Generation? StandsBy(SteadyState state, Observation seen, IReadOnlySet<int>? withdrawn) =>
        state.Warm.FirstOrDefault(warm =>
            withdrawn?.Contains(warm.Number) != true && seen.ReadyInstances(warm.Number) >= Rollout.Floor(warm.Replicas));

    // Too few are well, and that has lasted, or they were replaced again and again.
    private static Return? Returns(SteadyState state, Generation warm, Wellbeing wellbeing, Observation seen, DateTimeOffset now)
    {
        int replaced = Upkeep.Streak(state.Instances, state.Serving.Number);
        bool isLoop = seen.KnowsInstances && replaced >= Rollout.Breaker(state.Serving.Replicas);
        if (!isLoop && !(now - state.BelowFloorSince >= wellbeing.Patience(state.Serving)))
            return null;

        string reason = $"only {wellbeing.Well} of {state.Serving.Replicas} instances of generation {state.Serving.Number} are healthy, "
            + $"{replaced} were replaced lately, and generation {warm.Number} stands by";
        return new Return(warm, reason, !wellbeing.IsBlameless && !warm.IsLike(state.Serving));
    }

    internal static IReadOnlyList<GenerationGoal> Goals(
        SteadyState state, IReadOnlySet<int>? withdrawn = null, DateTimeOffset? now = null) =>
    [
        new GenerationGoal(state.Serving.Number, state.Serving.Replicas, 100, Presence.Running),
        .. state.Warm.Select(warm => withdrawn?.Contains(warm.Number) == true
            ? new GenerationGoal(warm.Number, warm.Replicas, 0, Presence.Stopped, now)
            : new GenerationGoal(warm.Number, warm.Replicas, 0, Presence.Running)),
        .. state.Leaving.Where(goal => state.Setup.Find(goal.Generation) is null),
    ];
}
