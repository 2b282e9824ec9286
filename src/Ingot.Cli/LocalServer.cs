using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Reflection;
using Ingot.Cli.Output;
using Ingot.Server.Api;
using Ingot.Tools;

namespace Ingot.Cli;

/// <summary>Finds the server that commands talk to, and starts one on this host when none was configured and none runs.</summary>
internal sealed class LocalServer(Home home, Terminal terminal)
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(20);
    private static readonly Assembly[] s_assemblies = [typeof(LocalServer).Assembly, typeof(HealthReply).Assembly, typeof(Command).Assembly, typeof(IngotException).Assembly];

    /// <summary>A client of the configured server, or of the local one, started when <paramref name="start"/> and none answers.</summary>
    public async Task<ServerClient> ConnectAsync(bool start, CancellationToken cancellationToken)
    {
        var configured = Environment.GetEnvironmentVariable("INGOT_SERVER");
        if (!string.IsNullOrEmpty(configured))
            return new ServerClient(ParseServer(configured), Environment.GetEnvironmentVariable("INGOT_TOKEN") ?? ReadToken());

        var server = ParseServer(Home.DefaultServer);
        using (var probe = new ServerClient(server, token: null))
        {
            var health = await probe.TryHealthAsync(cancellationToken);
            if (health is not null && health.Home != home.Directory)
                throw new ServerException("unreachable", $"the server at '{server}' keeps its data in '{health.Home}', not in '{home.Directory}': set INGOT_HOME to that, or INGOT_SERVER to another server");
            if (health is not null && health.Build != BuildId && start)
            {
                // The traffic does not pass through it, so a server of an older program can be replaced at any time.
                terminal.Progress($"server   replacing version {health.Version} (process {health.Pid})");
                await StopAsync(health.Pid, probe, cancellationToken);
                health = null;
            }

            if (health is null && start)
                await StartAsync(server, probe, cancellationToken);
        }

        return new ServerClient(server, ReadToken());
    }

    /// <summary>Names this build of the program: a server that says another one is of another build.</summary>
    public static string BuildId { get; } = string.Join('-', s_assemblies.Select(a => a.ManifestModule.ModuleVersionId.ToString("N", CultureInfo.InvariantCulture)[..8]));

    private static Uri ParseServer(string text)
    {
        if (Uri.TryCreate(text.EndsWith('/') ? text : text + "/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            return uri;

        throw new Diagnostics.InvalidInputException("server-address", $"'{text}' is not the address of a server", "expected http://HOST:PORT or https://HOST");
    }

    private string? ReadToken() => File.Exists(home.Token) ? File.ReadAllText(home.Token).Trim() : null;

    private async Task StartAsync(Uri server, ServerClient probe, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(home.Logs);
        string log = Path.Combine(home.Logs, "server.log");
        // Mapping compiled code twice, once to write and once to run, would cost the server a sixth of its memory,
        // and a nursery as large as the processor's cache more than that.
        Detached.Start(Environment.ProcessPath!, ["serve", "--listen", $"{server.Host}:{server.Port}"], log, new() { ["INGOT_HOME"] = home.Directory, ["DOTNET_EnableWriteXorExecute"] = "0", ["DOTNET_GCgen0size"] = "600000" });
        var clock = Stopwatch.StartNew();
        while (await probe.TryHealthAsync(cancellationToken) is null)
        {
            if (clock.Elapsed > s_startLimit)
                throw new ServerException("unreachable", $"the server did not answer at '{server}' within {s_startLimit.TotalSeconds:0} s; the end of its log '{log}':\n{Detached.Tail(log)}");
            await Task.Delay(50, cancellationToken);
        }

        terminal.Progress($"server   started at {server} ({clock.Elapsed.TotalSeconds:0.0} s), data in {home.Directory}");
    }

    private static async Task StopAsync(int pid, ServerClient probe, CancellationToken cancellationToken)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            // The shell has a kill of its own; the program is in a package that a small host lacks.
            await CommandRunner.RunAsync(new Command("/bin/sh", "-c", "kill -TERM \"$1\"", "sh", pid.ToString(CultureInfo.InvariantCulture)), cancellationToken);
            await process.WaitForExitAsync(cancellationToken).WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
        }
        catch (ArgumentException)
        {
            // It has gone by itself.
        }

        while (await probe.TryHealthAsync(cancellationToken) is not null)
            await Task.Delay(50, cancellationToken);
    }
}

/// <summary>Starts daemons that outlive the command which started them.</summary>
internal static class Detached
{
    /// <summary>Starts <paramref name="program"/> in a session of its own, with both streams appended to <paramref name="log"/>.</summary>
    public static void Start(string program, IReadOnlyList<string> arguments, string log, Dictionary<string, string> environment)
    {
        // The shell opens the log and leaves; setsid takes the program out of the terminal's session, so that Ctrl-C does not reach it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "log=$1; shift; exec setsid --fork \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, program, .. arguments])
        {
            WorkingDirectory = "/",
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.WaitForExit();
    }

    /// <summary>The last lines of a log.</summary>
    public static string Tail(string log) => File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(15)) : "(no log)";
}

/// <summary>Makes sure that a Docker Engine answers on this host.</summary>
internal static class Dockerd
{
    public const string Socket = "/var/run/docker.sock";

    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(30);

    /// <summary>Whether an engine answers.</summary>
    public static bool Answers()
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(Socket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Starts <c>dockerd</c> when no engine answers.</summary>
    public static async Task EnsureAsync(Home home, Terminal terminal, CancellationToken cancellationToken)
    {
        if (Answers())
            return;

        Directory.CreateDirectory(home.Logs);
        string log = Path.Combine(home.Logs, "dockerd.log");
        Detached.Start("dockerd", [], log, []);
        var clock = Stopwatch.StartNew();
        while (!Answers())
        {
            if (clock.Elapsed > s_startLimit)
                throw new ToolException("dockerd", $"dockerd did not answer at '{Socket}' within {s_startLimit.TotalSeconds:0} s; the end of its log '{log}':\n{Detached.Tail(log)}");
            await Task.Delay(100, cancellationToken);
        }

        terminal.Progress($"docker   dockerd started ({clock.Elapsed.TotalSeconds:0.0} s)");
    }
}
