using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Projects.Building;

/// <summary>Which epoch each image of a plan has: what a recipe pins, else the command line's or the environment's, else the image's own,
/// else the project's, else the default.</summary>
internal static class ImageEpochs
{
    /// <summary>The plan with the epoch of every stage; those from commits are looked up, once an image.</summary>
    public static async Task<Plan> SettleAsync(
        ProjectHost host, Plan plan, ProjectDefinition project, BuildOptions options, CancellationToken cancellationToken)
    {
        var epochs = new Dictionary<string, DateTimeOffset>();
        foreach (string name in plan.Stages.Select(s => s.Image).Distinct())
            epochs[name] = await OfAsync(host, plan, project, name, options, cancellationToken);
        return plan with { Stages = [.. plan.Stages.Select(s => s with { Epoch = epochs[s.Image] })] };
    }

    private static async Task<DateTimeOffset> OfAsync(
        ProjectHost host, Plan plan, ProjectDefinition project, string name, BuildOptions options, CancellationToken cancellationToken)
    {
        if (options.Pins.Epochs.TryGetValue(name, out long pinned))
            return DateTimeOffset.FromUnixTimeSeconds(pinned);

        var image = project.Images.First(i => i.Name == name);
        var epoch = options.Epoch ?? image.Epoch ?? project.Epoch;
        if (epoch is null || epoch.Time is not null)
            return epoch?.Time ?? BuildSettings.DefaultEpoch;

        // What it is made of that is the person's own.
        var sources = host.FrontEnds.Of(image).Sources;
        IReadOnlyList<string> files = sources.Count > 0 ? sources : [Path.GetFileName(project.Source.Name)];
        return await SourceEpochs.OfNewestCommitAsync(plan.Directory, files, epoch == options.Epoch ? null : epoch.Span, cancellationToken);
    }
}
