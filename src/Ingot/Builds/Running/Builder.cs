using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Builds.Remote;
using Ingot.Builds.Secrets;
using Ingot.Builds.Steps;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>What a build came to.</summary>
/// <param name="Images">The images of its plan, in the plan's order.</param>
/// <param name="Looks">What the contexts looked like before any of their files was read; null when that says too little.</param>
public sealed record FinishedBuild(IReadOnlyList<BuiltImage> Images, IReadOnlyList<ContextLook>? Looks);

/// <summary>Carries plans out: runs what is not in the cache, several steps at a time, and puts images into the store. Needs root,
/// runc and overlayfs.</summary>
/// <remarks>However it ends, the store holds no partial image and no process is left; what a killed builder left is removed by the next one
/// with the same work directory.</remarks>
public sealed class Builder
{
    private const int PrivateMode = 0b111_000_000;

    private static readonly TimeSpan s_syncPatience = TimeSpan.FromSeconds(2);
    private static readonly string[] s_parts =
        ["snapshots", "archives", "layers", "steps", "last", "selections", "stamps", "downloads", "copied", "unchanged"];

    private readonly BuildSettings _settings;
    private readonly string _workDirectory;

    /// <summary>Makes the cache's directories when they are missing.</summary>
    public Builder(BuildSettings settings)
    {
        _settings = settings;
        string cache = Path.GetFullPath(settings.CacheDirectory);
        // Its own directory: everything in it that no living build holds is taken away.
        _workDirectory = Path.Combine(
            settings.WorkDirectory is null ? Path.Combine(cache, "work") : Path.GetFullPath(settings.WorkDirectory), "builds");
        if (settings.Epoch.Ticks % TimeSpan.TicksPerSecond != 0)
            throw new ArgumentException($"the epoch '{settings.Epoch:O}' is not a whole second", nameof(settings));
    }

    /// <summary>How steps are made.</summary>
    internal StepKinds Kinds { get; init; } = StepKinds.Standard;

    /// <summary>What can be made of stages.</summary>
    internal OutputKinds Outputs { get; init; } = OutputKinds.Standard;

    /// <summary>Builds the images of a plan, in its order. A failed command throws <see cref="BuildException"/>, a mistake in a person's
    /// files that only shows now <see cref="Diagnostics.InvalidInputException"/>, a missing program <see cref="Tools.ToolException"/>, a
    /// secret that would have got into an image <see cref="SecretLeakException"/>; other steps are then stopped.</summary>
    public async Task<FinishedBuild> BuildAsync(Plan plan, IBuildProgress progress, CancellationToken cancellationToken = default)
    {
        await Workspace.SweepAsync(_workDirectory, cancellationToken);
        var guard = new SecretGuard(_settings.Access.Secrets.Where(s => !_settings.Access.ExemptSecrets.Contains(s.Key)).ToDictionary());
        guard.Check(plan);
        var started = _settings.TimeProvider.GetUtcNow();
        var source = _settings.Source is { } known ? Task.FromResult<SourceRevision?>(known)
            : SourceRevisions.FindAsync(plan.Directory, warning => progress.Report(new BuildEvent.Warning(warning)), cancellationToken);
        string cache = Path.GetFullPath(_settings.CacheDirectory);
        // Snapshots hold the programs of images, set-id bits and all.
        HostFiles.MakeDirectory(cache, PrivateMode);
        using var use = await CacheUse.BeginAsync(cache, _settings.TimeProvider, cancellationToken);
        var durability = new CacheDurability(cache);
        await durability.RecoverAsync(s_parts, _settings.TimeProvider, cancellationToken);
        StepCache.SweepLocks(cache);
        var workspace = new Workspace(_workDirectory);
        await using (workspace)
        {
            using var client = _settings.Http is null ? Downloads.NewClient() : null;
            using var slots = new StepSlots(_settings.Commands, _settings.Parallelism);
            var layers = new LayerCache(cache, _settings.Store) { Use = use };
            var session = new BuildSession(_settings, layers, workspace, Path.Combine(cache, "logs"))
            {
                Guard = guard,
                Slots = slots,
                Downloads = new Downloads(_settings.Http ?? client!, layers.Local, cache, _settings.TimeProvider, _settings.Access.Secrets)
                {
                    Use = use,
                },
                Repositories = new GitTrees(GitAccess.Of(_settings)),
                Copied = new CopiedFiles(cache),
                Use = use,
            };
            return await BuildAsync(new BegunBuild(plan, session, durability, source, started, progress), cancellationToken);
        }
    }

