using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Ingot.SystemTests.Examples;

/// <summary>The example's web server while it runs.</summary>
public sealed class RunningShop : IDisposable
{
    private readonly Process _process;

    public RunningShop(Process process, int port)
    {
        _process = process;
        Port = port;
        // Its first line says that it listens.
        FirstLine = process.StandardOutput.ReadLine();
    }

    public int Port { get; }

    public string? FirstLine { get; }

    public Uri At(string path) => new($"http://127.0.0.1:{Port}{path}");

    /// <summary>Sends bytes, says that no more come, and reads to the end.</summary>
    public async Task<string> SendAsync(string request, CancellationToken cancellationToken)
    {
        using var client = new TcpClient("127.0.0.1", Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), cancellationToken);
        client.Client.Shutdown(SocketShutdown.Send);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync(cancellationToken);
    }

    /// <summary>Sends SIGTERM.</summary>
    public void Stop()
    {
        using var kill = Process.Start("/bin/sh", ["-c", $"kill -TERM {_process.Id.ToString(CultureInfo.InvariantCulture)}"]);
        kill.WaitForExit();
    }

    /// <summary>Its exit code, and what it wrote after the first line.</summary>
    public async Task<(int ExitCode, string Output)> WaitAsync(CancellationToken cancellationToken)
    {
        string output = await _process.StandardOutput.ReadToEndAsync(cancellationToken);
        await _process.WaitForExitAsync(cancellationToken);
        return (_process.ExitCode, output);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
