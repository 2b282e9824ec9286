using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;
using Generation = Ingot.Releases.Generation;
using Rollout = Ingot.Releases.Rollout;

namespace Ingot.Server.Control;

/// <summary>Takes requests to run a digest, checks that they may be carried out, and hands them to the service's loop.</summary>
internal sealed class ReleaseDesk(LedgerStore ledger, Controller controller, Projects projects, PullCheck pulls, Candidates candidates, string registry)
{
    /// <summary>A service is to run a digest that its stage admitted.</summary>
    public async Task<ReleaseReply> ReleaseAsync(ReleaseRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, service, stage) = Find(request.Project, request.Service, request.Stage);
        var image = project.Images.First(i => i.Name == service.Image);
        var key = new ServiceKey(project.Name, service.Name, stage.Name);
        if (Objection(request, key, image) is { } objection)
            return new ReleaseReply("refused", null, null, objection);

        var loop = controller.Get(key);
        string? version = await candidates.VersionAsync(project.Name, image.Name, request.Digest, cancellationToken);
        var wanted = Generation(project, service, stage, image, request.Digest, version);
        if (loop.Rollout is { State: { IsTerminal: false, Cause: null } current } open && Same(current.Spec.Next, wanted, current.Spec.Proxy, Proxy(service, stage)))
            return new ReleaseReply("started", open.Id, current.Spec.Next.Number, null);
        if (loop.Rollout is null && loop.Steady is { } steady && Same(steady.Serving, wanted, steady.Proxy, Proxy(service, stage)))
            return new ReleaseReply("unchanged", null, steady.Serving.Number, null);

        if (await pulls.ObjectionAsync(project, stage, image, request.Digest, cancellationToken) is { } unreadable)
            return new ReleaseReply("refused", null, null, unreadable);

