using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Ingot.Tools;

/// <summary>What a finished program left: its exit code, its output, and the end of both streams together.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Tail);

/// <summary>What a finished program wrote, byte for byte, each stream up to a limit.</summary>
public sealed record CapturedOutput(int ExitCode, byte[] Output, byte[] Error);

/// <summary>Runs commands. The environment is built from nothing, so that a host's variables cannot change a result.</summary>
public static class CommandRunner
{
    /// <summary>A line that is longer comes in pieces of this many characters.</summary>
    public const int MaxLineCharacters = 64 << 10;

    /// <summary>Under which name each run is told to whoever listens: the command line as its display name, the exit code as the tag
    /// <c>process.exit.code</c> (<see href="https://opentelemetry.io/docs/specs/semconv/resource/process/">OpenTelemetry's
    /// name</see>).</summary>
    public const string Activities = "Ingot.Tools";

    private static readonly ActivitySource s_activities = new(Activities);

    /// <summary>Where a command runs that says nothing of it: not where this process does,
    /// whose directory anybody may have filled.</summary>
    internal const string NoDirectory = "/";

    private const int TailLines = 40;
    private const int TailErrors = 10;
    private const int MaxOutputCharacters = 16 << 20;

    private const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static readonly Dictionary<string, string> s_environment = new()
    {
        ["PATH"] = SearchPath,
        ["LC_ALL"] = "C.UTF-8",
        ["TZ"] = "UTC",
        ["HOME"] = "/root",
    };

    /// <summary>Runs to the end and returns the output; a non-zero exit code throws <see cref="ToolException"/>.</summary>
    public static async Task<string> RunAsync(Command command, CancellationToken cancellationToken = default)
    {
        var result = await TryRunAsync(command, onLine: null, cancellationToken);
        return result.ExitCode == 0 ? result.Output : throw new ToolException(command, result.ExitCode, result.Tail);
    }

