using System.Net.Sockets;
using System.Text.RegularExpressions;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Projects;

namespace Ingot.Cli;

/// <summary>Makes messages and exit codes of what goes wrong: as text for people, as a document in JSON mode.</summary>
internal static partial class Failures
{
    /// <summary>Does something, and answers with its exit code or with that of what went wrong.</summary>
    public static async Task<int> GuardAsync(Terminal terminal, Func<Task<int>> act, CancellationToken cancellationToken)
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
        catch (Exception e) when (e is RefusedException or UntrustedException)
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
            int code = e.Code switch
            {
                "refused" or "forbidden" => ExitCode.No,
                "invalid" or "not_found" => ExitCode.WrongInput,
                _ => ExitCode.WrongEnvironment,
            };
            return Fail(terminal, code, e.Code, e.Message);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested && e.InnerException is TimeoutException)
        {
            // Nobody stopped it.
            return Fail(terminal, ExitCode.WrongEnvironment, "environment", "something took too long; --verbose shows what");
        }
        catch (LeftRunningException e)
        {
            return Fail(terminal, ExitCode.Interrupted, "cancelled", e.Message);
        }
        catch (OperationCanceledException)
        {
            return Fail(terminal, ExitCode.Interrupted, "cancelled",
                "interrupted: acknowledged changes remain, everything else was cleaned up");
        }
        catch (UnavailableException e)
        {
            return Fail(terminal, ExitCode.WrongEnvironment, "unavailable", e.Message, [e.Diagnostic]);
        }
        catch (Exception e) when (e is HttpRequestException or SocketException)
        {
            // Nobody said whom was asked: the platform does, mostly.
            string reason = IngotException.ReasonOf(e);
            if (Address().Match(e.Message) is { Success: true } found)
                reason = $"{found.Groups[1].Value}: {reason.Replace(found.Value, "", StringComparison.Ordinal)}";
            return Fail(terminal, ExitCode.WrongEnvironment, "environment", reason);
        }
        catch (Exception e) when (e is IngotException or IOException or UnauthorizedAccessException)
        {
            return Fail(terminal, ExitCode.WrongEnvironment, "environment", IngotException.ReasonOf(e));
        }
        catch (Exception e)
        {
            string message = $"ingot has a bug and could not continue; please report it with the file '{WriteFault(e)}'";
            return Fail(terminal, ExitCode.WrongEnvironment, "fault", message);
        }
    }

    // "Connection refused (127.0.0.1:7070)", and of a socket without the brackets.
    [GeneratedRegex(@" \(?([^\s()]+:[0-9]+)\)?$")]
    private static partial Regex Address();

    /// <summary>Says what is wrong with a command line, and where its help is.</summary>
    public static int Usage(Terminal terminal, IReadOnlyList<Diagnostic> wrong, string command)
    {
        if (TryJson(terminal, "usage", string.Join('\n', wrong.Select(Sentence)), wrong))
            return ExitCode.WrongInput;

        foreach (var diagnostic in wrong)
            terminal.Fault($"error: {Sentence(diagnostic)}");
        terminal.Fault($"see '{command} --help'");
        return ExitCode.WrongInput;
    }

    private static string Sentence(Diagnostic diagnostic) => diagnostic.Detail switch
    {
        null => diagnostic.Summary,
        ['d', 'i', 'd', ' ', ..] question => $"{diagnostic.Summary}; {question}",
        var detail => $"{diagnostic.Summary} ({detail})",
    };

    // The stack, for whoever mends it; the person gets none of it.
    private static string WriteFault(Exception e)
    {
        // A name nobody knows before, in a directory of our own: a fixed one where all can write could be a link to another's file.
        string path = Path.Combine(Directory.CreateTempSubdirectory("ingot-fault-").FullName, "fault.log");
        File.WriteAllText(path, $"ingot {Application.Version}\n{e}\n");
        return path;
    }

    private static int Fail(Terminal terminal, int exitCode, string code, string message, IReadOnlyList<Diagnostic>? diagnostics = null)
    {
        terminal.Status(null);
        if (TryJson(terminal, code, message, diagnostics ?? []))
            return exitCode;

        if (diagnostics is { Count: > 0 })
            terminal.Fault(diagnostics);
        else
            terminal.Fault($"error: {message}");
        return exitCode;
    }

    private static bool TryJson(Terminal terminal, string code, string message, IReadOnlyList<Diagnostic> diagnostics)
    {
        var body = new ErrorBody(code, message, [.. diagnostics.Select(DiagnosticBody.Of)]);
        return terminal.TryJson(new ErrorDocument(body), OutputJson.Default.ErrorDocument);
    }
}
