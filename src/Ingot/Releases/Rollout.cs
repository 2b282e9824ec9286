using Ingot.Oci.Content;

namespace Ingot.Releases;

/// <summary>The arithmetic of a rollout: no clock, no target, no storage.</summary>
/// <remarks>
/// <code>
/// Planned → Provisioning → Warming → Shifting[i] … → Soaking → Draining → Retiring → Done
///     up to Draining → Aborting → Restoring → RolledBack
/// </code>
/// A phase sets goals — which generations run, and their shares — and waits until the observation shows them. The moves between what is
/// seen and the goals are the same in every phase (<c>Upkeep</c>), so a move that was lost is simply said again, and a controller that was
/// killed goes on from the recorded state and a fresh observation. Deadlines are absolute times in the state; a phase that does not move
/// by its deadline turns back, or pauses and says what would help.
/// </remarks>
public static partial class Rollout
{
    private const int LongestChain = 16;
    private const int MostSymptoms = 4;
    private const int FailedMovesAllowed = 5;

    private static readonly TimeSpan s_provisioning = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_acknowledging = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_stopping = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_previousDown = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_away = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_oldest = TimeSpan.FromSeconds(60);

    /// <summary>A rollout that has been recorded and not begun.</summary>
    public static RolloutState Begin(RolloutSpec spec, DateTimeOffset now) => new()
    {
        Spec = spec,
        StartedAt = now,
        DecidedAt = now,
        PhaseSince = now,
        Deadline = now + s_provisioning,
        History = [new PhaseChange(now, RolloutPhase.Planned, 0, spec.Reason)],
    };

    /// <summary>Decides. The state is to be recorded before any move is carried out; carrying the moves out is idempotent, and all of them
    /// are said again until an observation shows their effect.</summary>
    /// <param name="state">Where it stands.</param>
    /// <param name="seen">What is.</param>
    /// <param name="now">The time.</param>
    /// <param name="withdrawn">What may not run any more; null when everything may.</param>
    public static RolloutDecision Next(RolloutState state, Observation seen, DateTimeOffset now, Withdrawn? withdrawn = null)
    {
        if (state.IsTerminal || IsStale(state.DecidedAt, seen, now))
            return new RolloutDecision(state, []);

        seen = Fresh(seen);

        var watched = Watch(FollowClock(state, now), seen, now) with { DecidedAt = now };
        var decided = Go(Withdraw(Guard(Loosen(watched), seen, withdrawn, now), withdrawn, now), seen, now);
        return Enforce(
            MayNotTurnBack(watched, decided, withdrawn) ? Hold(watched, decided.Reason, withdrawn!.Previous!, now) : decided, seen, now);
    }

    // Read before the last decision, or before the clock went back: what it shows may be gone. A decision of a time that is yet to come was
    // made before the clock went back, and every look begins before its own decision.
    internal static bool IsStale(DateTimeOffset decided, Observation seen, DateTimeOffset now) =>
        seen.Time > now || decided <= now && seen.Time < decided;

    /// <summary>What was read of the instances long ago says nothing of now.</summary>
    internal static Observation Fresh(Observation seen) => !seen.KnowsInstances || seen.Time - seen.InstancesTime <= s_oldest
        ? seen
        : seen with
        {
            Instances = [],
            EngineTrouble = $"the instances were last read {(seen.Time - seen.InstancesTime).TotalSeconds:0} s ago",
        };

    /// <summary>Whether a rollout that turned back now would give traffic to something that may have none.
    /// Before the first step nothing changes hands.</summary>
    public static bool MayNotTurnBack(RolloutState state, Withdrawn withdrawn) =>
        withdrawn.Previous is not null && state.Share > 0 && state.Phase < RolloutPhase.Retiring;

    private static bool MayNotTurnBack(RolloutState before, RolloutState decided, Withdrawn? withdrawn) =>
        decided.Phase >= RolloutPhase.Aborting && withdrawn is not null && MayNotTurnBack(before, withdrawn);

    private static RolloutState Go(RolloutState state, Observation seen, DateTimeOffset now)
    {
        for (int i = 0; i < LongestChain; i++)
        {
            var next = Advance(state, seen, now);
            bool moved = next.Phase != state.Phase || next.Step != state.Step || next.AcknowledgedAt != state.AcknowledgedAt;
            state = next;
            if (!moved)
                break;
        }

        return state;
    }

