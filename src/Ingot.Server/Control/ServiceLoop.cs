using System.Text.Json;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Ledger;
using Ingot.Tools;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Control;

/// <summary>Runs one service at one stage: it observes, asks <c>Releases</c>, writes the intent, acts, and writes the acknowledgement.</summary>
/// <remarks>
/// Everything it knows is in the ledger before it acts on it, so that it can be killed between any two lines: a new loop reads the ledger,
/// observes, and goes on. It is the only writer of its service.
/// </remarks>
internal sealed class ServiceLoop : IAsyncDisposable
{
    private static readonly TimeSpan s_rolloutPace = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_steadyPace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_measurementPace = TimeSpan.FromSeconds(1);

    private readonly LedgerStore _ledger;
    private readonly ITarget _target;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Queue<OpenRollout> _waiting = new();
    private readonly HashSet<string> _intended = new(StringComparer.Ordinal);
    private readonly Task _run;
    private OpenRollout? _rollout;
    private SteadyState? _steady;
    private DateTimeOffset _recordedAt;
    private DateTimeOffset? _steadySince;

    public ServiceLoop(ServiceKey key, ServiceHistory history, LedgerStore ledger, ITarget target, TimeProvider time, ILogger logger)
    {
        Key = key;
        _ledger = ledger;
        _target = target;
        _time = time;
        _logger = logger;
        _steady = history.Steady;
        _steadySince = history.Since;
        foreach (var open in history.Open)
            _waiting.Enqueue(open);
        _waiting.TryDequeue(out _rollout);
        _run = Task.Run(RunAsync);
    }

    public ServiceKey Key { get; }

    /// <summary>What was last seen; null before the first look.</summary>
    public Observation? Seen { get; private set; }

    /// <summary>Why the last look or move failed; null when it did not.</summary>
    public string? Trouble { get; private set; }

    /// <summary>What runs between rollouts, or ran before the one under way; null before the first deployment.</summary>
    public SteadyState? Steady => _steady;

    public DateTimeOffset? SteadySince => _steadySince;

    /// <summary>The rollout under way; null between rollouts.</summary>
    public OpenRollout? Rollout => _rollout;

