using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Oci.Images;
using Ingot.Templates.Dockerfile;

namespace Ingot.Plans;

/// <summary>Plans one stage of a Dockerfile: follows the configuration from instruction to instruction, and lowers those that change files to steps.</summary>
internal sealed partial class StagePlanner
{
    private static readonly JsonElement s_empty = JsonDocument.Parse("{}").RootElement.Clone();
    private static readonly string[] s_shell = ["/bin/sh", "-c"];

    private readonly DockerfilePlanner _file;
    private readonly int _index;
    private readonly StageSyntax _syntax;
    private readonly List<Step> _steps = [];
    private Scope _scope = new([]);
    private ContainerConfig _config = Planner.EmptyConfig;
    private bool _setCommand;
    private IReadOnlyList<HistoryEntry> _history = [];

    public StagePlanner(DockerfilePlanner file, int index, StageSyntax syntax)
    {
        _file = file;
        _index = index;
        _syntax = syntax;
        Name = file.NameOf(index);
    }

    /// <summary>The stage's name in the plan.</summary>
    public string Name { get; }

    private DiagnosticBag Diagnostics => _file.Diagnostics;

    private string WorkingDirectory => string.IsNullOrEmpty(_config.WorkingDir) ? "/" : _config.WorkingDir;

    /// <summary>Plans the stage after those it uses; false when that cannot be done, and then it was said why.</summary>
    public async Task<bool> PlanAsync(CancellationToken cancellationToken)
    {
        if (!CheckPlatform() || await BaseAsync(cancellationToken).ConfigureAwait(false) is not { } from)
            return false;

        bool complete = true;
        foreach (var instruction in _syntax.Instructions)
        {
            if (instruction is CopyInstruction copy)
                complete &= await CopyAsync(copy, cancellationToken).ConfigureAwait(false);
            else
                Take(instruction);
        }

        _file.Owner.Add(new PlannedStage(Name, from, _steps, _config with { Env = _scope.Environment }, _history));
        return complete;
    }

    private bool CheckPlatform()
    {
        if (_syntax.From.Platform is not { } word)
            return true;

        string wanted = VariableExpander.Expand(word, _file.FindGlobal, Diagnostics, _file.Escape);
        string own = _file.Owner.Settings.Platform.ToString();
        if (wanted == own || wanted == _file.Owner.Settings.Platform.Architecture)
            return true;

        Diagnostics.Error("plan-platform", $"platform '{wanted}' is not supported yet", word.Span, $"this build makes '{own}'");
        return false;
    }

    private async Task<TreeSource?> BaseAsync(CancellationToken cancellationToken)
    {
        var word = _syntax.From.Image;
        string name = VariableExpander.Expand(word, _file.FindGlobal, Diagnostics, _file.Escape);
        if (name.Length == 0)
        {
            Diagnostics.Error("plan-empty-base", $"'{word.Text}' is empty", word.Span, "give its ARG a default before the first FROM, or the value with --build-arg");
            return null;
        }

        var source = await _file.FindSourceAsync(name, _index, word.Span, cancellationToken).ConfigureAwait(false);
        Inherit(source);
        return source;
    }

    private void Inherit(TreeSource? source)
    {
        switch (source)
        {
            case TreeSource.Stage { Name: var name } when _file.Planned(name) is { } stage:
                _config = stage._config;
                _scope = new Scope(stage._scope);
                return;
            case TreeSource.Stage { Name: var name }:
                _config = _file.Owner.Stage(name).Config;
                break;
            case TreeSource.Image { Manifest: var manifest }:
                _config = _file.StoredConfigs[manifest].Config.Config;
                _history = _file.StoredConfigs[manifest].Config.History;
                break;
        }

        _scope = new Scope(_config.Env ?? []);
    }

