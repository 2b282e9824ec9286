using System.Text;
using Ingot.Oci.Content;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>Images bootstrapped from Debian packages.</summary>
internal sealed class DebianFrontEnd(DebianImage image) : FrontEnd
{
    public static FrontEndRow Row { get; } =
        new(ImageTemplate.Debian, image => image is DebianImage debian ? new DebianFrontEnd(debian) : null);

    public override string Origin => $"its declaration in {ProjectDefinition.FileName}";

    public override Task<PlannedImage?> PlanAsync(Planner planner, CancellationToken cancellationToken)
    {
        var packages = image.Packages.Distinct().Order(StringComparer.Ordinal).ToList();
        string text = $"DEBIAN {image.Suite}{string.Concat(packages.Select(p => " " + p))}";
        var step = new BootstrapStep(text, image.Span, image.Suite, packages, image.Mirror)
        {
            KeepsDocumentation = image.KeepsDocumentation,
        };
        var config = Planner.EmptyConfig with { Cmd = ["bash"] };
        planner.Add(new PlannedStage(image.Name, new TreeSource.Scratch(), [step], config, []));
        var template = Digest.Of(Encoding.UTF8.GetBytes(step.ToString()));
        return Task.FromResult<PlannedImage?>(new PlannedImage(image.Name, image.Name, image, template, [], []));
    }

    public override TemplateFiles FilesIn(string directory) => TemplateFiles.None;

    public override ImageDefinition As(RecordedTemplate record) => image;
}
