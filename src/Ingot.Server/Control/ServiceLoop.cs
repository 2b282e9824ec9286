using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Ledger;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Control;

/// <summary>Runs one service at one stage: it observes, asks <c>Releases</c>, writes the intent, acts,
/// and writes the acknowledgement.</summary>
/// <remarks>
/// It is the only writer of its service, and it can be killed between any two lines: another reads the ledger, observes, and goes on.
/// <list type="bullet">
/// <item>What is not safe is on the ledger first, then in memory, then done. What gives traffic back to what served before is done first,
/// and the entry follows: no disk, engine or person is waited for.</item>
/// <item>Proxy and engine are looked at apart; moves on instances run in the background. A look is never late because of a move.</item>
/// <item>Nobody who asks waits for a move: words are decided on what is known, while they are appended.</item>
/// </list>
/// </remarks>
internal sealed partial class ServiceLoop : IAsyncDisposable
{
    private const string Actor = "ingot";

    private static readonly TimeSpan s_rolloutPace = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_steadyPace = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_steadyEnginePace = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan s_parting = TimeSpan.FromSeconds(5);

    private readonly LedgerStore _ledger;
    private readonly ITarget _target;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Recorder _recorder;
    private readonly InstanceLane _lane;
    private readonly StartTimes _starts;
    private readonly EngineWatch _engine;
    private readonly MoveRetries _retries;
    private readonly InstanceOwners _owners;
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Task _run;
    private volatile LoopMemory _memory;

    public ServiceLoop(ServiceKey key, ServiceHistory history, LoopWorld world)
    {
        Key = key;
        (_ledger, _target, _time, _logger) = (world.Ledger, world.Targets.Of(key), world.Time, world.Logger);
        _recorder = new Recorder(world.Append, _time);
        _lane = new InstanceLane(_time);
        _starts = new StartTimes(_time, world.Wall);
        _engine = new EngineWatch(_target, _time);
        _retries = new MoveRetries(_time);
        _memory = history.Memory;
        _owners = history.Owners;
        _run = Task.Run(RunAsync);
    }

    public ServiceKey Key { get; }

    /// <summary>What is known.</summary>
    public LoopMemory Memory => _memory;

    /// <summary>What was last seen; null before the first look.</summary>
    public Observation? Seen { get; private set; }

    /// <summary>What does not go as it should, one sentence each.</summary>
    public IReadOnlyList<string> Troubles { get; private set; } = [];

    /// <summary>Whether what was last seen is what is: proxy and engine could be read.</summary>
    public bool IsSighted => Seen is { ProxyTrouble: null };

    /// <summary>What runs between rollouts, or ran before the one under way; null before the first deployment.</summary>
    public SteadyState? Steady => _memory.Steady;

    public DateTimeOffset? SteadySince => _memory.Since;

    /// <summary>The rollout under way; null between rollouts.</summary>
    public OpenRollout? Rollout => _memory.Rollout;

    /// <summary>What may not run any more of what a rollout is between.</summary>
    public static Withdrawn Withdrawn(LedgerView view, RolloutSpec spec) => new(
        Standing.Objection(view, spec.IsRollback ? Door.GoOnBack : Door.GoOn, Standpoint.Of(spec.Key, spec.Next))?.Reason,
        spec.Previous is { } previous ? Standing.Objection(view, Door.TurnBack, Standpoint.Of(spec.Key, previous))?.Reason : null);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAny(_run, Task.Delay(s_parting));
        await _lane.DisposeAsync();
        await _recorder.DisposeAsync();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            string? fault = null;
            try
            {
                await TickAsync(_stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The world failed, or we did: the loop must not end with it. It looks again and goes on.
                fault = IngotException.ReasonOf(e);
                _logger.LogDebug(e, "{Service}", Key);
            }

            Report(fault);
            await PauseAsync();
        }
    }

    private async Task PauseAsync()
    {
        var pace = _memory.IsEmpty ? Timeout.InfiniteTimeSpan
            : _memory.StoppedBy is null && (_memory.Rollout is not null || _lane.IsBusy) ? s_rolloutPace
            : s_steadyPace;
        try
        {
            await _wake.WaitAsync(pace, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop's condition says so too.
        }
    }

    private void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is about to wake anyway.
        }
    }

    private async Task TickAsync(CancellationToken cancellationToken)
    {
        var memory = _memory;
        if (memory.StoppedBy is not null)
        {
            await TakeAwayAsync(cancellationToken);
            return;
        }

        if ((memory.Rollout?.State.Setup ?? memory.Steady?.Setup) is not { } setup)
            return;
        var seen = await LookAsync(setup, memory.Rollout is not null, cancellationToken);
        if (memory.Rollout is { } rollout)
            await AdvanceAsync(memory, rollout, seen, cancellationToken);
        else
            await KeepAsync(memory, memory.Steady!, seen, cancellationToken);
    }

    private LoopMemory Update(Func<LoopMemory, LoopMemory> change)
    {
        lock (_gate)
            return _memory = change(_memory);
    }

    private void Report(string? fault)
    {
        var seen = Seen;
        string?[] parts = [fault, _stopTrouble, _broken, seen?.ProxyTrouble, seen?.EngineTrouble, _recorder.Trouble, _recordTrouble,
            .. _retries.Troubles, .. _strangers];
        var troubles = parts.OfType<string>().Distinct().ToList();
        if (troubles.Count == 0 && Troubles.Count == 0)
            return;
        foreach (string trouble in troubles.Except(Troubles))
            _logger.LogWarning("{Service}: {Trouble}", Key, trouble);
        Troubles = troubles;
    }
}

/// <summary>What all loops share.</summary>
/// <param name="Ledger">The ledger, to read.</param>
/// <param name="Append">How entries get onto it.</param>
/// <param name="Targets">Where instances run.</param>
/// <param name="Time">The clock decisions are made by.</param>
/// <param name="Wall">The clock of the host, which the target tells times by; it may be set.</param>
/// <param name="Logger">The log.</param>
internal sealed record LoopWorld(
    LedgerStore Ledger, AppendEntries Append, StageTargets Targets, TimeProvider Time, TimeProvider Wall, ILogger Logger);
