using System.Text;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Tools;

namespace Ingot.Cli;

/// <summary>The unit with which systemd runs the server of a home: written by <c>ingot serve --install</c>.</summary>
internal sealed class ServerUnit(Systemd systemd, Terminal terminal)
{
    public const string Name = "ingot.service";

    private const string HomeVariable = "INGOT_HOME";

    private string File => systemd.UnitFile(Name);

    /// <summary>Whether systemd runs the server of this home: then it is the one to start and to restart it.</summary>
    public bool Runs(Home home) => systemd.IsRunning && IsOf(home.Directory);

    /// <summary>Has systemd start the server of this home; one that runs goes on.</summary>
    public static Task StartAsync(CancellationToken cancellationToken) => CommandRunner.RunAsync(Systemd.Start(Name), cancellationToken);

    /// <summary>Has systemd start the server of this home again, with the program as it is now.</summary>
    public static Task RestartAsync(CancellationToken cancellationToken) =>
        CommandRunner.RunAsync(Systemd.Restart(Name), cancellationToken);

    /// <summary>Whether systemd has the server running, and not ended or waiting to start it again.</summary>
    public static async Task<bool> IsActiveAsync(CancellationToken cancellationToken) =>
        (await CommandRunner.TryRunAsync(Systemd.IsActive(Name), onLine: null, cancellationToken)).ExitCode == 0;

    /// <summary>Whether the unit starts the program at <paramref name="path"/>.</summary>
    public bool Starts(string path)
    {
        string start = "ExecStart=" + Systemd.Quote(Program(path));
        return System.IO.File.Exists(File)
            && System.IO.File.ReadLines(File).Any(line => line == start || line.StartsWith(start + ' ', StringComparison.Ordinal));
    }

    /// <summary>Writes the unit, and has it started now and with the host.</summary>
    /// <param name="home">The home.</param>
    /// <param name="arguments">What the server is started with, after <c>serve</c>.</param>
    /// <param name="beforeStart">Ends a server of the home that was started by hand.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task InstallAsync(Home home, IReadOnlyList<string> arguments, Func<Task> beforeStart, CancellationToken cancellationToken)
    {
        RequireRoot("--install");
        if (System.IO.File.Exists(File) && !IsOf(home.Directory))
            throw new RefusedException($"'{File}' belongs to another home than '{home.Directory}': a host has only one; "
                + "remove it with 'ingot serve --uninstall' under that home");
        // Where systemd does not run nothing is started in its place. Once the unit is there, the server is taken for systemd's.
        if (systemd.IsRunning)
            await beforeStart();
        string text = Text(Program(Environment.ProcessPath!), home.Directory, Detached.Surroundings, arguments);
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        await System.IO.File.WriteAllTextAsync(File, text, cancellationToken);
        if (!systemd.IsRunning)
        {
            terminal.Line($"wrote {File}");
            terminal.Line($"systemd does not run here, so nothing was started: where it does, run '{Systemd.Enable(Name)}'; "
                + $"elsewhere have '{HomeVariable}={home.Directory} {Program(Environment.ProcessPath!)} serve' started with the host");
            return;
        }

        await CommandRunner.RunAsync(Systemd.Reload(), cancellationToken);
        await CommandRunner.RunAsync(Systemd.Enable(Name), cancellationToken);
        // It may have run already, with what it was installed with before.
        await CommandRunner.RunAsync(Systemd.Restart(Name), cancellationToken);
        terminal.Line($"wrote {File}; the server runs, and starts with the host: 'systemctl status {Name}', 'journalctl -u {Name}'");
    }

    /// <summary>Ends the server and takes the unit away. What it runs goes on running.</summary>
    /// <param name="home">The home.</param>
    /// <param name="end">Ends a server of the home that was started by hand, and says whether there was one.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task UninstallAsync(Home home, Func<Task<bool>> end, CancellationToken cancellationToken)
    {
        RequireRoot("--uninstall");
        if (!System.IO.File.Exists(File))
        {
            string ended = await end() ? $"; the server of {home.Directory}, which was started by hand, was stopped" : "";
            terminal.Line($"there is no {File}: nothing to remove{ended}");
            return;
        }

        if (!IsOf(home.Directory))
            throw new RefusedException($"'{File}' belongs to another home than '{home.Directory}': set INGOT_HOME to that one");
        if (systemd.IsRunning)
            await CommandRunner.RunAsync(Systemd.Disable(Name), cancellationToken);
        System.IO.File.Delete(File);
        if (systemd.IsRunning)
            await CommandRunner.RunAsync(Systemd.Reload(), cancellationToken);
        await end();
        terminal.Line($"removed {File}; services go on, and nobody repairs them until a server runs again ('ingot down' ends them); "
            + $"the data stays in {home.Directory}");
    }

    /// <summary>The unit's text.</summary>
    /// <param name="program">What is started.</param>
    /// <param name="home">The home.</param>
    /// <param name="surroundings">The environment.</param>
    /// <param name="arguments">What follows <c>serve</c>.</param>
    internal static string Text(
        string program, string home, IReadOnlyDictionary<string, string> surroundings, IReadOnlyList<string> arguments)
    {
        var environment = new Dictionary<string, string>(surroundings) { [HomeVariable] = home };
        var text = new StringBuilder();
        text.Append("# Written by 'ingot serve --install'.\n[Unit]\nDescription=Ingot: registry, ledger and controller\n");
        text.Append("Wants=network-online.target docker.service\nAfter=network-online.target docker.service\n");
        // However often it ends, it is started again: RestartSec bounds how often that is.
        text.Append("StartLimitIntervalSec=0\n\n[Service]\nType=exec\n");
        foreach (var (name, value) in environment.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            text.Append("Environment=").Append(Systemd.QuoteVariable(name, value)).Append('\n');
        text.Append("ExecStart=").AppendJoin(' ', arguments.Prepend("serve").Prepend(program).Select(Systemd.Quote)).Append('\n');
        // Proxies outlive it: they carry the traffic while it is away.
        text.Append(
            "KillMode=process\nRestart=always\nRestartSec=1\nTimeoutStopSec=30\nUMask=0077\n\n[Install]\nWantedBy=multi-user.target\n");
        return text.ToString();
    }

    /// <summary>The launcher of the sources the program was built from, which becomes the newest build;
    /// the program itself where there is none.</summary>
    internal static string Program(string path)
    {
        var build = new DirectoryInfo(Path.GetDirectoryName(path)!);
        string? root = build is { Parent: { Name: "ingot", Parent: { Name: "artifacts", Parent: { } sources } } } ? sources.FullName : null;
        return root is not null && System.IO.File.Exists(Path.Combine(root, "ingot")) ? Path.Combine(root, "ingot") : path;
    }

    private bool IsOf(string home) => System.IO.File.Exists(File)
        && System.IO.File.ReadLines(File).Contains("Environment=" + Systemd.QuoteVariable(HomeVariable, home), StringComparer.Ordinal);

    private static void RequireRoot(string option)
    {
        if (UnixPeer.OwnUserId != 0)
            throw new ToolException("systemd",
                $"'ingot serve {option}' writes to /etc/systemd/system, which needs root: run 'sudo ingot serve {option}'");
    }
}
