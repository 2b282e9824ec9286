using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net.Sockets;
using System.Reflection;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;

namespace Ingot.Cli;

/// <summary>What every command is given: where it works, what it says, whom it asks.</summary>
internal sealed record CommandContext(string Directory, Home Home, Terminal Terminal)
{
    /// <summary>The words of the command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>A path as the person meant it, from the directory of <c>-C</c>.</summary>
    public string Resolve(string path) => Path.GetFullPath(path, Directory);

    public Task<ServerClient> ConnectAsync(CancellationToken cancellationToken, bool start = true) => new LocalServer(Home, Terminal).ConnectAsync(start, cancellationToken);
}

/// <summary>The program: its commands, and the one place where exceptions become messages and exit codes.</summary>
internal static class Application
{
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, bool outputIsTerminal, bool errorIsTerminal)
    {
        // Answered before anything else is loaded: scripts ask often.
        if (args is ["--version"])
        {
            await output.WriteLineAsync(Version);
            return ExitCode.Done;
        }

        if (UnchangedBuild.TryAnswer(args, output))
            return ExitCode.Done;

        var directory = new Option<string>("-C") { Description = "Work in this directory", HelpName = "DIR", Recursive = true, DefaultValueFactory = _ => "." };
        var format = new Option<string>("--output", "-o") { Description = "How data is printed: text or json, or sarif by build --check", HelpName = "FORMAT", Recursive = true, DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong("text", "json", "sarif");
        Func<ParseResult, CancellationToken, Task<int>> Bind(Func<CommandContext, ParseResult, CancellationToken, Task<int>> act) => async (result, cancellationToken) =>
        {
            string data = BuildOutputSymbols.FormatOf(result) ?? result.GetValue(format)!;
            bool json = data == "json";
            bool noColor = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
            var terminal = new Terminal(output, error, json, outputIsTerminal, errorIsTerminal, noColor) { Sarif = data == "sarif" };
            return await GuardAsync(terminal, () =>
            {
                if (result.CommandResult.Command.Name != "build")
                    terminal.RefuseSarif();
                string work = WorkingDirectory(result.GetValue(directory)!);
                var home = Home.FromEnvironment();
                if (home.Prepare() is { } note)
                    terminal.Fault($"note: {note}");
                return act(new CommandContext(work, home, terminal) { Arguments = args }, result, cancellationToken);
            }, cancellationToken);
        };

        var root = new RootCommand("Ingot casts golden images once, proves what they are, promotes them by policy, and replaces running instances; it never patches them.") { directory, format };
        foreach (var create in CommandTable.All)
            root.Add(create(Bind));

        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
            return Usage(parsed, error);

        return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(20) });
    }

    /// <summary>The version of the program.</summary>
    public static string Version => typeof(Application).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    private static string WorkingDirectory(string given)
    {
        string path = Path.GetFullPath(given);
        return Directory.Exists(path) ? path : throw new InvalidInputException("no-directory", $"'{given}' is not a directory");
    }

    private static int Usage(ParseResult parsed, TextWriter error)
    {
        foreach (ParseError problem in parsed.Errors)
            error.WriteLine($"error: {PlainText.Visible(Lower(problem.Message))}");
        string name = parsed.CommandResult.Command is RootCommand ? "" : " " + parsed.CommandResult.Command.Name;
        error.WriteLine($"see 'ingot{name} --help'");
        return ExitCode.WrongInput;
    }

    private static string Lower(string sentence) => sentence.Length == 0 ? sentence : char.ToLowerInvariant(sentence[0]) + sentence[1..].TrimEnd('.');

    private static async Task<int> GuardAsync(Terminal terminal, Func<Task<int>> act, CancellationToken cancellationToken)
    {
        try
        {
            return await act();
        }
        catch (AggregateException e) when (e.Flatten().InnerExceptions is [{ } first, ..])
        {
            // What several threads met is what one of them met.
            return await GuardAsync(terminal, () => Task.FromException<int>(first), cancellationToken);
        }
        catch (InvalidInputException e)
        {
            return Fail(terminal, ExitCode.WrongInput, "invalid-input", e.Message, e.Diagnostics);
        }
        catch (RefusedException e)
        {
            return Fail(terminal, ExitCode.No, "refused", e.Message);
        }
        catch (Builds.BuildException e)
        {
            return Fail(terminal, ExitCode.No, "build-failed", e.Message);
        }
        catch (Builds.SecretLeakException e)
        {
            return Fail(terminal, ExitCode.No, "secret-leak", e.Message);
        }
        catch (ServerException e)
        {
            int code = e.Code switch { "refused" or "forbidden" => ExitCode.No, "invalid" or "not_found" => ExitCode.WrongInput, _ => ExitCode.WrongEnvironment };
            return Fail(terminal, code, e.Code, e.Message);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested && e.InnerException is TimeoutException)
        {
            // Nobody stopped it.
            return Fail(terminal, ExitCode.WrongEnvironment, "environment", $"something took too long and was given up: {e.Message.TrimEnd('.')}");
        }
        catch (OperationCanceledException)
        {
            return Fail(terminal, 130, "cancelled", "stopped before the end; what was acknowledged stands, the rest was cleaned up");
        }
        catch (Exception e) when (e is IngotException or IOException or UnauthorizedAccessException or HttpRequestException or SocketException)
        {
            return Fail(terminal, ExitCode.WrongEnvironment, "environment", e.Message);
        }
        catch (Exception e)
        {
            return Fail(terminal, ExitCode.WrongEnvironment, "fault", $"ingot has a fault and could not go on: {e.Message}; please report it with the file '{WriteFault(e)}'");
        }
    }

    private static string WriteFault(Exception e)
    {
        // A name nobody knows before, in a directory of our own: a fixed one in a place that all can write to could be a link to another's file.
        string path = Path.Combine(Directory.CreateTempSubdirectory("ingot-fault-").FullName, "fault.log");
        File.WriteAllText(path, $"ingot {Version}\n{e}\n");
        return path;
    }

    private static void Say(Terminal terminal, string message, IReadOnlyList<Diagnostic>? diagnostics)
    {
        if (diagnostics is { Count: > 0 })
            terminal.Fault(diagnostics);
        else
            terminal.Fault($"error: {message}");
    }

    private static int Fail(Terminal terminal, int exitCode, string code, string message, IReadOnlyList<Diagnostic>? diagnostics = null)
    {
        terminal.Status(null);
        var document = new ErrorDocument(new ErrorBody(code, message, [.. (diagnostics ?? []).Select(DiagnosticBody.Of)]));
        if (!terminal.TryJson(document, OutputJson.Default.ErrorDocument))
            Say(terminal, message, diagnostics);
        return exitCode;
    }
}
