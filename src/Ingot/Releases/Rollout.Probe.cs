
namespace Ingot.Releases;

/// <summary>What is known of a comparison that was begun where all traffic was the next generation's.</summary>
/// <param name="QuietSince">Since when the next generation has failed no more than usual; null while it fails.</param>
public sealed record Probe(DateTimeOffset? QuietSince = null);

// Where the next generation takes all traffic there is nothing to compare it with: failures may be its own, or those of something that both
// generations need. So the old one, which stands by warm, takes half for a moment. It costs nobody anything: when only the next one fails,
// half of the harm is gone at once and it is turned back as soon as that is certain; when both fail alike, that was no reason to turn back,
// and the next one takes all again; and when it fails no more, it was a hiccup.
public static partial class Rollout
{
    private const int ProbeShare = 50;
    private const int LongestQuiet = 5;

    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(5);

    private static RolloutState Compare(RolloutState state, Observation seen, Wellbeing wellbeing, Withdrawn? withdrawn, DateTimeOffset now)
    {
        bool canCompare = CanCompare(state, seen, withdrawn);
        if (state.Probe is { } probe)
            return Comparing(state, probe, seen, wellbeing, canCompare, now);
        if (state.Share < 100 || !canCompare)
            return state;

        if (Judge.Rises(state.Judgement, state.Tolerated) is { } risen)
            return BeginProbe(state, $"{risen} {state.Spec.Next.Number}", now);
        return wellbeing.IsBelowFloor(state.Spec.Next.Replicas) ? BeginProbe(state, FewAreWell(state, wellbeing, seen), now) : state;
    }

    // What may not run any more, or does not, gets no traffic to compare with.
    private static bool CanCompare(RolloutState state, Observation seen, Withdrawn? withdrawn) =>
        state.Spec.Previous is { } previous
            && withdrawn?.Previous is null
            && seen.ReadyInstances(previous.Number) >= Floor(previous.Replicas);

    private static RolloutState BeginProbe(RolloutState state, string reason, DateTimeOffset now)
    {
        var pause = state.Pause;
        state = WithProbe(state, new Probe(), ProbeShare) with { Probes = state.Probes + 1, AcknowledgedAt = null };
        return Enter(state, RolloutPhase.Soaking, StepTime(state),
            $"{reason}: generation {state.Spec.Previous!.Number} takes half to compare", now) with
        {
            Pause = pause,
        };
    }

    private static RolloutState EndProbe(RolloutState state, string reason, DateTimeOffset now)
    {
        state = WithProbe(state, null, 100) with { AcknowledgedAt = now, ProofWaived = false };
        return Enter(state, RolloutPhase.Soaking, StepTime(state),
            $"{reason}: generation {state.Spec.Next.Number} takes all traffic again", now);
    }

    private static RolloutState WithProbe(RolloutState state, Probe? probe, int share) => state with
    {
        Probe = probe,
        Goals = WithShares(state, share),
        Judgement = state.Judgement with
        {
            Probe = probe is null ? null : OddsMixture.Empty,
            Lately = default,
            NextInStep = default,
            PreviousInStep = default,
        },
    };

    private static RolloutState Comparing(
        RolloutState state, Probe probe, Observation seen, Wellbeing wellbeing, bool canCompare, DateTimeOffset now)
    {
        var verdict = Judge.LookAtProbe(state.Judgement, state.Spec, state.Share, state.Probes);
        state = state with { Verdict = verdict };
        if (verdict is Verdict.Worse worse)
            return TurnBack(state, AbortCause.Judge, worse.Reason, now);
        if (!canCompare)
            return wellbeing.Well > 0
                ? EndProbe(state, $"generation {state.Spec.Previous!.Number} cannot be compared with any more", now)
                : state;

        bool isComplete = !wellbeing.IsBelowFloor(state.Spec.Next.Replicas);
        if (isComplete && (state.ProofWaived
            || Judge.IsShared(state.Judgement)
            || verdict is Verdict.NotWorse && Judge.Rises(state.Judgement, 0) is not null))
            return EndProbe(state with { Tolerated = Shared(state) }, state.ProofWaived ? "the proof was waived" : "both fail alike", now);

        bool isQuiet = isComplete && seen.KnowsProxy && Judge.Rises(state.Judgement, state.Tolerated) is null;
        probe = probe with { QuietSince = isQuiet ? probe.QuietSince ?? now : null };
        // Each time it must stay quiet for longer: what fails only under the whole load is not tried for ever.
        if (probe.QuietSince is { } since && now - since >= s_quiet * Math.Pow(2, Math.Min(state.Probes - 1, LongestQuiet)))
            return EndProbe(state, "it fails no more", now);
        return state with { Probe = probe };
    }

    // The rate that was seen on both sides, and no less than before.
    private static double Shared(RolloutState state) =>
        Math.Max(state.Tolerated, Math.Max(state.Judgement.NextInStep.Rate, state.Judgement.PreviousInStep.Rate));

    private static RolloutState WaitForProbe(RolloutState state, DateTimeOffset now)
    {
        string waiting =
            $"generation {state.Spec.Next.Number} is compared with generation {state.Spec.Previous!.Number} at {state.Share} %";
        return now < state.Deadline
            ? state with { Waiting = waiting }
            : Stand(state, PauseCause.TooLittleTraffic, TooLittleTraffic(state), now);
    }

    private static TimeSpan StepTime(RolloutState state) =>
        state.Spec.Rollout.StepDeadline > state.Spec.Rollout.Observe ? state.Spec.Rollout.StepDeadline : state.Spec.Rollout.Observe;
}
