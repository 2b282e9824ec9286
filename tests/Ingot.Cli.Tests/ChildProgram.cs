using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ingot.Tools;

namespace Ingot.Cli.Tests;

/// <summary>Runs the program as a process of its own, with a directory and an environment of its own.</summary>
internal sealed class ChildProgram : IAsyncDisposable
{
    private readonly List<Process> _servers = [];

    /// <summary>A home in a temporary directory.</summary>
    public string Home { get; init; } = Path.Combine(Directory.CreateTempSubdirectory("ingot-child-").FullName, "home");

    public string WorkingDirectory { get; init; } = "/";

    public Dictionary<string, string> Environment { get; } = [];

    public int Port { get; } = FreePort();

    public string Registry => $"127.0.0.1:{Port}";

    public string Socket => Path.Combine(Home, "server", "ingot.sock");

    public async Task<ProgramRun> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(3));
        return new ProgramRun(process.ExitCode, await output, await error);
    }

    /// <summary>Starts a server of the home and waits until it answers there.</summary>
    public async Task<Process> ServeAsync(params string[] arguments)
    {
        var process = Start(["serve", "--listen", Registry, .. arguments]);
        _servers.Add(process);
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var error = process.StandardError.ReadToEndAsync();
        while (true)
        {
            try
            {
                using var socket = (await UnixPeer.ConnectAsync(Socket, UnixPeer.OwnUserId)).Socket;
                return process;
            }
            catch (SocketException) when (!process.HasExited)
            {
                await Task.Delay(50);
            }
            catch (SocketException)
            {
                throw new InvalidOperationException(await error);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            if (!server.HasExited)
                server.Kill();
            await server.WaitForExitAsync();
            server.Dispose();
        }

        if (Directory.Exists(Home))
            Directory.Delete(Home, recursive: true);
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Process Start(string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Ingot.Cli"), arguments)
        {
            WorkingDirectory = WorkingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in new[] { "INGOT_SERVER", "INGOT_TOKEN", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY" })
            start.Environment.Remove(name);
        start.Environment["INGOT_HOME"] = Home;
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }
}

/// <summary>Somebody who listens on a port, answers everything alike, and keeps what was said to him.</summary>
internal sealed class Eavesdropper : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly StringBuilder _heard = new();
    private readonly Task _listening;
    private readonly string _answer;

    public Eavesdropper(
        string answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    {
        _answer = answer;
        _listener.Start();
        _listening = Task.Run(ListenAsync);
    }

    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public string Heard
    {
        get
        {
            lock (_heard)
                return _heard.ToString();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ListenAsync()
    {
        while (true)
        {
            using var client = await _listener.AcceptTcpClientAsync();
            byte[] bytes = new byte[64 << 10];
            int length = await client.GetStream().ReadAsync(bytes);
            lock (_heard)
                _heard.Append(Encoding.Latin1.GetString(bytes, 0, length));
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(_answer));
        }
    }
}
