using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Dockerfile.Checks;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>Makes the plan of a project: reads its templates, resolves names to digests, and runs nothing.</summary>
public sealed class Planner
{
    // What an image starts with that starts with nothing, as Docker's builder has it.
    internal const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private readonly ProjectDefinition _project;
    private readonly PlanSettings _settings;
    private readonly DiagnosticBag _diagnostics;
    private readonly List<PlannedStage> _stages = [];
    private readonly Dictionary<string, PlannedImage?> _images = [];
    private readonly List<string> _unfinished = [];
    private readonly HashSet<string> _declaredArguments = [];

    private Planner(ProjectDefinition project, PlanSettings settings, DiagnosticBag diagnostics)
    {
        _project = project;
        _settings = settings with { Directory = Path.GetFullPath(settings.Directory) };
        _diagnostics = diagnostics;
    }

    internal static ContainerConfig EmptyConfig { get; } = new() { Env = ["PATH=" + DefaultPath], WorkingDir = "/" };

    internal PlanSettings Settings => _settings;

    internal DiagnosticBag Diagnostics => _diagnostics;

    internal ProjectDefinition Project => _project;

    /// <summary>The plan; null when <paramref name="diagnostics"/> got errors. Files that cannot be read are among those.</summary>
    public static async Task<Plan?> PlanAsync(ProjectDefinition project, PlanSettings settings, DiagnosticBag diagnostics, CancellationToken cancellationToken = default)
    {
        bool hadErrors = diagnostics.HasErrors;
        var planner = new Planner(project, settings, diagnostics);
        var images = new List<PlannedImage>();
        foreach (var definition in planner.Targets())
        {
            if (await planner.ImageAsync(definition, cancellationToken) is { } image)
                images.Add(image);
        }

        planner.WarnOfUnusedArguments();
        planner.CheckFreshStages();
        return diagnostics.HasErrors && !hadErrors ? null : new Plan
        {
            Project = project.Name,
            Directory = planner._settings.Directory,
            Stages = [.. planner._stages.Select(s => planner.Labelled(planner.Settled(s), images))],
            Images = [.. images.Select(planner.Settled)],
            Platform = settings.Platform,
        };
    }

    /// <summary>Plans an image of the project once; null when that cannot be done, and then it was said why.</summary>
    internal async Task<PlannedImage?> ImageAsync(ImageDefinition definition, CancellationToken cancellationToken)
    {
        if (_images.TryGetValue(definition.Name, out var known))
            return known;

        if (_unfinished.Contains(definition.Name))
        {
            var circle = _unfinished.SkipWhile(name => name != definition.Name).Append(definition.Name);
            _diagnostics.Error("plan-circle", $"image '{definition.Name}' needs itself: {string.Join(" needs ", circle)}", definition.Span);
            return null;
        }

        _unfinished.Add(definition.Name);
        var image = definition switch
        {
            DebianImage debian => Bootstrap(debian),
            DockerfileImage dockerfile => await DockerfileAsync(dockerfile, cancellationToken),
            _ => throw new InvalidOperationException($"no planning for '{definition.GetType().Name}'"),
        };
        _unfinished.Remove(definition.Name);
        return _images[definition.Name] = image;
    }

    // Only the images that were asked for: what they start with stays as its template says.
    private PlannedStage Labelled(PlannedStage stage, IReadOnlyList<PlannedImage> images)
    {
        if (_settings.Labels.Count == 0 || images.All(i => i.Stage != stage.Name))
            return stage;

        var labels = new SortedDictionary<string, string>(stage.Config.Labels ?? [], StringComparer.Ordinal);
        foreach (var (name, value) in _settings.Labels)
            labels[name] = value;
        return stage with
        {
            Config = stage.Config with { Labels = labels },
            OwnLabels = [.. stage.OwnLabels, .. _settings.Labels.Select(l => l.Key)],
        };
    }

    // What the project says of all stages of an image; they are named after it.
    private PlannedStage Settled(PlannedStage stage)
    {
        var image = _project.Images.FirstOrDefault(i => i.Name == stage.Name.Split('/')[0]);
        return image is null ? stage : stage with
        {
            IsFresh = _settings.FreshStages.Any(f => IsNameOf(f, stage)),
            RulesOff = [.. image.RulesOff.Distinct().Order(StringComparer.Ordinal)],
            Steps = image.Processors is null ? stage.Steps : [.. stage.Steps.Select(s => s is RunStep run ? run with { Processors = image.Processors } : s)],
        };
    }

    private static bool IsNameOf(string name, PlannedStage stage) =>
        new[] { stage.Name, stage.Name[(stage.Name.IndexOf('/', StringComparison.Ordinal) + 1)..], stage.Alias }
            .Contains(name, StringComparer.OrdinalIgnoreCase);

    private void CheckFreshStages()
    {
        foreach (string name in _settings.FreshStages.Where(f => !_diagnostics.HasErrors && !_stages.Exists(s => IsNameOf(f, s))))
            _diagnostics.Error("plan-unknown-stage", $"no stage of this build is called '{name}'",
                detail: Suggestion.For(name, _stages.SelectMany(s => new[] { s.Alias, s.Name }).OfType<string>())
                    ?? "a stage that no image needs is not built");
    }

