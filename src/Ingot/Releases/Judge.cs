using System.Globalization;

namespace Ingot.Releases;

/// <summary>Counts what both generations did and says whether the next one is worse. The unit is a request:
/// the proxy's counters know no clients.</summary>
public static class Judge
{
    /// <summary>The promised rate of false aborts over a whole rollout.</summary>
    public const double Alpha = 0.01;

    /// <summary>The failure rate from which the absolute guard acts, where there is no old generation to compare with.</summary>
    public const double AbsoluteRate = 0.05;

    /// <summary>What the comparisons at the whole may spend of false aborts over a rollout, beside <see cref="Alpha"/>.</summary>
    public const double ProbeAlpha = 0.0025;

    // Where no failure was seen before, one in two hundred is taken for usual.
    private const double LeastRate = 0.005;

    private const double FewestErrors = 3;

    // Of as many on each side, twice the rate would have been seen.
    private const long ManyErrors = 50;

    // Expected errors of 1.5 times the need show a regression in 80 to 93 of 100 rollouts.
    private const double Margin = 1.5;

    // The smallest regression of interest is a doubling, or the floor that was asked for.
    private const double SmallestRatio = 2;

    private const double LargestComparedShare = 0.95;

    private static readonly double s_bound = Math.Log(1 / Alpha);
    private static readonly TimeSpan s_hold = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_young = TimeSpan.FromSeconds(5);

    /// <summary>The judgement after what an observation adds. Counters that fell, or are of another life of the proxy,
    /// begin a new base and add nothing.</summary>
    public static Judgement Count(Judgement before, RolloutSpec spec, Observation seen)
    {
        if (!seen.Proxy.Alive)
            return before;

        bool sameLife = before.Epoch == seen.Proxy.Epoch;
        var held = new SortedDictionary<string, HeldErrors>(StringComparer.Ordinal);
        var next = Added(before, seen, spec.Next.Number, sameLife, held);
        var previous = spec.Previous is null ? default : Added(before, seen, spec.Previous.Number, sameLife, held);
        var weighed = Weigh(before, next, previous);
        return weighed with
        {
            Evidence = before.Evidence.Observe(next, previous),
            Probe = before.Probe?.Observe(next, previous),
            Lately = before.Lately.And(next, seen.Time - (before.CountedAt ?? seen.Time)),
            CountedAt = seen.Time,
            Held = held,
            Next = before.Next + next,
            Previous = before.Previous + previous,
            NextInStep = before.NextInStep + next,
            PreviousInStep = before.PreviousInStep + previous,
            UserRequests = before.UserRequests + (sameLife ? Math.Max(0, seen.Proxy.Requests - before.LastRequests) : 0),
            UserFailures = before.UserFailures + (sameLife ? Math.Max(0, seen.Proxy.Failures - before.LastFailures) : 0),
            Epoch = seen.Proxy.Epoch,
            Counters = Base(before, seen, sameLife),
            LastRequests = seen.Proxy.Requests,
            LastFailures = seen.Proxy.Failures,
        };
    }

    /// <summary>What is to be said of the step now. <paramref name="share"/> is the percent of the traffic the next generation was
    /// given.</summary>
    public static Verdict Look(Judgement seen, RolloutSpec spec, int share)
    {
        if (Compared(seen, spec) is { } worse)
            return worse;
        if (share == 100 || spec.Previous is null)
            return Alone(seen, spec);
        return Enough(seen, spec, share, seen.Previous.Rate);
    }

    /// <summary>What the comparison of both generations over the whole rollout says against the next one; null when nothing. Where all
    /// traffic is the next one's this stays what it was.</summary>
    public static Verdict.Worse? Compared(Judgement seen, RolloutSpec spec)
    {
        if (seen.Evidence.LogE >= s_bound)
            return new Verdict.Worse($"{Compare(seen)}: the odds that this is chance are below {Percent(Alpha)}");
        if (seen.Harm > spec.Rollout.FailedRequests && seen.Excess > 4 * Math.Sqrt(seen.Variance))
            return new Verdict.Worse($"{Compare(seen)}: about {seen.Harm:F0} requests failed that would not have failed before, "
                + $"more than the {spec.Rollout.FailedRequests} allowed");
        return null;
    }

