using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot prune --cache</c>.</summary>
internal static class PruneCommand
{
    public static Command Create(Binder bind)
    {
        var cache = new Option<bool>("--cache") { Description = "The cache of builds: results of steps, layers and blobs that no image needs, downloads, cache mounts" };
        var keep = new Option<string>("--keep-storage") { Description = $"Remove what was used longest ago until no more than this is left, such as 10GiB; ${CacheKeeper.Variable} or 20GiB when no bound is given", HelpName = "SIZE" };
        var older = new Option<string>("--older-than") { Description = "Remove what was not used for this long, such as 30d or 12h", HelpName = "DURATION" };
        var all = new Option<bool>("--all") { Description = "Remove everything that no running build uses" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only say what would be removed" };
        var command = new Command("prune", "Remove what is not worth keeping, and never what a running build or an image needs") { cache, keep, older, all, dryRun };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            if (!result.GetValue(cache))
                throw new InvalidInputException("prune", "it is not said what to prune", "'ingot prune --cache' prunes the cache of builds");

            var policy = Policy(result.GetValue(keep), result.GetValue(older), result.GetValue(all)) with { DryRun = result.GetValue(dryRun) };
            var report = await CacheKeeper.PruneAsync(context, policy, cancellationToken);
            if (!context.Terminal.TryJson(ReportOf(report, policy.DryRun), PruneJson.Default.PruneReport))
                Show(context, report, policy.DryRun);
            return ExitCode.Done;
        }));
        return command;
    }

    private static CachePolicy Policy(string? keep, string? older, bool all)
    {
        if (all && (keep is not null || older is not null))
            throw new InvalidInputException("prune", "'--all' removes everything, and '--keep-storage' and '--older-than' keep something", "leave one out");

        long? bytes = keep is null ? null : CachePolicy.TryParseSize(keep) ?? throw new InvalidInputException("keep-storage", $"'{keep}' is not a size", "expected one such as 10GiB or 500M");
        TimeSpan? age = older is null ? null : CachePolicy.TryParseAge(older) ?? throw new InvalidInputException("older-than", $"'{older}' is not a duration", "expected one such as 30d, 12h or 90m");
        return new CachePolicy { All = all, OlderThan = age, MaxBytes = all || keep is not null || age is not null ? bytes : CacheKeeper.MaxBytes() };
    }

    private static void Show(CommandContext context, CachePruneReport report, bool dryRun)
    {
        if (report.Kinds.Count > 0)
            context.Terminal.Table(["KIND", "ITEMS", "SIZE"], report.Kinds.Select(k => (string[])[k.Kind, k.Items.ToString(CultureInfo.InvariantCulture), BuildDisplay.Bytes(k.Bytes)]));
        string held = report.InUse == 0 ? "" : $", {BuildDisplay.Bytes(report.InUse)} of that because it is in use or too young";
        context.Terminal.Line($"{BuildDisplay.Bytes(report.Bytes)} {(dryRun ? "would be removed" : "removed")}, {BuildDisplay.Bytes(report.Kept)} {(dryRun ? "would stay" : "stay")}{held}");
    }

    private static PruneReport ReportOf(CachePruneReport report, bool dryRun) =>
        new(dryRun, report.Items, report.Bytes, report.Kept, report.InUse, [.. report.Kinds.Select(k => new PruneRow(k.Kind, k.Items, k.Bytes))]);
}

/// <summary>What <c>ingot prune --output json</c> prints; sizes are bytes on the disk.</summary>
internal sealed record PruneReport(bool DryRun, int Items, long Bytes, long Kept, long InUse, IReadOnlyList<PruneRow> Kinds);

internal sealed record PruneRow(string Kind, int Items, long Bytes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(PruneReport))]
internal sealed partial class PruneJson : JsonSerializerContext;
