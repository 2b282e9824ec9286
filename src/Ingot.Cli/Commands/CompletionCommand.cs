using System.CommandLine;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot completion bash|zsh|fish</c>.</summary>
internal static class CompletionCommand
{
    public static Command Create(Binder bind) => new("completion", "Print a script that completes commands and options in a shell")
    {
        CreateShell(bind, "bash", "for bash: eval \"$(ingot completion bash)\" in ~/.bashrc", Completion.Bash),
        CreateShell(bind, "zsh", "for zsh: eval \"$(ingot completion zsh)\" in ~/.zshrc, after compinit", Completion.Zsh),
        CreateShell(bind, "fish", "for fish: ingot completion fish > ~/.config/fish/completions/ingot.fish", Completion.Fish),
    };

    private static Command CreateShell(Binder bind, string shell, string usage, Func<IReadOnlyList<CommandPage>, string> write)
    {
        var command = new Command(shell, $"Print the script {usage}");
        command.SetAction(bind((context, result, _) =>
        {
            context.Terminal.Document(write([.. CommandPage.Of(result.RootCommandResult.Command)]).TrimEnd('\n'));
            return Task.FromResult(ExitCode.Done);
        }));
        return command;
    }
}
