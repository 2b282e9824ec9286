using Ingot.Releases;

namespace Ingot.Server.Control;

/// <summary>Carries moves on instances out in the background: one at a time for each instance, a few at once for all. However slow one is,
/// nothing waits for it.</summary>
internal sealed class InstanceLane(TimeProvider time) : IAsyncDisposable
{
    private const int AtOnce = 8;

    private static readonly TimeSpan s_parting = TimeSpan.FromSeconds(5);
    // No look takes that long.
    private static readonly TimeSpan s_remembered = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _places = new(AtOnce, AtOnce);
    private readonly Dictionary<(int Generation, int Index), Move> _underWay = [];
    private readonly Dictionary<(int Generation, int Index), DateTimeOffset> _ended = [];
    private readonly HashSet<Task> _tasks = [];
    private readonly CancellationTokenSource _stop = new();
    private CancellationTokenSource _round = new();

    /// <summary>The instance a move is about.</summary>
    public static (int Generation, int Index)? InstanceOf(Move move) => move switch
    {
        Move.CreateInstance x => (x.Generation, x.Index),
        Move.StopInstance x => (x.Generation, x.Index),
        Move.RemoveInstance x => (x.Generation, x.Index),
        _ => null,
    };

    /// <summary>Whether what was read of an instance at a time may be older than a move on it.</summary>
    public bool IsInFlux((int Generation, int Index) instance, DateTimeOffset read)
    {
        lock (_gate)
            return _underWay.ContainsKey(instance) || (_ended.TryGetValue(instance, out var ended) && read <= ended);
    }

    /// <summary>Whether a move is under way.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_gate)
                return _underWay.Count > 0;
        }
    }

    /// <summary>The moves that are under way, for people.</summary>
    public IReadOnlyList<string> UnderWay
    {
        get
        {
            lock (_gate)
                return [.. _underWay.Values.Select(move => move.Key).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Begins a move, unless one on the same instance is under way. <paramref name="carryOut"/> must not throw.</summary>
    public bool Start(Move move, Func<CancellationToken, Task> carryOut)
    {
        var instance = InstanceOf(move) ?? throw new ArgumentException($"'{move}' is not about an instance", nameof(move));
        lock (_gate)
        {
            if (_stop.IsCancellationRequested || !_underWay.TryAdd(instance, move))
                return false;
            var round = _round.Token;
            var task = Task.Run(() => RunAsync(instance, carryOut, round));
            _tasks.Add(task);
            task.ContinueWith(Forget, TaskScheduler.Default);
        }

        return true;
    }

    /// <summary>Ends what is under way, and begins nothing more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAny(AllAsync(), Task.Delay(s_parting));
    }

    /// <summary>Ends what is under way, so that something else may begin.</summary>
    public async Task InterruptAsync()
    {
        CancellationTokenSource ended;
        lock (_gate)
            (ended, _round) = (_round, new CancellationTokenSource());
        await ended.CancelAsync();
        await Task.WhenAny(AllAsync(), Task.Delay(s_parting));
    }

    /// <summary>Ends when nothing is under way.</summary>
    public Task AllAsync()
    {
        lock (_gate)
            return Task.WhenAll(_tasks);
    }

    private async Task RunAsync((int Generation, int Index) instance, Func<CancellationToken, Task> carryOut, CancellationToken round)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, round);
        try
        {
            await _places.WaitAsync(either.Token);
            try
            {
                await carryOut(either.Token);
            }
            finally
            {
                _places.Release();
            }
        }
        catch (OperationCanceledException)
        {
            // The loop ends; the next one looks at what is.
        }
        finally
        {
            lock (_gate)
            {
                _underWay.Remove(instance);
                Ended(instance, time.GetUtcNow());
            }
        }
    }

    private void Ended((int Generation, int Index) instance, DateTimeOffset now)
    {
        foreach (var old in _ended.Where(ended => now - ended.Value > s_remembered).Select(ended => ended.Key).ToList())
            _ended.Remove(old);
        _ended[instance] = now;
    }

    private void Forget(Task task)
    {
        lock (_gate)
            _tasks.Remove(task);
    }
}
