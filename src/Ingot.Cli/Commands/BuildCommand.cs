using System.CommandLine;
using Ingot.Builds.Running;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot build [TARGET…] [-f FILE]</c>.</summary>
internal static class BuildCommand
{
    public static Command Create(Binder bind)
    {
        var targets = new Argument<string[]>("TARGET")
        {
            Description =
                "Images of the project, all of them when left out; or a directory or git repository with a project or just a Dockerfile",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var file = new Option<string>("--file", "-f")
        {
            Description = "A Dockerfile outside of a project, or - for standard input; its context is TARGET, or --context DIR, "
                + "or the directory of -C, "
                + "and the image is named after that",
            HelpName = "FILE",
        };
        var target = new Option<string>("--target")
        {
            Description = "The stage that becomes the image; the last when left out",
            HelpName = "STAGE",
        };
        var check = new Option<bool>("--check")
        {
            Description = "Do not build: report what the checks in docs/checks find in the Dockerfiles, with --output sarif for code hosts",
        };
        var explain = new Option<bool>("--explain")
        {
            Description = "For each step, say whether its result was in the cache and, if not, "
                + "which inputs changed since the nearest earlier run",
        };
        var settings = new BuildSymbols();
        var outputs = new BuildOutputSymbols();
        var command = new Command("build", "Build images of a project, or of one Dockerfile, into the local store")
        {
            targets, file, target, check, explain,
        };
        outputs.AddTo(command);
        settings.AddTo(command);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var wanted = outputs.Read(result, context);
            var progress = settings.ReadProgress(result);
            var options = settings.Read(result, context.Directory) with { Explain = result.GetValue(explain), Tags = wanted.Tags };
            context = context with { Terminal = TerminalFor(context.Terminal, progress, wanted) };
            long began = RememberedBuild.Now(context.Home.Cache);
            await using var found = await BuildSubject.FindAsync(context, result.GetValue(targets) ?? [], result.GetValue(file),
                result.GetValue(settings.Contexts) ?? [], options, cancellationToken);
            options = found.Options(options, context.Directory);
            var host = found.Context.HostFor(progress);
            var subject = result.GetValue(target) is { } chosen
                ? found with { Project = WithTarget(host.FrontEnds, found.Project, found.Names, chosen) }
                : found;
            if (result.GetValue(check))
                return await CheckAsync(host, subject, options, cancellationToken);

            context.Terminal.RefuseSarif();
            await new BuildRun(host, subject, options, wanted).RunAsync(began, cancellationToken);
            return ExitCode.Done;
        }));
        return command;
    }

    private static Terminal TerminalFor(Terminal terminal, BuildProgressMode progress, BuildOutputs wanted)
    {
        if (wanted.TakesOutput && terminal.Json)
            throw new InvalidInputException("output", "standard output cannot take an archive and JSON", "name a file: dest=FILE");
        if (wanted.TakesOutput && !Console.IsOutputRedirected)
            throw new InvalidInputException("output", "an archive cannot be written to a terminal",
                "name a file, dest=FILE, or redirect standard output");
        if (progress == BuildProgressMode.Tty && !terminal.IsLive)
            throw new InvalidInputException("progress",
                "'--progress tty' needs a terminal, and the output is not one", "--progress plain");
        terminal.IsQuiet |= progress == BuildProgressMode.Quiet;
        return wanted.TakesOutput ? terminal.ForValue() : terminal;
    }

    private static ProjectDefinition WithTarget(FrontEnds frontEnds, ProjectDefinition project, IReadOnlyList<string> names, string target)
    {
        var chosen = project.Images.Where(i => names.Count == 0 || names.Contains(i.Name))
            .Select(i => frontEnds.Of(i).WithTarget(target)).OfType<ImageDefinition>().ToList();
        if (chosen is not [var one])
        {
            throw new InvalidInputException("target",
                $"'--target {target}' is for one image, and {chosen.Count} are built from a Dockerfile",
                "name the image: ingot build IMAGE --target STAGE");
        }

        return project with { Images = [.. project.Images.Select(i => i.Name == one.Name ? one : i)] };
    }

    // 1 when any of what was found is an error.
    private static async Task<int> CheckAsync(
        ProjectHost host, BuildSubject subject, BuildOptions options, CancellationToken cancellationToken)
    {
        var (terminal, directory) = (subject.Context.Terminal, subject.Context.Directory);
        // Code hosts know files by their place in the project.
        string NameOf(string path) => terminal.Sarif ? Path.GetRelativePath(directory, path) : ProjectFiles.Name(path);
        var named = options with { Targets = subject.Names };
        var found = await TemplateChecks.RunAsync(host, subject.Project, directory, named, NameOf, cancellationToken);
        if (!terminal.TrySarif(SarifLog.Of(found)) && !terminal.TryJson(CheckReport.Of(found), CheckJson.Default.CheckReport))
            terminal.Document(found.Count == 0 ? "nothing found" : DiagnosticRenderer.Render(found).TrimEnd('\n'));
        return found.Any(d => d.Severity == Severity.Error) ? ExitCode.No : ExitCode.Done;
    }
}
