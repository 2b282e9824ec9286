using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Projects.Building;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot logs build [IMAGE|ID]</c>.</summary>
internal static class BuildLogsCommand
{
    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE")
        {
            Description = "An image of a build, or the id of a build; the newest build when left out",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var list = new Option<bool>("--list") { Description = "List the builds whose logs are kept" };
        var command = new Command("build",
            $"What the steps of a build wrote, for the newest {BuildLogs.MaxLogs} builds that ran a step") { name, list };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            if (result.GetValue(list))
                ShowList(context);
            else
                Show(context.Terminal, await FindAsync(context, result.GetValue(name), cancellationToken));
            return ExitCode.Done;
        }));
        return command;
    }

    private static async Task<LoggedBuild> FindAsync(CommandContext context, string? text, CancellationToken cancellationToken)
    {
        string cache = context.Home.Cache;
        var ids = BuildLogs.Ids(cache);
        if (ids.Count == 0)
            throw new InvalidInputException("no-log", "no build has left a log yet", "'ingot build' keeps one whenever a step runs");
        if (text is null)
            return BuildLogs.Find(cache, _ => true) ?? throw Missing("the newest build", ids);
        if (ids.Where(id => id.StartsWith(text, StringComparison.Ordinal)).ToList() is [var only])
            return BuildLogs.TryRead(cache, only) ?? throw Missing(text, ids);

        var digests = await DigestsAsync(context, text, cancellationToken);
        // A build that failed has no digest, only the name that it was to make.
        return BuildLogs.Find(cache, b => b.Images.Any(i => digests.Contains(i.Digest))
            || (b.Images.Count == 0 && IsNameOf(context, b, text))) ?? throw Missing(text, ids);
    }

    /// <summary>Whether a text names an image that a build was to make, as it is meant where the command is given.</summary>
    internal static bool IsNameOf(CommandContext context, LoggedBuild build, string text) =>
        build.Targets.Any(t => text == $"{build.Project}/{t}"
            || (text == t && (build.Directory == context.Directory || build.Directory == context.ProjectDirectory || build.Project == t)));

    private static async Task<IReadOnlyList<Digest>> DigestsAsync(CommandContext context, string text, CancellationToken cancellationToken)
    {
        if (await context.LocalImages.TryFindAsync(text, cancellationToken) is not { } found)
            return [];

        byte[]? bytes = await new DirectoryStore(context.Home.Content).ReadAsync(found.Descriptor.Digest, cancellationToken);
        return bytes is not null && MediaType.IsIndex(found.Descriptor.MediaType)
            ? [found.Descriptor.Digest, .. ImageJson.ReadIndex(bytes).Manifests.Select(m => m.Digest)]
            : [found.Descriptor.Digest];
    }

    private static InvalidInputException Missing(string text, IEnumerable<string> ids) =>
        new("no-log", $"there is no log of a build of '{text}'",
            Suggestion.For(text, ids) ?? "'ingot logs build --list' lists those that are kept");

    private static void ShowList(CommandContext context)
    {
        string cache = context.Home.Cache;
        var builds = BuildLogs.Ids(cache).Select(id => BuildLogs.TryRead(cache, id)).OfType<LoggedBuild>().ToList();
        if (context.Terminal.TryJson(new BuildLogList([.. builds.Select(b => Row(b, withSteps: false))]),
            BuildLogReportJson.Default.BuildLogList))
            return;
        context.Terminal.Table(["ID", "STARTED", "IMAGES", "OUTCOME"],
            builds.Select(b => (string[])[b.Id, Time(b.Started), string.Join(", ", b.Targets.Select(t => $"{b.Project}/{t}")),
                Outcome(b)]));
    }

    private static void Show(Terminal terminal, LoggedBuild build)
    {
        if (terminal.TryJson(Row(build, withSteps: true), BuildLogReportJson.Default.BuildLogReport))
            return;

        terminal.Line(terminal.Strong(
            $"{build.Id} of {string.Join(", ", build.Targets)} in {build.Directory}, {Time(build.Started)}: {Outcome(build)}"));
        foreach (var step in build.Steps)
        {
            string seconds = step.Seconds is { } s ? string.Create(CultureInfo.InvariantCulture, $" after {s:0.0} s") : "";
            terminal.Line($"[{step.Step}] {step.Instruction}: {step.Outcome}{seconds}");
            foreach (string line in step.Output.SelectMany(OutputText.Lines))
                terminal.Line($"[{step.Step}] {line}");
        }

        if (build.IsCut)
            terminal.Line("the rest of the output was not kept");
        foreach (var image in build.Images)
            terminal.Line($"{image.Name} is {image.Digest}");
    }

    private static string Outcome(LoggedBuild build) =>
        build.Steps.Any(s => s.Outcome == "failed") ? "failed" : build.Images.Count > 0 ? "done" : "stopped";

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static BuildLogReport Row(LoggedBuild build, bool withSteps) =>
        new(build.Id, build.Project, build.Directory, build.Started, Outcome(build), build.Targets, build.Images,
            withSteps ? build.Steps : null, build.IsCut);
}

/// <summary>What <c>ingot logs build --list --output json</c> prints.</summary>
internal sealed record BuildLogList(IReadOnlyList<BuildLogReport> Builds);

/// <summary>What <c>ingot logs build --output json</c> prints; steps are null in a list.</summary>
internal sealed record BuildLogReport(
    string Id, string Project, string Directory, DateTimeOffset Started, string Outcome, IReadOnlyList<string> Targets,
    IReadOnlyList<LoggedImage> Images, IReadOnlyList<LoggedStep>? Steps, bool IsCut);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BuildLogList))]
[JsonSerializable(typeof(BuildLogReport))]
internal sealed partial class BuildLogReportJson : JsonSerializerContext;
