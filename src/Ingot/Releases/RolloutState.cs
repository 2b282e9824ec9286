using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>Where a rollout stands.</summary>
public enum RolloutPhase
{
    /// <summary>Recorded; nothing has been done.</summary>
    Planned,

    /// <summary>Instances of the next generation are being made.</summary>
    Provisioning,

    /// <summary>They all exist and are to become ready, and to stay so for a while.</summary>
    Warming,

    /// <summary>The next generation takes a share of the traffic, and is judged.</summary>
    Shifting,

    /// <summary>It takes all traffic; the old one stands by, warm, at weight 0.</summary>
    Soaking,

    /// <summary>What is in flight at the old generation runs out.</summary>
    Draining,

    /// <summary>The old generation becomes the rollback inventory; what is beyond it is removed.</summary>
    Retiring,

    /// <summary>The next generation serves. Terminal.</summary>
    Done,

    /// <summary>Weight goes back to the old generation; nothing is stopped before the proxy has confirmed it.</summary>
    Aborting,

    /// <summary>The old generation serves all; the next one is drained and stopped.</summary>
    Restoring,

    /// <summary>The old generation serves as before. Terminal.</summary>
    RolledBack,
}

/// <summary>Why a rollout turned back.</summary>
public enum AbortCause
{
    /// <summary>The judge: it fails more often than the old generation, or more than the budget allows.
    /// The digest is to be quarantined with its settings.</summary>
    Judge,

    /// <summary>Its instances did not become healthy, or did not stay so. The digest is to be quarantined with its settings.</summary>
    Health,

    /// <summary>The target did not do what was asked in time; nothing is known against the digest.</summary>
    Target,

    /// <summary>A person.</summary>
    Person,

    /// <summary>A newer release.</summary>
    Superseded,

    /// <summary>The next generation may not run any more: its digest was revoked or rejected, or its admission fell.</summary>
    Withdrawn,
}

/// <summary>Why a rollout stands still.</summary>
public enum PauseCause
{
    /// <summary>A person asked; it ends when one says so, or at its end.</summary>
    Person,

    /// <summary>Too little traffic to judge; it ends by itself once there was enough.</summary>
    TooLittleTraffic,

    /// <summary>The target does not do what must be done; it ends by itself once it has.</summary>
    Target,

    /// <summary>It should turn back, and what it would turn back to was revoked or rejected;
    /// it ends once one of the two is settled.</summary>
    Withdrawn,
}

/// <summary>A rollout that stands still, and why.</summary>
/// <param name="Cause">What kind of reason.</param>
/// <param name="Reason">A sentence with the cures.</param>
/// <param name="By">A person, or <c>ingot</c>.</param>
/// <param name="Since">From when.</param>
/// <param name="Until">When it goes on by itself; null when something else must happen first.</param>
public sealed record RolloutPause(PauseCause Cause, string Reason, string By, DateTimeOffset Since, DateTimeOffset? Until = null);

/// <summary>One change of phase, kept for the receipt.</summary>
/// <param name="At">When.</param>
/// <param name="Phase">The phase entered.</param>
/// <param name="Share">Percent of the traffic the next generation was to have from then on.</param>
/// <param name="Reason">Why.</param>
public sealed record PhaseChange(DateTimeOffset At, RolloutPhase Phase, int Share, string Reason);

/// <summary>A move that could not be carried out.</summary>
/// <param name="Key">The move.</param>
/// <param name="Count">How many moves on the same instance, or on the proxy, have failed since one was seen to work.</param>
/// <param name="Message">What the target said the last time.</param>
/// <param name="At">When, the last time.</param>
public sealed record MoveFailure(string Key, int Count, string Message, DateTimeOffset At);

/// <summary>What is to become of a generation.</summary>
public enum Presence
{
    /// <summary>Its instances run, and are replaced when they fail.</summary>
    Running,

    /// <summary>Its instances are out of the proxy and stopped, with their logs.</summary>
    Stopped,

