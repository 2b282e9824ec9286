using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>What will be done to make the images of a project: stages of steps, whose edges are the <see cref="TreeSource"/>s they name.
/// Making it ran nothing and wrote nothing.</summary>
public sealed record Plan
{
    /// <summary>The project's name.</summary>
    public required string Project { get; init; }

    /// <summary>The project's directory, absolute.</summary>
    public required string Directory { get; init; }

    /// <summary>The stages that are needed, each after those it uses.</summary>
    public required IReadOnlyList<PlannedStage> Stages { get; init; }

    /// <summary>The images that were asked for, in the project's order.</summary>
    public required IReadOnlyList<PlannedImage> Images { get; init; }

    /// <summary>What the images run on.</summary>
    public required Platform Platform { get; init; }

    /// <summary>The stage of that name.</summary>
    public PlannedStage Stage(string name) => Stages.First(s => s.Name == name);

    /// <summary>The stages, their steps and the images, as text.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var stage in Stages)
        {
            text.Append("stage ").Append(stage.Name).Append(" from ").Append(stage.Base).Append('\n');
            foreach (var step in stage.Steps.Where(s => s is not MetadataStep))
                text.Append("  ").Append(step).Append(step is CopyStep { From: not TreeSource.Inline } copy ? $" from {copy.From}" : "")
                    .Append('\n');
        }

        foreach (var image in Images)
            text.Append(image.Output).Append(' ').Append(image.Name).Append(" is stage ").Append(image.Stage)
                .Append(image.Compression is null ? "" : $" compressed with {image.Compression}").Append('\n');
        return text.ToString();
    }
}

/// <summary>A root filesystem in the making: what it starts with, the steps, and the configuration a container of it would get.</summary>
/// <param name="Name">Unique in the plan: the image's name, and for the earlier stages of its Dockerfile a slash and the stage's name or
/// number.</param>
/// <param name="Base">What it starts with.</param>
/// <param name="Steps">What is done, in order.</param>
/// <param name="Config">The configuration at the end.</param>
/// <param name="History">The history of the base image, when that is not a stage of the plan.</param>
public sealed record PlannedStage(
    string Name, TreeSource Base, IReadOnlyList<Step> Steps, ContainerConfig Config, IReadOnlyList<HistoryEntry> History)
{
    /// <summary>The image of the project that it is, or is made for.</summary>
    public string Image => Name.Split('/')[0];

    /// <summary>What it runs on.</summary>
    public Platform Platform { get; init; } = Platform.Host;

    /// <summary>No file of its layers is younger, and its history says this; null for the build's own. Plans are made without:
    /// it may be that of a commit.</summary>
    public DateTimeOffset? Epoch { get; init; }

    /// <summary>Names of normalisation rules that are switched off for its steps, sorted.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>What its template calls it; null when it has no name.</summary>
    public string? Alias { get; init; }

    /// <summary>Whether its steps are made anew, whatever the cache holds.</summary>
    public bool IsFresh { get; init; }

    /// <summary>The labels that its template or the person set, and not something it stands on.</summary>
    public IReadOnlyCollection<string> OwnLabels { get; init; } = [];

    /// <summary>Who made it, as MAINTAINER says; null when that is not said.</summary>
    public string? Author { get; init; }

    /// <summary>The stages whose results it reads, its base first, each once.</summary>
    public IReadOnlyList<string> Uses =>
        [.. Steps.SelectMany(s => s.Reads).Prepend(Base).OfType<TreeSource.Stage>().Select(s => s.Name).Distinct()];
}

/// <summary>An image that was asked for.</summary>
/// <param name="Name">Its name in the project.</param>
/// <param name="Stage">The stage that it is.</param>
/// <param name="Definition">What the project says of it.</param>
/// <param name="Template">The digest of the template it is made from: the Dockerfile's, or that of the bootstrap's declaration.</param>
/// <param name="Bases">The images of the local store that its stages name, with the digests they had.</param>
/// <param name="Arguments">The build arguments that were given.</param>
public sealed record PlannedImage(
    string Name,
    string Stage,
    ImageDefinition Definition,
    Digest Template,
    IReadOnlyList<TreeSource.Image> Bases,
    IReadOnlyList<KeyValuePair<string, string>> Arguments)
{
    /// <summary>The kind of output that an OCI image is.</summary>
    public const string ContainerImage = "image";

    /// <summary>The kind of output that is made of its stage, such as an image that containers run.</summary>
    public string Output { get; init; } = ContainerImage;

    /// <summary>The name of how its layers are compressed, such as <c>gzip</c>; null for the build's own way.</summary>
    public string? Compression { get; init; }

    /// <summary>Its version; null when it has none.</summary>
    public string? Version => Definition.Version;

    /// <summary>Labels of the image specification that it gets by itself, the ends of their names.</summary>
    public IReadOnlyList<string> StandardLabels { get; init; } = [];
}
