using Ingot.Releases;

namespace Ingot.Server.Control;

// Moves: those of the proxy one after the other and at once, those on instances in the background, each on its own.
internal sealed partial class ServiceLoop
{
    private static readonly TimeSpan s_trafficMove = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan s_proxyMove = TimeSpan.FromSeconds(15);

    private readonly HashSet<string> _acknowledged = new(StringComparer.Ordinal);

    private bool IsNew(Move move)
    {
        lock (_intended)
            return !_intended.Contains(move.Key);
    }

    private void Intended(IReadOnlyList<Move> moves, string? rollout)
    {
        lock (_intended)
            _intended.UnionWith(moves.Select(move => move.Key));
        foreach (var move in moves)
            _owners.Intended(move.Key, rollout, _time.GetUtcNow());
    }

    private void Forget()
    {
        lock (_intended)
            _intended.Clear();
        lock (_acknowledged)
            _acknowledged.Clear();
    }

    private async Task BeginMovesAsync(OpenRollout rollout, IReadOnlyList<Move> moves, CancellationToken cancellationToken)
    {
        foreach (var move in moves.Where(move => move.Lane == Lane.Instances))
            Begin(rollout, move);
        await CarryOutAsync(rollout, [.. moves.Where(move => move.Lane == Lane.Traffic)], isOwed: false, cancellationToken);
    }

    private void Begin(OpenRollout? rollout, Move move) => _lane.Start(move, async token =>
    {
        var setup = rollout?.State.Setup ?? _memory.Steady?.Setup;
        if (setup is null)
            return;
        var outcome = await TryAsync(setup, move, limit: null, token);
        Acknowledge(rollout, move, outcome, isOwed: false);
        _engine.Expect();
        Wake();
    });

    /// <summary>Shares first: a server that cannot be added keeps no traffic where it should not be.</summary>
    private async Task CarryOutAsync(OpenRollout? rollout, IReadOnlyList<Move> moves, bool isOwed, CancellationToken cancellationToken)
    {
        if ((rollout?.State.Setup ?? _memory.Steady?.Setup) is not { } setup)
            return;
        foreach (var move in moves.OrderBy(move => move is Move.SetShares ? 0 : 1))
        {
            if (_retries.IsHeld(move) && !(isOwed && move is Move.SetShares))
                continue;
            var outcome = await TryAsync(setup, move, move is Move.EnsureProxy ? s_proxyMove : s_trafficMove, cancellationToken);
            Acknowledge(rollout, move, outcome, isOwed);
        }
    }

    private async Task<MoveOutcome> TryAsync(ServiceSetup setup, Move move, TimeSpan? limit, CancellationToken cancellationToken)
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (limit is { } time)
            source.CancelAfter(time);
        try
        {
            var work = Task.Run(() => _target.CarryOutAsync(setup, move, source.Token), CancellationToken.None);
            return new MoveOutcome(limit is null ? await work : await work.WaitAsync(source.Token), null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException)
        {
            return new MoveOutcome(null, $"'{ApiShort(move)}' was not done within {limit?.TotalSeconds ?? 0:0} s");
        }
        catch (Exception e)
        {
            // Each move is on its own: what fails, in whatever way, is said and tried again, and keeps no other from being made.
            return new MoveOutcome(null, IngotException.ReasonOf(e));
        }
    }

    private static string ApiShort(Move move) => move.Key.Length <= 80 ? move.Key : move.Key[..80] + "…";

    /// <summary>Records what became of a move, when that is news. <paramref name="isOwed"/> says that its intent is not recorded
    /// either.</summary>
    private void Acknowledge(OpenRollout? rollout, Move move, MoveOutcome outcome, bool isOwed)
    {
        bool isNew = outcome.Failure is { } failure ? Failed(rollout, move, failure) : Succeeded(move, outcome.Id);
        if (!isNew)
            return;
        string said = outcome.Failure is null ? InstanceOwners.Outcome(outcome.Id) : "failed: " + outcome.Failure;
        bool withIntent = isOwed && IsNew(move);
        if (withIntent)
            Intended([move], rollout?.Id);
        var acknowledgement = RolloutEntries.Acknowledgement(Key, rollout?.Id, move.Key, said);
        _recorder.Owe(Actor, _ => withIntent ? [RolloutEntries.Intent(Key, rollout?.Id, move), acknowledgement] : [acknowledgement]);
    }

    private bool Failed(OpenRollout? rollout, Move move, string failure)
    {
        Update(memory => Failed(memory, rollout?.Id, move, failure, _time.GetUtcNow()));
        lock (_acknowledged)
            _acknowledged.Remove(move.Key);
        return _retries.Failed(move, failure);
    }

    // What fails says nothing against what it was tried for, in a rollout and between two.
    private static LoopMemory Failed(LoopMemory memory, string? rollout, Move move, string failure, DateTimeOffset now) => memory switch
    {
        { Rollout: { } open } => open.Id == rollout ? memory.With(Releases.Rollout.Failed(open.State, move, failure, now)) : memory,
        { Steady: { } steady } => memory with { Steady = Releases.Steady.Failed(steady, move, now) },
        _ => memory,
    };

    private bool Succeeded(Move move, string? id)
    {
        _retries.Succeeded(move);
        _owners.Acknowledged(move.Key, InstanceOwners.Outcome(id));
        // A move on an instance has an effect each time it is made, and so an intent and an acknowledgement;
        // weights that are set again have not.
        if (move.Lane == Lane.Instances)
        {
            lock (_intended)
                _intended.Remove(move.Key);
            return true;
        }

        lock (_acknowledged)
            return _acknowledged.Add(move.Key);
    }

    private sealed record MoveOutcome(string? Id, string? Failure);
}
