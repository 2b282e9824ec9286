using System.Globalization;

namespace Ingot.Releases;

public static partial class Rollout
{
    private static RolloutState Advance(RolloutState state, Observation seen, DateTimeOffset now)
    {
        if (state.Pause is { Cause: PauseCause.Person } pause)
            return state with { Waiting = $"paused by {pause.By}: {pause.Reason}" };

        return state.Phase switch
        {
            RolloutPhase.Planned => Provision(state, seen, now),
            RolloutPhase.Provisioning => Provisioning(state, seen, now),
            RolloutPhase.Warming => Warming(state, seen, now),
            RolloutPhase.Shifting => Shifting(state, seen, now),
            RolloutPhase.Soaking => Soaking(state, seen, now),
            RolloutPhase.Draining => Draining(state, seen, now),
            RolloutPhase.Retiring => Retiring(state, seen, now),
            RolloutPhase.Aborting => Aborting(state, seen, now),
            RolloutPhase.Restoring => Restoring(state, seen, now),
            _ => state,
        };
    }

    // What earlier rollouts left stopped, for its logs, goes now; anything that still runs is not touched before the next generation
    // serves.
    private static RolloutState Provision(RolloutState state, Observation seen, DateTimeOffset now)
    {
        var remains = Strays(state, seen).Where(generation =>
            seen.Proxy.Servers.All(server => server.Generation != generation)
            && seen.Instances.Where(instance => instance.Generation == generation).All(instance => instance.State == InstanceState.Exited));
        state = state with
        {
            Goals =
                [.. Goals(state, share: 0), .. remains.Select(generation => new GenerationGoal(generation, 0, 0, Presence.Removed, now))],
        };
        return Enter(state, RolloutPhase.Provisioning, s_provisioning, "instances are made", now);
    }

    private static RolloutState Provisioning(RolloutState state, Observation seen, DateTimeOffset now)
    {
        var next = state.Spec.Next;
        int there = !seen.KnowsInstances
            ? 0
            : seen.Instances.Count(instance => instance.Generation == next.Number
                && instance.State is InstanceState.Running or InstanceState.Restarting);
        bool proxy = seen.Proxy.Alive && seen.Proxy.Settings == state.Setup.Proxy;
        if (there >= next.Replicas && proxy)
            return Enter(state, RolloutPhase.Warming, next.Health.Deadline, "all instances exist", now);
        if (state.Spec.IsRollback && seen.ReadyInstances(next.Number) >= Floor(next.Replicas))
            return Enter(state, RolloutPhase.Warming, next.Health.Deadline, "the generation to go back to stands by", now);

        string missing = proxy ? $"{there} of {next.Replicas} instances run" : $"the proxy does not answer on {state.Setup.Proxy.Listen}";
        missing = (seen.EngineTrouble ?? seen.ProxyTrouble) is { } trouble ? $"{missing}: {trouble}" : missing;
        if (state.LastFailure is { } failure)
            missing = $"{missing}: {failure.Message}";
        return now < state.Deadline ? state with { Waiting = missing } : GiveUp(state, AbortCause.Target, missing, now);
    }

    private static RolloutState Warming(RolloutState state, Observation seen, DateTimeOffset now)
    {
        var next = state.Spec.Next;
        int ready = seen.ReadyInstances(next.Number);
        // Traffic goes back on the proxy's word alone; forward it needs the engine's too.
        if (state.Spec.IsRollback && ready >= Floor(next.Replicas))
            return Shift(state, 0, "the generation to go back to is ready", now);

        state = state with { ReadySince = ready >= next.Replicas ? state.ReadySince ?? now : null };
        if (seen.KnowsInstances && state.ReadySince is { } since && now - since >= Watched(next))
            return Shift(state, 0, "all instances are ready", now);

        string missing = $"{ready} of {next.Replicas} instances are ready{Symptoms(state, seen)}";
        // Ready instances are not given up for the last second they are watched.
        if (now < state.Deadline || state.ReadySince is not null && seen.KnowsInstances)
            return state with { Waiting = missing };
        // A silent proxy, a silent engine, or something else than was asked for say nothing against the image.
        var cause = seen.Proxy.Alive && seen.KnowsInstances && !Objects(state, seen) ? AbortCause.Health : AbortCause.Target;
        return GiveUp(state, cause, $"{missing} after {next.Health.Deadline.TotalSeconds:0} s", now);
    }

