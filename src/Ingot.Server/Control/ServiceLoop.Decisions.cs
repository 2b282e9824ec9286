using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

// What is seen, what is decided of it, and in what order it is recorded and done.
internal sealed partial class ServiceLoop
{
    private static readonly TimeSpan s_proxyLook = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_count = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_recordAgain = TimeSpan.FromSeconds(1);

    private readonly HashSet<string> _intended = new(StringComparer.Ordinal);
    private (RolloutSpec? Spec, long Size, Withdrawn Withdrawn) _withdrawn = (null, -1, Releases.Withdrawn.None);
    private (SteadyState? State, long Size, IReadOnlySet<int> Warm) _withdrawnWarm = (null, -1, new HashSet<int>());
    private IReadOnlyList<string> _strangers = [];
    private Task _recording = Task.CompletedTask;
    private int _turnSaid = -1;
    private Task _counting = Task.CompletedTask;
    private DateTimeOffset _countedAt;
    private DateTimeOffset _recordNotBefore;
    private string? _recordTrouble;
    private string? _broken;

    private async Task<Observation> LookAsync(ServiceSetup setup, bool isRollout, CancellationToken cancellationToken)
    {
        var began = _time.GetUtcNow();
        var engine = _engine.LookAsync(setup, isRollout || NeedsInstances() ? TimeSpan.Zero : s_steadyEnginePace, cancellationToken);
        var (proxy, trouble) = await ProxyAsync(setup, cancellationToken);
        await engine;
        var look = _engine.Last;
        var sorted = _owners.Sort(_starts.Of(look.Instances, isKnown: look.Trouble is null),
            instance => _lane.IsInFlux(instance, look.Began));
        _strangers = [.. sorted.Strangers, .. _target.Strangers(Key)];
        foreach (var adopted in sorted.Adopted)
            _recorder.Owe(Actor,
                _ => [RolloutEntries.Acknowledgement(Key, adopted.Rollout, adopted.Move, InstanceOwners.Outcome(adopted.Id))]);
        return Seen = new Observation(began, proxy, sorted.Ours, _target.ObserveSynthetic(Key))
        {
            InstancesTime = look.Trouble is null ? look.Began : began,
            EngineTrouble = look.Trouble,
            ProxyTrouble = trouble,
        };
    }

    // Between rollouts the proxy's own checks say when the engine is to be asked.
    private bool NeedsInstances() =>
        Seen is not { EngineTrouble: null, ProxyTrouble: null } seen
            || _lane.IsBusy
            || seen.Proxy.Servers.Any(server => server.Health != ServerHealth.Up);

    private async Task<(ProxyObservation Seen, string? Trouble)> ProxyAsync(ServiceSetup setup, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_proxyLook);
        try
        {
            // A target that does not heed the token is left behind.
            return (
                await Task.Run(() => _target.ObserveProxyAsync(setup, limit.Token), CancellationToken.None).WaitAsync(limit.Token), null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (ProxyObservation.Down, $"the proxy did not answer within {s_proxyLook.TotalSeconds:0} s");
        }
        catch (IngotException e)
        {
            return (ProxyObservation.Down, e.Message);
        }
    }

    private async Task AdvanceAsync(LoopMemory basis, OpenRollout rollout, Observation seen, CancellationToken cancellationToken)
    {
        var withdrawn = WithdrawnNow(rollout.State.Spec);
        var decision = Releases.Rollout.Next(rollout.State, seen, _time.GetUtcNow(), withdrawn);
        bool isSafe = GoesBack(decision.State);
        bool holds = Holds(Invariants.Check(rollout.State, seen, decision));
        if (!holds && !isSafe)
            return;

        bool differs = RolloutEntries.Differ(rollout.State, decision.State);
        var moves = Wanted(decision.Moves, seen, holds);
        var work = new RolloutWork(basis.Turn, rollout, decision.State, differs, withdrawn);
        if (isSafe)
        {
            if (!TakeAhead(work))
                return;
            await CarryOutAsync(rollout, [.. moves.Where(IsUrgent)], isOwed: true, cancellationToken);
            moves = [.. moves.Where(move => !IsUrgent(move))];
        }

        if (await RecordAsync(work, moves, isSafe))
            await BeginMovesAsync(rollout, moves, cancellationToken);
    }

