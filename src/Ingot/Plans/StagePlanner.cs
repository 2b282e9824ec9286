using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Templates.Dockerfile;

namespace Ingot.Plans;

/// <summary>Plans one stage of a Dockerfile: follows the configuration from instruction to instruction,
/// and lowers those that change files to steps.</summary>
internal sealed partial class StagePlanner
{
    private static readonly string[] s_defaultShell = ["/bin/sh", "-c"];

    private readonly DockerfilePlanner _file;
    private readonly int _index;
    private readonly StageSyntax _syntax;
    private readonly List<Step> _steps = [];
    private Scope _scope = new([]);
    private ContainerConfig _config = Planner.EmptyConfig;
    private Platform _platform;
    private string? _author;
    private bool _setCommand;
    private readonly HashSet<string> _ownLabels = new(StringComparer.Ordinal);
    private IReadOnlyList<HistoryEntry> _history = [];

    public StagePlanner(DockerfilePlanner file, int index, StageSyntax syntax)
    {
        _file = file;
        _index = index;
        _syntax = syntax;
        _platform = file.Owner.Settings.Options.Platform;
        Name = file.NameOf(index);
    }

    /// <summary>The stage's name in the plan.</summary>
    public string Name { get; }

    private DiagnosticBag Diagnostics => _file.Diagnostics;

    private string WorkingDirectory => string.IsNullOrEmpty(_config.WorkingDir) ? "/" : _config.WorkingDir;

    /// <summary>Plans the stage after those it uses; false when that cannot be done, and then it was said why.</summary>
    public async Task<bool> PlanAsync(CancellationToken cancellationToken)
    {
        if (!ReadPlatform() || await BaseAsync(cancellationToken) is not { } from)
            return false;

        bool complete = true;
        // A context that was given in place of the stage is all of it.
        foreach (var instruction in ReplacesStage ? [] : Triggers())
            complete &= await TakeAsync(instruction, cancellationToken);
        // What the base wants done is the base's word; unless that is a stage of the same file.
        if (from is not TreeSource.Stage { Name: var stage } || _file.Planned(stage) is null)
            _ownLabels.Clear();
        foreach (var instruction in ReplacesStage ? [] : _syntax.Instructions)
            complete &= await TakeAsync(instruction, cancellationToken);

        _file.Owner.Add(new PlannedStage(Name, from, _steps, _config with { Env = _scope.Environment }, _history)
        {
            Platform = _platform,
            Author = _author,
            Alias = _syntax.Name,
            OwnLabels = _ownLabels,
        });
        return complete;
    }

    private bool ReplacesStage => _syntax.Name is { } name && _file.NamedContext(name) is not null;

    private bool ReadPlatform()
    {
        if (_syntax.From.Platform is not { } word)
            return true;

        string wanted = VariableExpander.Expand(word, _file.FindGlobal, Diagnostics, _file.Escape);
        if (Platform.TryParse(wanted) is not { IsKnown: true } platform)
        {
            Diagnostics.Error(
                "plan-platform",
                wanted.Length == 0 ? $"the platform '{word.Text}' is empty" : $"'{wanted}' is not a platform",
                word.Span,
                "such as linux/amd64 or linux/arm64, or $BUILDPLATFORM for this host's");
            return false;
        }

        _platform = platform;
        return true;
    }

    private async Task<TreeSource?> BaseAsync(CancellationToken cancellationToken)
    {
        var word = _syntax.From.Image;
        string name = ReplacesStage ? _syntax.Name! : VariableExpander.Expand(word, _file.FindGlobal, Diagnostics, _file.Escape);
        if (name.Length == 0)
        {
            Diagnostics.Error("plan-empty-base", $"'{word.Text}' is empty", word.Span,
                "give its ARG a default before the first FROM, or the value with --build-arg");
            return null;
        }

        var source = await _file.FindSourceAsync(name, _index, _platform, word.Span, cancellationToken);
        Inherit(source);
        if (source is null or TreeSource.Stage or TreeSource.Image or TreeSource.Scratch)
            return source;

        // Files that are no image: a root that they are copied into.
        _steps.Add(new CopyStep($"FROM {name}", word.Span, source, [new CopySource("", word.Span)], "/") { DestinationIsDirectory = true });
        return new TreeSource.Scratch();
    }

