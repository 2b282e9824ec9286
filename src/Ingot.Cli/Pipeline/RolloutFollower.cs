using Ingot.Cli.Commands;
using Ingot.Server.Api;

namespace Ingot.Cli.Pipeline;

/// <summary>How a command that followed a rollout left it.</summary>
internal enum RolloutEnd
{
    Done,
    Detached,
    Paused,
    WentBack,
    TimedOut,
}

/// <summary>A rollout as it stood when it was left.</summary>
internal sealed record FollowedRollout(RolloutReply Rollout, RolloutEnd End)
{
    public int ExitCode => End switch
    {
        RolloutEnd.Done or RolloutEnd.Detached => Cli.ExitCode.Done,
        RolloutEnd.Paused => Cli.ExitCode.Waiting,
        RolloutEnd.WentBack => Cli.ExitCode.WentBack,
        _ => Cli.ExitCode.TimedOut,
    };

    /// <summary>The end, as JSON has it.</summary>
    public string Name => End switch
    {
        RolloutEnd.Done => "done",
        RolloutEnd.Detached => "detached",
        RolloutEnd.Paused => "paused",
        RolloutEnd.WentBack => "rolled_back",
        _ => "timed_out",
    };

    /// <summary>The rollout for JSON, with its end.</summary>
    public RolloutReply Reply => Rollout with { Outcome = Name };
}

/// <summary>Tells a rollout's story while it happens.</summary>
internal sealed class RolloutFollower(ServerClient server, WaitOptions options, Action<string> say, TimeProvider time)
{
    private const int MostMisses = 60;

    private DateTimeOffset? _deadline;

    /// <summary>Says each sentence until the rollout ends, stands paused, or is not waited for any longer.</summary>
    /// <param name="rollout">Its id.</param>
    /// <param name="isEnough">What ends waiting before it has ended; null for nothing.</param>
    /// <param name="cancellationToken">Leaves it; it goes on, which is said.</param>
    /// <remarks>The server may be killed and started again meanwhile; the rollout goes on and so does the story.</remarks>
    public async Task<FollowedRollout> FollowAsync(string rollout, Func<RolloutReply, bool>? isEnough, CancellationToken cancellationToken)
    {
        _deadline ??= options.Timeout is { } limit ? time.GetUtcNow() + limit : null;
        var last = await AskAsync(rollout, 0, wait: 0, cancellationToken);
        for (long after = 0; ; last = await NextAsync(last, after, cancellationToken))
        {
            foreach (var happened in last.Events)
            {
                say(happened.Text);
                after = Math.Max(after, happened.Entry);
            }

            if (EndOf(last, isEnough) is { } end)
                return new FollowedRollout(last, end);
        }
    }

    private RolloutEnd? EndOf(RolloutReply rollout, Func<RolloutReply, bool>? isEnough) => rollout switch
    {
        { Finished: true } => rollout.Succeeded ? RolloutEnd.Done : RolloutEnd.WentBack,
        _ when isEnough?.Invoke(rollout) == true => RolloutEnd.Done,
        { State: "Paused" } => RolloutEnd.Paused,
        _ when options.Detach => RolloutEnd.Detached,
        _ when time.GetUtcNow() >= _deadline => RolloutEnd.TimedOut,
        _ => null,
    };

    private async Task<RolloutReply> NextAsync(RolloutReply last, long after, CancellationToken cancellationToken)
    {
        double left = _deadline is { } deadline ? Math.Max(0, (deadline - time.GetUtcNow()).TotalMilliseconds) : double.MaxValue;
        try
        {
            return await AskAsync(last.Id, after, (int)Math.Min(1000, left), cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new LeftRunningException(
                $"interrupted: rollout {last.Id} of {last.Stage}/{last.Service} goes on without this command; {WaysOf(last)}",
                cancellationToken);
        }
    }

    /// <summary>How to look at a rollout that goes on, and how to stop it.</summary>
    public static string WaysOf(RolloutReply rollout) =>
        $"look at it with 'ingot status {rollout.Service}', hold it with 'ingot pause {rollout.Service} --stage {rollout.Stage}', "
        + $"take it back with 'ingot rollback {rollout.Service} --stage {rollout.Stage}'";

    private async Task<RolloutReply> AskAsync(string rollout, long after, int wait, CancellationToken cancellationToken)
    {
        for (int misses = 0; ; misses++)
        {
            try
            {
                return await server.GetAsync($"api/v1/rollouts/{Uri.EscapeDataString(rollout)}?after={after}&wait={wait}",
                    ApiJson.Default.RolloutReply, cancellationToken);
            }
            catch (ServerException e) when (e.Code == "unreachable" && misses < MostMisses)
            {
                await Task.Delay(500, cancellationToken);
            }
        }
    }
}
