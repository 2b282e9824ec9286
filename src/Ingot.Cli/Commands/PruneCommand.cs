using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using Ingot.Builds.Cache;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Projects.Building;
using Ingot.Server.Registry;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot prune --cache</c> and <c>--registry</c>.</summary>
internal static class PruneCommand
{
    public static Command Create(Binder bind)
    {
        var cache = new Option<bool>("--cache")
        {
            Description = "The cache of builds: results of steps, layers and blobs that no image needs, downloads, cache mounts",
        };
        var registry = new Option<bool>("--registry")
        {
            Description =
                "What the registry of this home no longer needs: blobs that nothing refers to or builds with, unfinished uploads",
        };
        var keep = new Option<string>("--keep-storage")
        {
            Description = "Remove what was used longest ago until no more than this is left, such as 10GiB; "
                + $"${CacheKeeper.Variable} or 20GiB when no bound is given",
            HelpName = "SIZE",
        };
        var older = new Option<string>("--older-than")
        {
            Description = "Remove what has not been used for this long, such as 30d or 12h",
            HelpName = "DURATION",
        };
        var all = new Option<bool>("--all") { Description = "Remove everything that no running build uses" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only say what would be removed" };
        var command = new Command("prune", "Remove what is not worth keeping, and never what a running build or an image needs")
        {
            cache, registry, keep, older, all, dryRun,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var asked = new Asked(result.GetValue(cache), result.GetValue(registry), result.GetValue(keep), result.GetValue(older),
                result.GetValue(all), result.GetValue(dryRun));
            var report = await PruneAsync(context, asked, cancellationToken);
            if (!context.Terminal.TryJson(ReportOf(report, asked.DryRun), PruneJson.Default.PruneReport))
                Show(context, report, asked.DryRun);
            return ExitCode.Done;
        }));
        return command;
    }

    private static async Task<CachePruneReport> PruneAsync(CommandContext context, Asked asked, CancellationToken cancellationToken)
    {
        if (!asked.Cache && !asked.Registry)
            throw new InvalidInputException("prune", "say what to prune",
                "'ingot prune --cache' prunes the cache of builds, 'ingot prune --registry' what the registry no longer needs");

        var policy = Policy(asked.Keep, asked.Older, asked.All) with { DryRun = asked.DryRun };
        if (!asked.Registry)
            return await CacheKeeper.PruneAsync(context.Host, policy, cancellationToken);
        if (asked.Keep is not null && !asked.Cache)
            throw new InvalidInputException("prune", "'--keep-storage' bounds the cache, and only '--registry' was given",
                "add '--cache', or leave it out");

        var given = await RegistryAsync(context, policy, cancellationToken);
        return asked.Cache ? Join(given, await CacheKeeper.PruneAsync(context.Host, policy, cancellationToken)) : given;
    }

    // What nothing names is of no use, however much room there is.
    private static async Task<CachePruneReport> RegistryAsync(
        CommandContext context, CachePolicy policy, CancellationToken cancellationToken)
    {
        var blobs = new CachePolicy
        {
            BlobsOnly = true,
            All = policy.OlderThan is null,
            OlderThan = policy.OlderThan,
            DryRun = policy.DryRun,
        };
        var report = await CacheKeeper.PruneAsync(context.Host, blobs, cancellationToken);
        var (items, bytes) = AbandonedUploads.Remove(context.Home.Server.Uploads, TimeProvider.System, policy.DryRun);
        return items == 0
            ? report
            : report with
            {
                Kinds = [.. report.Kinds, new PrunedKind("uploads", items, bytes)],
                Items = report.Items + items,
                Bytes = report.Bytes + bytes,
            };
    }

    private static CachePruneReport Join(CachePruneReport first, CachePruneReport second) =>
        new([.. first.Kinds, .. second.Kinds], first.Items + second.Items, first.Bytes + second.Bytes, second.Kept, second.InUse);

    private static CachePolicy Policy(string? keep, string? older, bool all)
    {
        if (all && (keep is not null || older is not null))
            throw new InvalidInputException(
                "prune", "'--all' removes everything, and '--keep-storage' and '--older-than' keep something", "leave one out");

        long? bytes = keep is null
            ? null
            : CachePolicy.TryParseSize(keep)
                ?? throw new InvalidInputException("keep-storage", $"'{keep}' is not a size", "expected one such as 10GiB or 500M");
        TimeSpan? age = older is null
            ? null
            : CachePolicy.TryParseAge(older)
                ?? throw new InvalidInputException("older-than", $"'{older}' is not a duration", "expected one such as 30d, 12h or 90m");
        return new CachePolicy
        {
            All = all,
            OlderThan = age,
            MaxBytes = all || keep is not null || age is not null ? bytes : CacheKeeper.MaxBytes(),
        };
    }

    private static void Show(CommandContext context, CachePruneReport report, bool dryRun)
    {
        if (report.Kinds.Count > 0)
            context.Terminal.Table(["KIND", "ITEMS", "SIZE"],
                report.Kinds.Select(k => (string[])[k.Kind, k.Items.ToString(CultureInfo.InvariantCulture), BuildDisplay.Bytes(k.Bytes)]));
        string held = report.InUse == 0 ? "" : $", {BuildDisplay.Bytes(report.InUse)} of that because it is in use or too young";
        context.Terminal.Line($"{BuildDisplay.Bytes(report.Bytes)} {(dryRun ? "would be removed" : "removed")}, "
            + $"{BuildDisplay.Bytes(report.Kept)} {(dryRun ? "would stay" : "stay")}{held}");
    }

    private static PruneReport ReportOf(CachePruneReport report, bool dryRun) =>
        new(dryRun, report.Items, report.Bytes, report.Kept, report.InUse,
            [.. report.Kinds.Select(k => new PruneRow(k.Kind, k.Items, k.Bytes))]);
}

/// <summary>What somebody wants pruned.</summary>
internal sealed record Asked(bool Cache, bool Registry, string? Keep, string? Older, bool All, bool DryRun);

/// <summary>What <c>ingot prune --output json</c> prints; sizes are bytes on the disk.</summary>
internal sealed record PruneReport(bool DryRun, int Items, long Bytes, long Kept, long InUse, IReadOnlyList<PruneRow> Kinds);

internal sealed record PruneRow(string Kind, int Items, long Bytes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(PruneReport))]
internal sealed partial class PruneJson : JsonSerializerContext;