    /// <summary>
    /// What the comparison says that was begun because failures rose where all traffic was the next generation's. Its evidence begins anew,
    /// because a long rollout without a difference would outweigh it, and each time with half the rate of false aborts: together they spend
    /// at most <see cref="ProbeAlpha"/>.
    /// </summary>
    /// <param name="seen">What was counted.</param>
    /// <param name="spec">What was asked for.</param>
    /// <param name="share">The percent of the traffic the next generation has.</param>
    /// <param name="count">Which comparison of the rollout, from 1.</param>
    public static Verdict LookAtProbe(Judgement seen, RolloutSpec spec, int share, int count)
    {
        if (Compared(seen, spec) is { } worse)
            return worse;
        if (seen.Probe?.LogE >= Math.Log(1 / ProbeAlpha) + (count * Math.Log(2)))
            return new Verdict.Worse("with all traffic its failures rose, and compared with the old generation side by side "
                + $"it failed {Side(seen.NextInStep)}, the old one {Side(seen.PreviousInStep)}");
        return Enough(seen, spec, share, seen.PreviousInStep.Rate);
    }

    /// <summary>Why both generations should be compared again although the next one takes all traffic; null while it fails no more than it
    /// did, or than both were seen to fail at once.</summary>
    /// <param name="seen">What was counted.</param>
    /// <param name="tolerated">The rate that was found to be shared.</param>
    public static string? Rises(Judgement seen, double tolerated)
    {
        double usual = Math.Max(Math.Max(seen.Previous.Rate, tolerated), LeastRate);
        var (trials, errors) = seen.Lately;
        double expected = usual * trials;
        bool rises = errors >= FewestErrors && errors > SmallestRatio * expected && errors > expected + (4 * Math.Sqrt(expected));
        return rises
            ? $"{Percent(Math.Min(1, errors / trials))} of the requests of the last seconds failed, with all traffic on generation"
            : null;
    }

    /// <summary>How much evidence one error gives on average, in nats, had the next generation failed <paramref name="ratio"/> times as
    /// often as the old at this share of the traffic.</summary>
    public static double Growth(double ratio, double share)
    {
        double fromNext = double.IsPositiveInfinity(ratio) ? 1 : ratio * share / ((ratio * share) + 1 - share);
        return OddsMixture.OddsRatios.Max(odds => (fromNext * Math.Log(odds)) - Math.Log(1 + (share * (odds - 1))));
    }

    /// <summary>How many errors are needed on average before the judge is sure.</summary>
    public static double NeededErrors(double ratio, double share) =>
        Growth(ratio, share) is var growth and > 1e-6
            ? (s_bound + Math.Log(OddsMixture.OddsRatios.Count)) / growth
            : double.PositiveInfinity;

    /// <summary>Whether both generations, compared side by side, fail about alike: going back would help nobody.</summary>
    public static bool IsShared(Judgement seen) =>
        seen.NextInStep.Errors >= ManyErrors
            && seen.PreviousInStep.Errors >= ManyErrors
            && seen.PreviousInStep.Rate >= 0.6 * seen.NextInStep.Rate;

    private static Arm Added(Judgement before, Observation seen, int generation, bool sameLife, SortedDictionary<string, HeldErrors> held)
    {
        var sum = default(Arm);
        if (!sameLife)
            return sum;

        foreach (var server in seen.Proxy.Servers.Where(server => server.Generation == generation))
        {
            string name = InstanceName.Of(server.Generation, server.Index);
            var since = Since(before.Counters.GetValueOrDefault(name), server.Counters);
            sum += new Arm(since.Responses, since.ServerErrors)
                + Unanswered(before.Held.GetValueOrDefault(name), since.Unanswered, seen, server, held);
        }

        return sum;
    }

    // What an instance leaves unanswered when it dies is no failure of its version: its death is counted, and it is replaced. Whether it
    // has died shows a moment later than its failures do.
    private static Arm Unanswered(
        HeldErrors earlier, long now, Observation seen, ServerObservation server, SortedDictionary<string, HeldErrors> held)
    {
        if (earlier.Count + now == 0 || !Lives(seen, server))
            return default;

        if (earlier.Count > 0 && (seen.Time - earlier.Since >= s_hold || seen.Time < earlier.Since))
        {
            if (now > 0)
                held[InstanceName.Of(server.Generation, server.Index)] = new HeldErrors(now, seen.Time);
            return new Arm(earlier.Count, earlier.Count);
        }

        held[InstanceName.Of(server.Generation, server.Index)] = new HeldErrors(earlier.Count + now,
            earlier.Count > 0 ? earlier.Since : seen.Time);
        return default;
    }

    private static bool Lives(Observation seen, ServerObservation server)
    {
        if (server.Health == ServerHealth.Down)
            return false;
        if (!seen.KnowsInstances)
            return true;
        return seen.Instance(server.Generation, server.Index) is { State: InstanceState.Running } instance
            && instance.Address == server.Address
            && !(seen.Time - instance.StartedAt is { } age && age >= TimeSpan.Zero && age < s_young);
    }