    /// <summary>Traffic that goes back waits for nothing. So does a rollback, once it was asked for.</summary>
    private static bool GoesBack(RolloutState state) =>
        !state.IsTerminal && (state.Phase is RolloutPhase.Aborting or RolloutPhase.Restoring || state.Spec.IsRollback);

    private static bool IsUrgent(Move move) => move.Lane == Lane.Traffic && move is not Move.RemoveServer;

    private bool Holds(IReadOnlyList<string> broken)
    {
        _broken = broken.Count == 0
            ? null
            : $"a decision was not carried out, because it would break a rule of its own: {string.Join("; ", broken)}";
        return broken.Count == 0;
    }

    /// <summary>The moves that can be made now. What was decided of an instance that was read before the last move on it ended is
    /// not.</summary>
    private IReadOnlyList<Move> Wanted(IReadOnlyList<Move> moves, Observation seen, bool holds)
    {
        _retries.KeepOnly(moves);
        return [.. moves.Where(IsWanted)];

        bool IsWanted(Move move) => move.Lane == Lane.Traffic
            ? seen.ProxyTrouble is null && (holds || move is Move.SetShares)
            : holds && seen.EngineTrouble is null && !_retries.IsHeld(move) && InstanceLane.InstanceOf(move) is { } at
                && !_lane.IsInFlux(at, seen.InstancesTime);
    }

    /// <summary>In the safe direction memory goes first, and the record is owed.</summary>
    private bool TakeAhead(RolloutWork work)
    {
        bool taken = false;
        Update(memory =>
        {
            taken = memory.Turn == work.Turn && memory.Rollout?.Id == work.Rollout.Id;
            return taken ? memory.With(Kept(memory, work)) with { Turn = memory.Turn + (work.Differs ? 1 : 0) } : memory;
        });
        if (taken && work.Differs)
        {
            Forget();
            OweState(work.Rollout.Id);
        }

        return taken;
    }

    // It is said as it stands when it can be said: several changes that could not be recorded are one.
    private void OweState(string id)
    {
        LoopMemory? said = null;
        _recorder.Owe(
            Actor,
            _ =>
            {
                said = _memory;
                return said.Turn != _turnSaid && said.Rollout is { } open && open.Id == id
                    ? [RolloutEntries.Changed(open, open.State)]
                    : [];
            },
            entries =>
            {
                if (entries.Count == 0)
                    return;
                _turnSaid = said!.Turn;
                Update(memory => RolloutEntries.Recorded(memory, said.Rollout!.State, entries));
            });
    }

    // A move that failed meanwhile is remembered.
    private static RolloutState Kept(LoopMemory memory, RolloutWork work) =>
        Releases.Rollout.KeepFailures(work.Rollout.State, memory.Rollout!.State, work.State);

    /// <summary>Records a decision and the moves that are about to be made; then it is in memory. False when it is not: then nothing was
    /// done, and it is decided anew.</summary>
    private async Task<bool> RecordAsync(RolloutWork work, IReadOnlyList<Move> moves, bool isAhead)
    {
        var news = moves.Where(IsNew).ToList();
        bool differs = work.Differs && !isAhead;
        // What a word ended is to be recorded as ended, although nothing differs any more.
        if (!differs && news.Count == 0 && !work.State.IsTerminal)
        {
            if (!isAhead)
                Update(memory =>
                    memory.Turn == work.Turn && memory.Rollout?.Id == work.Rollout.Id ? memory.With(Kept(memory, work)) : memory);
            Count();
            return true;
        }

        // What is ahead has a turn of its own by now.
        int turn = isAhead ? _memory.Turn : work.Turn;
        OpenRollout? next = null;
        bool done = await TryRecordAsync(
            view =>
            {
                if (_memory.Turn != turn || Withdrawn(view, work.Rollout.State.Spec) != work.Withdrawn)
                    return [];
                List<LedgerEvent> events = differs ? [RolloutEntries.Changed(work.Rollout, work.State)] : [];
                if (work.State.IsTerminal)
                    events.AddRange(Finish(view, work, out next));
                return [.. events, .. news.Select(move => RolloutEntries.Intent(Key, work.Rollout.Id, move))];
            },
            entries => Recorded(work, turn, differs, isAhead, news, next, entries));
        if (!done && !isAhead)
            Update(memory => memory.Turn == turn && memory.Rollout is { } open ? memory.With(Measured(open.State, work.State)) : memory);
        return done && _memory.Turn == turn && !work.State.IsTerminal;
    }

