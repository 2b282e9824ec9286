using Ingot.Builds;
using Ingot.Builds.Files;
using Ingot.Builds.Running;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Projects.Building;

/// <summary>What carrying out a plan came to.</summary>
/// <param name="Images">The images.</param>
/// <param name="Looks">What its contexts looked like; null when that says too little.</param>
/// <param name="Explained">Why each step was in the cache or not, in the order of the plan.</param>
/// <param name="DidWork">Whether any step ran.</param>
/// <param name="ExportFailure">Why results could not be shared; null when they were, or need not be.</param>
internal sealed record ExecutedBuild(
    IReadOnlyList<BuiltImage> Images, IReadOnlyList<ContextLook>? Looks, IReadOnlyList<ExplainedStep> Explained, bool DidWork,
    SharedCacheException? ExportFailure);

/// <summary>Carries out the plan of a project, with its caches and its log.</summary>
internal static class BuildExecution
{
    public static async Task<ExecutedBuild> RunAsync(
        ProjectHost host, ProjectDefinition project, Plan plan, BuildOptions options, CancellationToken cancellationToken)
    {
        using var log = options.Caches.Directory is null ? new BuildLog(host.Places.Cache, plan, TimeProvider.System) : null;
        var observer = new BuildObserver(host.Progress.WatchBuild(log?.Id), log);
        try
        {
            using var caches = new SharedCaches(host, options);
            var builder = new Builder(await SettingsFor(host, project, options, caches, cancellationToken));
            var (images, looks) = await builder.BuildAsync(plan, observer, cancellationToken);
            return new ExecutedBuild(
                images, IsRemote(plan) ? null : looks, observer.ExplainedOf(plan), observer.DidWork, observer.ExportFailure);
        }
        finally
        {
            observer.Dispose();
            EndLog(host, log);
            // Also what ended before a failure.
            if (observer.ExplainedOf(plan) is { Count: > 0 } explained)
                host.Progress.Report(new ProjectEvent.Explained(explained));
        }
    }

    private static async Task<BuildSettings> SettingsFor(
        ProjectHost host, ProjectDefinition project, BuildOptions options, SharedCaches caches, CancellationToken token) => new()
        {
            Store = host.Store,
            CacheDirectory = options.Caches.Directory ?? host.Places.Cache,
            WorkDirectory = options.Caches.Directory is null ? host.Places.Work : null,
            NoCache = options.Caches.NoCache,
            CacheFrom = await caches.FromAsync(token),
            CacheTo = await caches.ToAsync(token),
            Annotations = options.Annotations.GroupBy(a => a.Key).ToDictionary(g => g.Key, g => g.Last().Value),
            Explain = options.Explain,
            Access = options.Access with { ExemptSecrets = [.. options.Access.ExemptSecrets.Union(project.ExemptSecrets)] },
            Source = options.Pins.Source,
        };

    private static void EndLog(ProjectHost host, BuildLog? log)
    {
        if (log is not { IsKept: true })
            return;
        log.Dispose();
        BuildLogs.Prune(host.Places.Cache);
    }

    // What others serve may change without anybody here knowing.
    private static bool IsRemote(Plan plan) =>
        plan.Stages.SelectMany(s => s.Steps).OfType<CopyStep>().SelectMany(s => s.Sources).Any(s => s.Remote is not null);
}
