using Ingot.Builds.Cache;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Server.Ledger;

namespace Ingot.Cli.Pipeline;

/// <summary>Keeps this host's cache within its bounds: knows what images need, and prunes the rest.</summary>
internal static class CacheKeeper
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
        return text == "none" ? null : CachePolicy.TryParseSize(text) ?? throw new InvalidInputException("cache-max", $"{Variable} is '{text}'", "expected a size such as 20GiB, or none");
    }

    /// <summary>Prunes, and takes away the recipes of images that are gone.</summary>
    public static async Task<CachePruneReport> PruneAsync(CommandContext context, CachePolicy policy, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(context.Home.Content);
        var pruning = new CachePruning(context.Home.Cache, layout.Store, async token => await LiveAsync(context, layout, token));
        var report = await pruning.RunAsync(policy, cancellationToken);
        if (!policy.DryRun)
            await RemoveRecipesAsync(context, layout.Store, cancellationToken);
        return report;
    }

    /// <summary>After a build that added something: prunes when the cache is larger than it may be, which is known without looking at all of it, or was not measured for a day.</summary>
    public static async Task AfterBuildAsync(CommandContext context, CancellationToken cancellationToken)
    {
        if (MaxBytes() is not { } max)
            return;
        bool isDue = TimeProvider.System.GetUtcNow() - CacheSize.Measured(context.Home.Cache) > s_between;
        if (CacheSize.Estimate(context.Home.Cache) <= max && !isDue)
            return;

        try
        {
            // Somewhat below, so that the next build need not do it again.
            var report = await PruneAsync(context, new CachePolicy { MaxBytes = max - (max / 10) }, cancellationToken);
            if (report.Bytes > 0)
                context.Terminal.Progress($"cache    {BuildDisplay.Bytes(report.Bytes)} of what was used longest ago were removed, {BuildDisplay.Bytes(report.Kept)} stay ({Variable} is {BuildDisplay.Bytes(max)})");
        }
        catch (Exception e) when (e is IOException or IngotException)
        {
            // The image is built all the same.
            context.Terminal.Progress($"cache    could not be pruned: {IngotException.ReasonOf(e)}");
        }
    }

    // By names of the local store, and by whatever the server of this home speaks of: what runs, what may be promoted, evidence.
    private static async Task<IReadOnlySet<Digest>?> LiveAsync(CommandContext context, OciLayout layout, CancellationToken cancellationToken)
    {
        var index = await layout.ReadIndexAsync(cancellationToken);
        var roots = index.Manifests.Select(m => m.Digest).Concat(LedgerRoots.Read(context.Home.Server));
        return await LayoutReach.OfAsync(layout.Store, roots, cancellationToken);
    }

    private static async Task RemoveRecipesAsync(CommandContext context, DirectoryStore store, CancellationToken cancellationToken)
    {
        var young = TimeProvider.System.GetUtcNow() - s_recipeGrace;
        foreach (var file in Directory.Exists(context.Home.Recipes) ? Directory.EnumerateFiles(context.Home.Recipes, "*.json") : [])
        {
            bool isGone = Digest.TryParse("sha256:" + Path.GetFileNameWithoutExtension(file), out var image) && await store.SizeAsync(image, cancellationToken) is null;
            if (isGone && File.GetLastWriteTimeUtc(file) < young.UtcDateTime)
                File.Delete(file);
        }
    }
}