    private void Take(Instruction instruction)
    {
        switch (instruction)
        {
            case RunInstruction run:
                _steps.Add(Run(run));
                return;
            case WorkdirInstruction workdir:
                Workdir(workdir);
                return;
            case ArgInstruction arg:
                Arg(arg);
                break;
            case EnvInstruction env:
                Env(env);
                break;
            case LabelInstruction label:
                Label(label);
                break;
            case UserInstruction user:
                User(user);
                break;
            case ExposeInstruction expose:
                Expose(expose);
                break;
            case CmdInstruction cmd:
                _config = _config with { Cmd = ArgumentsOf(cmd.Command) };
                _setCommand = true;
                break;
            case EntrypointInstruction entrypoint:
                // The base's default arguments were meant for the base's entry point.
                _config = _config with { Entrypoint = ArgumentsOf(entrypoint.Command), Cmd = _setCommand ? _config.Cmd : null };
                break;
            case HealthcheckInstruction health:
                Healthcheck(health);
                break;
            default:
                Diagnostics.Error("plan-unsupported", $"'{instruction.Text.Split(' ')[0]}' is not supported yet", instruction.Span);
                break;
        }

        _steps.Add(new MetadataStep(instruction.Text, instruction.Span));
    }

    private RunStep Run(RunInstruction run) => new(run.Text, run.Span, run.Script is null ? ArgumentsOf(run.Command) : [], _scope.ForCommands, _config.User ?? "", WorkingDirectory)
    {
        Script = run.Script is { } script ? new InlineFile(script.Name, script.Content) : null,
        Transparent = [.. _file.Arguments.Proxies(_scope)],
    };

    private void Workdir(WorkdirInstruction workdir)
    {
        string path = ImagePath.Resolve(WorkingDirectory, Expand(workdir.Path));
        _config = _config with { WorkingDir = path };
        _steps.Add(new DirectoryStep(workdir.Text, workdir.Span, path, _config.User ?? ""));
    }

    private void Arg(ArgInstruction arg)
    {
        foreach (var (name, initial) in arg.Arguments)
        {
            string? value = _file.Arguments.FindGiven(name)
                ?? (initial is not null ? Expand(initial) : _file.Global.Find(name) ?? _file.Arguments.FindAutomatic(name));
            _scope.Declare(name, value);
        }
    }

    // All values of one instruction see the variables as they were before it.
    private void Env(EnvInstruction env)
    {
        foreach (var (name, value) in env.Variables.Select(v => (Expand(v.Name), Expand(v.Value))).ToList())
            _scope.Set(name, value);
    }

    private void Label(LabelInstruction label)
    {
        var labels = new SortedDictionary<string, string>(_config.Labels ?? [], StringComparer.Ordinal);
        foreach (var (name, value) in label.Labels)
            labels[Expand(name)] = Expand(value);
        _config = _config with { Labels = labels };
    }

    private void User(UserInstruction instruction)
    {
        string user = Expand(instruction.User);
        if (user.Length == 0)
            Diagnostics.Error("plan-empty-user", $"USER '{instruction.User.Text}' is empty", instruction.User.Span);
        _config = _config with { User = user };
    }

    private void Expose(ExposeInstruction expose)
    {
        var ports = new SortedDictionary<string, JsonElement>(_config.ExposedPorts ?? [], StringComparer.Ordinal);
        foreach (var word in expose.Ports)
        {
            foreach (var text in VariableExpander.ExpandWords(word, _scope.Find, Diagnostics, _file.Escape))
            {
                var expanded = ExposedPorts.TryParse(text);
                if (expanded is null)
                    Diagnostics.Error("plan-port", $"'{text}' is not a port", word.Span, ExposedPorts.Form);
                foreach (var port in expanded ?? [])
                    ports[port] = s_empty;
            }
        }

        _config = _config with { ExposedPorts = ports };
    }

    private void Healthcheck(HealthcheckInstruction health)
    {
        IReadOnlyList<string> test = health.Command switch
        {
            null => ["NONE"],
            { Exec: { } exec } => ["CMD", .. exec],
            { Shell: var shell } => ["CMD-SHELL", shell!],
        };
        _config = _config with
        {
            Healthcheck = new HealthCheck
            {
                Test = test,
                Interval = Nanoseconds(health.Interval),
                Timeout = Nanoseconds(health.Timeout),
                StartPeriod = Nanoseconds(health.StartPeriod),
                StartInterval = Nanoseconds(health.StartInterval),
                Retries = health.Retries,
            },
        };
    }