    /// <summary>What may not run any more goes no further. A rollback is not rolled back,
    /// but one that has no traffic yet does not begin to take it.</summary>
    private static RolloutState Withdraw(RolloutState state, Withdrawn? withdrawn, DateTimeOffset now)
    {
        if (withdrawn?.Next is not { } reason || state.Phase > (state.Spec.IsRollback ? RolloutPhase.Warming : RolloutPhase.Draining))
            return state;
        return TurnBack(state, AbortCause.Withdrawn, reason, now);
    }

    // Both ways are barred: the shares stay as they are, and it is looked at again each time.
    private static RolloutState Hold(RolloutState state, string reason, string previous, DateTimeOffset now) =>
        state.Pause?.Cause == PauseCause.Person
            ? state with { Waiting = $"{reason}; and {previous}" }
            : Stand(state, PauseCause.Withdrawn, $"{reason}; it does not turn back, because {previous}: deploy another version", now);

    private static RolloutState Loosen(RolloutState state) =>
        state.Pause?.Cause == PauseCause.Withdrawn ? state with { Pause = null } : state;

    /// <summary>Stands still until a person resumes it, or until <paramref name="until"/>. The judge goes on and may turn it back. A
    /// rollout that is past the point of choice stays as it is.</summary>
    public static RolloutState Pause(RolloutState state, string by, string reason, DateTimeOffset? until, DateTimeOffset now) =>
        state.Phase <= RolloutPhase.Soaking
            ? FollowClock(state, now) with { DecidedAt = now, Pause = new RolloutPause(PauseCause.Person, reason, by, now, until) }
            : state;

    /// <summary>Goes on. A step that lacks traffic passes without the proof, on the word of the person;
    /// anything else gets its time again.</summary>
    public static RolloutState Resume(RolloutState state, string by, DateTimeOffset now)
    {
        state = FollowClock(state, now);
        if (state.IsTerminal || state.Pause is not { } pause)
            return state;

        string reason = $"resumed by {by}{(pause.Cause == PauseCause.TooLittleTraffic ? ", without the proof" : "")}";
        return state with
        {
            DecidedAt = now,
            Pause = null,
            ProofWaived = state.ProofWaived || pause.Cause == PauseCause.TooLittleTraffic,
            Deadline = pause.Cause == PauseCause.Person ? state.Deadline + (now - pause.Since) : now + (state.Deadline - state.PhaseSince),
            History = [.. state.History, new PhaseChange(now, state.Phase, state.Share, reason)],
        };
    }

    /// <summary>Turns back because a person says so. A rollback, and a rollout past the point of choice, stays as it is.</summary>
    public static RolloutState Abort(RolloutState state, string by, string reason, DateTimeOffset now) =>
        CanTurnBack(state) ? TurnBack(state, AbortCause.Person, $"{reason} ({by})", now) : state;

    /// <summary>Makes way for a newer release: the old generation gets its weight back first. A first deployment that serves already has
    /// none to go back to, and ends as done; a rollout that only drains goes on,
    /// and one that only takes others away ends at once.</summary>
    public static RolloutState Supersede(RolloutState state, string by, DateTimeOffset now)
    {
        // It serves: what is left of others is let go afterwards.
        if (state.Phase == RolloutPhase.Retiring)
            return Finish(state, RolloutPhase.Done, $"generation {state.Spec.Next.Number} serves; superseded by {by}", now);
        if (!CanTurnBack(state) || state.Phase == RolloutPhase.Draining)
            return state;
        return state.Spec.Previous is null && state.Phase == RolloutPhase.Soaking
            ? Enter(state, RolloutPhase.Retiring, s_stopping, $"superseded by {by}", now)
            : TurnBack(state, AbortCause.Superseded, $"superseded by {by}", now);
    }

