using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Stops what a project runs: instances and proxies go, images, evidence and the ledger stay.</summary>
internal sealed class StopDesk(LedgerStore ledger, Controller controller, ProjectBook projects, StageTargets targets)
{
    private const int AtOnce = 256;

    /// <summary>Stops the services asked for. Each is on its own: what cannot be taken away is said once all were tried, and the server
    /// goes on with it, also after a restart.</summary>
    public async Task StopAsync(StopRequest request, string by, CancellationToken cancellationToken)
    {
        var left = await LeftAsync(request.Project, cancellationToken);
        var known = ledger.Read(view => Known(view, request.Project)).Union(left).ToList();
        var keys = known.Where(key => Asked(request, key)).ToList();
        if (keys.Count == 0)
            RefuseUnknown(request, known);

        var failures = await Task.WhenAll(keys.Select(key => TryStopAsync(key, by, cancellationToken)));
        if (failures.OfType<string>().ToList() is { Count: > 0 } said)
            throw new ApiException("failed", string.Join('\n', said));
    }

    private async Task<string?> TryStopAsync(ServiceKey key, string by, CancellationToken cancellationToken)
    {
        try
        {
            await controller.Get(key).StopAsync(by, cancellationToken);
            return null;
        }
        catch (ApiException e)
        {
            return e.Message;
        }
        catch (IngotException e)
        {
            return $"{key} is not stopped: {e.Message}";
        }
    }

    private static void RefuseUnknown(StopRequest request, List<ServiceKey> known)
    {
        if (request.Service is { } service && known.All(key => key.Service != service))
        {
            throw new ApiException("not_found", ApiText.NoSuch(
                $"the project '{request.Project}' never had a service '{service}'", service, "services",
                known.Select(key => key.Service).Distinct()));
        }

        if (request.Stage is { } stage)
        {
            string what = request.Service is null
                ? $"nothing of the project '{request.Project}'"
                : $"the service '{request.Service}' never";
            throw new ApiException("not_found",
                ApiText.NoSuch($"{what} ran at '{stage}'", stage, "stages", known.Select(key => key.Stage).Distinct()));
        }
    }

    private static bool Asked(StopRequest request, ServiceKey key) =>
        (request.Service ?? key.Service) == key.Service && (request.Stage ?? key.Stage) == key.Stage;

    // What is there, whoever still knows of it. Where that cannot be read, stopping what is known says why.
    private async Task<IEnumerable<ServiceKey>> LeftAsync(string project, CancellationToken cancellationToken)
    {
        var found = await Task.WhenAll(targets.All.Select(target => FoundAsync(target, cancellationToken)));
        return found.SelectMany(keys => keys).Where(key => key.Project == project);
    }

    private static async Task<IReadOnlyList<ServiceKey>> FoundAsync(ITarget target, CancellationToken cancellationToken)
    {
        try
        {
            return await target.FindServicesAsync(cancellationToken);
        }
        catch (IngotException)
        {
            return [];
        }
    }

    // What runs, what is to run, and what ever ran: something of that may have been left by a server that was killed.
    private IEnumerable<ServiceKey> Known(LedgerView view, string project) => controller.Loops
        .Select(loop => loop.Key)
        .Where(key => key.Project == project)
        .Concat(Defined(project))
        .Concat(Released(view, project))
        .Distinct().ToList();

    private IEnumerable<ServiceKey> Defined(string project) => projects.Find(project) is not { } definition
        ? []
        : from service in definition.Services
          from stage in definition.Stages
          where stage.Target is not null
          select new ServiceKey(project, service.Name, stage.Name);

    private static IEnumerable<ServiceKey> Released(LedgerView view, string project)
    {
        var filter = new LedgerFilter { Project = project, Kind = "release-requested" };
        for (long from = 0; view.Entries(from, AtOnce, filter) is { Count: > 0 } entries; from = entries[^1].Seq + 1)
        {
            foreach (var request in entries.Select(entry => (LedgerEvent.ReleaseRequested)entry.Event))
                yield return new ServiceKey(request.Project, request.Service, request.Stage);
        }
    }
}
