using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Ingot.Testing;

namespace Ingot.SystemTests.Examples;

/// <summary>The example's web server, compiled once with the command of its Dockerfile.</summary>
public sealed partial class ShopProgram : IDisposable
{
    private static readonly TimeSpan s_runLimit = TimeSpan.FromSeconds(30);

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-shop-").FullName;

    public ShopProgram()
    {
        if (!CanCompile)
            return;
        string dockerfile = File.ReadAllText(Path.Combine(Web, "Dockerfile"));
        string command = CompileCommand().Match(dockerfile).Groups[1].Value.Replace("/usr/local/bin/web", Binary, StringComparison.Ordinal);
        var start = new ProcessStartInfo("/bin/sh", ["-c", command])
        {
            WorkingDirectory = Path.Combine(Web, "src"),
            RedirectStandardError = true,
        };
        start.Environment["VERSION"] = "3.2.1";
        start.Environment["FAIL_PERCENT"] = "0";
        using var compiler = Process.Start(start)!;
        string errors = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        Assert.True(compiler.ExitCode == 0, errors);
    }

    /// <summary>The directory <c>examples/shop/web</c>.</summary>
    public static string Web { get; } = Path.Combine(Repository.Root, "examples", "shop", "web");

    public static bool CanCompile => File.Exists("/usr/bin/gcc") && File.Exists("/usr/include/stdio.h");

    public string Binary => Path.Combine(_directory, "web");

    /// <summary>Starts it on a free port and waits until it listens.</summary>
    public RunningShop Serve(params (string Name, string Value)[] settings)
    {
        int port = FreePort();
        return new RunningShop(Start([], port, settings), port);
    }

    /// <summary>Runs it to its end.</summary>
    public (int ExitCode, string Output, string Error) Run(string argument, params (string Name, string Value)[] settings)
    {
        using var process = Start(argument.Length == 0 ? [] : [argument], FreePort(), settings);
        // One that serves where it should refuse would be waited for without end.
        using var limit = new Timer(_ => process.Kill(), null, s_runLimit, Timeout.InfiniteTimeSpan);
        string output = process.StandardOutput.ReadToEnd();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private Process Start(string[] arguments, int port, (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo(Binary, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        start.Environment["PORT"] = $"{port}";
        start.Environment["PRODUCTS"] = Path.Combine(Web, "products.tsv");
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [GeneratedRegex(@"^RUN (gcc (?:.*\\\n)*.*)$", RegexOptions.Multiline)]
    private static partial Regex CompileCommand();
}