    /// <summary>Records a request and begins it, after turning back a rollout that is under way.</summary>
    /// <param name="ask">Says what is asked for, from the ledger while the request is appended to it, how the service stands, and the number a new generation gets; what it throws refuses the request.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellationToken">Stops waiting for the turn.</param>
    public async Task<OpenRollout> BeginAsync(Func<LedgerView, SteadyState?, int, ReleaseOrder> ask, string actor, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            OpenRollout? begun = null;
            await _ledger.AppendAsync(actor, view =>
            {
                var order = ask(view, _steady, (int)view.NextGeneration(Key.Project, Key.Service, Key.Stage));
                begun = Open(view, order.Spec);
                return [.. order.With, Requested(begun)];
            }, cancellationToken);
            var open = begun!;
            if (_rollout is null)
            {
                _rollout = open;
            }
            else
            {
                _rollout = _rollout with { State = Releases.Rollout.Supersede(_rollout.State, $"rollout {open.Id}", _time.GetUtcNow()) };
                await RecordAsync(cancellationToken);
                _waiting.Enqueue(open);
            }

            Wake();
            return open;
        }
        finally
        {
            _gate.Release();
        }
    }

    private OpenRollout Open(LedgerView view, RolloutSpec spec)
    {
        int count = view.Rollouts(Key.Project, Key.Service, Key.Stage).Count;
        spec = spec with { Warm = [.. spec.Warm.Where(warm => Objection(view, Door.StandBy, warm) is null)] };
        return new OpenRollout($"{Key.Stem}-r{count + 1}", Releases.Rollout.Begin(spec, _time.GetUtcNow()));
    }

    private LedgerEvent.ReleaseRequested Requested(OpenRollout open)
    {
        var spec = open.State.Spec;
        return new LedgerEvent.ReleaseRequested(
            Key.Project, Key.Service, Key.Stage, spec.Next.Repository, spec.Next.Digest, spec.Reason, Element(ReleasesJson.Write(spec)), open.Id, spec.Next.Number, spec.Next.Version);
    }

    /// <summary>Changes the state of the rollout under way by a person's word. Null when none is under way.</summary>
    /// <param name="change">The change.</param>
    /// <param name="record">What is recorded of it, said while it is appended; what it throws refuses the change.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellationToken">Stops waiting for the turn.</param>
    public async Task<OpenRollout?> ChangeAsync(Func<RolloutState, DateTimeOffset, RolloutState> change, Func<LedgerView, OpenRollout, IReadOnlyList<LedgerEvent>> record, string actor, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_rollout is not { } rollout)
                return null;

            await _ledger.AppendAsync(actor, view => record(view, rollout), cancellationToken);
            _rollout = rollout with { State = change(rollout.State, _time.GetUtcNow()) };
            await RecordAsync(cancellationToken);
            Wake();
            return _rollout;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>What may not run any more of what a rollout is between.</summary>
    public static Withdrawn Withdrawn(LedgerView view, RolloutSpec spec) => new(
        Standing.Objection(view, spec.IsRollback ? Door.GoOnBack : Door.GoOn, Standpoint.Of(spec.Key, spec.Next))?.Reason,
        spec.Previous is { } previous ? Standing.Objection(view, Door.TurnBack, Standpoint.Of(spec.Key, previous))?.Reason : null);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _gate.Dispose();
        _wake.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await TickAsync(_stop.Token);
                Trouble = null;
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The world failed, or we did: the loop must not end with it. What it wanted is in the ledger; it looks again and goes on.
                if (Trouble != e.Message)
                    _logger.LogWarning(e, "{Service}: {Message}", Key, e.Message);
                Trouble = e.Message;
            }

            await PauseAsync();
        }
    }

    private async Task PauseAsync()
    {
        try
        {
            await _wake.WaitAsync(_rollout is null ? s_steadyPace : s_rolloutPace, _stop.Token);
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
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_rollout is { } rollout)
                await AdvanceAsync(rollout, cancellationToken);
            else if (_steady is { } steady)
                await KeepAsync(steady, cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task AdvanceAsync(OpenRollout rollout, CancellationToken cancellationToken)
    {
        var setup = rollout.State.Spec.Setup;
        Seen = await ObserveAsync(setup, cancellationToken);
        var withdrawn = _ledger.Read(view => Withdrawn(view, rollout.State.Spec));
        var decision = Releases.Rollout.Next(rollout.State, Seen, _time.GetUtcNow(), withdrawn);
        _rollout = rollout with { State = decision.State };
        if (Differs(rollout.State, decision.State))
        {
            _intended.Clear();
            await RecordAsync(cancellationToken);
        }
        else if (_time.GetUtcNow() - _recordedAt >= s_measurementPace)
        {
            _ledger.Working.Write(rollout.Id, rollout.Mark, ReleasesJson.WriteWorking(decision.State));
            _recordedAt = _time.GetUtcNow();
        }

        // Moves are said again until an observation shows their effect; within a phase their intent stands once in the ledger.
        if (!await IntendAsync(_rollout, decision.Moves, withdrawn, cancellationToken))
            return;
        await CarryOutAsync(setup, decision.Moves, cancellationToken);
        if (_rollout.State.IsTerminal)
            await FinishAsync(_rollout, cancellationToken);
    }

    private async Task<Observation> ObserveAsync(ServiceSetup setup, CancellationToken cancellationToken)
    {
        var seen = await _target.ObserveAsync(setup, _time, cancellationToken);
        return (seen.ProxyTrouble ?? seen.EngineTrouble) is { } trouble ? throw new ToolException("target", trouble) : seen;
    }

    private async Task KeepAsync(SteadyState steady, CancellationToken cancellationToken)
    {
        Seen = await ObserveAsync(steady.Setup, cancellationToken);
        var withdrawn = _ledger.Read(view => steady.Warm.Where(warm => Objection(view, Door.StandBy, warm) is not null).Select(warm => warm.Number).ToHashSet());
        var decision = Releases.Steady.Next(steady, Seen, _time.GetUtcNow(), withdrawn);
        _steady = decision.State;
        if (decision.Moves.Count == 0)
            _intended.Clear();
        foreach (var move in decision.Moves)
        {
            bool isNew = _intended.Add(move.Key);
            if (isNew)
                await _ledger.AppendAsync(Actor, new LedgerEvent.RepairIntended(Key.Project, Key.Service, Key.Stage, move.Key, Name(move), Element(ReleasesJson.Write(move))), cancellationToken);
            await _target.CarryOutAsync(steady.Setup, move, cancellationToken);
            if (isNew)
                await _ledger.AppendAsync(Actor, new LedgerEvent.RepairAcknowledged(Key.Project, Key.Service, Key.Stage, move.Key, "done"), cancellationToken);
        }
    }

    /// <summary>Records moves before they are carried out. False, and nothing recorded, when a word came in between that changes what may run: then it is decided anew.</summary>
    private async Task<bool> IntendAsync(OpenRollout rollout, IReadOnlyList<Move> moves, Withdrawn withdrawn, CancellationToken cancellationToken)
    {
        var intents = moves.Where(move => !_intended.Contains(move.Key))
            .Select(LedgerEvent (move) => new LedgerEvent.RolloutIntent(rollout.Id, move.Key, Name(move), Element(ReleasesJson.Write(move)))).ToList();
        if (intents.Count == 0)
            return true;

        var entries = await _ledger.AppendAsync(Actor, view => Withdrawn(view, rollout.State.Spec) == withdrawn ? intents : [], cancellationToken);
        return entries.Count > 0;
    }

    private Objection? Objection(LedgerView view, Door door, Releases.Generation generation) => Standing.Objection(view, door, Standpoint.Of(Key, generation));

    /// <summary>Moves are carried out in order; instances that are created one after the other are created together. What fails ends the round, and the state remembers it.</summary>
    private async Task CarryOutAsync(ServiceSetup setup, IReadOnlyList<Move> moves, CancellationToken cancellationToken)
    {
        for (int i = 0; i < moves.Count;)
        {
            int count = 1;
            while (moves[i] is Move.CreateInstance && i + count < moves.Count && moves[i + count] is Move.CreateInstance)
                count++;
            var outcomes = await Task.WhenAll(moves.Skip(i).Take(count).Select(move => CarryOutAsync(setup, move, cancellationToken)));
            if (outcomes.Any(well => !well))
                return;
            i += count;
        }
    }

    private async Task<bool> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken)
    {
        string? failure = null;
        try
        {
            await _target.CarryOutAsync(setup, move, cancellationToken);
        }
        catch (IngotException e)
        {
            failure = e.Message;
        }

        bool isNew;
        lock (_intended)
        {
            isNew = _intended.Add(move.Key);
            if (failure is not null)
                _rollout = _rollout! with { State = Releases.Rollout.Failed(_rollout.State, move, failure, _time.GetUtcNow()) };
        }

        if (isNew || failure is not null)
            await _ledger.AppendAsync(Actor, new LedgerEvent.RolloutAcknowledged(_rollout!.Id, move.Key, failure is null ? "done" : "failed: " + failure), cancellationToken);
        return failure is null;
    }

    private async Task FinishAsync(OpenRollout rollout, CancellationToken cancellationToken)
    {
        var state = rollout.State;
        var after = Releases.Steady.After(state);
        var live = _ledger.Read(view => view.Generations(Key.Project, Key.Service, Key.Stage)).Where(g => !g.IsRetired).Select(g => (int)g.Number);
        var kept = (after?.Setup.Generations ?? []).Select(g => g.Number).Concat(_waiting.Select(w => w.State.Spec.Next.Number));
        List<LedgerEvent> events = [];
        if (state.QuarantinesDigest)
            events.Add(new LedgerEvent.Quarantined(Key.Project, Key.Service, Key.Stage, state.Spec.Next.Digest, state.Reason));
        events.AddRange(live.Except(kept).Select(number => new LedgerEvent.GenerationRetired(Key.Project, Key.Service, Key.Stage, number, $"after rollout {rollout.Id}")));
        events.Add(new LedgerEvent.RolloutFinished(rollout.Id, state.Phase.ToString(), state.Reason, Receipt(state)));
        await _ledger.AppendAsync(Actor, events, cancellationToken);
        _ledger.Working.Remove(rollout.Id);
        if (after?.Serving.Number != _steady?.Serving.Number)
            _steadySince = _time.GetUtcNow();
        _steady = after;
        _intended.Clear();
        _rollout = _waiting.TryDequeue(out var next) ? _ledger.Read(view => next with { State = Rebase(view, next.State) }) : null;
    }

    // What was asked for while another rollout ran begins from where that one ended.
    private RolloutState Rebase(LedgerView view, RolloutState state)
    {
        var warm = (_steady?.Warm ?? []).Where(generation => Objection(view, Door.StandBy, generation) is null);
        return Releases.Rollout.Begin(state.Spec with { Previous = _steady?.Serving, Warm = [.. warm] }, _time.GetUtcNow());
    }

    private async Task RecordAsync(CancellationToken cancellationToken)
    {
        var rollout = _rollout!;
        string state = rollout.State.Pause is null ? rollout.State.Phase.ToString() : "Paused";
        string reason = rollout.State.Pause?.Reason ?? rollout.State.Reason;
        var detail = Element(ReleasesJson.WriteRecord(rollout.State, rollout.ChangesRecorded));
        var entry = await _ledger.AppendAsync(Actor, new LedgerEvent.RolloutStateChanged(rollout.Id, state, reason, detail), cancellationToken);
        _rollout = rollout with { ChangesRecorded = rollout.State.History.Count, Mark = entry.Mark };
        _ledger.Working.Write(rollout.Id, entry.Mark, ReleasesJson.WriteWorking(rollout.State));
        _recordedAt = _time.GetUtcNow();
    }

    private static bool Differs(RolloutState before, RolloutState after) =>
        before.Phase != after.Phase || before.Step != after.Step || before.Pause != after.Pause || before.Cause != after.Cause || before.Share != after.Share || (before.AcknowledgedAt is null) != (after.AcknowledgedAt is null);

    private const string Actor = "ingot";

    private static string Name(Move move) => move.GetType().Name;

    private static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static JsonElement Receipt(RolloutState state) => JsonSerializer.SerializeToElement(RolloutReceipt.Of(state), ReleasesJsonContext.Default.RolloutReceipt);
}
