using System.Text.Json;
using Ingot.Releases;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>What is recorded of rollouts.</summary>
internal static class RolloutEntries
{
    public static LedgerEvent.ReleaseRequested Requested(OpenRollout open)
    {
        var spec = open.State.Spec;
        var (project, service, stage) = spec.Key;
        return new LedgerEvent.ReleaseRequested(
            project, service, stage, spec.Next.Repository, spec.Next.Digest, spec.Reason, Element(ReleasesJson.Write(spec)), open.Id,
            spec.Next.Number, spec.Next.Version);
    }

    /// <summary>The state a rollout came to.</summary>
    public static LedgerEvent.RolloutStateChanged Changed(OpenRollout rollout, RolloutState state)
    {
        string name = state.Pause is null ? state.Phase.ToString() : "Paused";
        return new LedgerEvent.RolloutStateChanged(rollout.Id, name, state.Pause?.Reason ?? state.Reason,
            Element(ReleasesJson.WriteRecord(state, rollout.ChangesRecorded)));
    }

    /// <summary>The moves that are about to be made.</summary>
    public static LedgerEvent Intent(ServiceKey key, string? rollout, Move move) => rollout is null
        ? new LedgerEvent.RepairIntended(key.Project, key.Service, key.Stage, move.Key, Name(move), Element(ReleasesJson.Write(move)))
        : new LedgerEvent.RolloutIntent(rollout, move.Key, Name(move), Element(ReleasesJson.Write(move)));

    /// <summary>What became of a move.</summary>
    public static LedgerEvent Acknowledgement(ServiceKey key, string? rollout, string move, string outcome) => rollout is null
        ? new LedgerEvent.RepairAcknowledged(key.Project, key.Service, key.Stage, move, outcome)
        : new LedgerEvent.RolloutAcknowledged(rollout, move, outcome);

    /// <summary>What a generation runs, with the settings it runs with, is not to be released by automation again.</summary>
    public static LedgerEvent.Quarantined Quarantined(ServiceKey key, Generation generation, string reason) =>
        new(key.Project, key.Service, key.Stage, generation.Digest, reason, generation.SettingsDigest);

    /// <summary>A rollout came to its end: what is left of generations that are not kept is retired.</summary>
    public static IReadOnlyList<LedgerEvent> Finished(
        LedgerView view, OpenRollout rollout, RolloutState state, IEnumerable<OpenRollout> waiting)
    {
        var (project, service, stage) = state.Spec.Key;
        var live = view.Generations(project, service, stage).Where(g => !g.IsRetired).Select(g => (int)g.Number);
        var kept = (Steady.After(state)?.Setup.Generations ?? [])
            .Select(g => g.Number)
            .Concat(waiting.Select(w => w.State.Spec.Next.Number));
        List<LedgerEvent> events = [];
        if (state.Quarantines)
            events.Add(Quarantined(state.Spec.Key, state.Spec.Next, state.Reason));
        events.AddRange(live
            .Except(kept)
            .Select(number => new LedgerEvent.GenerationRetired(project, service, stage, number, $"after rollout {rollout.Id}")));
        events.Add(new LedgerEvent.RolloutFinished(rollout.Id, state.Phase.ToString(), state.Reason, Receipt(state)));
        return events;
    }

    /// <summary>Releases that wait for their turn do not get it.</summary>
    public static IEnumerable<LedgerEvent> Withdrawn(IEnumerable<OpenRollout> waiting, string reason, DateTimeOffset now)
    {
        foreach (var rollout in waiting)
        {
            var spec = rollout.State.Spec;
            var state = rollout.State with
            {
                Phase = RolloutPhase.RolledBack,
                Cause = AbortCause.Superseded,
                Reason = reason,
                DecidedAt = now,
                FinishedAt = now,
            };
            yield return new LedgerEvent.GenerationRetired(spec.Key.Project, spec.Key.Service, spec.Key.Stage, spec.Next.Number, reason);
            yield return new LedgerEvent.RolloutFinished(rollout.Id, nameof(RolloutPhase.RolledBack), reason, Receipt(state));
        }
    }

    /// <summary>Whether two states differ in what is recorded, and not only in what was counted.</summary>
    public static bool Differ(RolloutState before, RolloutState after) =>
        before.Phase != after.Phase || before.Step != after.Step || before.Pause != after.Pause || before.Cause != after.Cause
        || before.Share != after.Share || (before.AcknowledgedAt is null) != (after.AcknowledgedAt is null);

    /// <summary>What stands after an entry was recorded about a state: the next record goes on from there.</summary>
    public static LoopMemory Recorded(LoopMemory memory, RolloutState state, IReadOnlyList<LedgerEntry> entries) =>
        memory.Rollout is { } open && open.State.Phase == state.Phase && open.State.History.Count == state.History.Count
            && entries.LastOrDefault(entry => entry.Event is LedgerEvent.RolloutStateChanged changed && changed.Rollout == open.Id)
                is { } entry
            ? memory with { Rollout = open with { ChangesRecorded = state.History.Count, Mark = entry.Mark } }
            : memory;

    /// <summary>The last rollout of a service, when it went back by itself and the service was not stopped since; null otherwise.</summary>
    public static RolloutRow? LastFailed(LedgerView view, ServiceKey key) =>
        view.Rollouts(key.Project, key.Service, key.Stage, 1) is [{ Outcome: nameof(RolloutPhase.RolledBack), StateDetail: not null } last]
            && view.State(last).State.Cause is AbortCause.Health or AbortCause.Judge or AbortCause.Target
            && !WasStopped(view, key, last.Entry)
            ? last
            : null;

    private static bool WasStopped(LedgerView view, ServiceKey key, long after) =>
        view.Entries(after + 1, int.MaxValue, new LedgerFilter { Service = $"{key.Project}/{key.Service}", Kind = "service-stopped" })
            .Any(entry => entry.Event is LedgerEvent.ServiceStopped stopped && stopped.Stage == key.Stage);

    private static string Name(Move move) => move.GetType().Name;

    private static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static JsonElement Receipt(RolloutState state) =>
        JsonSerializer.SerializeToElement(RolloutReceipt.Of(state), ReleasesJsonContext.Default.RolloutReceipt);
}
