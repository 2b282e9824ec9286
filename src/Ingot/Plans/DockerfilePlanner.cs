using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>Plans the stages of one Dockerfile that its target needs.</summary>
internal sealed class DockerfilePlanner
{
    private const string ImageScheme = "docker-image://";

    private readonly Planner _planner;
    private readonly DockerfileImage _image;
    private readonly DockerfileSyntax _syntax;
    private readonly BuildArguments _arguments;
    private readonly Scope _global = new([]);
    private readonly Dictionary<int, StagePlanner?> _stages = [];
    private readonly OrderedDictionary<string, TreeSource.Image> _bases = [];
    private readonly Dictionary<string, string> _contexts = new(StringComparer.Ordinal);
    private readonly int _target;

    public DockerfilePlanner(Planner planner, DockerfileImage image, DockerfileSyntax syntax, TreeSource.Context context)
    {
        _planner = planner;
        Context = context;
        _image = image;
        _syntax = syntax;
        _target = FindTarget();
        foreach (var (name, value) in planner.Settings.Options.Contexts)
            _contexts[ContextName.Canonical(name)] = value;
        var given = image.Arguments.Concat(planner.Settings.Options.Arguments);
        _arguments = new BuildArguments(given, planner.Settings.Options.Platform, image.Target ?? "default");
    }

    public DiagnosticBag Diagnostics => _planner.Diagnostics;

    public BuildArguments Arguments => _arguments;

    public char Escape => _syntax.Escape;

    /// <summary>The names of every ARG in the file, used or not.</summary>
    public IReadOnlySet<string> DeclaredArguments => _syntax.GlobalArguments
        .Concat(_syntax.Stages.SelectMany(s => s.Instructions).OfType<ArgInstruction>())
        .SelectMany(a => a.Arguments)
        .Select(a => a.Name)
        .ToHashSet();

    /// <summary>The context of the image.</summary>
    public TreeSource.Context Context { get; }

    public async Task<PlannedImage?> PlanAsync(CancellationToken cancellationToken)
    {
        DeclareGlobals();
        WarnOfUnusedArguments();
        if (_target < 0 || await StageAsync(_target, cancellationToken) is not { } stage)
            return null;

        var template = Digest.Of(Encoding.UTF8.GetBytes(_syntax.Source.Text));
        return new PlannedImage(_image.Name, stage.Name, _image, template, [.. _bases.Values], _arguments.Given);
    }

    /// <summary>Finds what FROM, <c>--from</c> or a mount names, nearest first: a named context, an earlier stage, scratch, an image of the
    /// project, an image of the local store or of a registry. Null when it was said that there is none.</summary>
    public async Task<TreeSource?> FindSourceAsync(
        string name, int before, Platform platform, SourceSpan span, CancellationToken cancellationToken)
    {
        if (NamedContext(name) is { } context)
            return await FindContextAsync(name, context, platform, span, cancellationToken);
        if (FindStage(name, before) is { } index)
            return await StageAsync(index, cancellationToken) is { } stage ? new TreeSource.Stage(stage.Name) : null;
        if (name == "scratch")
            return new TreeSource.Scratch();

        if (_planner.Project.Images.FirstOrDefault(i => i.Name == name) is { } image)
            return await _planner.ImageAsync(image, cancellationToken) is { } planned ? new TreeSource.Stage(planned.Stage) : null;

        return await FindImageAsync(name, platform, span, () => SayUnknown(name, before, span), cancellationToken);
    }

    /// <summary>What the person gave in place of a name; null when nothing was given.</summary>
    public string? NamedContext(string name) => _contexts.GetValueOrDefault(ContextName.Canonical(name));

    private async Task<TreeSource?> FindContextAsync(
        string name, string value, Platform platform, SourceSpan span, CancellationToken cancellationToken)
    {
        if (GitReference.TryParse(value) is { } repository)
            return repository;
        if (value.StartsWith(ImageScheme, StringComparison.Ordinal) || value.Contains("://", StringComparison.Ordinal))
        {
            string image = value.StartsWith(ImageScheme, StringComparison.Ordinal) ? value[ImageScheme.Length..] : value;
            if (image == "scratch")
                return new TreeSource.Scratch();
            void SayUnknown() =>
                Diagnostics.Error("plan-unknown-context", $"the context '{name}' is '{value}', and no such image was found", span);
            return await FindImageAsync(image, platform, span, SayUnknown, cancellationToken);
        }

        try
        {
            using var files = ProjectDirectory.OfTyped(Settings.Directory, value, out string path);
            if (files.FindDirectory(path, value) is { } directory)
            {
                using var context = new ProjectDirectory(directory);
                return new TreeSource.Context(directory, name, IgnoreFile.Locate(context)) { KeepsModes = _image.KeepsModes };
            }

            Diagnostics.Error("plan-no-context", $"the context '{name}' is '{value}', which is not a directory", span);
        }
        catch (InvalidInputException e)
        {
            foreach (var found in e.Diagnostics)
                Diagnostics.Error(found.Code, found.Summary, span, found.Detail);
        }

        return null;
    }

