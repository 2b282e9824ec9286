using System.Globalization;

namespace Ingot.Releases;

/// <summary>Counts what both generations did and says whether the next one is worse. The unit is a request: the proxy's counters know no clients.</summary>
public static class Judge
{
    /// <summary>The promised rate of false aborts over a whole rollout.</summary>
    public const double Alpha = 0.01;

    /// <summary>The failure rate from which the absolute guard acts, where there is no old generation to compare with.</summary>
    public const double AbsoluteRate = 0.05;

    // Expected errors of 1.5 times the need show a regression in 80 to 93 of 100 rollouts.
    private const double Margin = 1.5;

    // The smallest regression of interest is a doubling, or the floor that was asked for.
    private const double SmallestRatio = 2;

    private const double LargestComparedShare = 0.95;

    private static readonly double s_bound = Math.Log(1 / Alpha);

    /// <summary>The judgement after what an observation adds. Counters that fell, or are of another life of the proxy, begin a new base and add nothing.</summary>
    public static Judgement Count(Judgement before, RolloutSpec spec, Observation seen)
    {
        if (!seen.Proxy.Alive)
            return before;

        bool sameLife = before.Epoch == seen.Proxy.Epoch;
        var next = Added(before, seen, spec.Next.Number, sameLife);
        var previous = spec.Previous is null ? default : Added(before, seen, spec.Previous.Number, sameLife);
        var weighed = Weigh(before, next, previous);
        return weighed with
        {
            Evidence = before.Evidence.Observe(next, previous),
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

    /// <summary>What is to be said of the step now. <paramref name="share"/> is the percent of the traffic the next generation was given.</summary>
    public static Verdict Look(Judgement seen, RolloutSpec spec, int share)
    {
        if (seen.Evidence.LogE >= s_bound)
            return new Verdict.Worse($"{Compare(seen)}: the odds that this is chance are below {Percent(Alpha)}");
        if (seen.Harm > spec.Rollout.FailedRequests && seen.Excess > 4 * Math.Sqrt(seen.Variance))
            return new Verdict.Worse(Invariant($"{Compare(seen)}: about {seen.Harm:F0} requests failed that would not have failed before, more than the {spec.Rollout.FailedRequests} allowed"));
        if (share == 100 || spec.Previous is null)
            return Alone(seen, spec);
        return Enough(seen, spec, share);
    }

    /// <summary>How much evidence one error gives on average, in nats, had the next generation failed <paramref name="ratio"/> times as often as the old at this share of the traffic.</summary>
    public static double Growth(double ratio, double share)
    {
        double fromNext = double.IsPositiveInfinity(ratio) ? 1 : ratio * share / ((ratio * share) + 1 - share);
        return OddsMixture.OddsRatios.Max(odds => (fromNext * Math.Log(odds)) - Math.Log(1 + (share * (odds - 1))));
    }

    /// <summary>How many errors are needed on average before the judge is sure.</summary>
    public static double NeededErrors(double ratio, double share) =>
        Growth(ratio, share) is var growth and > 1e-6 ? (s_bound + Math.Log(OddsMixture.OddsRatios.Count)) / growth : double.PositiveInfinity;

    private static Arm Added(Judgement before, Observation seen, int generation, bool sameLife)
    {
        var sum = default(Arm);
        if (!sameLife)
            return sum;

        foreach (var server in seen.Proxy.Servers.Where(server => server.Generation == generation))
            sum += Since(before.Counters.GetValueOrDefault(InstanceName.Of(server.Generation, server.Index)), server.Counters);
        return sum;
    }

    private static Arm Since(ServerCounters last, ServerCounters now)
    {
        bool fell = now.Responses < last.Responses || now.ServerErrors < last.ServerErrors || now.ConnectionErrors < last.ConnectionErrors
            || now.ResponseErrors < last.ResponseErrors || now.Retries < last.Retries;
        return fell ? default : new Arm(now.Trials - last.Trials, now.Errors - last.Errors);
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
            ? new Verdict.Worse(Invariant($"{arm.Errors} of {arm.Trials} requests to generation {spec.Next.Number} failed ({Percent(arm.Rate)}), and it takes all traffic"))
            : new Verdict.NotWorse();
    }

    private static Verdict Enough(Judgement seen, RolloutSpec spec, int percent)
    {
        var (next, previous) = (seen.NextInStep, seen.PreviousInStep);
        double share = next.Trials == 0 || previous.Trials == 0 ? percent / 100.0 : (double)next.Trials / (next.Trials + previous.Trials);
        double usual = seen.Previous.Rate;
        double regressed = Math.Min(1, Math.Max(SmallestRatio * usual, spec.Rollout.Detect));
        double needed = Margin * NeededErrors(usual > 0 ? regressed / usual : double.PositiveInfinity, share);
        double expected = (next.Trials * regressed) + (previous.Trials * usual);
        if (expected >= needed)
            return new Verdict.NotWorse();

        double missing = (needed - expected) / ((share * regressed) + ((1 - share) * usual));
        return new Verdict.Insufficient(missing < long.MaxValue / 2 ? (long)Math.Ceiling(missing) : long.MaxValue);
    }

    private static string Compare(Judgement seen) => Invariant(
        $"the next generation failed {seen.Next.Errors} of {seen.Next.Trials} requests ({Percent(seen.Next.Rate)}), the old one {seen.Previous.Errors} of {seen.Previous.Trials} ({Percent(seen.Previous.Rate)})");

    internal static string Percent(double rate) => Invariant($"{rate * 100:0.##} %");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The name of an instance within its service and stage.</summary>
public static class InstanceName
{
    /// <summary><c>g2-0</c>: generation 2, instance 0.</summary>
    public static string Of(int generation, int index) => string.Create(CultureInfo.InvariantCulture, $"g{generation}-{index}");

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
