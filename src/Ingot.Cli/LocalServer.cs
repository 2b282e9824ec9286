using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using Ingot.Cli.Output;
using Ingot.Server.Api;
using Ingot.Server.Storage;
using Ingot.Tools;

namespace Ingot.Cli;

/// <summary>Finds the server that commands talk to, and starts one on this host when none was configured and none runs.</summary>
/// <remarks>
/// The server of this host is found through a socket in its home, which nobody else can make or listen on: an address with a port belongs
/// to whoever takes it first. A configured server is only ever shown the token that was given for it.
/// </remarks>
internal sealed class LocalServer(Home home, Terminal terminal)
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(20);
    // Bringing a large ledger up to date takes minutes, and is not to be begun anew.
    private static readonly TimeSpan s_longestStart = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(30);
    private static readonly Assembly[] s_assemblies =
        [typeof(LocalServer).Assembly, typeof(HealthReply).Assembly, typeof(Command).Assembly, typeof(IngotException).Assembly];

    /// <summary>A client of the configured server, or of the local one, started when <paramref name="start"/> and none answers.</summary>
    public async Task<ServerClient> ConnectAsync(bool start, CancellationToken cancellationToken)
    {
        if (Configured is { } address)
            return Connect(address, GivenToken);

        HomeDirectory.Check(home.Directory);
        var probe = new HomeConnection(home);
        using var client = new ServerClient(probe, token: null);
        var health = await FindAsync(probe, client, cancellationToken);
        if (health?.Build != BuildId && start)
            health = await StartOnceAsync(probe, client, cancellationToken);
        var connection = new HomeConnection(home, AddressOf(health?.Listen));
        return new ServerClient(connection, GivenToken ?? ReadToken()) { Runs = health is not null };
    }

    /// <summary>Ends the server of this home, when one runs that systemd does not. Whether it did.</summary>
    public async Task<bool> EndAsync(CancellationToken cancellationToken)
    {
        var probe = new HomeConnection(home);
        using var client = new ServerClient(probe, token: null);
        if (await FindAsync(probe, client, cancellationToken) is null || Unit.Runs(home))
            return false;
        await StopAsync(probe.Peer!, client, cancellationToken);
        return true;
    }

    // Of commands that start one at the same time, one does, and the others find it.
    private async Task<HealthReply> StartOnceAsync(HomeConnection probe, ServerClient client, CancellationToken cancellationToken)
    {
        HomeDirectory.Prepare(home.Directory);
        using var turn = await home.Places.LockAsync("start of the server", cancellationToken, () =>
            terminal.Progress("server   another command is starting it: waiting"));
        var health = await FindAsync(probe, client, cancellationToken);
        if (health is not null && health.Build == BuildId)
            return health;

        if (health is not null)
        {
            if (Unit.Runs(home) && !Unit.Starts(Environment.ProcessPath!))
                throw OtherProgram();
            // The traffic does not pass through it, so a server of an older program can be replaced at any time.
            terminal.Progress($"server   replacing version {health.Version} (process {probe.Peer!.Pid})");
            if (!Unit.Runs(home))
                await StopAsync(probe.Peer, client, cancellationToken);
        }

        return Unit.Runs(home)
            ? await StartUnitAsync(probe, client, isThere: health is not null, cancellationToken)
            : await StartAsync(probe, client, cancellationToken);
    }

    private async Task<HealthReply> StartUnitAsync(
        HomeConnection probe, ServerClient client, bool isThere, CancellationToken cancellationToken)
    {
        if (!isThere)
        {
            // One that runs and does not answer yet is at work: it is waited for, and not started again.
            await ServerUnit.StartAsync(cancellationToken);
            if (await UntilUnitAnswersAsync(probe, client, cancellationToken) is var found && found.Build == BuildId)
                return found;
            if (!Unit.Starts(Environment.ProcessPath!))
                throw OtherProgram();
        }

        await ServerUnit.RestartAsync(cancellationToken);
        var health = await UntilUnitAnswersAsync(probe, client, cancellationToken);
        return health.Build == BuildId ? health : throw OtherProgram();
    }

    private async Task<HealthReply> UntilUnitAnswersAsync(HomeConnection probe, ServerClient client, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        return await UntilAnswersAsync(
            probe, client, clock, () => null,
            () => clock.Elapsed < s_startLimit ? Task.FromResult(true) : ServerUnit.IsActiveAsync(cancellationToken),
            () => $"see 'journalctl -u {ServerUnit.Name}'", cancellationToken);
    }

    private static ToolException OtherProgram()
    {
        string program = ServerUnit.Program(Environment.ProcessPath!);
        return new ToolException("systemd", $"systemd runs a different program from this one: run 'sudo {program} serve --install'");
    }

    private ServerUnit Unit => new(new Systemd(), terminal);

    /// <summary>Names this build of the program: a server that says another one is of another build.</summary>
    public static string BuildId { get; } = string.Join('-',
        s_assemblies.Select(a => a.ManifestModule.ModuleVersionId.ToString("N", CultureInfo.InvariantCulture)[..8]));

    /// <summary>The server that <c>INGOT_SERVER</c> names; null when it names none.</summary>
    public static Uri? Configured => Environment.GetEnvironmentVariable("INGOT_SERVER") is { Length: > 0 } text ? ParseServer(text) : null;

    private static string? GivenToken => Environment.GetEnvironmentVariable("INGOT_TOKEN") is { Length: > 0 } token ? token : null;

    /// <summary>A client of a server by its address. A token is not sent where others on the network read it.</summary>
    internal static ServerClient Connect(Uri server, string? token)
    {
        if (token is not null && server.Scheme == "http" && !server.IsLoopback)
            throw new Diagnostics.InvalidInputException(
                "server-address",
                $"'{server}' would be sent the token in INGOT_TOKEN over plain http, which anybody on the way can read",
                $"use https, or a tunnel: 'ssh -L {server.Port}:127.0.0.1:{server.Port} {server.Host}' and "
                    + $"INGOT_SERVER=http://127.0.0.1:{server.Port}");
        return new ServerClient(new AddressConnection(server), token) { Runs = true };
    }

    internal static Uri ParseServer(string text)
    {
        if (Uri.TryCreate(text.EndsWith('/') ? text : text + "/", UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && uri.UserInfo.Length == 0)
            return uri;

        throw new Diagnostics.InvalidInputException("server-address", $"'{text}' is not the address of a server",
            "expected http://HOST:PORT or https://HOST, and the token in INGOT_TOKEN");
    }

    /// <summary>The server that listens in the home; null when none does.
    /// One that listens and is slow to answer is there all the same.</summary>
    private static async Task<HealthReply?> FindAsync(HomeConnection probe, ServerClient client, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            probe.Forget();
            if (await client.TryHealthAsync(cancellationToken) is { } health)
                return health;
            if (probe.Peer is null || !probe.Peer.IsRunning())
                return null;
            if (clock.Elapsed > s_startLimit)
                throw new ServerException("unreachable", $"the server of this home (process {probe.Peer.Pid}) listens but did not answer "
                    + $"within {s_startLimit.TotalSeconds:0} s: try again, or end it");
            await Task.Delay(50, cancellationToken);
        }
    }

    // By which people and engines on this host name the registry.
    private static Uri AddressOf(string? listen)
    {
        if (!IPEndPoint.TryParse(listen ?? "", out var endpoint))
            return ParseServer(Home.DefaultServer);
        if (endpoint.Address.Equals(IPAddress.Any))
            endpoint.Address = IPAddress.Loopback;
        if (endpoint.Address.Equals(IPAddress.IPv6Any))
            endpoint.Address = IPAddress.IPv6Loopback;
        return new Uri($"http://{endpoint}/");
    }

    private string? ReadToken() => File.Exists(home.Token) ? File.ReadAllText(home.Token).Trim() : null;

    private async Task<HealthReply> StartAsync(HomeConnection probe, ServerClient client, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(home.Logs);
        var clock = Stopwatch.StartNew();
        string log = Path.Combine(home.Logs, "server.log");
        long before = File.Exists(log) ? new FileInfo(log).Length : 0;
        var server = Detached.Start(
            Environment.ProcessPath!, ["serve", "--listen", new Uri(Home.DefaultServer).Authority], log,
            new(Detached.Surroundings) { ["INGOT_HOME"] = home.Directory });
        var process = new UnixPeer(server.Id, UnixPeer.OwnUserId);
        try
        {
            return await UntilAnswersAsync(
                probe, client, clock, () => ErrorIn(log, before), () => Task.FromResult(process.IsRunning()),
                () => $"the end of its log '{log}':\n{Detached.Tail(log)}", cancellationToken);
        }
        catch when (cancellationToken.IsCancellationRequested || ErrorIn(log, before) is not null)
        {
            // One that nobody waits for, or that has failed, is not left behind on the port. One that is slow is at work.
            server.Kill();
            throw;
        }
    }

    private async Task<HealthReply> UntilAnswersAsync(
        HomeConnection probe, ServerClient client, Stopwatch clock, Func<string?> error, Func<Task<bool>> lives, Func<string> more,
        CancellationToken cancellationToken)
    {
        var next = s_startLimit;
        while (true)
        {
            // Asked first: one that answered and ended at once is not taken for one that never did.
            bool isAlive = await lives();
            probe.Forget();
            if (await client.TryHealthAsync(cancellationToken) is { } health)
            {
                terminal.Progress(
                    $"server   started at {AddressOf(health.Listen)} ({clock.Elapsed.TotalSeconds:0.0} s), data in {home.Directory}");
                return health;
            }

            if (error() is { } said)
                throw new ServerException("unreachable", $"the server could not start: {said} ({more()})");
            if (!isAlive)
                throw new ServerException("unreachable", $"the server ended before it answered; {more()}");
            if (clock.Elapsed > s_longestStart)
            {
                throw new ServerException("unreachable",
                    $"the server did not answer within {s_longestStart.TotalMinutes:0} minutes, and is still running; {more()}");
            }

            if (clock.Elapsed > next)
            {
                terminal.Progress(
                    $"server   still starting ({clock.Elapsed.TotalSeconds:0} s): a large ledger takes a while to be brought up to date");
                next = clock.Elapsed + s_startLimit;
            }

            await Task.Delay(clock.Elapsed < s_startLimit ? 50 : 500, cancellationToken);
        }
    }

    /// <summary>The error with which a server that was just started ended.</summary>
    internal static string? ErrorIn(string log, long from)
    {
        const string Error = "error: ";
        if (!File.Exists(log))
            return null;

        using var file = File.OpenRead(log);
        file.Position = Math.Min(from, file.Length);
        using var reader = new StreamReader(file);
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith(Error, StringComparison.Ordinal))
                return line[Error.Length..];
        }

        return null;
    }

    /// <summary>Ends the process that listens, by the kernel's word and not by its own, and waits until nobody does.</summary>
    private static async Task StopAsync(UnixPeer peer, ServerClient probe, CancellationToken cancellationToken)
    {
        await peer.TerminateAsync(async () => await probe.TryHealthAsync(cancellationToken) is not null);
        var clock = Stopwatch.StartNew();
        while (peer.IsRunning())
        {
            if (clock.Elapsed > s_stopLimit)
                throw new ServerException("unreachable", $"the server of an older program (process {peer.Pid}) did not end within "
                    + $"{s_stopLimit.TotalSeconds:0} s: end it and try again");
            await Task.Delay(20, cancellationToken);
        }
    }
}

