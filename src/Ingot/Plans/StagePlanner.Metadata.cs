using System.Text.Json;
using Ingot.Oci.Images;
using Ingot.Templates.Dockerfile;

namespace Ingot.Plans;

// Instructions that change the configuration; each returns what the history says of it.
internal sealed partial class StagePlanner
{
    private static readonly JsonElement s_empty = JsonDocument.Parse("{}").RootElement.Clone();

    private string Metadata(Instruction instruction) => instruction switch
    {
        ArgInstruction arg => Arg(arg),
        EnvInstruction env => Env(env),
        LabelInstruction label => Label(label),
        UserInstruction user => User(user),
        ExposeInstruction expose => Expose(expose),
        CmdInstruction cmd => Cmd(cmd),
        EntrypointInstruction entrypoint => Entrypoint(entrypoint),
        HealthcheckInstruction health => Healthcheck(health),
        ShellInstruction shell => Shell(shell),
        StopsignalInstruction signal => Stopsignal(signal),
        VolumeInstruction volume => Volume(volume),
        MaintainerInstruction maintainer => Maintainer(maintainer),
        _ => throw new InvalidOperationException($"no planning for '{instruction.GetType().Name}'"),
    };

    // Each sees those before it in the same instruction, unlike those of an ENV.
    private string Arg(ArgInstruction arg)
    {
        foreach (var (name, initial) in arg.Arguments)
            _scope.Declare(name, _file.Arguments.FindGiven(name) ?? (initial is null ? _file.FindGlobal(name) : Expand(initial)));
        return arg.Text;
    }

    // All values of one instruction see the variables as they were before it.
    private string Env(EnvInstruction env)
    {
        var pairs = env.Variables.Select(v => (Name: Expand(v.Name), Value: Expand(v.Value))).ToList();
        foreach (var (name, value) in pairs)
            _scope.Set(name, value);
        return HistoryText.Pairs("ENV", pairs);
    }

    private string Label(LabelInstruction label)
    {
        var pairs = label.Labels.Select(l => (Name: Expand(l.Name), Value: Expand(l.Value))).ToList();
        var labels = new SortedDictionary<string, string>(_config.Labels ?? [], StringComparer.Ordinal);
        foreach (var (name, value) in pairs)
            labels[name] = value;
        _ownLabels.UnionWith(pairs.Select(p => p.Name));
        _config = _config with { Labels = labels };
        return HistoryText.Pairs("LABEL", pairs);
    }

    private string User(UserInstruction instruction)
    {
        string user = Expand(instruction.User);
        if (user.Length == 0)
            Diagnostics.Error("plan-empty-user", $"USER '{instruction.User.Text}' is empty", instruction.User.Span);
        _config = _config with { User = user };
        return "USER " + user;
    }

    private string Expose(ExposeInstruction expose)
    {
        var ports = new SortedDictionary<string, JsonElement>(_config.ExposedPorts ?? [], StringComparer.Ordinal);
        var named = new List<string>();
        foreach (var word in expose.Ports)
        {
            foreach (var text in VariableExpander.ExpandWords(word, _scope.Find, Diagnostics, _file.Escape))
            {
                var expanded = ExposedPorts.TryParse(text);
                if (expanded is null)
                    Diagnostics.Error("plan-port", $"'{text}' is not a port", word.Span, ExposedPorts.Form);
                named.AddRange(expanded ?? []);
            }
        }

        foreach (var port in named)
            ports[port] = s_empty;
        _config = _config with { ExposedPorts = ports };
        return HistoryText.Bracketed("EXPOSE", named);
    }

    private string Cmd(CmdInstruction cmd)
    {
        _config = _config with { Cmd = ArgumentsOf(cmd.Command), ArgsEscaped = true };
        _setCommand = true;
        return HistoryText.Quoted("CMD", _config.Cmd);
    }

    // The base's default arguments were meant for the base's entry point.
    private string Entrypoint(EntrypointInstruction entrypoint)
    {
        _config = _config with { Entrypoint = ArgumentsOf(entrypoint.Command), Cmd = _setCommand ? _config.Cmd : null };
        return HistoryText.Quoted("ENTRYPOINT", _config.Entrypoint);
    }

    private string Healthcheck(HealthcheckInstruction health)
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
        return health.Text;
    }

    private string Shell(ShellInstruction shell)
    {
        _config = _config with { Shell = shell.Shell };
        return HistoryText.Bracketed("SHELL", shell.Shell);
    }

    private string Stopsignal(StopsignalInstruction instruction)
    {
        string signal = Expand(instruction.Signal);
        if (!DockerfileValues.IsSignal(signal))
            Diagnostics.Error("plan-signal", $"'{signal}' is not a signal", instruction.Signal.Span, DockerfileValues.SignalForm);
        _config = _config with { StopSignal = signal };
        return "STOPSIGNAL " + signal;
    }

    private string Volume(VolumeInstruction volume)
    {
        var volumes = new SortedDictionary<string, JsonElement>(_config.Volumes ?? [], StringComparer.Ordinal);
        var paths = volume.Paths.Select(Expand).ToList();
        for (int i = 0; i < paths.Count; i++)
        {
            if (paths[i].Length == 0)
                Diagnostics.Error("plan-empty-volume", $"the volume '{volume.Paths[i].Text}' is empty", volume.Paths[i].Span);
            volumes[paths[i]] = s_empty;
        }

        _config = _config with { Volumes = volumes };
        return HistoryText.Bracketed("VOLUME", paths);
    }

    private string Maintainer(MaintainerInstruction maintainer)
    {
        _author = maintainer.Name.Text;
        return "MAINTAINER " + _author;
    }

    private static long? Nanoseconds(TimeSpan? time) => time?.Ticks * 100;
}
