using Ingot.Diagnostics;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>One kind of image.</summary>
/// <param name="Template">How <c>ingot.yaml</c> says it.</param>
/// <param name="Open">What is known of an image of this kind; null for an image of another.</param>
public sealed record FrontEndRow(ImageTemplate Template, Func<ImageDefinition, FrontEnd?> Open)
{
    /// <summary>The image that a file comes to without a project's file; null for a file that is none of this kind.</summary>
    public Func<LooseTemplate, ImageDefinition?> OpenLoose { get; init; } = _ => null;
}

/// <summary>The table of front ends: whatever images are made from is a row of it.</summary>
public sealed class FrontEnds
{
    private readonly IReadOnlyList<FrontEndRow> _rows;

    /// <summary>A table of these rows; the later ones are asked first.</summary>
    public FrontEnds(params IReadOnlyList<FrontEndRow> rows)
    {
        _rows = rows;
        Templates = [.. rows.Select(r => r.Template)];
    }

    /// <summary>The front ends of Ingot.</summary>
    public static FrontEnds Standard { get; } = new(DebianFrontEnd.Row, DockerfileFrontEnd.Row);

    /// <summary>What a project's file may say that images are made from.</summary>
    public IReadOnlyList<ImageTemplate> Templates { get; }

    /// <summary>The same with another row.</summary>
    public FrontEnds With(FrontEndRow row) => new([.. _rows, row]);

    /// <summary>The front end of an image.</summary>
    public FrontEnd Of(ImageDefinition image) => _rows.Reverse().Select(r => r.Open(image)).FirstOrDefault(f => f is not null)
        ?? throw new InvalidOperationException($"no front end for '{image.GetType().Name}'");

    /// <summary>The only image of a project that has no file of its own.</summary>
    public ProjectDefinition Loose(string project, LooseTemplate template)
    {
        var image = _rows.Reverse().Select(r => r.OpenLoose(template)).FirstOrDefault(i => i is not null);
        return image is not null ? new ProjectDefinition(project, [image], [], [], template.Source)
            : throw new InvalidInputException("build-target", $"there is no known way to make an image from '{template.Template.File}'");
    }
}
