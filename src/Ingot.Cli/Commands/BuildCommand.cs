using System.CommandLine;
using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot build [TARGET…] [-f FILE]</c>.</summary>
internal static class BuildCommand
{
    public static Command Create(Binder bind)
    {
        var targets = new Argument<string[]>("TARGET") { Description = "Images of the project; all of them when left out", Arity = ArgumentArity.ZeroOrMore };
        var file = new Option<string>("--file", "-f") { Description = "A Dockerfile outside of a project, or - for standard input; its context is the directory of -C, or of --context DIR, and the image is named after that", HelpName = "FILE" };
        var target = new Option<string>("--target") { Description = "The stage that becomes the image; the last when left out", HelpName = "STAGE" };
        var check = new Option<bool>("--check") { Description = "Do not build: say what the checks of docs/checks find in the Dockerfiles, with --output sarif for code hosts" };
        var explain = new Option<bool>("--explain") { Description = "Say of each step whether its result was in the cache, and if not, what of its inputs changed since the nearest earlier run" };
        var settings = new BuildSymbols();
        var command = new Command("build", "Build images of a project, or of one Dockerfile, into the local store") { targets, file, target, check, explain };
        settings.AddTo(command);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var options = settings.Read(result, context.Directory) with { Explain = result.GetValue(explain) };
            long began = RememberedBuild.Now(context.Home.Cache);
            await using var source = await BuildContext.FindAsync(context, result.GetValue(settings.Contexts) ?? [], options, cancellationToken);
            var project = result.GetValue(file) is { } dockerfile ? Single(context, dockerfile, source) : ProjectFiles.Load(context);
            if (result.GetValue(file) is null)
                context = context.AtProject();
            string[] names = result.GetValue(targets) ?? [];
            CheckTargets(project, names);
            if (result.GetValue(target) is { } chosen)
                project = WithTarget(project, names, chosen);
            if (result.GetValue(check))
                return await new CheckStage(context, options).RunAsync(project, names, cancellationToken);

            context.Terminal.RefuseSarif();
            var stage = new BuildStage(context, options);
            var images = await stage.RunAsync(project, context.Directory, cancellationToken, names);
            foreach (var image in context.Terminal is { IsQuiet: true, Json: false } ? images : [])
                context.Terminal.Line(BuildStage.Named(image));
            if (!source.IsRepository && !context.Terminal.Json)
                stage.Remember(project, images, began);
            context.Terminal.TryJson(new BuildReport([.. images.Select(i => Report(i, project, stage.Elapsed))]) { Steps = options.Explain ? [.. stage.Explained.Select(Row)] : null }, ReportJson.Default.BuildReport);
            return ExitCode.Done;
        }));
        return command;
    }

    private static void CheckTargets(ProjectDefinition project, string[] names)
    {
        foreach (var name in names.Where(n => project.Images.All(i => i.Name != n)))
            throw new InvalidInputException("no-image", $"the project '{project.Name}' has no image '{name}'", Suggestion.Among(name, "images", [.. project.Images.Select(i => i.Name)]));
    }

    private static ProjectDefinition WithTarget(ProjectDefinition project, IReadOnlyList<string> names, string target)
    {
        var chosen = project.Images.OfType<DockerfileImage>().Where(i => names.Count == 0 || names.Contains(i.Name)).ToList();
        if (chosen.Count != 1)
            throw new InvalidInputException("target", $"'--target {target}' is for one image, and {chosen.Count} are built from a Dockerfile", "name the image: ingot build IMAGE --target STAGE");
        return project with { Images = [.. project.Images.Select(i => i == chosen[0] ? chosen[0] with { Target = target } : i)] };
    }

    /// <summary>A project of one image, for a Dockerfile that belongs to none.</summary>
    private static ProjectDefinition Single(CommandContext context, string dockerfile, BuildContext source)
    {
        bool isStandardInput = dockerfile == PlanSettings.StandardInputName;
        // In a repository the Dockerfile is the repository's.
        string directory = source.IsRepository ? source.Directory : context.Directory;
        string path = Path.GetFullPath(dockerfile, directory);
        string root = ProjectDirectory.RootOfTyped(directory, path, out string inRoot);
        using var files = new ProjectDirectory(root);
        if (!isStandardInput && files.FindFile(inRoot, dockerfile) is null)
            throw new InvalidInputException("no-file", $"there is no file '{dockerfile}'{(source.IsRepository ? " in the repository" : "")}");

        path = Path.Combine(root, inRoot);
        string name = new([.. source.Name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')]);
        name = name.Trim('-').Length == 0 ? "image" : name.Trim('-');
        var text = new SourceText(isStandardInput ? "standard input" : ProjectFiles.Name(path), "");
        string relative = isStandardInput ? dockerfile : Path.GetRelativePath(context.Directory, path);
        var image = new DockerfileImage(name, text.Span(0, 0), relative, Path.GetRelativePath(context.Directory, source.Directory), null, [])
        {
            DockerfileRoot = root,
            ContextRoot = source.IsRepository ? source.Directory : ProjectDirectory.RootOfTyped(context.Directory, source.Directory, out _),
        };
        return new ProjectDefinition(name, [image], [], [], text);
    }

    private static StepExplanationRow Row((StepLabel Step, StepExplanation Explanation) explained)
    {
        var (step, why) = explained;
        var changes = why.Changes.Select(c => new InputChangeRow(c.Input, c.Name, c.Before, c.After));
        return new StepExplanationRow(step.Stage, step.Number, step.Text, why.IsHit, why.Made, why.Source, why.Against, why.Remark, [.. changes], why.MoreChanges);
    }

    private static BuiltImageReport Report(BuiltImage image, ProjectDefinition project, TimeSpan elapsed) => new(
        image.Name,
        project.Images.First(i => i.Name == image.Name).Version,
        image.Digest,
        image.Manifest.Config.Digest,
        $"{image.Config.Os}/{image.Config.Architecture}",
        image.Manifest.Layers.Sum(l => l.Size) + image.Manifest.Config.Size,
        Math.Round(elapsed.TotalSeconds, 3),
        new StepCount(image.Record.Steps, image.Record.CachedSteps));
}