    private PlannedImage Settled(PlannedImage image) => image with
    {
        Compression = _project.CompressionOf(image.Definition)?.Name,
        StandardLabels = _project.StandardLabels,
    };

    internal PlannedStage Stage(string name) => _stages.First(s => s.Name == name);

    internal void Add(PlannedStage stage) => _stages.Add(stage);

    private IEnumerable<ImageDefinition> Targets()
    {
        if (_settings.Targets.Count == 0)
            return _project.Images;

        foreach (var target in _settings.Targets.Where(t => _project.Images.All(i => i.Name != t)))
        {
            _diagnostics.Error(
                "plan-unknown-image", $"the project has no image '{target}'",
                detail: Suggestion.For(target, _project.Images.Select(i => i.Name)) ?? $"it has {string.Join(", ", _project.Images.Select(i => $"'{i.Name}'"))}");
        }

        return _project.Images.Where(i => _settings.Targets.Contains(i.Name));
    }

    private PlannedImage Bootstrap(DebianImage image)
    {
        var packages = image.Packages.Distinct().Order(StringComparer.Ordinal).ToList();
        string text = $"DEBIAN {image.Suite}{string.Concat(packages.Select(p => " " + p))}";
        var step = new BootstrapStep(text, image.Span, image.Suite, packages, image.Mirror) { KeepsDocumentation = image.KeepsDocumentation };
        var config = EmptyConfig with { Cmd = ["bash"] };
        _stages.Add(new PlannedStage(image.Name, new TreeSource.Scratch(), [step], config, []));
        return new PlannedImage(image.Name, image.Name, image, Digest.Of(Encoding.UTF8.GetBytes(step.ToString())), [], []);
    }

    private async Task<PlannedImage?> DockerfileAsync(DockerfileImage image, CancellationToken cancellationToken)
    {
        if (ContextOf(image) is not { } context)
            return null;
        if (Read(image) is not { } source)
            return null;

        int before = _diagnostics.Count(d => d.Severity == Severity.Error);
        var syntax = DockerfileParser.Parse(source, _diagnostics);
        if (_diagnostics.Count(d => d.Severity == Severity.Error) != before || syntax.Stages.Count == 0)
            return null;

        FailOnFindings(syntax, image);
        var planner = new DockerfilePlanner(this, image, syntax, context);
        _declaredArguments.UnionWith(planner.DeclaredArguments);
        return await planner.PlanAsync(cancellationToken);
    }

    private SourceText? Read(DockerfileImage image)
    {
        if (image.Dockerfile == PlanSettings.StandardInputName)
            return new SourceText("standard input", _settings.StandardInput);

        try
        {
            var files = new ImageFiles(_settings.Directory, image) { NameOf = _settings.NameOf };
            if (files.FindDockerfile() is { } found)
                return found;
            _diagnostics.Error("plan-no-dockerfile", $"the Dockerfile '{image.Dockerfile}' of image '{image.Name}' is not there", image.Span, files.Near());
        }
        catch (InvalidInputException e)
        {
            Say(e, image);
        }

        return null;
    }

    private TreeSource.Context? ContextOf(DockerfileImage image)
    {
        try
        {
            if (new ImageFiles(_settings.Directory, image).FindContext() is { } context)
                return context;
            _diagnostics.Error("plan-no-context", $"the context '{image.Context}' of image '{image.Name}' is not a directory", image.Span);
        }
        catch (InvalidInputException e)
        {
            Say(e, image);
        }

        return null;
    }

    private void Say(InvalidInputException problem, DockerfileImage image)
    {
        foreach (var found in problem.Diagnostics)
            _diagnostics.Error(found.Code, found.Summary, image.Span, found.Detail);
    }

    // # check=error=true: what the checks find fails the build.
    private void FailOnFindings(DockerfileSyntax syntax, DockerfileImage image)
    {
        if (syntax.Check?.Error != true)
            return;

        var arguments = image.Arguments.Concat(_settings.Arguments).GroupBy(a => a.Key).ToDictionary(a => a.Key, a => a.Last().Value);
        CheckContext known = new() { Arguments = arguments, KnownImages = [.. _project.Images.Select(i => i.Name), .. _settings.Contexts.Keys] };
        foreach (var finding in DockerfileChecks.Run(syntax, known).Where(f => f.Severity == Severity.Error && !DockerfileChecks.All.First(c => c.Id == f.Code).IsOurs))
            _diagnostics.Add(finding);
    }

    // Only where no Dockerfile at all was planned to take it: one command line may name several images.
    private void WarnOfUnusedArguments()
    {
        if (_project.Images.OfType<DockerfileImage>().All(i => !_images.ContainsKey(i.Name)) || _diagnostics.HasErrors)
            return;

        foreach (var (name, _) in _settings.Arguments)
        {
            if (!_declaredArguments.Contains(name) && !BuildArguments.IsPredefined(name))
                _diagnostics.Warning("plan-unused-argument", $"no Dockerfile declares the build argument '{name}'", detail: Suggestion.For(name, _declaredArguments) ?? $"write ARG {name} where it is used");
        }
    }
}
