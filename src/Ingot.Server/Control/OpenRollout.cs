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
internal sealed record ServiceHistory(SteadyState? Steady, DateTimeOffset? Since, IReadOnlyList<OpenRollout> Open)
{
    /// <summary>Reads a service's history. A rollout that was requested and not begun starts from what was asked for.</summary>
    public static ServiceHistory Read(LedgerView view, ServiceKey key, WorkingStates? working = null)
    {
        var rollouts = view.Rollouts(key.Project, key.Service, key.Stage);
        var open = rollouts.Where(r => r.Outcome is null).Reverse().Select(r => Taken(r, view.State(r, working))).ToList();
        if (view.Generations(key.Project, key.Service, key.Stage).All(g => g.IsRetired))
            return new ServiceHistory(null, null, []);

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

        return new ServiceHistory(steady, since, open);
    }

    private static OpenRollout Taken(Ledger.Rollout rollout, RecordedState recorded) => new(rollout.Id, recorded.State, recorded.ChangesRecorded, recorded.Mark);
}