    /// <summary>
    /// Notes that a move could not be carried out. One on an instance is tried again after a while, each time a longer one; other instances
    /// do not wait for it. When it fails time and again, before the generation has any traffic, the rollout turns back instead of waiting
    /// for the deadline. What fails at the proxy at once counts as one,
    /// and what fails at instances of other generations is not held against the one on trial.
    /// </summary>
    public static RolloutState Failed(RolloutState state, Move move, string message, DateTimeOffset now)
    {
        var (memory, failed) = Upkeep.Failed(state.Instances, move, now);
        if (failed is null)
            return TrafficFailed(state, move, message, now);
        bool isNext = InstanceName.TryParse(move.Subject!, out int generation, out _) && generation == state.Spec.Next.Number;
        return state with
        {
            Instances = memory,
            LastFailure = isNext ? new MoveFailure(move.Key, failed.Value, message, now) : state.LastFailure,
        };
    }

    // A proxy that is gone for a moment fails every move that was made in it.
    private static RolloutState TrafficFailed(RolloutState state, Move move, string message, DateTimeOffset now)
    {
        bool isSame = now - state.TrafficFailedAt < s_moment;
        int count = isSame ? state.FailedTrafficMoves : state.FailedTrafficMoves + 1;
        return state with
        {
            FailedTrafficMoves = count,
            TrafficFailedAt = isSame ? state.TrafficFailedAt : now,
            LastFailure = new MoveFailure(move.Key, count, message, now),
        };
    }

    /// <summary>A decision, with the moves that failed while it was made: it was made without knowing of them.</summary>
    /// <param name="basis">What was decided on.</param>
    /// <param name="current">What has become of that meanwhile.</param>
    /// <param name="decided">What was decided.</param>
    public static RolloutState KeepFailures(RolloutState basis, RolloutState current, RolloutState decided)
    {
        decided = decided with { Instances = Upkeep.KeepFailures(basis.Instances, current.Instances, decided.Instances) };
        // A phase begins with none.
        bool isNews = current.LastFailure != basis.LastFailure && current.Phase == decided.Phase && current.Step == decided.Step;
        return isNews
            ? decided with
            {
                LastFailure = current.LastFailure,
                FailedTrafficMoves = current.FailedTrafficMoves,
                TrafficFailedAt = current.TrafficFailedAt,
            }
            : decided;
    }

    /// <summary>How many instances must be well for a generation to serve: half, and at least one.</summary>
    public static int Floor(int replicas) => Math.Max(1, (replicas + 1) / 2);

    /// <summary>After how many restarts and unwanted ends of its instances a generation counts as failed.</summary>
    public static int Breaker(int replicas) => Math.Clamp(replicas / 2, 3, 200);

    /// <summary>Whether a rollout can still turn back: it is no rollback, and the old generation is still there.</summary>
    public static bool CanTurnBack(RolloutState state) => !state.Spec.IsRollback && state.Phase <= RolloutPhase.Draining;

    /// <summary>A clock that went back would freeze every deadline until it had caught up: all times go back with it. A controller that was
    /// away, or a clock that went ahead, has used up time in which nothing could be done: the deadline moves on.</summary>
    public static RolloutState FollowClock(RolloutState state, DateTimeOffset now)
    {
        var passed = now - state.DecidedAt;
        if (passed >= TimeSpan.Zero)
        {
            // Resuming gives a person's pause back whole.
            bool wasAway = passed > s_away && state.Pause?.Cause != PauseCause.Person;
            return wasAway ? state with { Deadline = state.Deadline + passed, BelowFloorSince = null } : state;
        }

        return state with
        {
            DecidedAt = now,
            PhaseSince = state.PhaseSince + passed,
            Deadline = state.Deadline + passed,
            ReadySince = state.ReadySince + passed,
            AcknowledgedAt = state.AcknowledgedAt + passed,
            PreviousDownSince = state.PreviousDownSince + passed,
            BelowFloorSince = state.BelowFloorSince + passed,
            TrafficFailedAt = state.TrafficFailedAt + passed,
            Probe = state.Probe is { } probe ? probe with { QuietSince = probe.QuietSince + passed } : null,
            Pause = state.Pause is { } pause ? pause with { Since = pause.Since + passed, Until = pause.Until + passed } : null,
            Goals = [.. state.Goals.Select(goal => goal with { DrainUntil = goal.DrainUntil + passed })],
        };
    }