    /// <summary>Its instances are removed.</summary>
    Removed,
}

/// <summary>What the target is to look like for one generation.</summary>
/// <param name="Generation">The generation.</param>
/// <param name="Replicas">How many instances.</param>
/// <param name="Share">Percent of the traffic.</param>
/// <param name="Presence">Whether its instances are to run.</param>
/// <param name="DrainUntil">When requests still in flight may be cut; needed to stop or to remove.</param>
public sealed record GenerationGoal(int Generation, int Replicas, int Share, Presence Presence, DateTimeOffset? DrainUntil = null);

/// <summary>What is remembered of an instance between observations.</summary>
/// <param name="UnhealthySince">Since when the proxy's checks have failed; null while they pass.</param>
/// <param name="Replaced">How often it has been replaced.</param>
/// <param name="Streak">How often since it last stood for a while: each doubles the time to the next.</param>
/// <param name="NotBefore">When it may be replaced again.</param>
/// <param name="Failures">Restarts and ends of the instances that were replaced.</param>
/// <param name="FailedMoves">How many moves on it have failed since it was last ready.</param>
/// <param name="Removing">The engine's id of the instance that was replaced last: until it is gone it is counted no more.</param>
public sealed record InstanceMemory(
    DateTimeOffset? UnhealthySince = null,
    int Replaced = 0,
    int Streak = 0,
    DateTimeOffset? NotBefore = null,
    int Failures = 0,
    int FailedMoves = 0,
    string? Removing = null);

/// <summary>Everything a rollout knows. Immutable, and whole: a controller that was killed goes on from its JSON.</summary>
public sealed record RolloutState
{
    /// <summary>What was asked for.</summary>
    public required RolloutSpec Spec { get; init; }

    /// <summary>Where it stands. A paused rollout keeps the phase it goes back to.</summary>
    public RolloutPhase Phase { get; init; }