    // Null when it was said why there is none.
    private async Task<TreeSource?> FindImageAsync(
        string name, Platform platform, SourceSpan span, Action sayUnknown, CancellationToken cancellationToken)
    {
        StoredImage? stored;
        try
        {
            stored = await Settings.FindImage(name, platform, cancellationToken);
        }
        catch (ImageLookupException e)
        {
            Diagnostics.Error(e.Code, e.Message, span, e.Cure ?? Suggestion.For(name, _syntax.Stages.Select(s => s.Name).OfType<string>()));
            return null;
        }
        catch (RegistryException e) when (e.Status is 401 or 403 or 404)
        {
            // Docker Hub, for one, answers so for repositories that are not there.
            Diagnostics.Error("image-unknown", $"the image '{name}' could not be obtained: {e.Message}", span,
                "name one that exists and that you may read");
            return null;
        }
        catch (RegistryException e)
        {
            var diagnostic = new Diagnostic(Severity.Error, "image-unreachable",
                $"the image '{name}' could not be obtained: {e.Message}", null, span);
            throw new UnavailableException(diagnostic, e);
        }

        if (stored is null)
        {
            sayUnknown();
            return null;
        }

        if ((stored.Config.Os, stored.Config.Architecture) != (platform.Os, platform.Architecture))
            Diagnostics.Error("plan-platform", $"'{name}' is an image for '{stored.Config.Os}/{stored.Config.Architecture}'", span,
                $"this stage is for '{platform}': choose with --platform, or FROM --platform=…");
        var found = new TreeSource.Image(name, stored.Manifest);
        _bases[name] = found;
        StoredConfigs[stored.Manifest] = stored;
        return found;
    }

    private void SayUnknown(string name, int before, SourceSpan span)
    {
        string[] known =
        [
            .. _syntax.Stages.Take(before).Select(s => s.Name).OfType<string>(),
            .. _planner.Project.Images.Select(i => i.Name),
            .. Settings.Options.Contexts.Keys,
            "scratch",
        ];
        Diagnostics.Error(
            "plan-unknown-base", $"'{name}' is neither an earlier stage, nor an image of this project, nor in the local store", span,
            Suggestion.For(name, known) ?? "name an image of the project, of the local store ('ingot images'), or of a registry");
    }

    /// <summary>The images of the local store that were named.</summary>
    public Dictionary<Digest, StoredImage> StoredConfigs { get; } = [];

    public StagePlanner? Planned(string stage) => _stages.Values.FirstOrDefault(s => s?.Name == stage);

    public Planner Owner => _planner;

    private PlanSettings Settings => _planner.Settings;

    public string NameOf(int index) => index == _target
        ? _image.Name
        : $"{_image.Name}/{_syntax.Stages[index].Name ?? index.ToString(System.Globalization.CultureInfo.InvariantCulture)}";

    private async Task<StagePlanner?> StageAsync(int index, CancellationToken cancellationToken)
    {
        if (_stages.TryGetValue(index, out var known))
            return known;

        var stage = new StagePlanner(this, index, _syntax.Stages[index]);
        bool planned = await stage.PlanAsync(cancellationToken);
        return _stages[index] = planned ? stage : null;
    }

    // A later stage of the same name hides an earlier one, as with Docker; numbers count all stages.
    private int? FindStage(string name, int before)
    {
        for (int i = before - 1; i >= 0; i--)
        {
            if (string.Equals(_syntax.Stages[i].Name, name, StringComparison.OrdinalIgnoreCase))
                return i;
        }

        return int.TryParse(name, System.Globalization.NumberStyles.None, null, out int index) && index < before ? index : null;
    }

    private int FindTarget()
    {
        if (_image.Target is null)
            return _syntax.Stages.Count - 1;
        if (FindStage(_image.Target, _syntax.Stages.Count) is { } index)
            return index;

        Diagnostics.Error(
            "plan-unknown-target", $"'{_image.Dockerfile}' has no stage '{_image.Target}'", _image.Span,
            Suggestion.For(_image.Target, _syntax.Stages.Select(s => s.Name).OfType<string>()));
        return -1;
    }

    private void DeclareGlobals()
    {
        foreach (var (name, initial) in _syntax.GlobalArguments.SelectMany(a => a.Arguments))
        {
            // Without a value it keeps the one it has.
            string? ByDefault() => initial is null ? null : VariableExpander.Expand(initial, FindGlobal, Diagnostics, Escape);
            _global.Declare(name, _arguments.FindGiven(name) ?? ByDefault());
        }
    }

    /// <summary>A variable outside of any stage: in FROM, and in the ARGs before the first.</summary>
    public string? FindGlobal(string name) => _global.Find(name) ?? _arguments.FindAutomatic(name);

    private void WarnOfUnusedArguments()
    {
        var declared = DeclaredArguments;
        foreach (var (name, _) in _image.Arguments)
        {
            if (!declared.Contains(name) && !BuildArguments.IsPredefined(name))
                Diagnostics.Warning("plan-unused-argument", $"'{_image.Dockerfile}' does not declare the build argument '{name}'",
                    _image.Span, Suggestion.For(name, declared) ?? $"write ARG {name} where it is used");
        }
    }
}