    /// <summary>Runs to the end whatever the exit code. <paramref name="onLine"/> gets each line of both streams as it comes, from any
    /// thread. Cancelling kills the program and everything it started.</summary>
    public static async Task<CommandResult> TryRunAsync(
        Command command, Action<string>? onLine, CancellationToken cancellationToken = default)
    {
        using var activity = Begin(command);
        using var process = Start(command);
        var output = new StringBuilder();
        var tail = new Queue<(int Number, string Line)>();
        // What goes wrong is said on the error stream, and the two pipes are read in no order: a flood on one must not hide the other.
        var errors = new Queue<(int Number, string Line)>();
        int number = 0;
        var gate = new Lock();

        void Take(string line, bool isEnded, bool isOutput)
        {
            lock (gate)
            {
                if (isOutput && output.Length < MaxOutputCharacters)
                    output.Append(line).Append(isEnded ? "\n" : "");
                Keep(tail, TailLines, (++number, line));
                if (!isOutput)
                    Keep(errors, TailErrors, (number, line));
            }

            onLine?.Invoke(line);
        }

        try
        {
            await Task.WhenAll(
                GiveAsync(process, command.Input, cancellationToken),
                ReadLinesAsync(process.StandardOutput, (line, isEnded) => Take(line, isEnded, isOutput: true), cancellationToken),
                ReadLinesAsync(process.StandardError, (line, isEnded) => Take(line, isEnded, isOutput: false), cancellationToken));
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        activity?.SetTag("process.exit.code", process.ExitCode);
        return new CommandResult(process.ExitCode, output.ToString(),
            string.Join('\n', errors.Union(tail).OrderBy(l => l.Number).Select(l => l.Line)));
    }

    private static void Keep<T>(Queue<T> last, int count, T item)
    {
        last.Enqueue(item);
        if (last.Count > count)
            last.Dequeue();
    }

    /// <summary>Runs to the end whatever the exit code and keeps the first <paramref name="maxBytes"/> of each stream as they are; the rest
    /// is read and dropped. Cancelling kills the program and everything it started.</summary>
    public static async Task<CapturedOutput> CaptureAsync(Command command, int maxBytes, CancellationToken cancellationToken = default)
    {
        using var activity = Begin(command);
        using var process = Start(command);
        try
        {
            var output = ReadBytesAsync(process.StandardOutput.BaseStream, maxBytes, cancellationToken);
            var error = ReadBytesAsync(process.StandardError.BaseStream, maxBytes, cancellationToken);
            await Task.WhenAll(GiveAsync(process, command.Input, cancellationToken), output, error);
            await process.WaitForExitAsync(cancellationToken);
            activity?.SetTag("process.exit.code", process.ExitCode);
            return new CapturedOutput(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static async Task GiveAsync(Process process, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(input, cancellationToken);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended, or closed its end, without reading all: what it made of that shows in its exit code.
        }
    }

    private static async Task<byte[]> ReadBytesAsync(Stream stream, int maxBytes, CancellationToken cancellationToken)
    {
        using var kept = new MemoryStream();
        var buffer = new byte[16 << 10];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
            kept.Write(buffer, 0, (int)Math.Min(read, maxBytes - kept.Length));

        return kept.ToArray();
    }

    private static Activity? Begin(Command command)
    {
        var activity = s_activities.StartActivity(command.Program);
        if (activity is not null)
            activity.DisplayName = command.ToString();
        return activity;
    }

    private static Process Start(Command command)
    {
        var environment = EnvironmentOf(command);
        var start = new ProcessStartInfo(FindProgram(command, environment), command.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = command.Directory ?? NoDirectory,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
            start.Environment[name] = value;

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw NotStarted(command, IngotException.ReasonOf(e), e);
        }
    }

    internal static Dictionary<string, string> EnvironmentOf(Command command)
    {
        var environment = new Dictionary<string, string>(s_environment);
        foreach (var (name, value) in command.Environment)
            environment[name] = value;
        return environment;
    }

    // The base library would look beside this program and in the current directory first, and anybody may have put a program there.
    internal static string FindProgram(Command command, IReadOnlyDictionary<string, string> environment)
    {
        if (command.Arguments.Prepend(command.Program).Any(word => word.Contains('\0', StringComparison.Ordinal)))
            throw new ToolException(command.Program, $"'{command}' could not be started: a word holds a NUL, and would end there");
        if (Path.IsPathRooted(command.Program))
            return command.Program;
        if (command.Program.Contains('/', StringComparison.Ordinal))
            throw NotStarted(command, "a program is a name, or a path from the root", inner: null);

        return environment["PATH"].Split(':').Where(Path.IsPathRooted).Select(directory => Path.Combine(directory, command.Program))
            .FirstOrDefault(IsProgram)
            ?? throw NotStarted(command, $"it is in none of '{environment["PATH"]}'", inner: null);
    }

    internal static ToolException NotStarted(Command command, string why, Exception? inner)
    {
        string cure = Prerequisites.PackageOf(command.Program) is { } package
            ? $"install it with 'apt-get install {package}'"
            : "install it";
        return new ToolException(command.Program, $"'{command}' could not be started: {why}; {cure}, or run 'ingot doctor'", inner);
    }

    private static bool IsProgram(string path) =>
        File.Exists(path)
            && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;

    // A program may write without ever ending its line: what is longer than a line may be comes in pieces, all but the last not ended.
    private static async Task ReadLinesAsync(StreamReader reader, Action<string, bool> take, CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        var buffer = new char[4 << 10];
        int read;
        while ((read = await reader.ReadAsync(buffer, cancellationToken)) > 0)
        {
            foreach (char c in buffer.AsSpan(0, read))
            {
                if (c != '\n')
                    line.Append(c);
                if (c == '\n' || line.Length >= MaxLineCharacters)
                    TakeLine(line, isEnded: c == '\n', take);
            }
        }

        if (line.Length > 0)
            TakeLine(line, isEnded: true, take);
    }

    private static void TakeLine(StringBuilder line, bool isEnded, Action<string, bool> take)
    {
        int length = isEnded && line.Length > 0 && line[^1] == '\r' ? line.Length - 1 : line.Length;
        take(line.ToString(0, length), isEnded);
        line.Clear();
    }
}