    private sealed record BegunBuild(
        Plan Plan, BuildSession Session, CacheDurability Durability,
        Task<SourceRevision?> Source, DateTimeOffset Started, IBuildProgress Progress);

    // A shared cache that turns out not to hold what it says is left out, and all is looked at again: what was made stays.
    private async Task<FinishedBuild> BuildAsync(BegunBuild begun, CancellationToken cancellationToken)
    {
        var (plan, session, progress) = (begun.Plan, begun.Session, begun.Progress);
        // What nobody can write need not be built first.
        foreach (var image in plan.Images)
            _ = Outputs.Of(image);
        var places = _settings.NoCache ? [] : _settings.CacheFrom.ToList();
        while (true)
        {
            var imported = places.Count == 0 ? null : await CacheImport.ReadAsync(places, progress, cancellationToken);
            string cache = Path.GetFullPath(_settings.CacheDirectory);
            var current = imported is null
                ? session
                : session with
                {
                    Imported = imported,
                    Layers = new LayerCache(cache, _settings.Store) { Use = session.Use, Imported = imported },
                };
            var steps = new StepCache(cache) { Imported = imported };
            using var build = new PlanExecution(plan, current, steps, Kinds, progress, cancellationToken);
            try
            {
                var results = await build.RunAsync();
                var stages = new FinishedStages(plan, current, results, await begun.Source, begun.Started);
                var images = await WriteAsync(stages, progress, cancellationToken);
                build.Adopt();
                await ExportAsync(build, current, steps, progress, cancellationToken);
                if (build.HasExecuted)
                {
                    CacheSize.Add(cache, build.AddedBytes);
                    Workspace.SweepControlGroups(_settings.TimeProvider.GetUtcNow());
                    await SyncAsync(begun.Durability);
                }

                return new FinishedBuild(images, build.Looks);
            }
            catch (SharedCacheException e) when (places.Remove(e.Place))
            {
                progress.Report(new BuildEvent.CacheNote($"{e.Message}; the build goes on without that cache", IsWarning: true));
            }
        }
    }

    private async Task ExportAsync(
        PlanExecution build, BuildSession session, StepCache steps, IBuildProgress progress, CancellationToken cancellationToken)
    {
        if (_settings.CacheTo.Count == 0)
            return;

        var export = new CacheExport(session, build.Used, steps.AskedSelections, await build.CacheMountsAsync());
        foreach (var target in _settings.CacheTo)
            progress.Report(await export.RunAsync(target, cancellationToken));
    }

    private async Task<IReadOnlyList<BuiltImage>> WriteAsync(
        FinishedStages stages, IBuildProgress progress, CancellationToken cancellationToken)
    {
        var images = new List<BuiltImage>();
        foreach (var image in stages.Plan.Images)
        {
            var built = await Outputs.Of(image).WriteAsync(new OutputRequest(image, stages, images), cancellationToken);
            progress.Report(new BuildEvent.ImageFinished(image.Name, built.Digest, built.Manifest.Layers.Sum(l => l.Size)));
            images.Add(built);
        }

        return images;
    }

    // Without it a power failure costs the results of this build, and no more: a busy disk must not hold up the person.
    private async Task SyncAsync(CacheDurability durability)
    {
        try
        {
            await Task.Run(durability.Sync).WaitAsync(s_syncPatience, _settings.TimeProvider);
        }
        catch (TimeoutException)
        {
        }
    }
}
