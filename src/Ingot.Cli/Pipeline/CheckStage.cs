using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Dockerfile.Checks;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Looks at the Dockerfiles of a project without building them.</summary>
internal sealed class CheckStage(CommandContext context, BuildOptions options)
{
    /// <summary>Prints what was found; 1 when any of it is an error.</summary>
    public async Task<int> RunAsync(ProjectDefinition project, IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        DiagnosticBag found = [];
        foreach (var image in project.Images.OfType<DockerfileImage>().Where(i => names.Count == 0 || names.Contains(i.Name)))
        {
            foreach (var diagnostic in await CheckAsync(project, image, cancellationToken))
                found.Add(diagnostic);
        }

        // Two images may be stages of one file.
        List<Diagnostic> diagnostics = [.. found.DistinctBy(d => (d.Code, d.Summary, d.Span?.Source.Name, d.Span?.Start, d.Path))];
        Print(diagnostics);
        return found.HasErrors ? ExitCode.No : ExitCode.Done;
    }

    private async Task<IEnumerable<Diagnostic>> CheckAsync(ProjectDefinition project, DockerfileImage image, CancellationToken cancellationToken)
    {
        DiagnosticBag diagnostics = [];
        var ignored = Ignored(image, diagnostics);
        var syntax = DockerfileParser.Parse(await ReadAsync(image, cancellationToken), diagnostics);
        if (diagnostics.HasErrors)
            return diagnostics;

        var arguments = image.Arguments.Concat(options.Arguments).GroupBy(a => a.Key).ToDictionary(a => a.Key, a => a.Last().Value);
        CheckContext known = new() { Ignored = ignored, Arguments = arguments, KnownImages = [.. project.Images.Select(i => i.Name), .. options.Contexts.Keys] };
        return diagnostics.Concat(DockerfileChecks.Run(syntax, known));
    }

    private async Task<SourceText> ReadAsync(DockerfileImage image, CancellationToken cancellationToken)
    {
        if (image.Dockerfile == PlanSettings.StandardInputName)
            return new SourceText("standard input", await Console.In.ReadToEndAsync(cancellationToken));

        return new ImageFiles(context.Directory, image) { NameOf = NameOf }.FindDockerfile()
            ?? throw new InvalidInputException([new Diagnostic(Severity.Error, "plan-no-dockerfile", $"the Dockerfile '{image.Dockerfile}' of image '{image.Name}' is not there", Span: image.Span)]);
    }

    // Code hosts know files by their place in the project.
    private string NameOf(string path) => context.Terminal.Sarif ? Path.GetRelativePath(context.Directory, path) : ProjectFiles.Name(path);

    private IgnoreFile Ignored(DockerfileImage image, DiagnosticBag diagnostics) => new ImageFiles(context.Directory, image).FindContext()?.IgnoreFile is { } path
        ? IgnoreFile.Parse(new SourceText(NameOf(path), ProjectDirectory.ReadResolved(path)), diagnostics)
        : IgnoreFile.Empty;

    private void Print(List<Diagnostic> diagnostics)
    {
        var terminal = context.Terminal;
        if (terminal.TrySarif(SarifLog.Of(diagnostics)) || terminal.TryJson(CheckReport.Of(diagnostics), CheckJson.Default.CheckReport))
            return;

        terminal.Document(diagnostics.Count == 0 ? "nothing found" : DiagnosticRenderer.Render(diagnostics).TrimEnd('\n'));
    }
}