    private static ServerCounters Since(ServerCounters last, ServerCounters now)
    {
        bool fell = now.Responses < last.Responses || now.ServerErrors < last.ServerErrors || now.ConnectionErrors < last.ConnectionErrors
            || now.ResponseErrors < last.ResponseErrors || now.Retries < last.Retries;
        return fell ? default : new ServerCounters(
            now.Responses - last.Responses,
            now.ServerErrors - last.ServerErrors,
            now.ConnectionErrors - last.ConnectionErrors,
            now.ResponseErrors - last.ResponseErrors,
            now.Retries - last.Retries);
    }

    // A server that is gone for a moment keeps its base, or its return would be counted twice.
    private static SortedDictionary<string, ServerCounters> Base(Judgement before, Observation seen, bool sameLife)
    {
        var counters = new SortedDictionary<string, ServerCounters>(StringComparer.Ordinal);
        foreach (var (name, last) in before.Counters.Where(_ => sameLife))
            counters[name] = last;
        foreach (var server in seen.Proxy.Servers)
            counters[InstanceName.Of(server.Generation, server.Index)] = server.Counters;
        return counters;
    }

    private static Judgement Weigh(Judgement before, Arm next, Arm previous)
    {
        if (next.Trials == 0 || previous.Trials == 0)
            return before;

        // Close to the whole, one failure of the few requests left to the old generation would outweigh a thousand of the next one's.
        double share = (double)next.Trials / (next.Trials + previous.Trials);
        if (share > LargestComparedShare)
            return before;

        long errors = next.Errors + previous.Errors;
        double excess = next.Errors - (errors * share);
        return before with
        {
            Excess = before.Excess + excess,
            Harm = before.Harm + (excess / (1 - share)),
            Variance = before.Variance + (errors * share * (1 - share)),
        };
    }

    // Nothing to compare with: only what would be bad in any service. What the old generation was seen to do widens the bound.
    private static Verdict Alone(Judgement seen, RolloutSpec spec)
    {
        double bound = Math.Max(AbsoluteRate, SmallestRatio * seen.Previous.Rate);
        var arm = seen.NextInStep;
        return arm.Errors >= Math.Max(1, spec.Rollout.FailedRequests) && arm.Rate >= bound
            ? new Verdict.Worse($"{arm.Errors} of {arm.Trials} requests to generation {spec.Next.Number} failed "
                + $"({Percent(arm.Rate)}), and it takes all traffic")
            : new Verdict.NotWorse();
    }

    private static Verdict Enough(Judgement seen, RolloutSpec spec, int percent, double usual)
    {
        var (next, previous) = (seen.NextInStep, seen.PreviousInStep);
        double share = next.Trials == 0 || previous.Trials == 0 ? percent / 100.0 : (double)next.Trials / (next.Trials + previous.Trials);
        double regressed = Math.Min(1, Math.Max(SmallestRatio * usual, spec.Rollout.Detect));
        double needed = Margin * NeededErrors(usual > 0 ? regressed / usual : double.PositiveInfinity, share);
        double expected = (next.Trials * regressed) + (previous.Trials * usual);
        if (expected >= needed)
            return new Verdict.NotWorse();

        double missing = (needed - expected) / ((share * regressed) + ((1 - share) * usual));
        return new Verdict.Insufficient(missing < long.MaxValue / 2 ? (long)Math.Ceiling(missing) : long.MaxValue);
    }

    private static string Compare(Judgement seen) =>
        $"the next generation failed {seen.Next.Errors} of {seen.Next.Trials} requests ({Percent(seen.Next.Rate)}), "
        + $"the old one {seen.Previous.Errors} of {seen.Previous.Trials} ({Percent(seen.Previous.Rate)})";

    private static string Side(Arm arm) => $"{arm.Errors} of {arm.Trials} requests ({Percent(arm.Rate)})";

    internal static string Percent(double rate) => $"{rate * 100:0.##} %";

}

/// <summary>The name of an instance within its service and stage.</summary>
public static class InstanceName
{
    /// <summary><c>g2-0</c>: generation 2, instance 0.</summary>
    public static string Of(int generation, int index) => $"g{generation}-{index}";

    /// <summary>Reads <c>g2-0</c>; false when the text is not such a name.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out int generation, out int index)
    {
        generation = index = 0;
        int dash = text.IndexOf('-');
        return dash > 1 && text[0] == 'g'
            && int.TryParse(text[1..dash], NumberStyles.None, CultureInfo.InvariantCulture, out generation)
            && int.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out index);
    }
}