    /// <summary>Takes the measurements in, whatever the phase.</summary>
    private static RolloutState Watch(RolloutState state, Observation seen, DateTimeOffset now)
    {
        bool previousDown = state.Spec.Previous is { } previous && seen.Proxy.Alive && seen.ReadyInstances(previous.Number) == 0;
        bool over = state.Pause is { Cause: PauseCause.Person, Until: { } until } && until <= now;
        return (over ? Resume(state, "ingot, at the end of the pause", now) : state) with
        {
            Judgement = Judge.Count(state.Judgement, state.Spec, seen),
            PreviousDownSince = previousDown ? state.PreviousDownSince ?? now : null,
            Waiting = "",
        };
    }

    /// <summary>What may turn a rollout back at any time, paused or not.</summary>
    private static RolloutState Guard(RolloutState state, Observation seen, Withdrawn? withdrawn, DateTimeOffset now)
    {
        var next = state.Spec.Next;
        bool starting = state.Phase is RolloutPhase.Provisioning or RolloutPhase.Warming;
        bool serving = state.Phase is RolloutPhase.Shifting or RolloutPhase.Soaking or RolloutPhase.Draining;
        if (!starting && !serving || state.Spec.IsRollback)
            return state;

        // What the engine does not tell is held against nobody.
        int failures = seen.KnowsInstances ? Upkeep.Failures(state.Instances, seen, next.Number) : 0;
        if (failures >= Breaker(next.Replicas))
            return TurnBack(state, AbortCause.Health,
                $"instances of generation {next.Number} ended {failures} times{Symptoms(state, seen)}", now);
        if (starting)
            return state.LastFailure is { Count: >= FailedMovesAllowed } failed
                ? TurnBack(state, AbortCause.Target, failed.Message, now)
                : state;
        return Serving(state, seen, withdrawn, now);
    }

    private static RolloutState Serving(RolloutState state, Observation seen, Withdrawn? withdrawn, DateTimeOffset now)
    {
        var next = state.Spec.Next;
        var wellbeing = Wellbeing.Of(next, state.Instances, seen, now);
        bool isBelow = seen.Proxy.Alive && wellbeing.IsBelowFloor(next.Replicas);
        state = state with { BelowFloorSince = isBelow ? state.BelowFloorSince ?? now : seen.KnowsProxy ? null : state.BelowFloorSince };
        if (isBelow && now - state.BelowFloorSince >= wellbeing.Patience(next))
            return TurnBack(state, wellbeing.IsBlameless ? AbortCause.Target : AbortCause.Health, FewAreWell(state, wellbeing, seen), now);

        if (state.Probe is not null || state.Share == 100 && CanCompare(state, seen, withdrawn))
            return Compare(state with { Verdict = new Verdict.NotWorse() }, seen, wellbeing, withdrawn, now);
        var verdict = Judge.Look(state.Judgement, state.Spec, state.Share);
        state = state with { Verdict = verdict };
        return verdict is Verdict.Worse worse ? TurnBack(state, AbortCause.Judge, worse.Reason, now) : state;
    }

    private static string FewAreWell(RolloutState state, Wellbeing wellbeing, Observation seen) =>
        $"only {wellbeing.Well} of {state.Spec.Next.Replicas} instances of generation {state.Spec.Next.Number} are "
        + $"healthy{Symptoms(state, seen)}";

    /// <summary>The goals, as moves.</summary>
    private static RolloutDecision Enforce(RolloutState state, Observation seen, DateTimeOffset now)
    {
        int? onTrial = state.Phase <= RolloutPhase.Soaking && !state.Spec.IsRollback ? state.Spec.Next.Number : null;
        var (moves, memory) = Upkeep.Of(state.Setup, state.Goals, state.Instances, seen, now, onTrial);
        var all = state.IsTerminal ? [] : moves.Where(move => !Brings(move, state));
        return new RolloutDecision(state with { Instances = memory }, [.. all, .. Traffic(state, seen)]);
    }

    // What was withdrawn keeps what runs until the traffic is elsewhere, and gets nothing new.
    private static bool Brings(Move move, RolloutState state) =>
        state.Cause == AbortCause.Withdrawn && move is Move.CreateInstance create && create.Generation == state.Spec.Next.Number;