/// <summary>Starts daemons that outlive the command which started them.</summary>
internal static class Detached
{
    /// <summary>Starts <paramref name="program"/> in a session of its own, with both streams appended to <paramref name="log"/>.</summary>
    // Out of the terminal's session, so that Ctrl-C does not reach it.
    public static ChildProcess Start(string program, IReadOnlyList<string> arguments, string log, Dictionary<string, string> environment) =>
        ChildProcess.Start(new Command(program, arguments) { Environment = environment }, log, newSession: true);

    /// <summary>What a daemon is given of an environment: nothing of the person's who happened to start it.</summary>
    public static IReadOnlyDictionary<string, string> Surroundings => new Dictionary<string, string>
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["HOME"] = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
        // The runtime that runs this, wherever it is installed.
        ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")),
        // Mapping compiled code twice, once to write and once to run, would cost the server a sixth of its memory,
        // and a nursery as large as the processor's cache more than that.
        ["DOTNET_EnableWriteXorExecute"] = "0",
        ["DOTNET_GCgen0size"] = "600000",
    };

    /// <summary>The last lines of a log.</summary>
    public static string Tail(string log) => File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(15)) : "(no log)";
}

/// <summary>Makes sure that a Docker Engine answers on this host.</summary>
internal static class Dockerd
{
    private const string Unit = "docker.service";

    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(30);

