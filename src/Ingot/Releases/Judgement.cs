namespace Ingot.Releases;

/// <summary>What has been counted in a rollout, and the evidence so far: the part of the state that measurements live in, so that a restarted controller goes on from it.</summary>
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

    /// <summary>Requests of users since the rollout began.</summary>
    public long UserRequests { get; init; }

    /// <summary>Answers of 5xx users have got since the rollout began, whoever made them.</summary>
    public long UserFailures { get; init; }

    /// <summary>The life of the proxy that <see cref="Counters"/> belong to.</summary>
    public string Epoch { get; init; } = "";

    /// <summary>The counters last read, by <c>g2-0</c>: the base of the next interval.</summary>
    public IReadOnlyDictionary<string, ServerCounters> Counters { get; init; } = new SortedDictionary<string, ServerCounters>(StringComparer.Ordinal);

    /// <summary>The proxy's own count of requests last read.</summary>
    public long LastRequests { get; init; }

    /// <summary>The proxy's own count of failures last read.</summary>
    public long LastFailures { get; init; }
}
