using Ingot.Releases;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>A rollout under way, by its id in the ledger.</summary>
/// <param name="Id">The id.</param>
/// <param name="State">The state.</param>
/// <param name="ChangesRecorded">How many of its changes of phase are in the ledger.</param>
/// <param name="Mark">The entry that recorded it last.</param>
internal sealed record OpenRollout(string Id, RolloutState State, int ChangesRecorded = 0, string Mark = "");

/// <summary>A rollout to begin, and what is recorded together with its request.</summary>
internal sealed record ReleaseOrder(RolloutSpec Spec, IReadOnlyList<LedgerEvent> With);

/// <summary>What the ledger says of a service: how it stood after the last rollout that ended, and the rollouts that have not.</summary>
internal sealed record ServiceHistory(LoopMemory Memory, InstanceOwners Owners)
{
    /// <summary>Reads a service's history. A rollout that was requested and not begun starts from what was asked for; what was counted
    /// since the last entry is taken from <paramref name="working"/>.</summary>
    public static ServiceHistory Read(LedgerView view, ServiceKey key, WorkingStates? working = null)
    {
        var owners = InstanceOwners.Read(view, key);
        string? stoppedBy = StoppedBy(view, key);
        if (view.Generations(key.Project, key.Service, key.Stage).All(g => g.IsRetired))
            return new ServiceHistory(new LoopMemory { StoppedBy = stoppedBy }, owners);

        var rollouts = view.Rollouts(key.Project, key.Service, key.Stage);
        var open = rollouts.Where(r => r.Outcome is null).Reverse().Select(r => Open(r, view.State(r, working))).ToList();
        var (steady, since) = Steady(view, rollouts);
        steady = steady is null ? null : Remembered(view, steady, rollouts, working);
        var memory = new LoopMemory
        {
            Steady = steady,
            Since = since,
            Mark = MarkOf(view, rollouts),
            Rollout = open.FirstOrDefault(),
            Waiting = [.. open.Skip(1)],
            StoppedBy = stoppedBy,
        };
        return new ServiceHistory(memory, owners);
    }

    private static (SteadyState? Steady, DateTimeOffset? Since) Steady(LedgerView view, IReadOnlyList<RolloutRow> rollouts)
    {
        SteadyState? steady = null;
        DateTimeOffset? since = null;
        foreach (var ended in rollouts.Where(r => r.Outcome is not (null or "Stopped") && r.StateDetail is not null))
        {
            var after = Releases.Steady.After(view.State(ended).State);
            steady ??= after;
            // It serves since the oldest rollout in a row that left it serving: one that went back did not change that.
            if (steady is null || after?.Serving.Number != steady.Serving.Number)
                break;
            since = ended.Time;
        }

        return (steady, since);
    }

    // The last of its kind about this stage: what was asked to stop and is not known to have stopped.
    private static string? StoppedBy(LedgerView view, ServiceKey key)
    {
        var stopping = Last(view, key, "service-stopping");
        return stopping is not null && stopping.Seq > (Last(view, key, "service-stopped")?.Seq ?? -1) ? stopping.Actor : null;
    }

    private static LedgerEntry? Last(LedgerView view, ServiceKey key, string kind) =>
        view.Entries(0, int.MaxValue, new LedgerFilter { Service = $"{key.Project}/{key.Service}", Kind = kind })
            .LastOrDefault(entry => entry.Event is LedgerEvent.ServiceStopping { Stage: var stopping } && stopping == key.Stage
                || entry.Event is LedgerEvent.ServiceStopped { Stage: var stopped } && stopped == key.Stage);

    // What is remembered of instances between rollouts goes on from the last one that ended.
    private static SteadyState Remembered(LedgerView view, SteadyState steady, IReadOnlyList<RolloutRow> rollouts, WorkingStates? working)
    {
        return working?.Read(steady.Key.Stem, MarkOf(view, rollouts)) is { } json
            ? steady with { Instances = ReleasesJson.ReadMemory(json) }
            : steady;
    }

    // What is counted between rollouts is based on this: the last entry about the last rollout that ended.
    private static string MarkOf(LedgerView view, IReadOnlyList<RolloutRow> rollouts) =>
        rollouts.Where(r => r.Outcome is not null).MaxBy(r => r.Entry) is { } last ? view.Mark(last.Entry) : "";

    private static OpenRollout Open(RolloutRow rollout, RecordedState recorded) =>
        new(rollout.Id, recorded.State, recorded.ChangesRecorded, recorded.Mark);
}
