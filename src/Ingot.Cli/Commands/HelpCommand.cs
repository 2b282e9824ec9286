using System.CommandLine;
using Ingot.Diagnostics;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot help [COMMAND…]</c>.</summary>
internal static class HelpCommand
{
    public static Command Create(Binder bind)
    {
        var words = new Argument<string[]>("COMMAND")
        {
            Description = "The command, such as build or log show; all of them when left out",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("help", "Show what a command does, and its options") { words };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var root = result.RootCommandResult.Command;
            string[] path = result.GetValue(words) ?? [];
            Require(root, path);
            var configuration = result.InvocationConfiguration;
            return await root.Parse([.. path, "--help"]).InvokeAsync(configuration, cancellationToken);
        }));
        return command;
    }

    private static void Require(Command command, string[] path)
    {
        foreach (string word in path)
        {
            string[] known = [.. command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)];
            string summary = $"'{UsageErrors.NameOf(command)}' has no command '{word}'";
            command = command.Subcommands.FirstOrDefault(c => c.Name == word)
                ?? throw new InvalidInputException("no-command", summary, Suggestion.Among(word, "commands", known));
        }
    }
}
