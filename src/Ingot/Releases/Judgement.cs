namespace Ingot.Releases;

/// <summary>What has been counted in a rollout, and the evidence so far: the part of the state that measurements live in, so that a
/// restarted controller goes on from it.</summary>
public sealed record Judgement
{
    /// <summary>Evidence that the next generation fails more often, over the whole rollout.</summary>
    public OddsMixture Evidence { get; init; } = OddsMixture.Empty;

    /// <summary>Failures of the next generation beyond what its share of the traffic explains.</summary>
    public double Excess { get; init; }

    /// <summary>The same, each interval divided by the old generation's share: about the requests that would not have failed.</summary>
    public double Harm { get; init; }

    /// <summary>The variance of <see cref="Excess"/> had both been equally good.</summary>
    public double Variance { get; init; }

    /// <summary>The next generation since the rollout began.</summary>
    public Arm Next { get; init; }

    /// <summary>The old generation since the rollout began.</summary>
    public Arm Previous { get; init; }

    /// <summary>The next generation since the proxy confirmed the step's weights.</summary>
    public Arm NextInStep { get; init; }

    /// <summary>The old generation since the proxy confirmed the step's weights.</summary>
    public Arm PreviousInStep { get; init; }

    /// <summary>Evidence since the comparison at the whole began; null while none is under way.</summary>
    public OddsMixture? Probe { get; init; }

    /// <summary>The next generation in the last seconds: what is older weighs less.</summary>
    public Lately Lately { get; init; }

    /// <summary>When it was last counted.</summary>
    public DateTimeOffset? CountedAt { get; init; }

    /// <summary>Requests of users since the rollout began.</summary>
    public long UserRequests { get; init; }

    /// <summary>Answers of 5xx users have got since the rollout began, whoever made them.</summary>
    public long UserFailures { get; init; }

    /// <summary>The life of the proxy that <see cref="Counters"/> belong to.</summary>
    public string Epoch { get; init; } = "";

    /// <summary>The counters last read, by <c>g2-0</c>: the base of the next interval.</summary>
    public IReadOnlyDictionary<string, ServerCounters> Counters { get; init; } =
        new SortedDictionary<string, ServerCounters>(StringComparer.Ordinal);

    /// <summary>Requests without an answer that are not held against a generation yet, by <c>g2-0</c>:
    /// whether the instance has died shows a moment later.</summary>
    public IReadOnlyDictionary<string, HeldErrors> Held { get; init; } = new SortedDictionary<string, HeldErrors>(StringComparer.Ordinal);

    /// <summary>The proxy's own count of requests last read.</summary>
    public long LastRequests { get; init; }

    /// <summary>The proxy's own count of failures last read.</summary>
    public long LastFailures { get; init; }
}

/// <summary>Requests that ended without an answer at one server.</summary>
/// <param name="Count">How many.</param>
/// <param name="Since">When the first was seen.</param>
public readonly record struct HeldErrors(long Count, DateTimeOffset Since);

/// <summary>What was counted in the last seconds. It fades: after <see cref="Seconds"/> a request weighs a third.</summary>
/// <param name="Trials">Requests, faded.</param>
/// <param name="Errors">Those that failed, faded.</param>
public readonly record struct Lately(double Trials, double Errors)
{
    /// <summary>The time constant.</summary>
    public const double Seconds = 5;

    /// <summary>What is left of it after a time, and what came since.</summary>
    public Lately And(Arm arm, TimeSpan passed)
    {
        double left = Math.Exp(-Math.Max(0, passed.TotalSeconds) / Seconds);
        return new Lately((Trials * left) + arm.Trials, (Errors * left) + arm.Errors);
    }
}
