using System.CommandLine;
using System.CommandLine.Help;
using System.Diagnostics;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Diagnostics;

namespace Ingot.Cli;

/// <summary>One run of the program, from its words to its exit code.</summary>
internal sealed class Invocation
{
    // How long a command may take to clean up after Ctrl-C.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly string[] _words;
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private readonly Terminal _terminal;
    private readonly GlobalSymbols _symbols = new();

    public Invocation(string[] words, TextWriter output, TextWriter error, bool outputIsTerminal, bool errorIsTerminal)
    {
        (_words, _output, _error) = (words, output, error);
        // Whatever is wrong with the rest, a program that asked for JSON reads the reason as JSON.
        string? format = GlobalSymbols.FormatOf(words);
        bool noColor = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        _terminal = new Terminal(output, error, format == "json", outputIsTerminal, errorIsTerminal, noColor) { Sarif = format == "sarif" };
    }

    /// <summary>Carries out what the words ask for; whatever goes wrong becomes a message and an exit code.</summary>
    public Task<int> RunAsync(IReadOnlyList<Func<Binder, Command>> commands) => Failures.GuardAsync(_terminal, async () =>
    {
        var root = CommandTable.Root(_symbols, commands, Bind);
        // Without files of words: '@name' is an argument like any other.
        var parsed = root.Parse(_words, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Action is not HelpAction && UsageErrors.Of(parsed, _words) is { Count: > 0 } wrong)
            return Failures.Usage(_terminal, wrong, UsageErrors.NameOf(parsed.CommandResult.Command));

        var configuration = new InvocationConfiguration
        {
            Output = _output,
            Error = _error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = s_patience,
        };
        return await parsed.InvokeAsync(configuration);
    }, CancellationToken.None);

    private Func<ParseResult, CancellationToken, Task<int>> Bind(Func<CommandContext, ParseResult, CancellationToken, Task<int>> act) =>
        (result, cancellationToken) => Failures.GuardAsync(_terminal, async () =>
        {
            _terminal.IsQuiet = result.GetValue(_symbols.Quiet);
            _terminal.IsVerbose = result.GetValue(_symbols.Verbose);
            if (_terminal is { IsQuiet: true, IsVerbose: true })
                throw new InvalidInputException("usage", "'--quiet' and '--verbose' contradict each other", "leave one out");
            if (result.CommandResult.Command.Name != "build")
                _terminal.RefuseSarif();

            string? given = result.GetValue(_symbols.Directory);
            string directory = WorkingDirectory(given ?? ".");
            var home = Home.FromEnvironment();
            if (home.Prepare() is { } note)
                _terminal.Fault($"note: {note}");
            using var details = _terminal.IsVerbose ? new Details(_terminal) : null;
            var clock = Stopwatch.StartNew();
            var context = new CommandContext(directory, home, _terminal) { Arguments = _words, IsDirectoryGiven = given is not null };
            int exitCode = await act(context, result, cancellationToken);
            _terminal.Detail($"+ ingot {result.CommandResult.Command.Name} (exit code {exitCode}, {clock.Elapsed.TotalSeconds:0.00} s)");
            return exitCode;
        }, cancellationToken);

    private static string WorkingDirectory(string given)
    {
        // The platform takes an empty path for a fault of the program.
        string? path = given.Length == 0 ? null : Path.GetFullPath(given);
        return Directory.Exists(path) ? path : throw new InvalidInputException("no-directory", $"'{given}' is not a directory");
    }
}