    private void Recorded(
        RolloutWork work, int turn, bool differs, bool isAhead, IReadOnlyList<Move> news, OpenRollout? next,
        IReadOnlyList<LedgerEntry> entries)
    {
        if (entries.Count == 0)
            return;
        if (differs)
            Forget();
        Intended(news, work.Rollout.Id);
        if (work.State.IsTerminal)
            _counting = _counting.ContinueWith(_ => _ledger.Working.Remove(work.Rollout.Id), TaskScheduler.Default);
        Update(memory => memory.Turn != turn || memory.Rollout?.Id != work.Rollout.Id ? memory
            : work.State.IsTerminal ? After(memory, work.State, next) with
            {
                Mark = entries.Last(entry => entry.Event is LedgerEvent.RolloutFinished).Mark,
            }
            : differs ? RolloutEntries.Recorded(memory.With(Kept(memory, work)), work.State, entries)
            : isAhead ? memory
            : memory.With(Kept(memory, work)));
    }

    /// <summary>Keeps what was counted, once a second, beside the ledger and without waiting: losing it costs only that.</summary>
    private void Count()
    {
        var now = _time.GetUtcNow();
        if (!_counting.IsCompleted || now - _countedAt < s_count || _recorder.IsOwing || _memory.Rollout is not { Mark.Length: > 0 } open)
            return;
        _countedAt = now;
        _counting = Task.Run(() => _ledger.Working.Write(open.Id, open.Mark, ReleasesJson.WriteWorking(open.State)));
    }

    // Only when there is something to do: between rollouts nothing else changes what is remembered.
    private void Remember(string mark, SteadyState steady)
    {
        if (mark.Length == 0 || !_counting.IsCompleted)
            return;
        _counting = Task.Run(() => _ledger.Working.Write(Key.Stem, mark, ReleasesJson.WriteMemory(steady.Instances)));
    }

    // What could not be recorded is not done; what was counted meanwhile still counts, and time does not stand still.
    private static RolloutState Measured(RolloutState current, RolloutState decided)
    {
        var timed = Releases.Rollout.FollowClock(current, decided.DecidedAt) with
        {
            DecidedAt = decided.DecidedAt,
            ReadySince = decided.ReadySince,
            PreviousDownSince = decided.PreviousDownSince,
            BelowFloorSince = decided.BelowFloorSince,
        };
        return timed.AcknowledgedAt == decided.AcknowledgedAt
            ? timed with { Judgement = decided.Judgement, Verdict = decided.Verdict }
            : timed;
    }

    private IReadOnlyList<LedgerEvent> Finish(LedgerView view, RolloutWork work, out OpenRollout? next)
    {
        var waiting = _memory.Waiting;
        next = waiting.Count == 0 ? null : Rebased(view, waiting[0], Releases.Steady.After(work.State));
        var finished = RolloutEntries.Finished(view, work.Rollout, work.State, waiting);
        return next is null ? finished : [.. finished, RolloutEntries.Requested(next)];
    }

    // What was asked for while another rollout ran begins from where that one ended.
    private OpenRollout Rebased(LedgerView view, OpenRollout waiting, SteadyState? steady)
    {
        var warm = (steady?.Warm ?? []).Where(generation => Objection(view, Door.StandBy, generation) is null);
        var spec = waiting.State.Spec;
        spec = spec with
        {
            ServingProxy = steady is { } s && s.Proxy != spec.Proxy ? s.Proxy : null,
            Previous = steady?.Serving,
            Warm = [.. warm],
        };
        return new OpenRollout(waiting.Id, Releases.Rollout.Begin(spec, _time.GetUtcNow()));
    }

    private LoopMemory After(LoopMemory memory, RolloutState state, OpenRollout? next)
    {
        var after = Releases.Steady.After(state);
        var now = _time.GetUtcNow();
        return memory with
        {
            Steady = after,
            Since = after?.Serving.Number == memory.Steady?.Serving.Number ? memory.Since : now,
            Mark = "",
            Rollout = next,
            Waiting = [.. memory.Waiting.Skip(1)],
            LastReturn = ReturnOf(state, now) ?? memory.LastReturn,
            Turn = memory.Turn + 1,
        };
    }