    /// <summary>How long ready instances are watched before they take traffic.</summary>
    internal static TimeSpan Watched(Generation generation) => generation.Health.Interval * generation.Health.Healthy;

    private static bool Objects(RolloutState state, Observation seen) =>
        seen.Instances.Any(instance => instance.Generation == state.Spec.Next.Number && instance.Objection is not null);

    private static RolloutState Shift(RolloutState state, int step, string reason, DateTimeOffset now)
    {
        int share = state.Spec.Steps[step];
        state = state with { Step = step, AcknowledgedAt = null, ProofWaived = false, Goals = WithShares(state, share) };
        return Enter(state, RolloutPhase.Shifting, s_acknowledging, reason, now);
    }

    // What is to be removed stays so; only the shares change.
    private static IReadOnlyList<GenerationGoal> WithShares(RolloutState state, int share) =>
        [.. Goals(state, share), .. state.Goals.Where(goal => goal.Presence != Presence.Running)];

    private static RolloutState Shifting(RolloutState state, Observation seen, DateTimeOffset now)
    {
        bool last = state.Step == state.Spec.Steps.Count - 1;
        if (!last && PreviousIsLost(state, seen, now))
            return Shift(state, state.Spec.Steps.Count - 1, $"generation {state.Spec.Previous!.Number} has no healthy instance left", now);
        if (state.AcknowledgedAt is null)
            return Acknowledging(state, seen, now, last);
        return Observing(state, seen, now);
    }

    // A healthy canary may go on when the old generation is what is broken.
    private static bool PreviousIsLost(RolloutState state, Observation seen, DateTimeOffset now) =>
        seen.KnowsInstances && state.PreviousDownSince is { } since && now - since >= s_previousDown
            && seen.ReadyInstances(state.Spec.Next.Number) == state.Spec.Next.Replicas;

    private static RolloutState Acknowledging(RolloutState state, Observation seen, DateTimeOffset now, bool last)
    {
        if (!Upkeep.IsAcknowledged(state.Setup, state.Goals, seen))
        {
            string waiting = $"the proxy has not confirmed {state.Share} % for generation {state.Spec.Next.Number}";
            if ((state.LastFailure?.Message ?? seen.ProxyTrouble) is { } trouble)
                waiting = $"{waiting}: {trouble}";
            return now < state.Deadline ? state with { Waiting = waiting } : GiveUp(state, AbortCause.Target, waiting, now);
        }

        var time = StepTime(state);
        state = state with
        {
            AcknowledgedAt = now,
            Deadline = now + time,
            Pause = null,
            Judgement = state.Judgement with { NextInStep = default, PreviousInStep = default },
        };
        if (!last)
            return state with
            {
                History =
                    [.. state.History, new PhaseChange(now, RolloutPhase.Shifting, state.Share, "the proxy has confirmed the weights")],
            };
        return state.Spec.IsRollback ? Drain(state, now) : Enter(state, RolloutPhase.Soaking, time, "it takes all traffic", now);
    }

    private static RolloutState Observing(RolloutState state, Observation seen, DateTimeOffset now)
    {
        var windowEnd = state.AcknowledgedAt!.Value + state.Spec.Rollout.Observe;
        if (now < windowEnd)
            return state with { Waiting = $"{state.Share} % is observed until {windowEnd:HH:mm:ss} UTC" };
        if (Hindrance(state, seen) is { } hindrance)
            return now < state.Deadline
                ? state with { Waiting = hindrance }
                : Stand(state, PauseCause.Target, $"{hindrance}; it goes on by itself once that is fixed", now);

        state = state.Pause?.Cause == PauseCause.Target ? state with { Pause = null } : state;
        if (state.Verdict is Verdict.NotWorse || state.ProofWaived)
            return Shift(
                state, state.Step + 1, state.ProofWaived ? "the proof was waived" : "it does not fail more often than before", now);

        string missing = TooLittleTraffic(state);
        return now < state.Deadline ? state with { Waiting = missing } : Stand(state, PauseCause.TooLittleTraffic, missing, now);
    }

