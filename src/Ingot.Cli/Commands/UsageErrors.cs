using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Parsing;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary>What is wrong with a command line.</summary>
/// <remarks>
/// The parser takes an option that it does not know for an argument wherever the command has room for one (<c>ingot status --json</c>), and
/// for the value of the option before it. Here both are errors; <c>--</c> before an argument and <c>=</c> before a value say that they are
/// meant.
/// </remarks>
internal sealed class UsageErrors
{
    private const string Code = "usage";
    private const int LongestDescription = 70;

    private readonly ParseResult _parsed;
    private readonly List<Diagnostic> _found = [];

    private UsageErrors(ParseResult parsed) => _parsed = parsed;

    private Command Command => _parsed.CommandResult.Command;

    private string Invocation => NameOf(Command);

    // 'logs' has a command behind it and does something itself.
    private bool IsGroup => Command.Subcommands.Count > 0 && Command.Action is null;

    /// <summary>Everything that is wrong; empty when nothing is.</summary>
    /// <param name="parsed">What the parser made of it.</param>
    /// <param name="words">The words as they were typed.</param>
    public static IReadOnlyList<Diagnostic> Of(ParseResult parsed, IReadOnlyList<string> words)
    {
        var errors = new UsageErrors(parsed);
        errors.FindUnknown(words);
        // What else is wrong follows from that.
        if (errors._found.Count == 0)
        {
            foreach (var error in parsed.Errors)
                errors.Explain(error);
        }

        return errors._found;
    }

    /// <summary>A command as it is typed: <c>ingot log show</c>.</summary>
    public static string NameOf(Command command) => ParentOf(command) is { } parent ? $"{NameOf(parent)} {command.Name}" : "ingot";

    private void FindUnknown(IReadOnlyList<string> words)
    {
        // 'exec' answers the same whatever is behind it.
        if (!Command.TreatUnmatchedTokensAsErrors)
            return;
        var typed = words.TakeWhile(word => word != "--").ToHashSet();
        FindMisread(typed);
        foreach (string word in _parsed.UnmatchedTokens)
        {
            if (IsOption(word) && typed.Contains(word))
                AddUnknownOption(word);
            else if (IsGroup)
                AddUnknownCommand(word);
            else if (_found.Count == 0)
                Add($"'{word}' is one argument too many for '{Invocation}'");
            if (IsGroup)
                return;
        }
    }

    private void FindMisread(HashSet<string> typed)
    {
        foreach (var result in _parsed.CommandResult.Children)
        {
            foreach (string word in result.Tokens.Select(t => t.Value).Where(word => IsOption(word) && typed.Contains(word)))
                AddMisread(result, word);
        }
    }

    private void AddMisread(SymbolResult result, string word)
    {
        if (result is not OptionResult option)
            AddUnknownOption(word);
        else if (option.IdentifierToken?.Value is { } name)
            Add($"'{name}' needs a value, and '{word}' after it looks like an option", $"write {name}={word} if that is the value");
    }

    private void AddUnknownCommand(string word) => Add(
        IsRoot(Command) ? $"there is no command '{word}'" : $"'{Invocation}' has no command '{word}'",
        Suggestion.For(word, Command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)) ?? CommandsOf(Command));

    private void AddUnknownOption(string word)
    {
        int end = word.IndexOf('=', StringComparison.Ordinal);
        string name = end < 0 ? word : word[..end];
        Add($"'{Invocation}' has no option '{name}'", OptionFor(name));
    }

    private string? OptionFor(string name)
    {
        if (name == "--json")
            return "did you mean '--output json'?";
        var names = OptionsOf(Command).SelectMany(CommandPage.NamesOf);
        string[] known = [.. names.Where(n => n.StartsWith("--", StringComparison.Ordinal))];
        return name.Length > 2 ? Suggestion.For(name, known) : null;
    }

    private static IEnumerable<Option> OptionsOf(Command command) => command.Options
        .Concat(Ancestors(command).SelectMany(parent => parent.Options.Where(option => option.Recursive)))
        .Where(option => !option.Hidden);

    private static IEnumerable<Command> Ancestors(Command command)
    {
        for (var parent = ParentOf(command); parent is not null; parent = ParentOf(parent))
            yield return parent;
    }

    private static Command? ParentOf(Command command) => command.Parents.OfType<Command>().FirstOrDefault();

    // -5 is a number, and - is standard input.
    private static bool IsOption(string word) =>
        word.Length > 1 && word[0] == '-' && !char.IsAsciiDigit(word[1]) && !word.Contains(' ', StringComparison.Ordinal);

    private void Explain(ParseError error)
    {
        switch (error.SymbolResult)
        {
            case OptionResult option:
                ExplainOption(option);
                break;
            case ArgumentResult { Parent: OptionResult option }:
                ExplainOption(option);
                break;
            case ArgumentResult { Tokens: [] } argument:
                Add($"'{Invocation}' needs {argument.Argument.Name}", Text(argument.Argument.Description));
                break;
            case ArgumentResult argument when HasWordsOfItsOwn(argument.Argument):
                Add(error.Message);
                break;
            case ArgumentResult argument:
                Add($"'{argument.Tokens[^1].Value}' is not {Kind(argument.Argument.ValueType)}", Text(argument.Argument.Description));
                break;
            default:
                Add(IsRoot(Command) ? "no command was given" : $"'{Invocation}' needs a command", CommandsOf(Command));
                break;
        }
    }

    // What only takes values of a list is checked by the platform, in its words.
    private static bool HasWordsOfItsOwn(Argument argument) =>
        argument.Validators.Count > 0 && !argument.GetCompletions(CompletionContext.Empty).Any();

    private void ExplainOption(OptionResult result)
    {
        var option = result.Option;
        string value = option.HelpName ?? "a value";
        string given = result.Tokens is [.., var last] ? last.Value : "";
        string name = result.IdentifierToken?.Value ?? option.Name;
        var allowed = CommandPage.ValuesOf(option);
        if (result.IdentifierToken is null)
            Add($"'{Invocation}' needs {option.Name} {value}", Text(option.Description));
        else if (result.Tokens is [])
            Add($"'{name}' needs a value: {value}", Text(option.Description));
        else if (result.Tokens.Count > option.Arity.MaximumNumberOfValues)
            Add($"'{name}' was given {result.Tokens.Count} times, and can be given only once");
        else if (allowed.Count > 0)
            Add($"'{given}' is not a value of '{name}'", Suggestion.For(given, allowed) ?? $"one of: {string.Join(", ", allowed)}");
        else
            Add($"'{given}', given for '{name}', is not {Kind(option.ValueType)}", Text(option.Description));
    }

    private static bool IsRoot(Command command) => !command.Parents.Any();

    private static string? CommandsOf(Command command) => IsRoot(command)
        ? "'ingot help' lists them"
        : $"one of: {string.Join(", ", command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name))}";

    private static string Kind(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type == typeof(bool) ? "true or false"
            : type == typeof(int) || type == typeof(long) ? "a whole number"
            : "of the expected form";
    }

    // What fits beside an error; the help has all of it.
    private static string? Text(string? description) => description is { Length: > 0 and <= LongestDescription }
        ? char.ToLowerInvariant(description[0]) + description[1..]
        : null;

    private void Add(string summary, string? detail = null) => _found.Add(new Diagnostic(Severity.Error, Code, summary, detail));
}
