using Ingot.Releases;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>What a loop knows of its service, as a value: it is replaced, never changed. What is in it is on the ledger, except in the
/// direction that is safe.</summary>
internal sealed record LoopMemory
{
    /// <summary>What runs between rollouts, or ran before the one under way; null before the first deployment.</summary>
    public SteadyState? Steady { get; init; }

    /// <summary>Since when that serves.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>The rollout under way; null between rollouts.</summary>
    public OpenRollout? Rollout { get; init; }

    /// <summary>The entry that what is counted between rollouts is based on; empty when nothing is kept.</summary>
    public string Mark { get; init; } = "";

    /// <summary>The releases that begin when the one under way has made way.</summary>
    public IReadOnlyList<OpenRollout> Waiting { get; init; } = [];

    /// <summary>Who stopped the service, while what ran is taken away; null otherwise.</summary>
    public string? StoppedBy { get; init; }

    /// <summary>The last return to an older generation, and when it was done; null when there was none in this process.</summary>
    public PastReturn? LastReturn { get; init; }

    /// <summary>How many returns were asked for: a release that was decided before the last one and comes after it does not
    /// begin.</summary>
    public int Returns { get; init; }

    /// <summary>Counts what was decided: a decision that rests on another turn's memory is none.</summary>
    public int Turn { get; init; }

    /// <summary>Whether nothing runs and nothing is to run.</summary>
    public bool IsEmpty => Steady is null && Rollout is null && StoppedBy is null;

    /// <summary>This, with another state of the rollout under way.</summary>
    public LoopMemory With(RolloutState state) => this with { Rollout = Rollout! with { State = state } };
}

/// <summary>A return to an older generation.</summary>
internal sealed record PastReturn(DateTimeOffset At, int From, int To);

/// <summary>A word of a person to a loop, as decided: the answer, what is recorded of it, and what it makes of the loop's memory.</summary>
/// <param name="Answer">The answer.</param>
/// <param name="Events">What is recorded, in one append.</param>
/// <param name="Apply">What becomes of the memory, which may have been measured on since.</param>
/// <param name="Said">The state of the rollout under way that is recorded; null when none is.</param>
internal sealed record Word<T>(T Answer, IReadOnlyList<LedgerEvent> Events, Func<LoopMemory, LoopMemory> Apply, RolloutState? Said = null)
{
    /// <summary>What is recorded beside it, when the memory it is applied to says so; null for nothing.</summary>
    public Func<LoopMemory, IReadOnlyList<LedgerEvent>>? Late { get; init; }

    /// <summary>Whether it asks for the traffic to go back: it counts also where nothing is to be recorded.</summary>
    public bool IsReturn { get; init; }
}
