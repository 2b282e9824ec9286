using System.Globalization;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

// What people say: decided on the ledger and on what is known while it is appended, in one append.
// Whoever leaves meanwhile leaves nothing half said.
internal sealed partial class ServiceLoop
{
    private static readonly TimeSpan s_pressedTwice = TimeSpan.FromSeconds(10);

    private int _lastGiven;

    /// <summary>Records a request and begins it, after turning back a rollout that is under way.
    /// A release that waited for its turn makes way.</summary>
    /// <param name="ask">Says what is asked for, from the ledger while the request is appended to it, how the service stands, and the
    /// number a new generation gets; what it throws refuses the request.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    public Task<OpenRollout> BeginAsync(
        Func<LedgerView, SteadyState?, int, ReleaseOrder> ask, string actor, CancellationToken cancellationToken) =>
        SayAsync(actor, (view, memory) => BeginWord(view, memory, ask), mayGoAhead: false, cancellationToken);

    /// <summary>Changes the state of the rollout under way by a person's word. Null when none is under way.</summary>
    /// <param name="change">The change.</param>
    /// <param name="record">What is recorded of it beside the state; what it throws refuses the change.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    public Task<OpenRollout?> ChangeAsync(
        Func<RolloutState, DateTimeOffset, RolloutState> change,
        Func<LedgerView, OpenRollout, RolloutState, IReadOnlyList<LedgerEvent>> record, string actor,
        CancellationToken cancellationToken) =>
        SayAsync(
            actor,
            (view, memory) => memory.Rollout is { } rollout ? ChangeWord(view, rollout, change, record) : Nothing<OpenRollout?>(null),
            mayGoAhead: false,
            cancellationToken);

    /// <summary>The traffic goes back to what served before, and no release that waits goes out afterwards. It waits for no disk.</summary>
    /// <param name="turnBack">What is recorded beside a rollout that turns back; what it throws refuses the return.</param>
    /// <param name="goBack">What is asked for when no rollout is under way; what it throws refuses the return.</param>
    /// <param name="why">The reason.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    public Task<ReleaseReply> ReturnAsync(
        Func<LedgerView, RolloutState, IReadOnlyList<LedgerEvent>> turnBack, Func<LedgerView, SteadyState?, ReleaseOrder> goBack,
        string why, string actor, CancellationToken cancellationToken) =>
        SayAsync(actor, (view, memory) => ReturnWord(view, memory, turnBack, goBack, why, actor), mayGoAhead: true, cancellationToken);

    /// <summary>What serves keeps failing, and an older generation stands by: the traffic returns to it, as by a person's word.</summary>
    private Task<OpenRollout?> ReturnByItselfAsync(Return way, CancellationToken cancellationToken) => SayAsync(
        Actor,
        (view, memory) => memory is { Rollout: null, StoppedBy: null, Steady: { } steady }
            && steady.Warm.Any(warm => warm.Number == way.To.Number)
            && Objection(view, Door.RollBack, way.To) is null
            ? ReturnByItselfWord(view, steady, way)
            : Nothing<OpenRollout?>(null),
        mayGoAhead: true,
        cancellationToken);

    private Word<OpenRollout?> ReturnByItselfWord(LedgerView view, SteadyState steady, Return way)
    {
        var last = view.Rollouts(Key.Project, Key.Service, Key.Stage, 1);
        var settings = last.Count == 0 ? new() : ReleasesJson.ReadSpec(view.Whole(last[0].Spec).GetRawText()).Rollout;
        var open = Open(view, Releases.Steady.GoBack(steady, way.To, settings, Actor, way.Reason));
        IReadOnlyList<LedgerEvent> quarantine = way.Quarantines ? [RolloutEntries.Quarantined(Key, steady.Serving, way.Reason)] : [];
        return new Word<OpenRollout?>(open, [.. quarantine, RolloutEntries.Requested(open)],
            m => m with { Rollout = open, Returns = m.Returns + 1 });
    }

    private Word<OpenRollout> BeginWord(LedgerView view, LoopMemory memory, Func<LedgerView, SteadyState?, int, ReleaseOrder> ask)
    {
        RequireRunning(memory);
        var order = ask(view, memory.Steady, (int)view.NextGeneration(Key.Project, Key.Service, Key.Stage));
        var open = Open(view, order.Spec);
        List<LedgerEvent> events = [.. order.With, RolloutEntries.Requested(open)];
        if (memory.Rollout is not { } current)
            return new Word<OpenRollout>(open, events, m => IsLate(m) ? m : m with { Rollout = open }) { Late = Late };

        var superseded = Superseded(current.State, open);
        if (RolloutEntries.Differ(current.State, superseded))
            events.Add(RolloutEntries.Changed(current, superseded));
        events.AddRange(RolloutEntries.Withdrawn(memory.Waiting, $"superseded by rollout {open.Id}", _time.GetUtcNow()));
        return new Word<OpenRollout>(open, events,
            m => IsLate(m) ? m : m.With(Superseded(m.Rollout!.State, open)) with { Waiting = [open] }, superseded)
        {
            Late = Late,
        };

        // A return that came after this was decided, and went ahead of it, is the last word.
        bool IsLate(LoopMemory m) => m.Returns != memory.Returns;
        IReadOnlyList<LedgerEvent> Late(LoopMemory m) =>
            IsLate(m)
                ? [.. RolloutEntries.Withdrawn(
                    [open], "withdrawn before it began: the service was rolled back meanwhile", _time.GetUtcNow())]
                : [];
    }

    private RolloutState Superseded(RolloutState state, OpenRollout by) =>
        Releases.Rollout.Supersede(state, $"rollout {by.Id}", _time.GetUtcNow());

    private OpenRollout Open(LedgerView view, RolloutSpec spec)
    {
        int number = NextNumber(view);
        spec = spec with { Warm = [.. spec.Warm.Where(warm => Objection(view, Door.StandBy, warm) is null)] };
        return new OpenRollout($"{Key.Stem}-r{number}", Releases.Rollout.Begin(spec, _time.GetUtcNow()));
    }

    // A number that was given is given to no other, whether its rollout came onto the ledger or not: an append may be under way.
    private int NextNumber(LedgerView view)
    {
        string prefix = $"{Key.Stem}-r";
        int last = view.Rollouts(Key.Project, Key.Service, Key.Stage)
            .Select(rollout => int.TryParse(rollout.Id.AsSpan(prefix.Length), CultureInfo.InvariantCulture, out int number) ? number : 0)
            .DefaultIfEmpty()
            .Max();
        lock (_gate)
            return _lastGiven = Math.Max(last, _lastGiven) + 1;
    }

    private Word<OpenRollout?> ChangeWord(
        LedgerView view, OpenRollout rollout, Func<RolloutState, DateTimeOffset, RolloutState> change,
        Func<LedgerView, OpenRollout, RolloutState, IReadOnlyList<LedgerEvent>> record)
    {
        var after = change(rollout.State, _time.GetUtcNow());
        var said = record(view, rollout, after);
        return new Word<OpenRollout?>(
            rollout with { State = after }, [.. said, RolloutEntries.Changed(rollout, after)],
            m => m.Rollout is { } open ? m.With(change(open.State, _time.GetUtcNow())) : m, after);
    }

    private Word<ReleaseReply> ReturnWord(
        LedgerView view, LoopMemory memory, Func<LedgerView, RolloutState, IReadOnlyList<LedgerEvent>> turnBack,
        Func<LedgerView, SteadyState?, ReleaseOrder> goBack, string why, string actor)
    {
        RequireRunning(memory);
        var word = memory.Rollout switch
        {
            null when PressedTwice(memory) is { } reply => Unchanged(reply),
            null => GoBackWord(view, memory, [], memory.Steady, goBack),
            { State.Spec.IsRollback: true } or { State.Phase: RolloutPhase.Aborting or RolloutPhase.Restoring } =>
                GoingBackWord(memory, memory.Rollout, actor),
            { State.Phase: RolloutPhase.Retiring or RolloutPhase.Done } retiring =>
                FinishAndGoBackWord(view, memory, retiring, goBack, actor),
            var open => TurnBackWord(view, memory, open, turnBack(view, open.State), why, actor),
        };
        return word with
        {
            IsReturn = true,
            Late = m => Missed(memory, m,
                memory.Rollout is null or { State.Phase: RolloutPhase.Retiring or RolloutPhase.Done } && word.Events.Count > 0, actor),
        };
    }

    // A return is the last word also over what was asked for since it was decided: that is dropped from memory,
    // and is not to stay open on the ledger.
    private IReadOnlyList<LedgerEvent> Missed(LoopMemory before, LoopMemory now, bool replacesRollout, string actor)
    {
        IEnumerable<OpenRollout> dropped = replacesRollout && now.Rollout is { State.Spec.IsRollback: false } begun
            ? [begun, .. now.Waiting]
            : now.Waiting;
        return [.. RolloutEntries.Withdrawn(
            [.. dropped.Where(rollout => rollout.Id != before.Rollout?.Id && before.Waiting.All(waiting => waiting.Id != rollout.Id))],
            $"withdrawn before it began: {actor} rolled the service back",
            _time.GetUtcNow())];
    }

    // What is being recorded meanwhile is not to go out afterwards.
    private static Word<ReleaseReply> Unchanged(ReleaseReply reply) =>
        new(reply, [], m => m with { Waiting = [], Returns = m.Returns + 1 });

    private ReleaseReply? PressedTwice(LoopMemory memory)
    {
        if (memory.LastReturn is not { } last || memory.Steady?.Serving.Number != last.To)
            return null;
        int left = (int)Math.Ceiling((last.At + s_pressedTwice - _time.GetUtcNow()).TotalSeconds);
        return left <= 0
            ? null
            : new ReleaseReply("unchanged", null, last.To,
                $"{Key} went back from generation {last.From} to {last.To} a moment ago: to go back further, ask again in {left} s");
    }

    private Word<ReleaseReply> GoingBackWord(LoopMemory memory, OpenRollout open, string actor)
    {
        var spec = open.State.Spec;
        int? to = spec.IsRollback ? spec.Next.Number : spec.Previous?.Number;
        string already = to is null ? $"{Key} is already being rolled back" : $"{Key} is already going back to generation {to}";
        if (memory.Waiting.Count == 0)
            return Unchanged(new ReleaseReply("unchanged", open.Id, to, already));

        var reply = new ReleaseReply("started", open.Id, to, $"{already}; what was waiting to be released is not");
        return new Word<ReleaseReply>(reply, [.. Withdrawals(memory, actor)], m => m with { Waiting = [], Returns = m.Returns + 1 });
    }

    private Word<ReleaseReply> TurnBackWord(
        LedgerView view, LoopMemory memory, OpenRollout open, IReadOnlyList<LedgerEvent> with, string why, string actor)
    {
        var aborted = Abort(open.State);
        return new Word<ReleaseReply>(
            new ReleaseReply("started", open.Id, open.State.Spec.Previous?.Number, null),
            [.. with, RolloutEntries.Changed(open, aborted), .. Withdrawals(memory, actor)],
            m => m.With(Abort(m.Rollout!.State)) with { Waiting = [], Returns = m.Returns + 1 },
            aborted);

        RolloutState Abort(RolloutState state) => Releases.Rollout.Abort(state, actor, why, _time.GetUtcNow());
    }

    // What is being cleared away can wait: the new generation serves, and the one before it stands warm.
    private Word<ReleaseReply> FinishAndGoBackWord(
        LedgerView view, LoopMemory memory, OpenRollout retiring, Func<LedgerView, SteadyState?, ReleaseOrder> goBack, string actor)
    {
        var now = _time.GetUtcNow();
        string reason =
            $"generation {retiring.State.Spec.Next.Number} served; {actor} goes back from it, and what is left of others is removed then";
        var done = retiring.State with
        {
            Phase = RolloutPhase.Done,
            DecidedAt = now,
            PhaseSince = now,
            FinishedAt = now,
            History = [.. retiring.State.History, new PhaseChange(now, RolloutPhase.Done, retiring.State.Share, reason)],
        };
        IReadOnlyList<LedgerEvent> finished =
            [RolloutEntries.Changed(retiring, done), .. RolloutEntries.Finished(view, retiring, done, []), .. Withdrawals(memory, actor)];
        return GoBackWord(view, After(memory with { Waiting = [] }, done, null), finished, Releases.Steady.After(done), goBack);
    }

    private Word<ReleaseReply> GoBackWord(
        LedgerView view, LoopMemory memory, IReadOnlyList<LedgerEvent> before, SteadyState? standing,
        Func<LedgerView, SteadyState?, ReleaseOrder> goBack)
    {
        var order = goBack(view, standing);
        var open = Open(view, order.Spec);
        var reply = new ReleaseReply("started", open.Id, open.State.Spec.Next.Number, null);
        return new Word<ReleaseReply>(
            reply, [.. before, .. order.With, RolloutEntries.Requested(open)],
            m => m with { Steady = standing, Since = memory.Since, Rollout = open, Waiting = [], Returns = m.Returns + 1 });
    }

    private IEnumerable<LedgerEvent> Withdrawals(LoopMemory memory, string actor) =>
        RolloutEntries.Withdrawn(memory.Waiting, $"withdrawn before it began: {actor} rolled the service back", _time.GetUtcNow());

    private void RequireRunning(LoopMemory memory)
    {
        if (memory.StoppedBy is { } by)
            throw new ApiException("refused", $"{Key} was stopped by {by} and is being removed: ask again when that is done");
    }

    private static Word<T> Nothing<T>(T answer) => new(answer, [], memory => memory);

    private async Task<T> SayAsync<T>(
        string actor, Func<LedgerView, LoopMemory, Word<T>> decide, bool mayGoAhead, CancellationToken cancellationToken)
    {
        var speech = new Speech<T>(this, decide);
        var work = _recorder.AppendAsync(actor, speech.Unsaid, speech.Hear, cancellationToken);
        try
        {
            await (mayGoAhead ? work.WaitAsync(s_patience, _time, cancellationToken) : work.WaitAsync(cancellationToken));
        }
        catch (Exception e) when (mayGoAhead && e is TimeoutException or LedgerException { IsRefused: false })
        {
            // It is owed before it has an effect: what is owed because of that effect comes after it.
            _ledger.Read(speech.Prepare);
            _recorder.Owe(actor, speech.Unsaid, speech.Hear);
            speech.GoAhead();
        }

        Wake();
        return speech.Answer;
    }

    /// <summary>A word that is decided once, recorded once and heard once, whether its entries or its effect come first.</summary>
    private sealed class Speech<T>(ServiceLoop loop, Func<LedgerView, LoopMemory, Word<T>> decide)
    {
        private readonly Lock _once = new();
        private Word<T>? _word;
        private bool _isRefused;
        private bool _isHeard;
        private bool _isRecorded;

        public T Answer => _word!.Answer;

        /// <summary>Decides, when that was not done. A refusal leaves here, and what was refused is not said later.</summary>
        public Word<T> Prepare(LedgerView view)
        {
            lock (_once)
            {
                try
                {
                    return _word ??= decide(view, loop.Memory);
                }
                catch
                {
                    _isRefused = true;
                    throw;
                }
            }
        }

        public IReadOnlyList<LedgerEvent> Unsaid(LedgerView view)
        {
            lock (_once)
                return _isRecorded || _isRefused ? [] : Prepare(view).Events;
        }

        public void GoAhead() => Apply([]);

        public void Hear(IReadOnlyList<LedgerEntry> entries)
        {
            lock (_once)
            {
                if (_isRecorded || _word is null)
                    return;
                _isRecorded = true;
                Apply(entries);
            }
        }

        private void Apply(IReadOnlyList<LedgerEntry> entries)
        {
            lock (_once)
            {
                if (!_isHeard && (_word!.Events.Count > 0 || _word.IsReturn))
                {
                    IReadOnlyList<LedgerEvent> late = [];
                    loop.Update(memory =>
                    {
                        late = _word.Late?.Invoke(memory) ?? [];
                        return _word.Apply(memory) with { Turn = memory.Turn + 1 };
                    });
                    loop.Forget();
                    if (late.Count > 0)
                        loop._recorder.Owe(Actor, _ => late);
                }

                _isHeard = true;
                if (_word!.Said is { } said)
                    loop.Update(memory => RolloutEntries.Recorded(memory, said, entries));
            }
        }
    }
}
