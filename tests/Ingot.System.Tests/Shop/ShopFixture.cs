using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ingot.Testing;

namespace Ingot.SystemTests.Shop;

/// <summary>The example shop in a home, a server and ports of its own, brought up once at version 1.0.0.</summary>
public sealed class ShopFixture : IAsyncLifetime
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(60);

    private Process? _server;
    private int _minor;

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("ingot-shop-").FullName;

    public string Project => Path.Combine(Directory, "shop");

    public int ServerPort { get; } = FreePort();

    public int StagingPort { get; } = FreePort();

    public int ProductionPort { get; } = FreePort();

    public Uri Production => new($"http://127.0.0.1:{ProductionPort}");

    public IngotProgram Ingot { get; private set; } = null!;

    public Ended FirstUp { get; private set; } = null!;

    /// <summary>Why these tests cannot run here; null when they can.</summary>
    public static string? Missing { get; } =
        Environment.UserName != "root" ? "needs root"
        : new[] { "runc", "mmdebstrap", "haproxy", "dockerd" }.FirstOrDefault(program => !OnPath(program))
            is { } missing ? $"needs {missing}"
        : null;

    public async ValueTask InitializeAsync()
    {
        if (Missing is not null)
            return;

        Copy(Path.Combine(Repository.Root, "examples", "shop"), Project);
        Edit("ingot.yaml", text => text
            .Replace("project: shop", $"project: shop{ServerPort}", StringComparison.Ordinal)
            .Replace("staging: 8081, production: 8080", $"staging: {StagingPort}, production: {ProductionPort}", StringComparison.Ordinal)
            .Replace("observe: 5s", "observe: 2s", StringComparison.Ordinal)
            .Replace("rate: 100", "rate: 200", StringComparison.Ordinal));
        Ingot = new IngotProgram(Path.Combine(Directory, "home"), $"http://127.0.0.1:{ServerPort}");
        await StartServerAsync();
        FirstUp = await Ingot.ExpectAsync(0, "up", Project);
    }

    public async ValueTask DisposeAsync()
    {
        if (Missing is not null)
            return;

        await Ingot.RunAsync("down", Project);
        await StopServerAsync();
        try
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
        catch (IOException)
        {
            // A mount that a killed build left is cleaned by the next command; there is none here.
        }
    }

    public async Task StartServerAsync()
    {
        _server = Ingot.Start("serve", "--listen", $"127.0.0.1:{ServerPort}");
        var said = new ConcurrentQueue<string>();
        _ = DrainAsync(_server.StandardOutput, said);
        _ = DrainAsync(_server.StandardError, said);
        using var http = new HttpClient();
        var waiting = Stopwatch.StartNew();
        while (waiting.Elapsed < s_startLimit && !_server.HasExited)
        {
            try
            {
                await http.GetStringAsync(new Uri($"http://127.0.0.1:{ServerPort}/api/v1/health"));
                return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(50);
            }
        }

        Assert.Fail($"the server {(_server.HasExited ? $"ended with {_server.ExitCode}" : "did not answer")} after "
            + $"{waiting.Elapsed.TotalSeconds:0.0} s: {string.Join('\n', said)}");
    }

    /// <summary>SIGKILL: nothing of the server gets to say goodbye.</summary>
    public async Task KillServerAsync()
    {
        _server!.Kill();
        await _server.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and wait.</summary>
    public async Task StopServerAsync()
    {
        if (_server is null || _server.HasExited)
            return;

        using (var kill = Process.Start("/bin/sh",
            ["-c", "kill -TERM \"$1\"", "sh", _server.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await kill.WaitForExitAsync();
        await _server.WaitForExitAsync();
    }

    /// <summary>Writes a new version of the shop into its ingot.yaml and returns the version.</summary>
    public string NextVersion(int failPercent = 0)
    {
        string version = $"1.{++_minor}.0";
        Edit("ingot.yaml", text => System.Text.RegularExpressions.Regex.Replace(
            System.Text.RegularExpressions.Regex.Replace(text, @"version: \d+\.\d+\.\d+", $"version: {version}"),
            @"args: \{[^}]*\}",
            $"args: {{ VERSION: {version}, FAIL_PERCENT: \"{failPercent}\" }}"));
        return version;
    }

    public void Edit(string file, Func<string, string> change)
    {
        string path = Path.Combine(Project, file);
        File.WriteAllText(path, change(File.ReadAllText(path)));
    }

    /// <summary>What a service answers to <c>/version</c> now.</summary>
    public static async Task<string> VersionAsync(Uri address)
    {
        using var http = new HttpClient();
        using var document = JsonDocument.Parse(await http.GetStringAsync(new Uri(address, "/version")));
        return document.RootElement.GetProperty("version").GetString()!;
    }

    /// <summary>The status of the service in a stage.</summary>
    public async Task<JsonElement> StatusAsync(string stage)
    {
        var ended = await Ingot.ExpectAsync(0, "status", "--output", "json");
        using var document = JsonDocument.Parse(ended.Output);
        return document.RootElement.GetProperty("services")
            .EnumerateArray()
            .Single(s => s.GetProperty("stage").GetString() == stage)
            .Clone();
    }

    /// <summary>How many entries the ledger has.</summary>
    public async Task<long> LedgerSizeAsync() => (await LogAsync("tail=1")).GetProperty("size").GetInt64();

    /// <summary>Waits for an entry at or after <paramref name="from"/>, and returns the number of the one after it.</summary>
    public async Task<long> UntilRecordedAsync(long from, string what, Func<JsonElement, bool> isThere, Task<Ended> up)
    {
        while (true)
        {
            bool isOver = up.IsCompleted;
            foreach (var entry in (await LogAsync($"all=true&from={from}&wait=2000")).GetProperty("entries").EnumerateArray())
            {
                from = entry.GetProperty("entry").GetInt64() + 1;
                if (isThere(entry))
                    return from;
            }

            Assert.False(isOver, isOver ? $"'up' ended before this: {what}\n{await up}" : "");
        }
    }

    private async Task<JsonElement> LogAsync(string query)
    {
        using var http = new HttpClient();
        string token = await File.ReadAllTextAsync(Path.Combine(Ingot.Home, "server", "token"));
        http.DefaultRequestHeaders.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", token.Trim());
        return JsonElement.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{ServerPort}/api/v1/log?{query}")));
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task DrainAsync(StreamReader reader, ConcurrentQueue<string> said)
    {
        while (await reader.ReadLineAsync() is { } line)
            said.Enqueue(line);
    }

    private static bool OnPath(string program) =>
        new[] { "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin" }.Any(d => File.Exists(Path.Combine(d, program)));

    private static void Copy(string from, string to)
    {
        System.IO.Directory.CreateDirectory(to);
        foreach (var directory in System.IO.Directory.EnumerateDirectories(from))
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        foreach (var file in System.IO.Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
