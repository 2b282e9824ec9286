using Ingot.Oci.Content;

namespace Ingot.Releases;

/// <summary>What a finished rollout leaves: what was promised, measured.</summary>
public sealed record RolloutReceipt
{
    /// <summary>The rollout.</summary>
    public required string Rollout { get; init; }

    /// <summary>Where it ended.</summary>
    public required RolloutPhase Outcome { get; init; }

    /// <summary>Why it turned back; null when it did not.</summary>
    public AbortCause? Cause { get; init; }

    /// <summary>The sentence for the cause, or empty.</summary>
    public required string Reason { get; init; }

    /// <summary>The image of the next generation.</summary>
    public required Digest Digest { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public required DateTimeOffset FinishedAt { get; init; }

    /// <summary>Requests of users while it ran.</summary>
    public required long UserRequests { get; init; }

    /// <summary>Answers of 5xx users got while it ran, whoever made them.</summary>
    public required long UserFailures { get; init; }

    /// <summary>Attempts at the next generation, and those that failed.</summary>
    public required Arm Next { get; init; }

    /// <summary>Attempts at the old generation, and those that failed.</summary>
    public required Arm Previous { get; init; }

    /// <summary>Natural logarithm of the evidence against the next generation.</summary>
    public required double LogE { get; init; }

    /// <summary>Seconds until the old generation had nothing in flight; null when its deadline passed first, or it never drained.</summary>
    public double? DrainSeconds { get; init; }

    /// <summary>Requests in flight when a drain deadline passed.</summary>
    public required long UnfinishedAtDeadline { get; init; }

    /// <summary>What happened, in order.</summary>
    public required IReadOnlyList<PhaseChange> History { get; init; }

    /// <summary>The receipt of a rollout that has ended.</summary>
    public static RolloutReceipt Of(RolloutState state)
    {
        if (state.FinishedAt is not { } finished)
            throw new ArgumentException($"the rollout {state.Spec} has not ended: it is in {state.Phase}", nameof(state));

        var draining = state.History.FirstOrDefault(change => change.Phase == RolloutPhase.Draining);
        return new RolloutReceipt
        {
            Rollout = state.Spec.ToString(),
            Outcome = state.Phase,
            Cause = state.Cause,
            Reason = state.Reason,
            Digest = state.Spec.Next.Digest,
            StartedAt = state.StartedAt,
            FinishedAt = finished,
            UserRequests = state.Judgement.UserRequests,
            UserFailures = state.Judgement.UserFailures,
            Next = state.Judgement.Next,
            Previous = state.Judgement.Previous,
            LogE = state.Judgement.Evidence.LogE,
            DrainSeconds = draining is not null && state.DrainedAt is { } drained ? (drained - draining.At).TotalSeconds : null,
            UnfinishedAtDeadline = state.UnfinishedAtDeadline,
            History = state.History,
        };
    }
}
