using Ingot.Builds;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Server.Api;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Refuses images that the target could not pull, before they are built. What is built never depends on a target: its digest would
/// depend on which hosts answer.</summary>
internal sealed class TargetCheck(ProjectDefinition project, Plan plan, TargetReply target, IContentStore store)
{
    private readonly DiagnosticBag _diagnostics = [];

    /// <summary>Checks the images of services that a stage runs. Throws <see cref="InvalidInputException"/> with all that cannot be
    /// pulled.</summary>
    public static async Task RunAsync(
        CommandContext context, ServerClient server, ProjectDefinition project, Plan plan, CancellationToken cancellationToken)
    {
        if (project.Services.Count == 0 || project.Stages.All(s => s.Target is null))
            return;

        var target = await server.GetAsync("api/v1/target", ApiJson.Default.TargetReply, cancellationToken);
        await new TargetCheck(project, plan, target, new DirectoryStore(context.Home.Content)).RunAsync(cancellationToken);
    }

    /// <summary>As the static one, with what the server said.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var image in plan.Images.Where(i => project.Services.Any(s => s.Image == i.Name)))
            await CheckAsync(image, cancellationToken);
        _diagnostics.ThrowIfErrors();
    }

    private async Task CheckAsync(PlannedImage image, CancellationToken cancellationToken)
    {
        var stage = plan.Stage(image.Stage);
        bool hasOwn = MakesLayers(stage);
        while (stage.Base is TreeSource.Stage { Name: var below })
            hasOwn |= MakesLayers(stage = plan.Stage(below));

        string own = image.Compression ?? BuildSettings.DefaultCodec.Name;
        if (hasOwn && !target.Compressions.Contains(own))
            Refuse(image, own);
        else if (stage.Base is TreeSource.Image @base)
            await CheckBaseAsync(image, @base, cancellationToken);
    }

    private static bool MakesLayers(PlannedStage stage) => stage.Steps.Any(s => s is not MetadataStep);

    // Layers that came from outside stay as they are.
    private async Task CheckBaseAsync(PlannedImage image, TreeSource.Image @base, CancellationToken cancellationToken)
    {
        var layers = (await Image.LoadAsync(store, @base.Manifest, cancellationToken: cancellationToken)).Manifest.Layers;
        if (layers.Select(l => LayerCompression.FindMediaType(l.MediaType)?.Name).OfType<string>()
            .FirstOrDefault(c => !target.Compressions.Contains(c))
            is { } foreign)
            Error(image, image.Definition.Span, $"which its base image '{@base.Reference}' has", foreign,
                "push the base image with 'ingot push --compression gzip' and start from what was pushed");
    }

    private void Refuse(PlannedImage image, string compression)
    {
        var said = image.Definition.Compression ?? project.Compression;
        if (said?.Span == BuildOptions.CommandLine)
            Error(image, null, "which the command line asks for", compression, $"leave '--compression {compression}' out and write "
                + $"'compression: gzip' at images/{image.Name} in {ProjectDefinition.FileName}");
        else
            Error(image, said?.Span ?? image.Definition.Span, said is null ? "which is the default" : "as it says here", compression,
                $"write 'compression: gzip' at images/{image.Name}");
    }

    private void Error(PlannedImage image, SourceSpan? span, string why, string compression, string cure)
    {
        string stages = string.Join(" and ", project.Stages.Where(s => s.Target is not null).Select(s => $"'{s.Name}'"));
        _diagnostics.Error("target-compression",
            $"{target.Name}, where {stages} would run image '{image.Name}', cannot pull layers compressed with {compression}, {why}", span,
            $"{cure}, or use {target.Upgrade}", $"images/{image.Name}");
    }
}
