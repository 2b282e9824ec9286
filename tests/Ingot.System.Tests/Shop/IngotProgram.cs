using System.Diagnostics;
using System.Text;

namespace Ingot.SystemTests.Shop;

/// <summary>How a run of the program ended, and what it said.</summary>
public sealed record Ended(int ExitCode, string Output, string Error, TimeSpan Elapsed)
{
    public override string ToString() =>
        $"exit code {ExitCode} after {Elapsed.TotalSeconds:0.0} s\n--- output\n{Output}\n--- error\n{Error}";
}

/// <summary>Runs <c>ingot</c> as its users do: a process of its own, with a home of its own.</summary>
public sealed class IngotProgram(string home, string? server)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(6);

    public string Home => home;

    /// <summary>The program built beside these tests.</summary>
    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "Ingot.Cli");

    public Process Start(params IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(Path, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["INGOT_HOME"] = home;
        start.Environment["NO_COLOR"] = "1";
        if (server is not null)
            start.Environment["INGOT_SERVER"] = server;
        // A server by its address is shown what it is given, not what lies in the home.
        string token = System.IO.Path.Combine(home, "server", "token");
        if (File.Exists(token))
            start.Environment["INGOT_TOKEN"] = File.ReadAllText(token).Trim();
        return Process.Start(start)!;
    }

    public async Task<Ended> RunAsync(params IReadOnlyList<string> arguments)
    {
        var clock = Stopwatch.StartNew();
        using var process = Start(arguments);
        process.StandardInput.Close();
        var output = ReadAsync(process.StandardOutput);
        var error = ReadAsync(process.StandardError);
        using var timeout = new CancellationTokenSource(s_limit);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"'ingot {string.Join(' ', arguments)}' did not end within {s_limit.TotalMinutes:0} minutes\n"
                + $"{await output}\n{await error}");
        }

        return new Ended(process.ExitCode, await output, await error, clock.Elapsed);
    }

    /// <summary>Runs and expects an exit code; the message of a failure holds everything the program said.</summary>
    public async Task<Ended> ExpectAsync(int exitCode, params IReadOnlyList<string> arguments)
    {
        var ended = await RunAsync(arguments);
        Assert.True(ended.ExitCode == exitCode, $"'ingot {string.Join(' ', arguments)}' should end with {exitCode}: {ended}");
        return ended;
    }

    private static async Task<string> ReadAsync(StreamReader reader)
    {
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
            text.AppendLine(line);
        return text.ToString();
    }
}