    /// <summary>Which of the spec's steps.</summary>
    public int Step { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When the last decision was made. An observation that began earlier is stale.</summary>
    public required DateTimeOffset DecidedAt { get; init; }

    /// <summary>When the phase, or the step, began.</summary>
    public required DateTimeOffset PhaseSince { get; init; }

    /// <summary>When the phase must have been left.</summary>
    public required DateTimeOffset Deadline { get; init; }

    /// <summary>Since when all instances of the next generation have been ready; null while they are not.</summary>
    public DateTimeOffset? ReadySince { get; init; }

    /// <summary>When the proxy confirmed the weights of the step; null while it has not.</summary>
    public DateTimeOffset? AcknowledgedAt { get; init; }

    /// <summary>Since when the old generation has had no ready instance; null while it has one.</summary>
    public DateTimeOffset? PreviousDownSince { get; init; }

    /// <summary>Since when fewer instances of the next generation have been well than are needed to serve; null while enough are.</summary>
    public DateTimeOffset? BelowFloorSince { get; init; }

    /// <summary>The comparison that was begun because failures rose with all traffic on the next generation;
    /// null when none is under way.</summary>
    public Probe? Probe { get; init; }

    /// <summary>How many such comparisons were begun.</summary>
    public int Probes { get; init; }

    /// <summary>The failure rate that such a comparison found on both sides.</summary>
    public double Tolerated { get; init; }

    /// <summary>Why it stands still; null when it does not.</summary>
    public RolloutPause? Pause { get; init; }

    /// <summary>Whether a person has let the step pass without the proof.</summary>
    public bool ProofWaived { get; init; }

    /// <summary>What the target is to look like now.</summary>
    public IReadOnlyList<GenerationGoal> Goals { get; init; } = [];

    /// <summary>What is remembered of instances, by <c>g2-0</c>.</summary>
    public IReadOnlyDictionary<string, InstanceMemory> Instances { get; init; } =
        new SortedDictionary<string, InstanceMemory>(StringComparer.Ordinal);

    /// <summary>What has been counted, and the evidence so far.</summary>
    public Judgement Judgement { get; init; } = new();

    /// <summary>What the judge last said; null before the first look.</summary>
    public Verdict? Verdict { get; init; }

    /// <summary>Why it turned back; null when it did not.</summary>
    public AbortCause? Cause { get; init; }

    /// <summary>The sentence for <see cref="Cause"/>, or empty.</summary>
    public string Reason { get; init; } = "";

    /// <summary>What it waits for, for people.</summary>
    public string Waiting { get; init; } = "";

    /// <summary>The move that last failed; null when none did in this phase.</summary>
    public MoveFailure? LastFailure { get; init; }

    /// <summary>How often moves on the proxy have failed in this phase; those that fail at once are counted once.</summary>
    public int FailedTrafficMoves { get; init; }

    /// <summary>When that was last counted; null when none has failed in this phase.</summary>
    public DateTimeOffset? TrafficFailedAt { get; init; }

    /// <summary>What happened, in order.</summary>
    public IReadOnlyList<PhaseChange> History { get; init; } = [];

    /// <summary>When the old generation had nothing left in flight after its last weight; null when it has not come to that, or its
    /// deadline passed first.</summary>
    public DateTimeOffset? DrainedAt { get; init; }

    /// <summary>Requests that were still in flight when a drain deadline passed, and could be cut.</summary>
    public long UnfinishedAtDeadline { get; init; }

    /// <summary>When it ended; null while it runs.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>What a target must know to carry out the moves, with the proxy as it is to be set up now.</summary>
    [JsonIgnore]
    public ServiceSetup Setup => Spec.Setup with { Proxy = Proxy };

    // While traffic moves it is taken on both addresses; the earlier one is closed once the next generation is in place,
    // the new one when it turns back.
    private ProxySettings Proxy => (Spec.ServingProxy, Phase) switch
    {
        (null, _) or (_, RolloutPhase.Retiring or RolloutPhase.Done) => Spec.Proxy,
        (var serving, < RolloutPhase.Shifting or >= RolloutPhase.Aborting) => serving,
        var (serving, _) => serving.Listen == Spec.Proxy.Listen ? Spec.Proxy : Spec.Proxy with { Former = serving.Listen },
    };

    /// <summary>Whether it has ended.</summary>
    [JsonIgnore]
    public bool IsTerminal => Phase is RolloutPhase.Done or RolloutPhase.RolledBack;

    /// <summary>Whether the digest, with the settings it was tried with, showed itself to be bad: automation must not release the two
    /// together again. A target's failure and a person's word of its own show nothing of the kind.</summary>
    [JsonIgnore]
    public bool Quarantines =>
        Phase is RolloutPhase.Aborting or RolloutPhase.Restoring or RolloutPhase.RolledBack
            && Cause is AbortCause.Judge or AbortCause.Health
            && !IsOfWhatServes;

    /// <summary>Whether the generation before is the same image with the same settings, such as when only their number changes: nothing of
    /// it speaks against what serves.</summary>
    [JsonIgnore]
    public bool IsOfWhatServes => Spec.Previous?.IsLike(Spec.Next) == true;

    /// <summary>Percent of the traffic the next generation is to have now.</summary>
    [JsonIgnore]
    public int Share => Goals.FirstOrDefault(goal => goal.Generation == Spec.Next.Number)?.Share ?? 0;
}

/// <summary>What may not run any more of what a rollout is between, as sentences; null what may.
/// Neither gets any traffic that it does not have.</summary>
/// <param name="Next">Why not the next generation.</param>
/// <param name="Previous">Why not the one before.</param>
public sealed record Withdrawn(string? Next, string? Previous)
{
    /// <summary>Both may run.</summary>
    public static Withdrawn None { get; } = new(null, null);
}

/// <summary>An answer of <see cref="Rollout.Next"/>: the state to record, then the moves to carry out in order.</summary>
/// <param name="State">What to record before anything is done.</param>
/// <param name="Moves">What to do then.</param>
public sealed record RolloutDecision(RolloutState State, IReadOnlyList<Move> Moves);
