using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Ingot.Tools;

/// <summary>What a finished program left: its exit code, its output, and the end of both streams together.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Tail);

/// <summary>Runs commands. The environment is built from nothing, so that a host's variables cannot change a result.</summary>
public static class CommandRunner
{
    private const int TailLines = 40;
    private const int MaxOutputCharacters = 16 << 20;

    private static readonly Dictionary<string, string> s_environment = new()
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["LC_ALL"] = "C.UTF-8",
        ["TZ"] = "UTC",
        ["HOME"] = "/root",
    };

    /// <summary>Runs to the end and returns the output; a non-zero exit code throws <see cref="ToolException"/>.</summary>
    public static async Task<string> RunAsync(Command command, CancellationToken cancellationToken = default)
    {
        var result = await TryRunAsync(command, onLine: null, cancellationToken).ConfigureAwait(false);
        return result.ExitCode == 0 ? result.Output : throw new ToolException(command, result.ExitCode, result.Tail);
    }

    /// <summary>Runs to the end whatever the exit code. <paramref name="onLine"/> gets each line of both streams as it comes, from any thread. Cancelling kills the program and everything it started.</summary>
    public static async Task<CommandResult> TryRunAsync(Command command, Action<string>? onLine, CancellationToken cancellationToken = default)
    {
        using var process = Start(command);
        process.StandardInput.Close();
        var output = new StringBuilder();
        var tail = new Queue<string>();
        var gate = new Lock();

        void Take(string line, bool isOutput)
        {
            lock (gate)
            {
                if (isOutput && output.Length < MaxOutputCharacters)
                    output.Append(line).Append('\n');
                tail.Enqueue(line);
                if (tail.Count > TailLines)
                    tail.Dequeue();
            }

            onLine?.Invoke(line);
        }

        try
        {
            await Task.WhenAll(
                ReadLinesAsync(process.StandardOutput, line => Take(line, isOutput: true), cancellationToken),
                ReadLinesAsync(process.StandardError, line => Take(line, isOutput: false), cancellationToken)).ConfigureAwait(false);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new CommandResult(process.ExitCode, output.ToString(), string.Join('\n', tail));
    }

    private static Process Start(Command command)
    {
        var start = new ProcessStartInfo(command.Program, command.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = command.Directory ?? "",
        };
        start.Environment.Clear();
        foreach (var (name, value) in s_environment)
            start.Environment[name] = value;
        foreach (var (name, value) in command.Environment)
            start.Environment[name] = value;

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            string cure = Prerequisites.PackageOf(command.Program) is { } package ? $"install it with 'apt-get install {package}'" : "install it";
            throw new ToolException(command.Program, $"'{command}' could not be started: {e.Message}; {cure}, or run 'ingot doctor'", e);
        }
    }

    private static async Task ReadLinesAsync(StreamReader reader, Action<string> take, CancellationToken cancellationToken)
    {
        while (await reader.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
            take(line);
    }
}
