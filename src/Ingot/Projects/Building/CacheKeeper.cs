using Ingot.Builds.Cache;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;

namespace Ingot.Projects.Building;

/// <summary>Keeps this host's cache within its bounds: knows what images need, and prunes the rest.</summary>
public static class CacheKeeper
{
    /// <summary>The variable with the bound of the cache; <c>none</c> for no bound.</summary>
    public const string Variable = "INGOT_CACHE_MAX";

    private static readonly TimeSpan s_recipeGrace = TimeSpan.FromDays(1);
    private static readonly TimeSpan s_between = TimeSpan.FromDays(1);

    /// <summary>What the cache may take; null for no bound. A variable that is no size throws.</summary>
    public static long? MaxBytes()
    {
        string? text = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(text))
            return CachePolicy.DefaultMaxBytes;
        if (text == "none")
            return null;
        return CachePolicy.TryParseSize(text)
            ?? throw new InvalidInputException("cache-max", $"{Variable} is '{text}'", "expected a size such as 20GiB, or none");
    }

    /// <summary>Prunes, and takes away the recipes of images that are gone.</summary>
    public static async Task<CachePruneReport> PruneAsync(ProjectHost host, CachePolicy policy, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(host.Places.Content);
        var pruning = new CachePruning(host.Places.Cache, layout.Store, async token => await LiveAsync(host, layout, token));
        var report = await pruning.RunAsync(policy, cancellationToken);
        if (!policy.DryRun)
            await RemoveRecipesAsync(host, layout.Store, cancellationToken);
        return report;
    }

    /// <summary>After a build that added something: prunes when the cache is larger than it may be, which is known without looking at all
    /// of it, or was not measured for a day.</summary>
    public static async Task AfterBuildAsync(ProjectHost host, CancellationToken cancellationToken)
    {
        if (MaxBytes() is not { } max)
            return;
        bool isDue = TimeProvider.System.GetUtcNow() - CacheSize.Measured(host.Places.Cache) > s_between;
        if (CacheSize.Estimate(host.Places.Cache) <= max && !isDue)
            return;

        try
        {
            // Somewhat below, so that the next build need not do it again.
            var report = await PruneAsync(host, new CachePolicy { MaxBytes = max - (max / 10) }, cancellationToken);
            if (report.Bytes > 0)
                host.Progress.Report(new ProjectEvent.CachePruned(report.Bytes, report.Kept, max));
        }
        catch (Exception e) when (e is IOException or IngotException)
        {
            // The image is built all the same.
            host.Say("cache", $"could not be pruned: {IngotException.ReasonOf(e)}");
        }
    }

    // By names of the local store, and by whatever else is known to need it: what runs, what may be promoted, evidence.
    private static async Task<IReadOnlySet<Digest>?> LiveAsync(ProjectHost host, OciLayout layout, CancellationToken cancellationToken)
    {
        var index = await layout.ReadIndexAsync(cancellationToken);
        var roots = index.Manifests.Select(m => m.Digest).Concat(host.Surroundings.Needed());
        return await LayoutReach.OfAsync(layout.Store, roots, cancellationToken);
    }

    private static async Task RemoveRecipesAsync(ProjectHost host, DirectoryStore store, CancellationToken cancellationToken)
    {
        var young = TimeProvider.System.GetUtcNow() - s_recipeGrace;
        foreach (var file in Directory.Exists(host.Places.Recipes) ? Directory.EnumerateFiles(host.Places.Recipes, "*.json") : [])
        {
            bool isGone = Digest.TryParse("sha256:" + Path.GetFileNameWithoutExtension(file), out var image)
                && await store.SizeAsync(image, cancellationToken) is null;
            if (isGone && File.GetLastWriteTimeUtc(file) < young.UtcDateTime)
                File.Delete(file);
        }
    }
}
