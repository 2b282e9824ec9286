using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ingot.Oci.Registries;

namespace Ingot.SystemTests.Images;

/// <summary>Debian's docker-registry on a free port of the loopback address, with its data in a directory of the test.</summary>
public sealed class ForeignRegistry : IAsyncDisposable
{
    private readonly Process _process;

    private ForeignRegistry(Process process, int port)
    {
        _process = process;
        Uri = new Uri($"http://127.0.0.1:{port}/");
    }

    public static string? Missing { get; } = File.Exists("/usr/bin/docker-registry")
        ? null
        : "needs docker-registry: apt-get install docker-registry";

    public Uri Uri { get; }

    public string Name => Uri.Authority;

    public static async Task<ForeignRegistry> StartAsync(string directory)
    {
        int port = FreePort();
        Directory.CreateDirectory(directory);
        string config = Path.Combine(directory, "config.yml");
        await File.WriteAllTextAsync(config, $"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\nhttp:\n  addr: "
            + $"127.0.0.1:{port}\nlog:\n  level: error\n");
        var start = new ProcessStartInfo("/usr/bin/docker-registry", ["serve", config])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["OTEL_TRACES_EXPORTER"] = "none";
        var process = Process.Start(start)!;
        // Its pipes must be read, or it stops when they are full.
        process.ErrorDataReceived += (_, _) => { };
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var registry = new ForeignRegistry(process, port);
        await registry.WaitAsync();
        return registry;
    }

    public RegistryClient Client(Uri? address = null) => new(new HttpClient(), address ?? Uri);

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task WaitAsync()
    {
        for (int i = 0; ; i++)
        {
            try
            {
                await Client().PingAsync();
                return;
            }
            catch (RegistryException) when (i < 100 && !_process.HasExited)
            {
                await Task.Delay(100);
            }
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
