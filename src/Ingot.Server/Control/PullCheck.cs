using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Server.Control;

/// <summary>Finds out whether a target can pull an image. Asked before a release:
/// the pull itself would fail with words that lead nobody to the cause.</summary>
internal sealed class PullCheck(IContentStore content, Targets targets, string registry)
{
    private static readonly LayerCompression[] s_pulledEverywhere = [LayerCompression.None, LayerCompression.Gzip];

    /// <summary>Why a stage's target cannot pull an image, and what to do; null when it can.</summary>
    public async Task<string?> ObjectionAsync(
        ProjectDefinition project, StageDefinition stage, ImageDefinition image, Digest digest, CancellationToken cancellationToken)
    {
        var layers = (await Image.LoadAsync(content, digest, cancellationToken: cancellationToken)).Manifest.Layers;
        var needed = layers.Select(l => LayerCompression.FindMediaType(l.MediaType)).OfType<LayerCompression>().Distinct()
            .Except(s_pulledEverywhere).ToList();
        TargetDescription description;
        try
        {
            description = await targets.Named(stage.Target).DescribeAsync(cancellationToken);
        }
        catch (ToolException) when (needed.Count == 0)
        {
            // As a rule it could be pulled: the release waits for a target that does not answer,
            // as it would for one that stops answering later.
            return null;
        }

        if (description.PlainRegistries is { } plain && !plain.Has(registry))
            return $"{description.Name}, where stage '{stage.Name}' runs image '{image.Name}', speaks https to the registry at {registry}, "
                + $"which speaks http: {plain.Cure}";
        return needed.FirstOrDefault(c => !description.Compressions.Contains(c.Name)) is { } compression
            ? $"{description.Name}, where stage '{stage.Name}' runs image '{image.Name}', cannot pull its layers, "
                + $"which are compressed with {compression.Name}: {Cure(project, image, compression)}, or use {description.Upgrade}"
            : null;
    }

    // What an image starts with keeps the layers it has, and so does what was built before the file said something else.
    private static string Cure(ProjectDefinition project, ImageDefinition image, LayerCompression compression) =>
        project.CompressionOf(image) is { } said && said.Name != compression.Name
            ? $"build it again; if they are its base image's, push that with 'ingot push --compression gzip' and start from what was pushed"
            : $"write 'compression: gzip' at images/{image.Name} in {ProjectDefinition.FileName} and build a new version";
}
