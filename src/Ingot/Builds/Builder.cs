using Ingot.Plans;

namespace Ingot.Builds;

/// <summary>Carries plans out: runs what is not in the cache, several steps at a time, and puts images into the store. Needs root, runc and overlayfs.</summary>
/// <remarks>Whatever ends it, no half image is in the store and nothing runs on; what a killed builder left is taken away by the next one with the same work directory.</remarks>
public sealed class Builder
{
    private static readonly TimeSpan s_syncPatience = TimeSpan.FromSeconds(2);

    private readonly BuildSettings _settings;
    private readonly string _workDirectory;

    /// <summary>Makes the cache's directories when they are missing.</summary>
    public Builder(BuildSettings settings)
    {
        _settings = settings;
        string cache = Path.GetFullPath(settings.CacheDirectory);
        // Its own directory: everything in it that no living build holds is taken away.
        _workDirectory = Path.Combine(settings.WorkDirectory is null ? Path.Combine(cache, "work") : Path.GetFullPath(settings.WorkDirectory), "builds");
        if (settings.Epoch.Ticks % TimeSpan.TicksPerSecond != 0)
            throw new ArgumentException($"the epoch '{settings.Epoch:O}' is not a whole second", nameof(settings));
    }

    /// <summary>Builds the images of a plan, in its order. A failed command throws <see cref="BuildException"/>, a mistake in a person's files that only shows now
    /// <see cref="Diagnostics.InvalidInputException"/>, a missing program <see cref="Tools.ToolException"/>; other steps are then stopped.</summary>
    public async Task<IReadOnlyList<BuiltImage>> BuildAsync(Plan plan, IBuildProgress progress, CancellationToken cancellationToken = default)
    {
        string cache = Path.GetFullPath(_settings.CacheDirectory);
        await Workspace.SweepAsync(_workDirectory, cancellationToken).ConfigureAwait(false);
        var started = _settings.TimeProvider.GetUtcNow();
        var source = SourceRevisions.FindAsync(plan.Directory, cancellationToken);
        // Snapshots hold the programs of images, set-id bits and all.
        HostFiles.MakeDirectory(cache, 0b111_000_000);
        var steps = new StepCache(cache, _settings.TimeProvider);
        var workspace = new Workspace(_workDirectory);
        await using (workspace.ConfigureAwait(false))
        {
            var session = new BuildSession(_settings, new LayerCache(cache, _settings.Store), workspace, Path.Combine(cache, "logs"));
            using var build = new PlanExecution(plan, session, steps, progress, cancellationToken);
            var results = await build.RunAsync().ConfigureAwait(false);
            var images = new List<BuiltImage>();
            foreach (var image in plan.Images)
            {
                var writer = new ImageWriter(plan, session, results, started);
                var built = await writer.WriteAsync(image, images, await source.ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
                progress.Report(new BuildEvent.ImageFinished(image.Name, built.Digest, built.Manifest.Layers.Sum(l => l.Size)));
                images.Add(built);
            }

            if (build.HasExecuted)
                await SyncAsync(steps).ConfigureAwait(false);
            return images;
        }
    }

    // Without it a power failure costs the results of this build, and no more: a busy disk must not hold up the person.
    private async Task SyncAsync(StepCache steps)
    {
        try
        {
            await Task.Run(steps.Sync).WaitAsync(s_syncPatience, _settings.TimeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
        }
    }
}
