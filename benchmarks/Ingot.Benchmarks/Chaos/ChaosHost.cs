using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Ingot.Benchmarks.Chaos;

/// <summary>The parts that are killed: a Docker daemon, Ingot's server, its proxies and its instances,
/// each started here and known by its process.</summary>
internal sealed class ChaosHost(string program, string scratch) : IAsyncDisposable
{
    private const string DockerIdFile = "/var/run/docker.pid";

    private Process? _server;

    public int ServerPort { get; } = FreePort();

    public int ServicePort { get; } = FreePort();

    public string Project { get; } = Path.Combine(scratch, "shop");

    public string Home { get; } = Path.Combine(scratch, "home");

    public Uri Service => new($"http://127.0.0.1:{ServicePort}");

    public Process Server => _server!;

    public async Task StartDockerAsync()
    {
        // One that was killed leaves its containerd, and the next may give up waiting for that; "ingot up" starts one, too,
        // when none answers.
        for (int attempt = 0; attempt < 5 && !await DockerAnswersAsync() && !await TryStartDockerAsync(); attempt++)
            await Task.Delay(500);
    }

    // Without live-restore a daemon that starts again ends every container: nothing could keep a service up then.
    private async Task<bool> TryStartDockerAsync()
    {
        var docker = Run("dockerd", Path.Combine(scratch, "dockerd.log"), ["--live-restore", "--log-level", "error"]);
        for (int i = 0; i < 300 && !docker.HasExited; i++)
        {
            if (await DockerAnswersAsync())
                return true;
            await Task.Delay(100);
        }

        return false;
    }

    private async Task<bool> DockerAnswersAsync() => (await AskAsync("docker", "version")).ExitCode == 0;

    public static void KillDocker() => Signal(DockerId, "KILL");

    /// <summary>The daemon that runs: after one was killed that may be one that <c>ingot up</c> started.</summary>
    public static int DockerId => Number(File.ReadAllText(DockerIdFile));

    public async Task StartServerAsync()
    {
        _server = Run(program, Path.Combine(scratch, "server.log"), ["serve", "--listen", $"127.0.0.1:{ServerPort}"]);
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        for (int i = 0; i < 300; i++)
        {
            try
            {
                await http.GetStringAsync(new Uri($"http://127.0.0.1:{ServerPort}/api/v1/health"));
                return;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                await Task.Delay(50);
            }
        }

        throw new InvalidOperationException("the server did not answer within 15 s");
    }

    public async Task KillServerAsync()
    {
        Server.Kill();
        await Server.WaitForExitAsync();
    }

    /// <summary>Runs <c>ingot</c> as people do and returns how it ended and what it said.</summary>
    public Task<(int ExitCode, string Output)> IngotAsync(params IReadOnlyList<string> arguments) =>
        AskAsync(program, ["-C", Project, .. arguments]);

    /// <summary>The HAProxy processes of this home.</summary>
    public IReadOnlyList<int> Proxies() => [.. ProcessIds().Where(id => CommandLine(id) is [var name, ..] words
        && Path.GetFileName(name) == "haproxy"
        && words.Any(word => word.StartsWith(Home, StringComparison.Ordinal)))];

    /// <summary>The processes of the instances, the newest generation's last.</summary>
    public async Task<IReadOnlyList<int>> InstancesAsync()
    {
        var (code, ids) = await AskAsync("docker", "ps", "-q", "--filter", "label=io.ingot.project=chaos");
        if (code != 0 || ids.Length == 0)
            return [];
        var (_, text) = await AskAsync("docker", ["inspect", "-f", "{{index .Config.Labels \"io.ingot.generation\"}} {{.State.Pid}}",
            .. ids.Split('\n', StringSplitOptions.RemoveEmptyEntries)]);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
            .Where(words => words.Length == 2).OrderBy(words => Number(words[0])).Select(words => Number(words[1])).Where(id => id > 1)];
    }

    public static void Signal(int process, string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", process.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
            Signal(_server.Id, "TERM");
        foreach (int proxy in Proxies())
            Signal(proxy, "KILL");
        if (await DockerAnswersAsync())
        {
            await RemoveInstancesAsync();
            Signal(DockerId, "TERM");
            for (int i = 0; i < 100 && File.Exists(DockerIdFile); i++)
                await Task.Delay(100);
        }
    }

    private async Task RemoveInstancesAsync()
    {
        var (_, ids) = await AskAsync("docker", "ps", "-aq", "--filter", "label=io.ingot.project=chaos");
        if (ids.Length > 0)
            await AskAsync("docker", ["rm", "-f", .. ids.Split('\n', StringSplitOptions.RemoveEmptyEntries)]);
    }

    private Process Run(string file, string log, IReadOnlyList<string> arguments)
    {
        var start = Start(file, arguments);
        var process = Process.Start(start)!;
        var writer = TextWriter.Synchronized(new StreamWriter(log, append: true) { AutoFlush = true });
        process.OutputDataReceived += (_, line) => writer.WriteLine(line.Data);
        process.ErrorDataReceived += (_, line) => writer.WriteLine(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private async Task<(int ExitCode, string Output)> AskAsync(string file, params IReadOnlyList<string> arguments)
    {
        using var process = Process.Start(Start(file, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
        }

        return (process.HasExited ? process.ExitCode : -1, (await output + await error).Trim());
    }

    private ProcessStartInfo Start(string file, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["INGOT_HOME"] = Home;
        start.Environment["INGOT_SERVER"] = $"http://127.0.0.1:{ServerPort}";
        start.Environment["NO_COLOR"] = "1";
        string token = Path.Combine(Home, "server", "token");
        if (File.Exists(token))
            start.Environment["INGOT_TOKEN"] = File.ReadAllText(token).Trim();
        return start;
    }

    private static IEnumerable<int> ProcessIds() =>
        Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
            .Where(name => int.TryParse(name, CultureInfo.InvariantCulture, out _)).Select(name => Number(name!));

    private static string[] CommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline").Split('\0');
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return [];
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
