using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Control;
using Ingot.Server.Ledger;

namespace Ingot.Server.Api;

/// <summary>Says of rollouts that went back by themselves why, and what is left of their instances.</summary>
internal sealed class FailureReader(LedgerStore ledger, ProjectBook projects, InstanceDesk instances)
{
    /// <summary>A rollout, with what is left of its instances when it failed.</summary>
    public async Task<RolloutReply> WithSymptomsAsync(RolloutReply rollout, CancellationToken cancellationToken)
    {
        var key = new ServiceKey(rollout.Project, rollout.Service, rollout.Stage);
        return rollout.Finished && Failed(key) is { } failed && failed.Id == rollout.Id
            ? rollout with { Symptoms = await instances.SymptomsAsync(key, rollout.Generation, cancellationToken) }
            : rollout;
    }

    /// <summary>What runs, with the rollouts that failed last; a service of which nothing serves because its first rollout failed is among
    /// it.</summary>
    public async Task<StatusReply> WithFailuresAsync(StatusReply status, string? project, CancellationToken cancellationToken)
    {
        var services = await Task.WhenAll(status.Services.Select(async service => service.Rollout is null
            ? service with
            {
                Failure = await FailureAsync(new ServiceKey(service.Project, service.Service, service.Stage), cancellationToken),
            }
            : service));
        var shown = services.Select(s => new ServiceKey(s.Project, s.Service, s.Stage)).ToHashSet();
        var others = await Task.WhenAll(Keys(project)
            .Where(known => !shown.Contains(known.Key))
            .Select(known => NothingServesAsync(known.Key, known.Image, cancellationToken)));
        return new StatusReply([.. services, .. others.OfType<ServiceStatus>()]);
    }

    /// <summary>The services of a stage in which a digest failed, and to which automation does not release it again.</summary>
    public async Task<IReadOnlyList<QuarantineReply>?> QuarantinesAsync(
        string projectName, string image, string stage, Digest digest, CancellationToken cancellationToken)
    {
        var found = new List<QuarantineReply>();
        foreach (var service in projects.Find(projectName)?.Services.Where(s => s.Image == image) ?? [])
        {
            var key = new ServiceKey(projectName, service.Name, stage);
            if (ledger.Read(view => view.Quarantine(key.Project, key.Service, key.Stage, digest)) is not { } quarantine)
                continue;
            var failed = Failed(key) is { } last && last.Digest == digest ? last : null;
            var symptoms = failed is null ? [] : await instances.SymptomsAsync(key, (int)failed.Generation, cancellationToken);
            found.Add(new QuarantineReply(key.Service, quarantine.Reason, quarantine.Time, quarantine.Settings is not null, symptoms));
        }

        return found.Count == 0 ? null : found;
    }

    private IEnumerable<(ServiceKey Key, string Image)> Keys(string? project)
    {
        var names = ledger.Read(view => view.Projects().Select(p => p.Project).ToList());
        return from name in names
               where project is null || name == project
               let definition = projects.Find(name)
               where definition is not null
               from service in definition.Services
               from stage in definition.Stages
               where stage.Target is not null
               select (new ServiceKey(name, service.Name, stage.Name), $"{name}/{service.Image}");
    }

    private async Task<FailedRollout?> FailureAsync(ServiceKey key, CancellationToken cancellationToken) => Failed(key) is { } failed
        ? new FailedRollout(
            failed.Id, (int)failed.Generation, failed.Digest, failed.Version, failed.OutcomeReason ?? "", failed.Time,
            await instances.SymptomsAsync(key, (int)failed.Generation, cancellationToken))
        : null;

    private async Task<ServiceStatus?> NothingServesAsync(ServiceKey key, string image, CancellationToken cancellationToken) =>
        await FailureAsync(key, cancellationToken) is { } failure
            ? new ServiceStatus
            {
                Project = key.Project,
                Service = key.Service,
                Stage = key.Stage,
                Image = image,
                Digest = null,
                Version = null,
                Generation = null,
                State = "failed",
                Share = 0,
                Since = null,
                Url = null,
                Instances = [],
                Warm = [],
                Rollout = null,
                Failure = failure,
            }
            : null;

    private RolloutRow? Failed(ServiceKey key) => ledger.Read(view => RolloutEntries.LastFailed(view, key));
}
