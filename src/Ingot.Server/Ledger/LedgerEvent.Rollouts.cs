using System.Text.Json;
using Ingot.Oci.Content;

namespace Ingot.Server.Ledger;

public abstract partial record LedgerEvent
{
    /// <summary>A service is to run a digest: a rollout begins and a generation gets its number. <paramref name="Spec"/> is the whole
    /// request; as every element of these events it may be a <see cref="DocumentName"/> instead, which
    /// <see cref="LedgerView.Whole(LedgerEvent)"/> puts in.</summary>
    public sealed record ReleaseRequested(
        string Project, string Service, string Stage, string Repository, Digest Digest, string Reason, JsonElement Spec, string Rollout,
        long Generation, string? Version = null)
        : LedgerEvent, IAboutService, IAboutRepository, IAboutDigest, IAboutRollout;

    /// <summary>A move is about to be made. <paramref name="Key"/> makes it idempotent.</summary>
    public sealed record RolloutIntent(string Rollout, string Key, string Move, JsonElement Detail) : LedgerEvent, IAboutRollout;

    /// <summary>A move was made, or found to have been made.</summary>
    public sealed record RolloutAcknowledged(string Rollout, string Key, string Outcome) : LedgerEvent, IAboutRollout;

    /// <summary>The state machine went on. <paramref name="Detail"/> is the record of its state, or, from earlier versions,
    /// all of it.</summary>
    public sealed record RolloutStateChanged(string Rollout, string State, string Reason, JsonElement Detail) : LedgerEvent, IAboutRollout;

    /// <summary>A rollout stands still until someone resumes it, or until a time.</summary>
    public sealed record RolloutPaused(
        string Rollout, string Who, string Reason, DateTimeOffset? Until = null) : LedgerEvent, IAboutRollout;

    /// <summary>A paused rollout goes on.</summary>
    public sealed record RolloutResumed(string Rollout, string Who, string Reason) : LedgerEvent, IAboutRollout;

    /// <summary>A rollout ended; nothing about it changes any more.</summary>
    public sealed record RolloutFinished(string Rollout, string Outcome, string Reason, JsonElement Receipt) : LedgerEvent, IAboutRollout;

    /// <summary>A generation's last instances are gone: it is no longer there to go back to.</summary>
    public sealed record GenerationRetired(
        string Project, string Service, string Stage, long Generation, string Reason) : LedgerEvent, IAboutService;

    /// <summary>The state machine stood where it stood and had counted on. Earlier versions wrote it;
    /// what is counted is no entry any more.</summary>
    public sealed record RolloutMeasured(string Rollout, JsonElement Detail) : LedgerEvent, IAboutRollout;

    /// <summary>Between rollouts, something that should run does not run as it should and is about to be put right.</summary>
    public sealed record RepairIntended(
        string Project, string Service, string Stage, string Key, string Move, JsonElement Detail) : LedgerEvent, IAboutService;

    /// <summary>What was to be put right is.</summary>
    public sealed record RepairAcknowledged(
        string Project, string Service, string Stage, string Key, string Outcome) : LedgerEvent, IAboutService;

    /// <summary>A person stopped a service: its instances and its proxy are being taken away,
    /// which <see cref="ServiceStopped"/> ends.</summary>
    public sealed record ServiceStopping(string Project, string Service, string Stage, string Reason) : LedgerEvent, IAboutService;

    /// <summary>A person stopped a service: its instances and its proxy are gone, and nothing brings them back but a release.</summary>
    public sealed record ServiceStopped(string Project, string Service, string Stage, string Reason) : LedgerEvent, IAboutService;
}
