using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;

namespace Ingot.Cli.Commands;

/// <summary>One command as help, manuals and completion tell of it.</summary>
/// <param name="Path">Its words after <c>ingot</c>: <c>log show</c>; empty for the program.</param>
/// <param name="Command">What is told.</param>
internal sealed record CommandPage(string Path, Command Command)
{
    /// <summary>What is behind it, beside what is hidden.</summary>
    public IReadOnlyList<Command> Subcommands => [.. Command.Subcommands.Where(c => !c.Hidden)];

    /// <summary>Its own options, without the help.</summary>
    public IReadOnlyList<Option> Options => [.. Command.Options.Where(o => o is not HelpOption && !o.Hidden)];

    /// <summary>What is typed: <c>ingot promote IMAGE --stage STAGE</c>.</summary>
    public string Synopsis =>
        $"ingot{(Path.Length == 0 ? "" : " " + Path)}{Arguments}{Required}{(IsGroup ? " COMMAND" : "")}";

    /// <summary>Whether it does nothing itself: <c>log</c>, and not <c>logs</c>,
    /// behind which there is <c>logs build</c> all the same.</summary>
    public bool IsGroup => Subcommands.Count > 0 && Command.Action is null;

    /// <summary>Its arguments: <c> SOURCE [DEST]</c>.</summary>
    public string Arguments => string.Concat(Command.Arguments.Select(a => a.Arity switch
    {
        { MaximumNumberOfValues: > 1, MinimumNumberOfValues: 0 } => $" [{a.Name}...]",
        { MinimumNumberOfValues: 0 } => $" [{a.Name}]",
        _ => $" {a.Name}",
    }));

    private string Required => string.Concat(Options.Where(o => o.Required).Select(o => $" {o.Name}{Value(o)}"));

    /// <summary>The program and every command of it, each before what is behind it.</summary>
    public static IEnumerable<CommandPage> Of(Command root, string path = "")
    {
        yield return new(path, root);
        foreach (var command in root.Subcommands.Where(c => !c.Hidden))
        {
            foreach (var page in Of(command, path.Length == 0 ? command.Name : $"{path} {command.Name}"))
                yield return page;
        }
    }

    /// <summary>The names of an option, the long one first.</summary>
    public static IReadOnlyList<string> NamesOf(Option option) => [option.Name, .. option.Aliases.Where(a => a != option.Name)];

    /// <summary>What is written behind an option's name: <c> STAGE</c>; empty for a switch.</summary>
    public static string Value(Option option) => IsSwitch(option) ? "" : $" {option.HelpName ?? "VALUE"}";

    /// <summary>Whether an option takes no value.</summary>
    public static bool IsSwitch(Option option) => option.ValueType == typeof(bool) || option.Arity.MaximumNumberOfValues == 0;

    /// <summary>The values an option can have, when there are few.</summary>
    public static IReadOnlyList<string> ValuesOf(Option option) =>
        IsSwitch(option) ? [] : [.. option.GetCompletions(CompletionContext.Empty).Select(c => c.Label).Order(StringComparer.Ordinal)];

    /// <summary>Whether a value of that name is a path of this host.</summary>
    public static bool IsPath(string? name) => name is "DIR" or "FILE" or "DEST" or "SOURCE";
}