    private async Task<bool> CopyAsync(CopyInstruction copy, CancellationToken cancellationToken)
    {
        TreeSource? from = copy.Sources.Count == 0 ? new TreeSource.Inline() : _file.Context;
        if (copy.From is { } name)
        {
            if (name.Text.Contains('$', StringComparison.Ordinal))
                Diagnostics.Error("plan-copy-from", $"'--from={name.Text}' cannot hold a variable", name.Span, "write FROM with the variable AS a stage of its own, and name that");
            from = await _file.FindSourceAsync(name.Text, _index, name.Span, cancellationToken).ConfigureAwait(false);
        }

        if (from is null)
            return false;

        _steps.Add(CopyStep(copy, from));
        return true;
    }

    private CopyStep CopyStep(CopyInstruction copy, TreeSource from)
    {
        string destination = Expand(copy.Destination);
        bool isDirectory = ImagePath.NamesDirectory(destination);
        if (copy.Sources.Count + copy.Heredocs.Count > 1 && !isDirectory)
            Diagnostics.Error("plan-copy-destination", $"several sources are copied to '{destination}', which is not written as a directory", copy.Destination.Span, $"write '{destination}/'");

        return new CopyStep(copy.Text, copy.Span, from, [.. copy.Sources.Select(word => Source(word, from))], ImagePath.Resolve(WorkingDirectory, destination))
        {
            DestinationIsDirectory = isDirectory,
            Owner = copy.Chown is null ? null : Expand(copy.Chown),
            Mode = copy.Chmod is null ? null : ModeOf(copy.Chmod),
            Inline = [.. copy.Heredocs.Select(h => new InlineFile(h.Name, VariableExpander.ExpandContent(h, _scope.Find, Diagnostics)))],
        };
    }

    private CopySource Source(Word word, TreeSource from)
    {
        string text = Expand(word);
        if (text.Length == 0)
            Diagnostics.Error("plan-empty-source", $"the source '{word.Text}' is empty", word.Span, "give its variable a value; '.' means everything");
        int depth = 0;
        foreach (var part in text.Split('/').Where(p => p is not ("" or ".")))
        {
            depth += part == ".." ? -1 : 1;
            if (depth >= 0)
                continue;

            string outside = from is TreeSource.Context ? "the build context" : "the root";
            Diagnostics.Error("plan-copy-outside", $"'{text}' leads out of {outside}", word.Span, from is TreeSource.Context ? "choose a context above it" : null);
            break;
        }

        return new CopySource(ImagePath.ToLayer(text), word.Span);
    }

    private ModeChange? ModeOf(Word word)
    {
        string text = Expand(word);
        if (ModeChange.TryParse(text) is { } mode)
            return mode;

        Diagnostics.Error("plan-chmod", $"'--chmod={text}' is not a mode", word.Span, "write it as 755 or 0644, or as changes such as u=rwX,go=rX");
        return null;
    }

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
                Diagnostics.Warning("plan-unknown-variable", $"the variable '{name}' is not declared here", word.Span, Suggestion.For(name, _scope.Names) ?? $"write ARG {name} or ENV {name}=… above it in this stage");
        }
    }

    private static IReadOnlyList<string> ArgumentsOf(CommandLine command) => command.Exec ?? [.. s_shell, command.Shell!];

    private static long? Nanoseconds(TimeSpan? time) => time?.Ticks * 100;

    // An escaped dollar is none; ${name:-word} and its like say themselves what a missing value means.
    [GeneratedRegex(@"(?<![\\$])\$(?:(?<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?<name>[A-Za-z_][A-Za-z0-9_]*)\})")]
    private static partial Regex PlainVariable();
}
