using Generation = Ingot.Releases.Generation;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Api;

/// <summary>Says what runs, from what the loops saw last, and how rollouts stand.</summary>
internal sealed class StatusReader(LedgerStore ledger, Controller controller, ProjectBook projects)
{
    public StatusReply Status(string? project)
    {
        var loops = controller.Loops.Where(l => project is null || l.Key.Project == project).ToList();
        var definitions = loops.Select(l => l.Key.Project).Distinct().ToDictionary(name => name, projects.Find, StringComparer.Ordinal);
        return new([.. loops.Select(l => Service(l, definitions[l.Key.Project])).OfType<ServiceStatus>()]);
    }

    /// <summary>A rollout with the sentences after an entry.</summary>
    public RolloutReply? Rollout(string id, long after) => ledger.Read(view =>
    {
        if (view.Rollout(id) is not { } rollout)
            return null;

        var events = view.Entries(after + 1, 1000, new LedgerFilter { Rollout = id }).Where(e => !Story.IsDetail(e.Event));
        var state = rollout.StateDetail is null ? null : view.State(rollout).State;
        string phase = rollout.Outcome ?? (rollout.State.Length == 0 ? "Planned" : rollout.State);
        string? reason = rollout.OutcomeReason is { Length: > 0 } outcome ? outcome
            : rollout.StateReason is { Length: > 0 } why ? why
            : null;
        return new RolloutReply(
            rollout.Id, rollout.Project, rollout.Service, rollout.Stage, (int)rollout.Generation, rollout.Digest, rollout.Version,
            phase, reason, rollout.Outcome is not null, rollout.Outcome == "Done", state?.Share ?? 0,
            [.. events.Select(e => new RolloutEvent(e.Seq, e.Time, Story.Tell(e.Event, view)))],
            state is not null && IsQuarantined(view, state.Spec))
        {
            TrafficBack = state is not null && IsTrafficBack(state),
            By = state?.Spec.By,
        };
    });

    private static bool IsQuarantined(LedgerView view, RolloutSpec spec) =>
        view.Quarantine(spec.Key.Project, spec.Key.Service, spec.Key.Stage, spec.Next.Digest, spec.Next.SettingsDigest) is not null;

    // What follows is clearing away.
    private static bool IsTrafficBack(RolloutState state) => state.Spec.IsRollback
        ? state.Phase is RolloutPhase.Draining or RolloutPhase.Retiring or RolloutPhase.Done
        : state.Phase is RolloutPhase.Restoring or RolloutPhase.RolledBack;

    private ServiceStatus? Service(ServiceLoop loop, ProjectDefinition? definition)
    {
        var rollout = loop.Rollout;
        var steady = loop.Steady;
        if (loop.Memory.IsEmpty || (rollout is null && steady is null))
            return null;

        var serving = steady?.Serving;
        var shown = serving ?? rollout!.State.Spec.Next;
        var seen = loop.Seen;
        int share = rollout is not null && serving is not null ? 100 - rollout.State.Share : rollout?.State.Share ?? 100;
        var listen = (steady?.Proxy ?? rollout!.State.Spec.Proxy).Listen;
        return new ServiceStatus
        {
            Project = loop.Key.Project,
            Service = loop.Key.Service,
            Stage = loop.Key.Stage,
            Image = Repository(shown),
            Digest = shown.Digest,
            Version = shown.Version,
            Generation = shown.Number,
            State = State(loop, shown),
            Share = share,
            Since = loop.SteadySince,
            Url = $"http://{(listen.Address == "0.0.0.0" ? "127.0.0.1" : listen.Address)}:{listen.Port}/",
            Instances = [.. (seen?.Instances ?? []).OrderBy(i => i.Generation).ThenBy(i => i.Index).Select(i => Instance(loop, i, seen!))],
            Warm = [.. (steady?.Warm ?? [])
                .Select(w => new GenerationStatus(w.Number, w.Digest, w.Version, w.Replicas, Withdrawn(loop.Key, w, Door.RollBack)))],
            Rollout = rollout is null ? null : Status(rollout),
            Withdrawn = serving is null ? null : Withdrawn(loop.Key, serving, Door.Serve),
            Left = ProjectBook.IsLeft(definition, loop.Key.Service, loop.Key.Stage),
            Troubles = loop.Troubles,
        };
    }

    private string? Withdrawn(ServiceKey key, Generation generation, Door door) =>
        ledger.Read(view => Standing.Objection(view, door, Standpoint.Of(key, generation))?.Reason);

    private static RolloutStatus Status(OpenRollout rollout)
    {
        var state = rollout.State;
        return new RolloutStatus(rollout.Id, state.Spec.Next.Number, state.Spec.Next.Digest, state.Spec.Next.Version,
            state.Pause is null ? state.Phase.ToString() : "Paused", state.Share,
            Text(state.Pause?.Reason) ?? Text(state.Reason) ?? Text(state.Waiting), state.PhaseSince);
    }

    private static string State(ServiceLoop loop, Generation shown)
    {
        if (loop.Memory.StoppedBy is not null)
            return "stopping";
        if (loop.Seen is not { } seen)
            return "starting";
        if (!loop.IsSighted)
            return "unknown";
        if (!seen.Proxy.Alive)
            return "down";

        int ready = seen.ReadyInstances(shown.Number);
        return ready == shown.Replicas ? "healthy" : ready > 0 ? "degraded" : loop.Rollout is null ? "down" : "starting";
    }

    private static InstanceStatus Instance(ServiceLoop loop, InstanceObservation i, Observation seen)
    {
        var server = seen.Server(i.Generation, i.Index);
        string health = server?.Health switch { ServerHealth.Up => "healthy", ServerHealth.Down => "unhealthy", _ => "unknown" };
        return new InstanceStatus($"{i.Id[..Math.Min(12, i.Id.Length)]}", i.Address, i.State.ToString().ToLowerInvariant(), health,
            i.Digest, i.Generation)
        {
            Name = InstanceName.Of(i.Generation, i.Index),
            Version = (loop.Rollout?.State.Setup ?? loop.Steady?.Setup)?.Find(i.Generation)?.Version,
            Since = i.StartedAt,
            ExitCode = i.ExitCode,
            Check = server?.Check,
        };
    }

    private static string Repository(Generation generation) =>
        generation.Repository[(generation.Repository.IndexOf('/', StringComparison.Ordinal) + 1)..];

    private static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