    /// <summary>Whether an engine answers.</summary>
    public static bool Answers()
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(DockerEngine.DefaultSocket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // An engine reaches other people's registries as the person does; its own addresses it never asks a proxy for.
    private static Dictionary<string, string> Surroundings() => Detached.Surroundings.Concat(Proxies()).ToDictionary();

    private static Dictionary<string, string> Proxies() => new[] { "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
        "https_proxy", "no_proxy" }
        .Select(name => (Name: name, Value: Environment.GetEnvironmentVariable(name)))
        .Where(pair => !string.IsNullOrEmpty(pair.Value))
        .ToDictionary(pair => pair.Name, pair => pair.Value!);

    /// <summary>What to start <c>dockerd</c> with. Instances outlive an engine that was killed, and one that starts without
    /// <c>--live-restore</c> would end them all; a swarm refuses that option, and so does an engine whose settings name it already
    /// (<see href="https://docs.docker.com/engine/daemon/live-restore/">Live restore</see>).</summary>
    /// <param name="settings">The engine's settings, which need not exist.</param>
    /// <param name="swarm">What an engine keeps that belongs to a swarm.</param>
    public static IReadOnlyList<string> Arguments(string settings, string swarm)
    {
        bool isSet = File.Exists(settings) && File.ReadAllText(settings).Contains("\"live-restore\"", StringComparison.Ordinal);
        return isSet || File.Exists(swarm) ? [] : ["--live-restore"];
    }

    /// <summary>Starts an engine when none answers: as a service where the host has it as one, and otherwise by itself.</summary>
    public static async Task EnsureAsync(Home home, Terminal terminal, CancellationToken cancellationToken)
    {
        if (Answers())
            return;

        var clock = Stopwatch.StartNew();
        var systemd = new Systemd();
        if (systemd.IsRunning && systemd.Has(Unit))
        {
            await CommandRunner.RunAsync(Systemd.Start(Unit), cancellationToken);
            await UntilAnswersAsync(clock, () => $"see 'journalctl -u {Unit}'", cancellationToken);
            terminal.Progress($"docker   {Unit} started ({clock.Elapsed.TotalSeconds:0.0} s)");
            return;
        }

        // The server and a command may both be about to.
        using var turn = await home.Places.LockAsync("start of dockerd", cancellationToken);
        if (Answers())
            return;
        Directory.CreateDirectory(home.Logs);
        string log = Path.Combine(home.Logs, "dockerd.log");
        Detached.Start("dockerd", Arguments("/etc/docker/daemon.json", "/var/lib/docker/swarm/docker-state.json"), log, Surroundings());
        await UntilAnswersAsync(clock, () => $"the end of its log '{log}':\n{Detached.Tail(log)}", cancellationToken);
        terminal.Progress($"docker   dockerd started ({clock.Elapsed.TotalSeconds:0.0} s)");
    }

    /// <summary>Starts an engine when this home ran services before: after the host started nobody else may. Where it cannot be, the server
    /// says so as long as it is so. It runs beside the server, throws nothing, and ends when it is cancelled.</summary>
    public static async Task BringBackAsync(Home home, Terminal terminal, CancellationToken cancellationToken)
    {
        try
        {
            string proxies = Path.Combine(home.Directory, "proxies");
            if (UnixPeer.OwnUserId == 0 && Directory.Exists(proxies) && Directory.EnumerateFileSystemEntries(proxies).Any())
                await EnsureAsync(home, terminal, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The server ends.
        }
        catch (Exception e)
        {
            terminal.Progress($"docker   {IngotException.ReasonOf(e)}");
        }
    }

    private static async Task UntilAnswersAsync(Stopwatch clock, Func<string> more, CancellationToken cancellationToken)
    {
        while (!Answers())
        {
            if (clock.Elapsed > s_startLimit)
                throw new ToolException("dockerd",
                    $"the Docker Engine did not answer at '{DockerEngine.DefaultSocket}' within {s_startLimit.TotalSeconds:0} s; {more()}");
            await Task.Delay(100, cancellationToken);
        }
    }
}
