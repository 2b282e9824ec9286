using Ingot.Diagnostics;
using Ingot.Oci.Images;
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
    private HashSet<string>? _declaredArguments;

    private Planner(ProjectDefinition project, PlanSettings settings, DiagnosticBag diagnostics)
    {
        _project = project;
        _settings = settings with { Directory = Path.GetFullPath(settings.Directory) };
        _diagnostics = diagnostics;
    }

    /// <summary>The configuration of an image that starts with nothing.</summary>
    public static ContainerConfig EmptyConfig { get; } = new() { Env = ["PATH=" + DefaultPath], WorkingDir = "/" };

    /// <summary>What the plan is made for; the directory is absolute.</summary>
    public PlanSettings Settings => _settings;

    /// <summary>What is wrong so far.</summary>
    public DiagnosticBag Diagnostics => _diagnostics;

    /// <summary>The project.</summary>
    public ProjectDefinition Project => _project;

    /// <summary>The plan; null when <paramref name="diagnostics"/> got errors. Files that cannot be read are among those.</summary>
    public static async Task<Plan?> PlanAsync(
        ProjectDefinition project, PlanSettings settings, DiagnosticBag diagnostics, CancellationToken cancellationToken = default)
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
            Platform = settings.Options.Platform,
        };
    }

    /// <summary>Plans an image of the project, each once; null when that cannot be done, and then it was said why.</summary>
    public async Task<PlannedImage?> ImageAsync(ImageDefinition definition, CancellationToken cancellationToken)
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
        var image = await _settings.FrontEnds.Of(definition).PlanAsync(this, cancellationToken);
        _unfinished.Remove(definition.Name);
        return _images[definition.Name] = image;
    }

    // Only the images that were asked for: what they start with stays as its template says.
    private PlannedStage Labelled(PlannedStage stage, IReadOnlyList<PlannedImage> images)
    {
        if (_settings.Options.Labels.Count == 0 || images.All(i => i.Stage != stage.Name))
            return stage;

        var labels = new SortedDictionary<string, string>(stage.Config.Labels ?? [], StringComparer.Ordinal);
        foreach (var (name, value) in _settings.Options.Labels)
            labels[name] = value;
        return stage with
        {
            Config = stage.Config with { Labels = labels },
            OwnLabels = [.. stage.OwnLabels, .. _settings.Options.Labels.Select(l => l.Key)],
        };
    }

    // What the project says of all stages of an image; they are named after it.
    private PlannedStage Settled(PlannedStage stage)
    {
        var image = _project.Images.FirstOrDefault(i => i.Name == stage.Image);
        return image is null ? stage : stage with
        {
            IsFresh = _settings.Options.FreshStages.Any(f => IsNameOf(f, stage)),
            RulesOff = [.. image.RulesOff.Distinct().Order(StringComparer.Ordinal)],
            Steps = image.Processors is null
                ? stage.Steps
                : [.. stage.Steps.Select(s => s is RunStep run ? run with { Processors = image.Processors } : s)],
        };
    }

    private static bool IsNameOf(string name, PlannedStage stage) =>
        new[] { stage.Name, stage.Name[(stage.Name.IndexOf('/', StringComparison.Ordinal) + 1)..], stage.Alias }
            .Contains(name, StringComparer.OrdinalIgnoreCase);

    private void CheckFreshStages()
    {
        foreach (string name in _settings.Options.FreshStages.Where(f => !_diagnostics.HasErrors && !_stages.Exists(s => IsNameOf(f, s))))
            _diagnostics.Error("plan-unknown-stage", $"this build has no stage '{name}'",
                detail: Suggestion.For(name, _stages.SelectMany(s => new[] { s.Alias, s.Name }).OfType<string>())
                    ?? "a stage that no image needs is not built");
    }

    private PlannedImage Settled(PlannedImage image) => image with
    {
        Compression = _project.CompressionOf(image.Definition)?.Name,
        StandardLabels = _project.StandardLabels,
    };

    internal PlannedStage Stage(string name) => _stages.First(s => s.Name == name);

    /// <summary>Adds a stage, after those that it uses. The name of that of an image is the image's; of its others it begins with that and
    /// a slash.</summary>
    public void Add(PlannedStage stage) => _stages.Add(stage);

    /// <summary>Notes which build arguments a template takes: one that none takes is probably a mistake.</summary>
    public void Declare(IEnumerable<string> arguments) => (_declaredArguments ??= []).UnionWith(arguments);

    private IEnumerable<ImageDefinition> Targets()
    {
        if (_settings.Targets.Count == 0)
            return _project.Images;

        foreach (var target in _settings.Targets.Where(t => _project.Images.All(i => i.Name != t)))
        {
            _diagnostics.Error(
                "plan-unknown-image", $"the project has no image '{target}'",
                detail: Suggestion.For(target, _project.Images.Select(i => i.Name))
                    ?? $"it has {string.Join(", ", _project.Images.Select(i => $"'{i.Name}'"))}");
        }

        return _project.Images.Where(i => _settings.Targets.Contains(i.Name));
    }

    // Only where a template takes any: one command line may name several images.
    private void WarnOfUnusedArguments()
    {
        if (_declaredArguments is null || _diagnostics.HasErrors)
            return;

        foreach (var (name, _) in _settings.Options.Arguments)
        {
            if (!_declaredArguments.Contains(name) && !BuildArguments.IsPredefined(name))
                _diagnostics.Warning("plan-unused-argument", $"no Dockerfile declares the build argument '{name}'",
                    detail: Suggestion.For(name, _declaredArguments) ?? $"write ARG {name} where it is used");
        }
    }
}