    private static PastReturn? ReturnOf(RolloutState state, DateTimeOffset now) => state switch
    {
        { Spec: { IsRollback: true, Previous: { } left }, Phase: RolloutPhase.Done } =>
            new PastReturn(now, left.Number, state.Spec.Next.Number),
        { Cause: AbortCause.Person, Spec.Previous: { } kept } => new PastReturn(now, state.Spec.Next.Number, kept.Number),
        _ => null,
    };

    private async Task KeepAsync(LoopMemory basis, SteadyState steady, Observation seen, CancellationToken cancellationToken)
    {
        var withdrawn = WithdrawnWarm(steady);
        var decision = Releases.Steady.Next(steady, seen, _time.GetUtcNow(), withdrawn);
        bool holds = Holds(Invariants.Check(seen, decision, withdrawn));
        bool taken = false;
        Update(memory =>
        {
            taken = memory.Turn == basis.Turn && memory.Rollout is null;
            return taken ? memory with { Steady = Releases.Steady.KeepFailures(steady, memory.Steady ?? steady, decision.State) } : memory;
        });
        if (!taken)
            return;
        // A return that may not be begun keeps no repair from being made.
        if (decision.Return is { } way && await ReturnByItselfAsync(way, cancellationToken) is not null)
            return;

        if (decision.Moves.Count == 0)
        {
            Forget();
            _retries.KeepOnly([]);
            return;
        }

        Remember(basis.Mark, decision.State);
        var moves = Wanted(decision.Moves, seen, holds);
        await CarryOutAsync(null, [.. moves.Where(move => move.Lane == Lane.Traffic)], isOwed: true, cancellationToken);
        await RepairAsync(basis.Turn, [.. moves.Where(move => move.Lane == Lane.Instances)]);
    }

    private async Task RepairAsync(int turn, IReadOnlyList<Move> moves)
    {
        var news = moves.Where(IsNew).ToList();
        if (news.Count > 0 && !await TryRecordAsync(
            _ => _memory.Turn == turn ? [.. news.Select(move => RolloutEntries.Intent(Key, null, move))] : [],
            entries => Intended(entries.Count == 0 ? [] : news, null)))
            return;
        foreach (var move in moves)
            Begin(null, move);
    }

    /// <summary>One attempt, waited for a moment: a disk that is full or hangs keeps nobody from looking.
    /// True when the entries are in.</summary>
    private async Task<bool> TryRecordAsync(Func<LedgerView, IReadOnlyList<LedgerEvent>> say, Action<IReadOnlyList<LedgerEntry>> recorded)
    {
        if (!_recording.IsCompleted || _time.GetUtcNow() < _recordNotBefore)
            return false;
        var work = _recorder.AppendAsync(Actor, say, recorded, _stop.Token);
        _recording = work;
        try
        {
            var entries = await work.WaitAsync(s_patience, _time, _stop.Token);
            _recordTrouble = null;
            return entries.Count > 0;
        }
        catch (TimeoutException)
        {
            _recordTrouble = "the ledger does not accept entries: only what is safe without them is done";
            _ = work.ContinueWith(late => _recordTrouble = late.Exception?.InnerException?.Message, TaskScheduler.Default);
            return false;
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            _recordTrouble = IngotException.ReasonOf(e);
            _recordNotBefore = _time.GetUtcNow() + s_recordAgain;
            return false;
        }
    }

    private Withdrawn WithdrawnNow(RolloutSpec spec)
    {
        long size = _ledger.Size;
        if (!ReferenceEquals(_withdrawn.Spec, spec) || _withdrawn.Size != size)
            _withdrawn = (spec, size, _ledger.Read(view => Withdrawn(view, spec)));
        return _withdrawn.Withdrawn;
    }

    private IReadOnlySet<int> WithdrawnWarm(SteadyState steady)
    {
        long size = _ledger.Size;
        if (_withdrawnWarm.Size != size || _withdrawnWarm.State?.Warm != steady.Warm)
        {
            var warm = _ledger.Read(view =>
                steady.Warm.Where(warm => Objection(view, Door.StandBy, warm) is not null).Select(warm => warm.Number).ToHashSet());
            _withdrawnWarm = (steady, size, warm);
        }

        return _withdrawnWarm.Warm;
    }

    private Objection? Objection(LedgerView view, Door door, Generation generation) =>
        Standing.Objection(view, door, Standpoint.Of(Key, generation));

    /// <summary>A decision about a rollout, and what it rests on.</summary>
    private sealed record RolloutWork(int Turn, OpenRollout Rollout, RolloutState State, bool Differs, Withdrawn Withdrawn);
}
