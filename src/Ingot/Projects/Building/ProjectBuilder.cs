using System.Diagnostics;
using Ingot.Builds;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Projects.Recipes;
using Ingot.Templates.Project;

namespace Ingot.Projects.Building;

/// <summary>Builds the images of projects: finds what they start from, plans, runs what is not in the cache, names the images in the local
/// store, and keeps how they were built.</summary>
/// <remarks>What goes wrong is as <see cref="Builds.Running.Builder"/> says.</remarks>
public sealed class ProjectBuilder(ProjectHost host)
{
    private readonly OciLayout _layout = new(host.Places.Content);

    /// <summary>Looks at the plan before anything is done, and throws when it should not be; null when nobody does.</summary>
    public Func<Plan, CancellationToken, Task>? Consider { get; init; }

    /// <summary>Builds the project in <paramref name="directory"/>.</summary>
    public async Task<ProjectBuildResult> BuildAsync(
        ProjectDefinition project, string directory, BuildOptions options, CancellationToken cancellationToken)
    {
        project = options.Over(project);
        // Once, whatever it is built for.
        string input = project.Images.Any(i => host.FrontEnds.Of(i).ReadsStandardInput)
            ? await host.ReadStandardInput(cancellationToken)
            : "";
        bool isWhole = options.Platforms.Count == 1;
        var builds = new List<PlatformBuild>();
        foreach (var platform in options.Platforms)
        {
            var one = options with { Plan = options.Plan with { Platform = platform } };
            builds.Add(await BuildAsync(project, directory, one, input, isWhole, cancellationToken));
        }

        if (isWhole)
            return new ProjectBuildResult(builds, [.. builds[0].Images.Select(i => Whole(project, i, options))]);

        var names = new BuiltNames(host, _layout, project, directory, options);
        var indexes = new ImageIndexes(host, _layout, names, options);
        var images = await indexes.JoinAsync([.. builds.SelectMany(b => b.Images)], cancellationToken);
        if (options.Caches.Directory is null && builds.Exists(b => b.DidWork))
            await CacheKeeper.AfterBuildAsync(host, cancellationToken);
        return new ProjectBuildResult(builds, images);
    }

    // What is a part of something gets no names: that gets them.
    private async Task<PlatformBuild> BuildAsync(
        ProjectDefinition project, string directory, BuildOptions options, string input, bool isWhole, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var planned = await new BuildPlanning(host, _layout, project, options).PlanAsync(directory, input, Consider, cancellationToken);
        var executed = await BuildExecution.RunAsync(host, project, planned.Plan, options, cancellationToken);
        var recipes = options.Names ? await KeepAsync(project, planned, executed.Images, options, isWhole, cancellationToken) : [];
        // Of several parts the names come last, and what no name needs may be pruned.
        if (options.Caches.Directory is null && executed.DidWork && isWhole)
            await CacheKeeper.AfterBuildAsync(host, cancellationToken);
        if (executed.ExportFailure is { } failure)
            throw failure;

        var elapsed = clock.Elapsed;
        foreach (var image in executed.Images)
            host.Say("build", PlatformBuild.Sentence(image, image.Record.CachedSteps));
        return new PlatformBuild
        {
            Images = executed.Images,
            Recipes = recipes,
            Warnings = planned.Warnings,
            Looks = executed.Looks,
            Explained = executed.Explained,
            DidWork = executed.DidWork,
            Elapsed = elapsed,
        };
    }

    private async Task<Dictionary<string, BuildRecipe>> KeepAsync(
        ProjectDefinition project, PlannedBuild planned, IReadOnlyList<BuiltImage> images, BuildOptions options, bool isWhole,
        CancellationToken cancellationToken)
    {
        var recipes = new Dictionary<string, BuildRecipe>(StringComparer.Ordinal);
        await planned.Bootstraps.SaveAsync(planned.Plan, images, cancellationToken);
        foreach (var image in images)
        {
            if (isWhole)
                await new BuiltNames(host, _layout, project, planned.Plan.Directory, options).SetAsync(image, cancellationToken);
            var recipe = recipes[image.Name] = BuildRecipe.Of(host, project, planned.Plan, image, options);
            await recipe.SaveAsync(host.Places, image.Digest, cancellationToken);
        }

        return recipes;
    }

    private static ProjectImage Whole(ProjectDefinition project, BuiltImage image, BuildOptions options) =>
        new(image.Name, BuiltNames.Of(project, image.Name, options), ProjectImage.DescriptorOf(image), [image]);
}
