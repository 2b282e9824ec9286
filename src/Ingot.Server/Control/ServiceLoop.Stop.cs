using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

// A service that is stopped: that it stops is recorded first, that it has stopped when nothing is left. In between anything may happen:
// it goes on.
internal sealed partial class ServiceLoop
{
    private static readonly TimeSpan s_takingAway = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_stopAnswer = TimeSpan.FromSeconds(90);

    private TaskCompletionSource<string?> _takenAway = NewAttempt();
    private string? _stopTrouble;

    /// <summary>Takes everything of the service away; ends when nothing is left. What could not be taken away throws,
    /// and the loop goes on with it.</summary>
    public async Task StopAsync(string actor, CancellationToken cancellationToken)
    {
        var attempt = _takenAway;
        bool isUnderWay = await SayAsync(actor, (view, memory) => StopWord(view, memory, actor), mayGoAhead: false, cancellationToken);
        string? failure = isUnderWay ? await AttemptAsync(attempt, cancellationToken) : await TryTakeAwayAsync(cancellationToken);
        if (failure is null)
            return;

        string next = isUnderWay ? "the server keeps trying: ask again to see how it goes" : "ask again once that is fixed";
        throw new ApiException("failed", $"{Key} is not removed yet: {failure}; {next}");
    }

    private Word<bool> StopWord(LedgerView view, LoopMemory memory, string actor) => memory switch
    {
        { StoppedBy: not null } => Nothing(true),
        // Nothing runs: what an earlier version, or a first rollout that failed, has left is taken away all the same.
        { IsEmpty: true } when RolloutEntries.LastFailed(view, Key) is not null =>
            new Word<bool>(false, [new LedgerEvent.ServiceStopped(Key.Project, Key.Service, Key.Stage, $"stopped by {actor}")], m => m),
        { IsEmpty: true } => Nothing(false),
        _ => new Word<bool>(true, [new LedgerEvent.ServiceStopping(Key.Project, Key.Service, Key.Stage, $"stopped by {actor}")],
            m => m with { StoppedBy = actor }),
    };

    private static async Task<string?> AttemptAsync(TaskCompletionSource<string?> attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await attempt.Task.WaitAsync(s_stopAnswer, cancellationToken);
        }
        catch (TimeoutException)
        {
            return $"it takes longer than {s_stopAnswer.TotalSeconds:0} s";
        }
    }

    private async Task TakeAwayAsync(CancellationToken cancellationToken)
    {
        await _lane.InterruptAsync();
        string? failure = _lane.IsBusy ? $"'{_lane.UnderWay[0]}' does not finish" : await TryTakeAwayAsync(cancellationToken);
        if (failure is null)
            failure = await StoppedAsync(cancellationToken);
        _stopTrouble = failure is null ? null : $"it is not removed yet: {failure}";
        Interlocked.Exchange(ref _takenAway, NewAttempt()).TrySetResult(failure);
    }

    private async Task<string?> TryTakeAwayAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_takingAway);
        try
        {
            await Task.Run(() => _target.RemoveServiceAsync(Key, limit.Token), CancellationToken.None).WaitAsync(limit.Token);
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"the target did not do it within {s_takingAway.TotalSeconds:0} s";
        }
        catch (IngotException e)
        {
            return e.Message;
        }
    }

    private async Task<string?> StoppedAsync(CancellationToken cancellationToken)
    {
        string by = _memory.StoppedBy ?? Actor;
        var stopped = new LedgerEvent.ServiceStopped(Key.Project, Key.Service, Key.Stage, $"stopped by {by}");
        try
        {
            await _recorder.AppendAsync(by, _ => [stopped], _ => Emptied(), cancellationToken);
            return null;
        }
        catch (IngotException e)
        {
            return e.Message;
        }
    }

    private void Emptied()
    {
        Update(memory => new LoopMemory { Turn = memory.Turn + 1 });
        _owners.Clear();
        _retries.Clear();
        Forget();
        Seen = null;
    }

    private static TaskCompletionSource<string?> NewAttempt() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