    // More traffic only for a generation that is known to be whole: what died is on its way back.
    private static string? Hindrance(RolloutState state, Observation seen)
    {
        int ready = seen.ReadyInstances(state.Spec.Next.Number);
        string? few = ready * 10 < state.Spec.Next.Replicas * 9
            ? $"only {ready} of {state.Spec.Next.Replicas} instances are ready{Symptoms(state, seen)}"
            : null;
        return seen.EngineTrouble ?? seen.ProxyTrouble ?? few;
    }

    private static string TooLittleTraffic(RolloutState state)
    {
        var spec = state.Spec;
        long seen = state.Judgement.NextInStep.Trials + state.Judgement.PreviousInStep.Trials;
        string more = state.Verdict is Verdict.Insufficient { MissingRequests: var missing and < long.MaxValue }
            ? $"about {missing} more are needed to rule out failures of {Judge.Percent(spec.Rollout.Detect)}"
            : "the old generation fails so often that no number of them would show a difference";
        return $"too little traffic to judge {state.Share} %: {seen} requests seen, {more} (requests are counted, not clients); "
            + "more traffic lets it go on, 'rollout.synthetic' in ingot.yaml sends some, "
            + $"and 'ingot resume {spec.Key.Service} --stage {spec.Key.Stage}' goes on without the proof";
    }

    private static RolloutState Soaking(RolloutState state, Observation seen, DateTimeOffset now)
    {
        if (state.Probe is not null)
            return WaitForProbe(state, now);

        var end = (state.AcknowledgedAt ?? state.PhaseSince) + state.Spec.Rollout.Observe;
        if (now < end)
            return state with { Waiting = $"100 % is observed until {end:HH:mm:ss} UTC" };
        // Nothing is promoted on absent data: the last look must be one.
        if (seen.KnowsInstances && Upkeep.IsAcknowledged(state.Setup, state.Goals, seen))
            return Drain(state, now);
        if (seen.EngineTrouble is { } trouble)
            return now < state.Deadline
                ? state with { Waiting = trouble }
                : Stand(state, PauseCause.Target, $"{trouble}; it goes on by itself once that is fixed", now);
        if (state.Pause?.Cause == PauseCause.Target)
            state = state with { Pause = null, Deadline = now };

        const string Waiting = "the proxy does not confirm that generation {0} takes all traffic";
        string reason = string.Format(CultureInfo.InvariantCulture, Waiting, state.Spec.Next.Number);
        return now < state.Deadline + s_acknowledging ? state with { Waiting = reason } : GiveUp(state, AbortCause.Target, reason, now);
    }

    private static RolloutState Drain(RolloutState state, DateTimeOffset now) =>
        Enter(state, RolloutPhase.Draining, state.Spec.Rollout.Drain, "no new requests reach the old generation", now);

    private static RolloutState Draining(RolloutState state, Observation seen, DateTimeOffset now)
    {
        long inFlight = state.Spec.Previous is { } previous && seen.Proxy.Alive ? seen.InFlight(previous.Number) : 0;
        bool known = seen.Proxy.Alive || state.Spec.Previous is null;
        if (known && inFlight == 0)
            return Retire(state with { DrainedAt = now }, seen, now, "nothing is in flight at the old generation");
        return now < state.Deadline
            ? state with { Waiting = $"{inFlight} requests are in flight at generation {state.Spec.Previous!.Number}" }
            : Retire(state with { UnfinishedAtDeadline = inFlight }, seen, now,
                $"{inFlight} requests were in flight at the drain deadline");
    }

    private static RolloutState Retire(RolloutState state, Observation seen, DateTimeOffset now, string reason)
    {
        state = state with { Goals = Inventory(state, seen, now) };
        return Enter(state, RolloutPhase.Retiring, s_stopping, reason, now);
    }

    // What a rollback left is known to be bad: it is stopped and never kept warm.
    private static List<GenerationGoal> Inventory(RolloutState state, Observation seen, DateTimeOffset now)
    {
        var spec = state.Spec;
        var kept = Kept(spec).ToArray();
        var goals = new List<GenerationGoal> { new(spec.Next.Number, spec.Next.Replicas, 100, Presence.Running) };
        goals.AddRange(kept.Select(warm => new GenerationGoal(warm.Number, warm.Replicas, 0, Presence.Running)));
        if (spec.IsRollback && spec.Previous is { } left)
            goals.Add(new(left.Number, left.Replicas, 0, Presence.Stopped, now + LongestDrain(state)));

        var beyond = spec.Setup.Generations.Select(generation => generation.Number).Concat(Strays(state, seen)).Distinct().ToArray();
        foreach (int generation in beyond.Where(number => goals.All(goal => goal.Generation != number)))
            goals.Add(new(generation, 0, 0, Presence.Removed, now + LongestDrain(state)));
        return goals;
    }

