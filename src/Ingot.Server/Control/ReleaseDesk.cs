using Generation = Ingot.Releases.Generation;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>Takes requests to run a digest, checks that they may be carried out, and hands them to the service's loop.</summary>
internal sealed class ReleaseDesk(
    LedgerStore ledger, Controller controller, ProjectBook projects, PromotionDesk promotions, PullCheck pulls, Candidates candidates,
    string registry)
{
    /// <summary>A service is to run a digest that its stage admitted.</summary>
    public async Task<ReleaseReply> ReleaseAsync(ReleaseRequest request, string by, CancellationToken cancellationToken)
    {
        var applied = ledger.Read(view => view.Project(request.Project)?.Entry);
        var (project, service, stage) = Find(request.Project, request.Service, request.Stage);
        var image = project.Images.First(i => i.Name == service.Image);
        var key = new ServiceKey(project.Name, service.Name, stage.Name);
        if (await ReconsiderAsync(project, image, stage, request.Digest, by, cancellationToken) is { } unknown)
            return Refused(unknown);
        var wanted = Generation(project, service, stage, image, request.Digest);
        if (ledger.Read(view => Objection(view, request, key, wanted, stage)) is { } objection)
            return Refused(objection);

        var loop = controller.Get(key);
        wanted = wanted with
        {
            Version = await candidates.VersionAsync(project.Name, image.Name, request.Digest, cancellationToken) ?? wanted.Version,
        };
        if (Known(loop, wanted, Proxy(service, stage), request.Override) is { } known)
            return known;

        if (await pulls.ObjectionAsync(project, stage, image, request.Digest, cancellationToken) is { } unreadable)
            return Refused(unreadable);

        // Asked again while the request is appended: words may have come while the target was asked.
        return await BeginAsync(loop, (view, standing, number) =>
        {
            if (view.Project(project.Name)?.Entry != applied)
                throw new ApiException("refused", $"the project '{project.Name}' was applied again meanwhile: ask again");
            if (Objection(view, request, key, wanted, stage) is { } late)
                throw new ApiException("refused", late);

            var spec = Spec(key, service, Proxy(service, stage), standing, wanted with { Number = number }) with
            {
                By = by,
                Reason = request.Reason,
            };
            return new ReleaseOrder(spec, Lifted(view, key, wanted, request));
        }, by, cancellationToken);
    }

    /// <summary>What a release of a project as it is given would come to, now. Nothing is recorded,
    /// and nothing is asked of the target.</summary>
    public ReleasePreviewReply Preview(ReleasePreviewRequest request)
    {
        var (project, service, stage) = Find(ProjectBook.Parse(request.Yaml), request.Service, request.Stage);
        var image = project.Images.First(i => i.Name == service.Image);
        var key = new ServiceKey(project.Name, service.Name, stage.Name);
        var wanted = Generation(project, service, stage, image, request.Digest);
        var at = Standpoint.Of(key, wanted);
        if (ledger.Read(view => Standing.Objection(view, Door.Preview, at, stage)) is { } objection)
            return new ReleasePreviewReply("refused", null, objection.ToString(), []);

        // What else speaks against it now is asked anew by whoever releases it.
        if (ledger.Read(view => Standing.Objection(view, Door.Deploy, at, stage)) is { } open)
        {
            string now = open.Kind == ObjectionKind.NotAdmitted ? "not admitted yet" : open.Reason;
            return new ReleasePreviewReply("unknown", null, $"{now}: 'ingot up' asks the gates first", []);
        }

        var loop = controller.Find(key);
        if (loop is not null && Known(loop, wanted, Proxy(service, stage), allTheSame: false) is { } known)
            return new ReleasePreviewReply(known.Outcome, known.Generation, known.Reason, []);
        int number = (int)ledger.Read(view => view.NextGeneration(key.Project, key.Service, key.Stage));
        var spec = Spec(key, service, Proxy(service, stage), loop?.Steady, wanted with { Number = number });
        return new ReleasePreviewReply("started", number, loop is null ? null : Before(loop), RolloutPlan.Of(spec));
    }

    /// <summary>The answer to a release of what runs already, or is on its way to; null when it is news.</summary>
    private static ReleaseReply? Known(ServiceLoop loop, Generation wanted, ProxySettings proxy, bool allTheSame) => loop switch
    {
        { Rollout: { State: { IsTerminal: false, Cause: null } current } open }
            when Same(current.Spec.Next, wanted, current.Spec.Proxy, proxy) =>
            new ReleaseReply("started", open.Id, current.Spec.Next.Number,
                $"rollout {open.Id} of the same release, which {current.Spec.By} began, is under way: this request joins it"),
        { Rollout.State: { Cause: { } cause, IsTerminal: false } turning }
            when turning.Spec.Next.IsLike(wanted) && cause is not (AbortCause.Superseded or AbortCause.Target) && !allTheSame =>
            Refused($"{wanted.Digest} is being turned back right now: {turning.Reason}; build a new version, "
                + "or release it anyway with '--override' when it is done"),
        { Rollout: null, Steady: { } steady } when Same(steady.Serving, wanted, steady.Proxy, proxy) =>
            new ReleaseReply("unchanged", null, steady.Serving.Number, null),
        _ => null,
    };

    private static RolloutSpec Spec(
        ServiceKey key, ServiceDefinition service, ProxySettings proxy, SteadyState? standing, Generation next) =>
        new()
        {
            Key = key,
            Proxy = proxy,
            ServingProxy = standing is { } s && s.Proxy != proxy ? s.Proxy : null,
            Next = next,
            Previous = standing?.Serving,
            Warm = standing?.Warm ?? [],
            Rollout = service.Rollout,
            By = "",
            Reason = "",
        };

    private static string? Before(ServiceLoop loop) => loop.Rollout is { State: { IsTerminal: false } current } open
        ? $"rollout {open.Id} of {current.Spec.Next.Version} is under way: it makes way first, then this one begins"
        : null;

    /// <summary>The traffic goes back to the generation before; what is left is quarantined,
    /// and no release that waits goes out afterwards.</summary>
    public async Task<ReleaseReply> RollBackAsync(RollbackRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, service, stage) = Find(request.Project, request.Service, request.Stage);
        var key = new ServiceKey(project.Name, service.Name, stage.Name);
        try
        {
            return await controller.Get(key).ReturnAsync(
                (view, state) => TurnBack(view, key, service, state, request, by),
                (view, standing) => GoBack(view, key, service, standing, request, by), request.Why, by, cancellationToken);
        }
        catch (ApiException e) when (e.Code == "refused")
        {
            return Refused(e.Message);
        }
    }

    /// <summary>Pauses or resumes; null when no rollout is under way.</summary>
    public Task<OpenRollout?> PauseAsync(PauseRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, service, stage) = Find(request.Project, request.Service, request.Stage);
        var loop = controller.Get(new ServiceKey(project.Name, service.Name, stage.Name));
        return request.Paused
            ? loop.ChangeAsync((s, now) => Rollout.Pause(s, by, request.Why, null, now),
                (_, open, after) => Paused(open, after, request, by), by, cancellationToken)
            : loop.ChangeAsync((s, now) => Rollout.Resume(s, by, now), (view, open, _) => Resumed(view, open, request, by),
                by, cancellationToken);
    }

    private static async Task<ReleaseReply> BeginAsync(
        ServiceLoop loop, Func<LedgerView, SteadyState?, int, ReleaseOrder> ask, string by, CancellationToken cancellationToken)
    {
        try
        {
            string? before = Before(loop);
            var begun = await loop.BeginAsync(ask, by, cancellationToken);
            return new ReleaseReply("started", begun.Id, begun.State.Spec.Next.Number, before);
        }
        catch (ApiException e) when (e.Code == "refused")
        {
            return Refused(e.Message);
        }
    }

    private static ReleaseReply Refused(string reason) => new("refused", null, null, reason);

    private static string? Objection(LedgerView view, ReleaseRequest request, ServiceKey key, Generation wanted, StageDefinition stage) =>
        Standing.Objection(
            view, request.Override ? Door.DeployAllTheSame : Door.Deploy, Standpoint.Of(key, wanted), stage)?.ToString();

    private static IReadOnlyList<LedgerEvent> Lifted(LedgerView view, ServiceKey key, Generation wanted, ReleaseRequest request) =>
        request.Override && view.Quarantine(key.Project, key.Service, key.Stage, wanted.Digest, wanted.SettingsDigest) is not null
            ? [new LedgerEvent.QuarantineLifted(key.Project, key.Service, key.Stage, wanted.Digest, request.Reason, wanted.SettingsDigest)]
            : [];

    /// <summary>Evidence that came after a digest was admitted may speak against it: the stages that admitted it are asked again.</summary>
    /// <returns>Why they could not be; null when they were.</returns>
    private async Task<string?> ReconsiderAsync(
        ProjectDefinition project, ImageDefinition image, StageDefinition stage, Digest digest, string by,
        CancellationToken cancellationToken)
    {
        try
        {
            foreach (var asked in project.Stages.Take(1 + project.Stages.ToList().IndexOf(stage)))
            {
                if (ledger.Read(view => LateEvidence(view, project.Name, image.Name, asked.Name, digest)) is { } admission)
                    await promotions.ReconsiderAsync(admission, by, cancellationToken);
            }

            return null;
        }
        catch (ApiException e) when (e.Code == "refused")
        {
            return e.Message;
        }
    }

    private static PromotionRow? LateEvidence(LedgerView view, string project, string image, string stage, Digest digest) =>
        view.Promotion(project, image, stage, digest) is { Admitted: true } admission
            && view.Referrers($"{project}/{image}", digest, after: admission.Entry, count: 1).Count > 0
            ? admission
            : null;

    private static IReadOnlyList<LedgerEvent> TurnBack(
        LedgerView view, ServiceKey key, ServiceDefinition service, RolloutState state, RollbackRequest request, string by)
    {
        if (!Rollout.CanTurnBack(state))
            throw new ApiException("refused", $"the rollout of {key} is past the point where it can turn back: ask again when it is done");

        var withdrawn = ServiceLoop.Withdrawn(view, state.Spec);
        if (Rollout.MayNotTurnBack(state, withdrawn))
            throw new ApiException("refused",
                $"{withdrawn.Previous}: nothing goes back to it; {Alternatives(view, key, service, state.Spec.Next.Digest)}");
        return state.IsOfWhatServes ? [] : [Quarantine(key, state.Spec.Next, by, request.Why)];
    }

    /// <summary>The newest warm generation that may run takes the traffic.</summary>
    private static ReleaseOrder GoBack(
        LedgerView view, ServiceKey key, ServiceDefinition service, SteadyState? standing, RollbackRequest request, string by)
    {
        if (standing is null)
            throw new ApiException("refused", $"nothing runs as {key}: there is nothing to roll back");
        if (standing.Warm.Count == 0)
            throw new ApiException("refused",
                $"{key} keeps no older generation warm: {Alternatives(view, key, service, standing.Serving.Digest)}");

        var objections = standing.Warm
            .Select(warm => (Warm: warm, Objection: Standing.Objection(view, Door.RollBack, Standpoint.Of(key, warm))))
            .ToList();
        if (objections.FirstOrDefault(o => o.Objection is null).Warm is not { } target)
            throw new ApiException("refused",
                $"{string.Join("; ", objections.Select(o => $"generation {o.Warm.Number}: {o.Objection!.Reason}"))}; "
                    + $"{Alternatives(view, key, service, standing.Serving.Digest)}");

        return new ReleaseOrder(
            Steady.GoBack(standing, target, service.Rollout, by, request.Why),
            target.IsLike(standing.Serving) ? [] : [Quarantine(key, standing.Serving, by, request.Why)]);
    }

    private static IReadOnlyList<LedgerEvent> Paused(OpenRollout open, RolloutState after, PauseRequest request, string by) => after.Pause
        is null
        ? throw new ApiException("refused", $"rollout {open.Id} is in {after.Phase}: it is past the point where it can be paused")
        : [new LedgerEvent.RolloutPaused(open.Id, by, request.Why, null)];

    private static IReadOnlyList<LedgerEvent> Resumed(LedgerView view, OpenRollout open, PauseRequest request, string by) =>
        open.State.Pause is null
            ? throw new ApiException("refused", $"rollout {open.Id} is not paused")
            : ServiceLoop.Withdrawn(view, open.State.Spec).Next is { } reason
                ? throw new ApiException("refused", $"{reason}: the rollout turns back")
                : [new LedgerEvent.RolloutResumed(open.Id, by, request.Why)];

    /// <summary>What a person may deploy instead: the digests whose admission stands, the latest first.</summary>
    private static string Alternatives(LedgerView view, ServiceKey key, ServiceDefinition service, Digest leaving)
    {
        var standing = view.Promotions(key.Project, service.Image, key.Stage)
            .Where(p => p.Admitted && p.Digest != leaving && Standing.Objection(view, Door.Deploy,
                new Standpoint(key.Project, service.Image, key.Stage, p.Digest, key.Service)) is null)
            .Take(3).Select(p => $"{service.Image}@{p.Digest}").ToList();
        string command = $"ingot deploy {service.Name} --stage {key.Stage} --image";
        return standing.Count == 0
            ? $"build a new version, or deploy one that is admitted with '{command} {service.Image}:VERSION'"
            : $"deploy one that is admitted: {string.Join(" or ", standing.Select(image => $"'{command} {image}'"))}";
    }

    private static LedgerEvent.Quarantined Quarantine(ServiceKey key, Generation left, string by, string why) =>
        RolloutEntries.Quarantined(key, left, $"rolled back by {by}: {why}");

    private (ProjectDefinition Project, ServiceDefinition Service, StageDefinition Stage) Find(
        string projectName, string serviceName, string stageName) =>
        Find(projects.Get(projectName), serviceName, stageName);

    private static (ProjectDefinition Project, ServiceDefinition Service, StageDefinition Stage) Find(
        ProjectDefinition project, string serviceName, string stageName)
    {
        var service = project.Services.FirstOrDefault(s => s.Name == serviceName)
            ?? throw new ApiException("not_found", ApiText.NoSuch($"the project '{project.Name}' has no service '{serviceName}'",
                serviceName, "services", project.Services.Select(s => s.Name)));
        var stage = project.Stages.FirstOrDefault(s => s.Name == stageName)
            ?? throw new ApiException("not_found", ApiText.NoSuch($"the project '{project.Name}' has no stage '{stageName}'", stageName,
                "stages", project.Stages.Select(s => s.Name)));
        return stage.Target is null
            ? throw new ApiException("invalid", $"stage '{stage.Name}' of '{project.Name}' has no target: nothing runs there")
            : (project, service, stage);
    }

    private Generation Generation(
        ProjectDefinition project, ServiceDefinition service, StageDefinition stage, ImageDefinition image, Digest digest) =>
        new()
        {
            Number = 0,
            Repository = $"{registry}/{project.Name}/{image.Name}",
            Digest = digest,
            Version = digest.Short,
            Replicas = service.Replicas.GetValueOrDefault(stage.Name, 1),
            Port = service.Port,
            Health = service.Health,
            Config = service.ConfigOf(stage.Name),
            Writable = service.Writable,
            Limits = service.Limits,
        };

    private static ProxySettings Proxy(ServiceDefinition service, StageDefinition stage) =>
        new(service.Listen[stage.Name], service.Health.Timeout) { RequestTimeout = service.RequestTimeout };

    private static bool Same(Generation running, Generation wanted, ProxySettings runningProxy, ProxySettings wantedProxy) =>
        running.SpecDigest == wanted.SpecDigest && running.Replicas == wanted.Replicas && running.Health == wanted.Health
            && runningProxy == wantedProxy;
}
