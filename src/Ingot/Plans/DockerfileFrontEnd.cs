using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Dockerfile.Checks;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>Images built from Dockerfiles.</summary>
internal sealed class DockerfileFrontEnd(DockerfileImage image) : FrontEnd
{
    public static FrontEndRow Row { get; } =
        new(ImageTemplate.Dockerfile, image => image is DockerfileImage dockerfile ? new DockerfileFrontEnd(dockerfile) : null)
        {
            OpenLoose = OpenLoose,
        };

    public override string Origin => image.Dockerfile;

    public override bool ReadsStandardInput => image.Dockerfile == PlanSettings.StandardInputName;

    public override IReadOnlyList<string> Sources => ReadsStandardInput ? [image.Context] : [image.Dockerfile, image.Context];

    public override RecordedTemplate Record => new(image.Dockerfile, image.Context, image.Target);

    public override ImageDefinition As(RecordedTemplate record) => image with { Target = record.Target };

    public override ImageDefinition WithTarget(string target) => image with { Target = target };

    public override async Task<PlannedImage?> PlanAsync(Planner planner, CancellationToken cancellationToken)
    {
        var settings = planner.Settings;
        var diagnostics = planner.Diagnostics;
        if (ContextIn(settings, diagnostics) is not { } context || Read(settings, diagnostics) is not { } source)
            return null;

        int before = diagnostics.Count(d => d.Severity == Severity.Error);
        var syntax = DockerfileParser.Parse(source, diagnostics);
        if (diagnostics.Count(d => d.Severity == Severity.Error) != before || syntax.Stages.Count == 0)
            return null;

        FailOnFindings(syntax, new TemplateCheck(planner.Project, settings), diagnostics);
        var stages = new DockerfilePlanner(planner, image, syntax, context);
        planner.Declare(stages.DeclaredArguments);
        return await stages.PlanAsync(cancellationToken);
    }

    public override TemplateFiles FilesIn(string directory)
    {
        string dockerfile = Path.Combine(directory, image.Dockerfile), context = Path.Combine(directory, image.Context);
        return new TemplateFiles(
            [dockerfile, dockerfile + IgnoreFile.Name, Path.Combine(context, IgnoreFile.Name)],
            [context],
            [new ImageFiles(directory, image).FindContext()?.IgnoreFile]);
    }

    public override IEnumerable<Diagnostic> Check(TemplateCheck check)
    {
        DiagnosticBag diagnostics = [];
        var ignored = Ignored(check.Settings, diagnostics);
        var syntax = DockerfileParser.Parse(Find(check.Settings) ?? throw NotThere(), diagnostics);
        return diagnostics.HasErrors
            ? diagnostics
            : diagnostics.Concat(DockerfileChecks.Run(syntax, KnownTo(check) with { Ignored = ignored }));
    }

    private static DockerfileImage OpenLoose(LooseTemplate loose) =>
        new(
            loose.Name, loose.Source.Span(0, 0), loose.Template.File ?? "Dockerfile", loose.Template.Context ?? ".",
            loose.Template.Target, [])
        {
            DockerfileRoot = loose.FileRoot,
            ContextRoot = loose.ContextRoot,
        };

    private ImageFiles Files(PlanSettings settings) => new(settings.Directory, image) { NameOf = settings.NameOf };

    private SourceText? Find(PlanSettings settings) => ReadsStandardInput
        ? new SourceText("standard input", settings.StandardInput)
        : Files(settings).FindDockerfile();

    private SourceText? Read(PlanSettings settings, DiagnosticBag diagnostics)
    {
        try
        {
            if (Find(settings) is { } found)
                return found;
            diagnostics.Error("plan-no-dockerfile", NotThereText, image.Span, Files(settings).Near());
        }
        catch (InvalidInputException e)
        {
            Say(e, diagnostics);
        }

        return null;
    }

    private string NotThereText => $"the Dockerfile '{image.Dockerfile}' of image '{image.Name}' does not exist";

    private InvalidInputException NotThere() => new([new Diagnostic(Severity.Error, "plan-no-dockerfile", NotThereText, Span: image.Span)]);

    private TreeSource.Context? ContextIn(PlanSettings settings, DiagnosticBag diagnostics)
    {
        try
        {
            if (Files(settings).FindContext() is { } context)
                return context;
            diagnostics.Error("plan-no-context", $"the context '{image.Context}' of image '{image.Name}' is not a directory", image.Span);
        }
        catch (InvalidInputException e)
        {
            Say(e, diagnostics);
        }

        return null;
    }

    private void Say(InvalidInputException problem, DiagnosticBag diagnostics)
    {
        foreach (var found in problem.Diagnostics)
            diagnostics.Error(found.Code, found.Summary, image.Span, found.Detail);
    }

    private IgnoreFile Ignored(PlanSettings settings, DiagnosticBag diagnostics)
    {
        if (Files(settings).FindContext()?.IgnoreFile is not { } path)
            return IgnoreFile.Empty;
        string name = settings.NameOf?.Invoke(path) ?? path;
        return IgnoreFile.Parse(new SourceText(name, ProjectDirectory.ReadResolved(path)), diagnostics);
    }

    // # check=error=true: what the checks find fails the build.
    private void FailOnFindings(DockerfileSyntax syntax, TemplateCheck check, DiagnosticBag diagnostics)
    {
        if (syntax.Check?.Error != true)
            return;

        foreach (var finding in DockerfileChecks.Run(syntax, KnownTo(check)).Where(f => f.Severity == Severity.Error && !IsOurs(f.Code)))
            diagnostics.Add(finding);
    }

    private static bool IsOurs(string code) => DockerfileChecks.All.First(c => c.Id == code).IsOurs;

    private CheckContext KnownTo(TemplateCheck check)
    {
        var options = check.Settings.Options;
        return new CheckContext
        {
            Arguments = image.Arguments.Concat(options.Arguments).GroupBy(a => a.Key).ToDictionary(a => a.Key, a => a.Last().Value),
            KnownImages = [.. check.Project.Images.Select(i => i.Name), .. options.Contexts.Keys],
        };
    }
}
