using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Cli.Commands;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Which epoch each image of a plan has: what a recipe pins, else the command line's or the environment's, else the image's own, else the project's, else the default.</summary>
internal static class ImageEpochs
{
    /// <summary>The plan with the epoch of every stage; those from commits are looked up, once an image.</summary>
    public static async Task<Plan> SettleAsync(Plan plan, ProjectDefinition project, BuildOptions options, CancellationToken cancellationToken)
    {
        var epochs = new Dictionary<string, DateTimeOffset>();
        foreach (string name in plan.Stages.Select(ImageOf).Distinct())
            epochs[name] = await OfAsync(plan, project, name, options, cancellationToken);
        return plan with { Stages = [.. plan.Stages.Select(s => s with { Epoch = epochs[ImageOf(s)] })] };
    }

    /// <summary>The epochs of a plan's images in seconds since 1970, by name.</summary>
    public static IReadOnlyDictionary<string, long> Of(Plan plan) => plan.Stages
        .Where(s => s.Epoch is not null)
        .GroupBy(ImageOf)
        .ToDictionary(g => g.Key, g => g.First().Epoch!.Value.ToUnixTimeSeconds());

    private static string ImageOf(PlannedStage stage) => stage.Name.Split('/')[0];

    private static async Task<DateTimeOffset> OfAsync(Plan plan, ProjectDefinition project, string name, BuildOptions options, CancellationToken cancellationToken)
    {
        if (options.PinnedEpochs.TryGetValue(name, out long pinned))
            return DateTimeOffset.FromUnixTimeSeconds(pinned);

        var image = project.Images.First(i => i.Name == name);
        var epoch = options.Epoch ?? image.Epoch ?? project.Epoch;
        if (epoch is null || epoch.Time is not null)
            return epoch?.Time ?? BuildSettings.DefaultEpoch;

        return await SourceEpochs.OfNewestCommitAsync(plan.Directory, FilesOf(project, image), epoch == options.Epoch ? null : epoch.Span, cancellationToken);
    }

    // What it is made of that is the person's own.
    private static IReadOnlyList<string> FilesOf(ProjectDefinition project, ImageDefinition image) => image switch
    {
        DockerfileImage { Dockerfile: PlanSettings.StandardInputName } dockerfile => [dockerfile.Context],
        DockerfileImage dockerfile => [dockerfile.Dockerfile, dockerfile.Context],
        _ => [Path.GetFileName(project.Source.Name)],
    };
}
