using System.CommandLine;
using Ingot.Diagnostics;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary>How long a command waits for the rollouts it begins.</summary>
/// <param name="Detach">Whether it does not wait at all.</param>
/// <param name="Timeout">For how long; null for as long as they take.</param>
internal sealed record WaitOptions(bool Detach = false, TimeSpan? Timeout = null);

/// <summary>The options of commands that begin rollouts.</summary>
internal sealed class WaitSymbols
{
    private readonly Option<bool> _wait = new("--wait") { Description = "Wait until the rollout has ended; this is the default" };
    private readonly Option<bool> _detach = new("--detach")
    {
        Description = "Begin the rollout and do not wait for it: 'ingot status' shows how it goes",
    };
    private readonly Option<string?> _timeout = new("--timeout")
    {
        Description = "How long to wait at most, such as 10m; the rollout goes on afterwards, and the exit code is 6",
        HelpName = "TIME",
    };

    public void AddTo(Command command)
    {
        command.Add(_wait);
        command.Add(_detach);
        command.Add(_timeout);
    }

    public WaitOptions Read(ParseResult result)
    {
        bool detach = result.GetValue(_detach);
        var timeout = ReadTimeout(result.GetValue(_timeout));
        if (detach && (result.GetValue(_wait) || timeout is not null))
            throw new InvalidInputException("detach",
                $"'--detach' and '{(timeout is null ? "--wait" : "--timeout")}' contradict each other", "'--detach' waits for nothing");
        return new WaitOptions(detach, timeout);
    }

    private static TimeSpan? ReadTimeout(string? text) => text is null
        ? null
        : Quantity.Duration(text) is { } time && time > TimeSpan.Zero ? time
        : throw new InvalidInputException("timeout", $"'{text}' is not a time to wait", "one such as 30s, 10m or 2h");
}
