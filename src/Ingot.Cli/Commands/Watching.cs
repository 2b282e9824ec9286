using System.CommandLine;
using Ingot.Cli.Output;

namespace Ingot.Cli.Commands;

/// <summary><c>--watch</c>: what a command shows, again whenever it has changed.</summary>
internal static class Watching
{
    private static readonly TimeSpan s_pace = TimeSpan.FromSeconds(1);

    public static Option<bool> Option() => new("--watch", "-w") { Description = "Show it again whenever it changes, until Ctrl-C" };

    /// <summary>Shows it once, or until the command is ended, which then is no failure.</summary>
    /// <param name="terminal">Where it is shown.</param>
    /// <param name="watch">Whether to go on.</param>
    /// <param name="show">Fetches it and shows it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<int> ShowAsync(
        Terminal terminal, bool watch, Func<Terminal, CancellationToken, Task> show, CancellationToken cancellationToken)
    {
        if (watch)
            await RepeatAsync(terminal, s_pace, show, cancellationToken);
        else
            await show(terminal, cancellationToken);
        return ExitCode.Done;
    }

    internal static async Task RepeatAsync(
        Terminal terminal, TimeSpan pace, Func<Terminal, CancellationToken, Task> show, CancellationToken cancellationToken)
    {
        try
        {
            string? shown = null;
            while (true)
            {
                string now = await TextAsync(terminal, show, cancellationToken);
                if (now != shown)
                    terminal.Page(now, isFirst: shown is null);
                shown = now;
                await Task.Delay(pace, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // That is how it ends.
        }
    }

    private static async Task<string> TextAsync(
        Terminal terminal, Func<Terminal, CancellationToken, Task> show, CancellationToken cancellationToken)
    {
        using var text = new StringWriter();
        await show(terminal.Into(text), cancellationToken);
        return text.ToString();
    }
}
