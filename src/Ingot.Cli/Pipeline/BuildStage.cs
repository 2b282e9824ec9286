using System.Diagnostics;
using Ingot.Builds;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Builds.Running;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Plans and builds the images of a project, and names them in the local store.</summary>
internal sealed class BuildStage(CommandContext context, BuildOptions options)
{
    private IReadOnlyList<string> _warnings = [];
    private readonly Dictionary<string, BuildRecipe> _recipes = new(StringComparer.Ordinal);
    private IReadOnlyList<ContextLook>? _looks;

    /// <summary>Looks at the plan before anything is done, and throws when it should not be; null when nobody does.</summary>
    public Func<Plan, CancellationToken, Task>? Consider { get; init; }

    /// <summary>Whether any step ran.</summary>
    public bool DidWork { get; private set; }

    /// <summary>What the images were built with just now, by name: the record that is kept of a digest may be of another project, or of an earlier commit.</summary>
    public IReadOnlyDictionary<string, BuildRecipe> Recipes => _recipes;

    /// <summary>How long it took, planning included.</summary>
    public TimeSpan Elapsed { get; private set; }

    /// <summary>Why each step was in the cache or not, when that was asked for; what ended before a failure, when there was one.</summary>
    public IReadOnlyList<(StepLabel Step, StepExplanation Explanation)> Explained { get; private set; } = [];

    /// <summary>Remembers the build that was just done, if it can be known to be the same another time.</summary>
    /// <param name="project">The project.</param>
    /// <param name="images">What was built.</param>
    /// <param name="asked">Files whose presence decided what was meant.</param>
    /// <param name="began">What <see cref="RememberedBuild.Now"/> said before any of it was read.</param>
    public void Remember(ProjectDefinition project, IReadOnlyList<BuiltImage> images, IReadOnlyList<string> asked, long began)
    {
        // Whoever asks for details is to see what is done, and not what was said before.
        if (!context.Terminal.IsVerbose && UnchangedBuild.CanRemember(project, options))
        {
            string[] said = [.. _warnings, .. images.Select(i => Said(i, i.Record.Steps))];
            UnchangedBuild.Remember(context, project, images, _looks, context.Terminal.IsQuiet ? [.. images.Select(Named)] : said, asked, began);
        }
    }

