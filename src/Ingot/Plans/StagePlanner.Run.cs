using Ingot.Templates.Dockerfile;

namespace Ingot.Plans;

// RUN.
internal sealed partial class StagePlanner
{
    private async Task<bool> RunAsync(RunInstruction run, CancellationToken cancellationToken)
    {
        if (!_file.Owner.Settings.Runs(_platform))
        {
            Diagnostics.Error("plan-foreign-platform", $"this host cannot run programs for '{_platform}'", run.Span,
                "install 'qemu-user-static' and 'binfmt-support', which register an emulator with the kernel, "
                    + "or start the stage with FROM --platform=$BUILDPLATFORM");
            return false;
        }

        var mounts = new List<StepMount>();
        foreach (var syntax in run.Mounts)
        {
            if (await MountAsync(syntax, cancellationToken) is { } mount)
                mounts.Add(mount);
        }

        var arguments = ArgumentsOf(run.Script is null ? run.Command : new CommandLine("/dev/pipes/" + run.Script.Name, Exec: null));
        _steps.Add(new RunStep(run.Text, run.Span, run.Script is null ? arguments : [], _scope.ForCommands,
            _config.User ?? "", WorkingDirectory)
        {
            CreatedBy = HistoryText.Run(arguments),
            Script = run.Script is { } script ? new InlineFile(script.Name, script.Content) : null,
            Transparent = [.. _file.Arguments.Proxies(_scope)],
            Mounts = mounts,
            Network = run.Network is null ? Settings.Network : NetworkOf(run.Network),
            Insecure = IsInsecure(run.Security),
            Hosts = Settings.Hosts,
            SharedMemory = Settings.SharedMemory,
            Limits = Settings.Limits,
        });
        return mounts.Count == run.Mounts.Count;
    }

    private RunSettings Settings => _file.Owner.Settings.Options.Run;

    private StepNetwork NetworkOf(Word word)
    {
        switch (Expand(word))
        {
            case "default":
                return StepNetwork.Default;
            case "none":
                return StepNetwork.None;
            case "host":
                return StepNetwork.Host;
            default:
                Diagnostics.Error("plan-network", $"'{word.Text}' is not a network", word.Span, "default, none or host");
                return StepNetwork.Default;
        }
    }

    private bool IsInsecure(Word? word)
    {
        string mode = word is null ? "sandbox" : Expand(word);
        if (mode is not ("sandbox" or "insecure"))
            Diagnostics.Error("plan-security", $"'{word!.Text}' is not a security mode", word.Span, "sandbox or insecure");
        return mode == "insecure";
    }

    private async Task<StepMount?> MountAsync(MountSyntax syntax, CancellationToken cancellationToken)
    {
        int before = Diagnostics.ErrorCount;
        var options = new MountOptions(syntax, Expand, Diagnostics, WorkingDirectory);
        TreeSource? from = null;
        if (options.From is { } name)
        {
            from = await _file.FindSourceAsync(name.Text, _index, _platform, name.Span, cancellationToken);
            if (from is null)
                return null;
        }

        var mount = options.ToMount(from, _file.Context);
        return Diagnostics.ErrorCount == before ? mount : null;
    }
}