    private void Inherit(TreeSource? source)
    {
        switch (source)
        {
            case TreeSource.Stage { Name: var name } when _file.Planned(name) is { } stage:
                (_config, _author) = (stage._config, stage._author);
                _ownLabels.UnionWith(stage._ownLabels);
                _platform = _syntax.From.Platform is null ? stage._platform : _platform;
                _scope = new Scope(stage._scope);
                return;
            case TreeSource.Stage { Name: var name }:
                var planned = _file.Owner.Stage(name);
                (_config, _author) = (planned.Config, planned.Author);
                break;
            case TreeSource.Image { Manifest: var manifest }:
                var config = _file.StoredConfigs[manifest].Config;
                (_config, _author) = (config.Config, config.Author);
                _platform = new Platform { Os = config.Os, Architecture = config.Architecture, Variant = config.Variant };
                _history = config.History;
                break;
        }

        _scope = new Scope(_config.Env ?? []);
        if (_scope.Find("PATH") is null)
            _scope.Set("PATH", Planner.DefaultPath);
    }

    // What the base wants done first. It is done once: images made from the result do not inherit it.
    private IReadOnlyList<Instruction> Triggers()
    {
        if (_config.OnBuild is not { Count: > 0 } triggers)
            return [];

        _config = _config with { OnBuild = null };
        return DockerfileParser.ParseTriggers(triggers, $"ONBUILD of {_syntax.From.Image.Text}", Diagnostics);
    }

    private async Task<bool> TakeAsync(Instruction instruction, CancellationToken cancellationToken)
    {
        switch (instruction)
        {
            case TransferInstruction transfer:
                return await TransferAsync(transfer, cancellationToken);
            case RunInstruction run:
                return await RunAsync(run, cancellationToken);
            case WorkdirInstruction workdir:
                Workdir(workdir);
                return true;
            case OnbuildInstruction onbuild:
                _config = _config with { OnBuild = [.. _config.OnBuild ?? [], onbuild.Trigger] };
                return true;
            default:
                _steps.Add(new MetadataStep(instruction.Text, instruction.Span) { CreatedBy = Metadata(instruction) });
                return true;
        }
    }

    private void Workdir(WorkdirInstruction workdir)
    {
        string path = ImagePath.Resolve(WorkingDirectory, Expand(workdir.Path));
        _config = _config with { WorkingDir = path };
        _steps.Add(new DirectoryStep(workdir.Text, workdir.Span, path, _config.User ?? "") { CreatedBy = "WORKDIR " + path });
    }

    private IReadOnlyList<string> ArgumentsOf(CommandLine command) =>
        command.Exec ?? [.. _config.Shell is { Count: > 0 } shell ? shell : s_defaultShell, command.Shell!];

    private string Expand(Word word)
    {
        WarnOfUnknownVariables(word);
        return VariableExpander.Expand(word, _scope.Find, Diagnostics, _file.Escape);
    }

    private void WarnOfUnknownVariables(Word word)
    {
        foreach (Match match in PlainVariable().Matches(word.Text))
        {
            string name = match.Groups["name"].Value;
            if (!_scope.Declares(name))
                Diagnostics.Warning("plan-unknown-variable", $"the variable '{name}' is not declared here", word.Span,
                    Suggestion.For(name, _scope.Names) ?? $"write ARG {name} or ENV {name}=… above it in this stage");
        }
    }

    // An escaped dollar is none; ${name:-word} and its like say themselves what a missing value means.
    [GeneratedRegex(@"(?<![\\$])\$(?:(?<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?<name>[A-Za-z_][A-Za-z0-9_]*)\})")]
    private static partial Regex PlainVariable();
}