        List<LedgerEvent> with = [];
        if (request.Override && ledger.Read(view => view.Quarantine(key.Project, key.Service, key.Stage, request.Digest)) is not null)
            with.Add(new LedgerEvent.QuarantineLifted(key.Project, key.Service, key.Stage, request.Digest, request.Reason));
        var begun = await loop.BeginAsync((standing, number) => new RolloutSpec
        {
            Key = key,
            Proxy = Proxy(service, stage),
            Next = wanted with { Number = number },
            Previous = standing?.Serving,
            Warm = standing?.Warm ?? [],
            Rollout = service.Rollout,
            By = by,
            Reason = request.Reason,
        }, with, by, cancellationToken);
        return new ReleaseReply("started", begun.Id, begun.State.Spec.Next.Number, null);
    }

    /// <summary>The traffic goes back to the generation before; what is left is quarantined.</summary>
    public async Task<ReleaseReply> RollBackAsync(RollbackRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, service, stage) = Find(request.Project, request.Service, request.Stage);
        var key = new ServiceKey(project.Name, service.Name, stage.Name);
        var loop = controller.Get(key);
        var turned = await loop.ChangeAsync(
            (state, now) => Rollout.Abort(state, by, request.Why, now),
            open => [Quarantine(key, open.State.Spec.Next.Digest, by, request.Why)],
            by, cancellationToken);
        if (turned is not null)
            return new ReleaseReply("started", turned.Id, turned.State.Spec.Previous?.Number, null);

        if (loop.Steady is not { } standing)
            return new ReleaseReply("refused", null, null, $"nothing runs as {key}: there is nothing to roll back");
        if (standing.Warm.Count == 0)
            return new ReleaseReply("refused", null, null, $"{key} keeps no older generation warm: deploy the version you want with 'ingot deploy {service.Name} --stage {stage.Name} --image {service.Image}:VERSION'");

        var begun = await loop.BeginAsync((_, _) => new RolloutSpec
        {
            Key = key,
            Proxy = standing.Proxy,
            Next = standing.Warm[0],
            Previous = standing.Serving,
            Warm = [.. standing.Warm.Skip(1)],
            Rollout = service.Rollout,
            IsRollback = true,
            By = by,
            Reason = request.Why,
        }, [Quarantine(key, standing.Serving.Digest, by, request.Why)], by, cancellationToken);
        return new ReleaseReply("started", begun.Id, begun.State.Spec.Next.Number, null);
    }

    /// <summary>Pauses or resumes; null when no rollout is under way.</summary>
    public Task<OpenRollout?> PauseAsync(PauseRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, service, stage) = Find(request.Project, request.Service, request.Stage);
        var loop = controller.Get(new ServiceKey(project.Name, service.Name, stage.Name));
        return request.Paused
            ? loop.ChangeAsync((s, now) => Rollout.Pause(s, by, request.Why, null, now), open => [new LedgerEvent.RolloutPaused(open.Id, by, request.Why, null)], by, cancellationToken)
            : loop.ChangeAsync((s, now) => Rollout.Resume(s, by, now), open => [new LedgerEvent.RolloutResumed(open.Id, by, request.Why)], by, cancellationToken);
    }

    private static LedgerEvent.Quarantined Quarantine(ServiceKey key, Digest digest, string by, string why) =>
        new(key.Project, key.Service, key.Stage, digest, $"rolled back by {by}: {why}");

    private string? Objection(ReleaseRequest request, ServiceKey key, ImageDefinition image)
    {
        string name = $"{image.Name}:{image.Version}";
        return ledger.Read(view =>
        {
            if (view.Revocation(key.Project, image.Name, request.Digest) is { } revocation)
                return $"{request.Digest} was revoked by {revocation.Actor}: {revocation.Reason}; build a new version";
            if (view.Promotion(key.Project, image.Name, key.Stage, request.Digest) is not { Admitted: true })
                return $"{request.Digest} is not admitted to {key.Stage}: see 'ingot explain {name} --stage {key.Stage}'";
            if (!request.Override && view.Quarantine(key.Project, key.Service, key.Stage, request.Digest) is { } quarantine)
                return $"{request.Digest} is in quarantine for {key.Stage}/{key.Service}: {quarantine.Reason}; build a new version, or release it all the same with 'ingot deploy {key.Service} --stage {key.Stage} --override --why \"…\"'";
            return null;
        });
    }

    private (ProjectDefinition Project, ServiceDefinition Service, StageDefinition Stage) Find(string projectName, string serviceName, string stageName)
    {
        var project = projects.Get(projectName);
        var service = project.Services.FirstOrDefault(s => s.Name == serviceName) ?? throw new ApiException("not_found", $"the project '{project.Name}' has no service '{serviceName}'");
        var stage = project.Stages.FirstOrDefault(s => s.Name == stageName) ?? throw new ApiException("not_found", $"the project '{project.Name}' has no stage '{stageName}'");
        return stage.Target is null ? throw new ApiException("invalid", $"stage '{stage.Name}' of '{project.Name}' has no target: nothing runs there") : (project, service, stage);
    }

    private Generation Generation(ProjectDefinition project, ServiceDefinition service, StageDefinition stage, ImageDefinition image, Digest digest, string? version) =>
        new()
        {
            Number = 0,
            Repository = $"{registry}/{project.Name}/{image.Name}",
            Digest = digest,
            Version = version ?? digest.Short,
            Replicas = service.Replicas.GetValueOrDefault(stage.Name, 1),
            Port = service.Port,
            Health = service.Health,
            Config = service.Config,
            Writable = service.Writable,
            Limits = service.Limits,
        };

    private static ProxySettings Proxy(ServiceDefinition service, StageDefinition stage) => new(service.Listen[stage.Name], service.Health.Timeout);

    private static bool Same(Generation running, Generation wanted, ProxySettings runningProxy, ProxySettings wantedProxy) =>
        running.SpecDigest == wanted.SpecDigest && running.Replicas == wanted.Replicas && running.Health == wanted.Health && runningProxy == wantedProxy;
}