    private static IEnumerable<Move> Traffic(RolloutState state, Observation seen)
    {
        var wanted = state.Phase is RolloutPhase.Shifting or RolloutPhase.Soaking ? state.Spec.Rollout.Synthetic : null;
        if (wanted is not null && seen.Proxy.Alive && (seen.Synthetic?.Path != wanted.Path || seen.Synthetic?.Rate != wanted.Rate))
            yield return new Move.StartSynthetic(wanted.Path, wanted.Rate);
        if (wanted is null && seen.Synthetic is not null)
            yield return new Move.StopSynthetic();
    }

    private static RolloutState Enter(RolloutState state, RolloutPhase phase, TimeSpan time, string reason, DateTimeOffset now)
    {
        state = state with
        {
            Phase = phase,
            DecidedAt = now,
            PhaseSince = now,
            Deadline = now + time,
            Pause = null,
            Waiting = "",
            LastFailure = null,
            FailedTrafficMoves = 0,
            TrafficFailedAt = null,
        };
        return state with { History = [.. state.History, new PhaseChange(now, phase, state.Share, reason)] };
    }

    private static RolloutState Finish(RolloutState state, RolloutPhase phase, string reason, DateTimeOffset now) =>
        Enter(state, phase, TimeSpan.Zero, reason, now) with { FinishedAt = now };

    private static RolloutState TurnBack(RolloutState state, AbortCause cause, string reason, DateTimeOffset now)
    {
        state = FollowClock(state, now) with
        {
            Cause = cause,
            Reason = reason,
            AcknowledgedAt = null,
            Probe = null,
            Goals = Goals(state, share: 0),
        };
        return Enter(state, RolloutPhase.Aborting, s_acknowledging, reason, now);
    }

    /// <summary>A phase did not come to its end in time.</summary>
    private static RolloutState GiveUp(RolloutState state, AbortCause cause, string reason, DateTimeOffset now) =>
        CanTurnBack(state)
            ? TurnBack(state, cause, reason, now)
            : Stand(state, PauseCause.Target, $"{reason}; it goes on by itself once that is fixed", now);

    // What was said when it came to stand stays said; what it waits for may change with every look.
    private static RolloutState Stand(RolloutState state, PauseCause cause, string reason, DateTimeOffset now) => state with
    {
        Pause = state.Pause?.Cause == cause ? state.Pause : new RolloutPause(cause, reason, "ingot", now),
        Waiting = reason,
    };

    private static List<GenerationGoal> Goals(RolloutState state, int share)
    {
        var spec = state.Spec;
        var goals = new List<GenerationGoal> { new(spec.Next.Number, spec.Next.Replicas, share, Presence.Running) };
        if (spec.Previous is { } previous)
            goals.Add(new(previous.Number, previous.Replicas, 100 - share, Presence.Running));
        goals.AddRange(spec.Warm.Select(warm => new GenerationGoal(warm.Number, warm.Replicas, 0, Presence.Running)));
        return goals;
    }

    private static string Symptoms(RolloutState state, Observation seen)
    {
        if (seen.EngineTrouble is { } trouble)
            return $": {trouble}";
        var next = state.Spec.Next;
        var symptoms = seen.Instances.Where(instance => instance.Generation == next.Number)
            .Select(instance => Symptom(instance) ?? CheckSymptom(next, seen.Server(instance.Generation, instance.Index)))
            .OfType<string>()
            .ToArray();
        string more = symptoms.Length > MostSymptoms ? $", and {symptoms.Length - MostSymptoms} more" : "";
        return symptoms.Length == 0 ? "" : $": {string.Join(", ", symptoms.Take(MostSymptoms))}{more}";
    }

    private static string? CheckSymptom(Generation generation, ServerObservation? server) => server
        is { Health: ServerHealth.Down, Check: { } check }
        ? $"{InstanceName.Of(server.Generation, server.Index)} {check} when asked for {generation.Health.Path}"
        : null;

    private static string? Symptom(InstanceObservation instance)
    {
        string name = InstanceName.Of(instance.Generation, instance.Index);
        if (instance.OutOfMemory)
            return $"{name} ran out of memory";
        if (instance.Objection is { } objection)
            return $"{name} gets no traffic: {objection}";
        if (instance.ExitCode is { } code && instance.State != InstanceState.Running)
            return $"{name} ended with exit code {code}";
        return instance.Restarts > 0 ? $"{name} was started again {instance.Restarts} times" : null;
    }
}