    // What is idle goes at once; connections that outlive every request, such as WebSockets, are cut after their own time.
    private static TimeSpan LongestDrain(RolloutState state) =>
        state.Spec.Rollout.DrainConnections > state.Spec.Rollout.Drain ? state.Spec.Rollout.DrainConnections : state.Spec.Rollout.Drain;

    /// <summary>The generations that stay warm after the rollout, newest first.</summary>
    internal static IEnumerable<Generation> Kept(RolloutSpec spec)
    {
        var candidates = spec.IsRollback || spec.Previous is null ? spec.Warm : [spec.Previous, .. spec.Warm];
        return candidates.Take(spec.Rollout.Keep);
    }

    private static IEnumerable<int> Strays(RolloutState state, Observation seen) => seen.Instances.Select(instance => instance.Generation)
        .Concat(seen.Proxy.Servers.Select(server => server.Generation))
        .Distinct()
        .Where(number => state.Spec.Setup.Find(number) is null);

    private static RolloutState Retiring(RolloutState state, Observation seen, DateTimeOffset now)
    {
        bool settled = seen.Proxy.Alive && seen.KnowsInstances && IsLetGo(state, seen);
        if (!settled && now < state.Deadline)
            return state with { Waiting = "generations that are not kept are being removed" };
        string reason = settled
            ? $"generation {state.Spec.Next.Number} serves"
            : $"generation {state.Spec.Next.Number} serves; what is left of others is removed by the next rollout";
        return Finish(state, RolloutPhase.Done, reason, now);
    }

    private static bool IsLetGo(RolloutState state, Observation seen) =>
        state.Goals.Where(goal => goal.Presence != Presence.Running).All(goal =>
            seen.Proxy.Servers.All(server => server.Generation != goal.Generation)
            && seen.Instances.Where(instance => instance.Generation == goal.Generation)
                .All(instance => goal.Presence == Presence.Stopped && instance.State == InstanceState.Exited));

    private static RolloutState Aborting(RolloutState state, Observation seen, DateTimeOffset now)
    {
        if (state.Spec.Previous is null || Upkeep.HasWeights(state.Goals, seen))
        {
            var until = now + LongestDrain(state);
            var goals = state.Goals.Select(goal =>
                goal.Generation == state.Spec.Next.Number ? goal with { Presence = Presence.Stopped, DrainUntil = until } : goal);
            return Enter(state with { Goals = [.. goals] }, RolloutPhase.Restoring, state.Spec.Rollout.Drain + s_stopping,
                "the old generation has its weight back", now);
        }

        string waiting = seen.Proxy.Alive && seen.ReadyInstances(state.Spec.Previous.Number) == 0
            ? $"generation {state.Spec.Previous.Number} has no healthy instance to go back to"
            : "the proxy has not confirmed the weight of generation "
                + $"{state.Spec.Previous.Number}{(seen.ProxyTrouble is { } trouble ? $": {trouble}" : "")}";
        return now < state.Deadline
            ? state with { Waiting = waiting }
            : Stand(state, PauseCause.Target, $"{waiting}; it goes on by itself once that is fixed", now);
    }

    private static RolloutState Restoring(RolloutState state, Observation seen, DateTimeOffset now)
    {
        bool settled = (seen.Proxy.Alive || state.Spec.Previous is null && seen.KnowsProxy) && seen.KnowsInstances && IsLetGo(state, seen);
        if (!settled && now < state.Deadline)
            return state with { Waiting = $"generation {state.Spec.Next.Number} is drained and stopped" };
        string reason = state.Spec.Previous is { } previous
            ? $"generation {previous.Number} serves as before"
            : "nothing serves: the first deployment failed";
        return Finish(state, RolloutPhase.RolledBack, reason, now);
    }
}