    public async Task<IReadOnlyList<BuiltImage>> RunAsync(ProjectDefinition project, string directory, CancellationToken cancellationToken, params IReadOnlyList<string> targets)
    {
        var clock = Stopwatch.StartNew();
        var layout = new OciLayout(context.Home.Content);
        var diagnostics = new DiagnosticBag();
        project = options.Over(project);
        var locks = ImageLock.Load(directory);
        var bootstraps = new BootstrapLocks(locks, options);
        using var bases = new BaseImages(context, layout, directory, locks, options.Bases) { Typed = [.. options.Contexts.Values] };
        var plan = await Planner.PlanAsync(project, new PlanSettings
        {
            Directory = directory,
            Targets = targets,
            Arguments = options.Arguments,
            Labels = options.Labels,
            Contexts = options.Contexts,
            Platform = options.Platform,
            Run = options.Run,
            FreshStages = options.FreshStages,
            StandardInput = project.Images.OfType<DockerfileImage>().Any(i => i.Dockerfile == PlanSettings.StandardInputName) ? await Console.In.ReadToEndAsync(cancellationToken) : "",
            NameOf = ProjectFiles.Name,
            Runs = Emulators.Runs,
            FindImage = (name, platform, token) => options.Pinned.TryGetValue(name, out var pinned) ? bases.FindPinnedAsync(name, pinned, platform, token) : bases.FindAsync(name, platform, token),
        }, diagnostics, cancellationToken);
        diagnostics.ThrowIfErrors();
        if (Consider is not null)
            await Consider(plan!, cancellationToken);
        plan = bootstraps.Settle(plan!);
        if (options.Names)
            await bases.SaveAsync(bootstraps.IsUpdated, cancellationToken);
        _warnings = [.. diagnostics.Select(warning => $"build    {warning}")];
        foreach (string warning in _warnings)
            context.Terminal.Progress(warning);

        plan = await ImageEpochs.SettleAsync(plan, project, options, cancellationToken);
        using var log = options.Cache is null ? new BuildLog(context.Home.Cache, plan, TimeProvider.System) : null;
        var display = new BuildDisplay(context.Terminal, options.Progress, log);
        using var caches = new SharedCaches(context, options);
        var builder = new Builder(new BuildSettings
        {
            Store = layout.Store,
            CacheDirectory = options.Cache ?? context.Home.Cache,
            WorkDirectory = options.Cache is null ? context.Home.Work : null,
            NoCache = options.NoCache,
            Annotations = options.Annotations.GroupBy(a => a.Key).ToDictionary(g => g.Key, g => g.Last().Value),
            Explain = options.Explain,
            CacheFrom = await caches.FromAsync(cancellationToken),
            CacheTo = await caches.ToAsync(cancellationToken),
            Secrets = options.Secrets,
            ExemptSecrets = [.. options.ExemptSecrets.Union(project.ExemptSecrets)],
            Source = options.PinnedSource,
            SshAgents = options.SshAgents,
            AllowInsecure = options.AllowInsecure,
            AllowHostNetwork = options.AllowHostNetwork,
        });
        IReadOnlyList<BuiltImage> images;
        try
        {
            (images, var looks) = await builder.BuildAsync(plan, display, cancellationToken);
            _looks = IsRemote(plan) ? null : looks;
        }
        finally
        {
            display.Dispose();
            EndLog(log);
            var stages = plan.Stages.Select(s => s.Name).ToList();
            Explained = [.. display.Explained.OrderBy(e => stages.IndexOf(e.Step.Stage)).ThenBy(e => e.Step.Number)];
            ShowExplained();
        }

        if (options.Names)
            await bootstraps.SaveAsync(plan, images, context.Home, context.Terminal, cancellationToken);
        foreach (var image in options.Names ? images : [])
        {
            if (!options.IsPart)
                await new BuiltNames(context, layout, project, options).SetAsync(image, cancellationToken);
            _recipes[image.Name] = BuildRecipe.Of(project, plan, image, options, directory);
            await _recipes[image.Name].SaveAsync(context.Home, image.Digest, cancellationToken);
        }

        // Of several parts the names come last, and what no name needs may be pruned.
        if (options.Cache is null && display.DidWork && !options.IsPart)
            await CacheKeeper.AfterBuildAsync(context, cancellationToken);
        if (display.ExportFailure is { } failure)
            throw failure;
        DidWork = display.DidWork;
        Elapsed = clock.Elapsed;
        foreach (var image in images)
            context.Terminal.Progress(Said(image, image.Record.CachedSteps));
        return images;
    }

    private void EndLog(BuildLog? log)
    {
        if (log is not { IsKept: true })
            return;
        log.Dispose();
        BuildLogs.Prune(context.Home.Cache);
    }

    /// <summary>What the quiet are told of an image.</summary>
    public static string Named(BuiltImage image) => $"{image.Name} {image.Digest}";

    private static string Said(BuiltImage image, int cached) => $"build    {image.Name} is {image.Digest} ({cached} of {image.Record.Steps} steps from the cache)";

    // What others serve may change without anybody here knowing.
    private static bool IsRemote(Plan plan) => plan.Stages.SelectMany(s => s.Steps).OfType<CopyStep>().SelectMany(s => s.Sources).Any(s => s.Remote is not null);

    private void ShowExplained()
    {
        if (context.Terminal.Json)
            return;
        foreach (var line in Explained.SelectMany(e => ExplanationText.Of(e.Step, e.Explanation)))
            context.Terminal.Line(line);
    }
}
