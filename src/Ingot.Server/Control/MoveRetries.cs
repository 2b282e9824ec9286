using Ingot.Releases;

namespace Ingot.Server.Control;

/// <summary>Remembers which moves failed, so that each is tried again later and later, is recorded once,
/// and keeps no other from being made.</summary>
internal sealed class MoveRetries(TimeProvider time)
{
    private const int Remembered = 256;

    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Failure> _failures = new(StringComparer.Ordinal);

    /// <summary>What fails, for people.</summary>
    public IReadOnlyList<string> Troubles
    {
        get
        {
            lock (_gate)
                return [.. _failures.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value.Message).Distinct()];
        }
    }

    /// <summary>Whether a move failed so lately that it is not tried yet.</summary>
    public bool IsHeld(Move move)
    {
        lock (_gate)
            return _failures.TryGetValue(move.Key, out var failure) && time.GetUtcNow() < failure.NotBefore;
    }

    /// <summary>A move was made: what failed at the same instance before is over.</summary>
    public void Succeeded(Move move)
    {
        var instance = InstanceLane.InstanceOf(move);
        lock (_gate)
        {
            _failures.Remove(move.Key);
            foreach (string key in _failures
                .Where(pair => instance is not null && pair.Value.Instance == instance)
                .Select(pair => pair.Key)
                .ToList())
                _failures.Remove(key);
        }
    }

    /// <summary>A move failed; true when that says something new.</summary>
    public bool Failed(Move move, string message)
    {
        lock (_gate)
        {
            var last = _failures.GetValueOrDefault(move.Key);
            int count = (last?.Count ?? 0) + 1;
            var wait = TimeSpan.FromTicks(Math.Min(s_longest.Ticks, s_first.Ticks << Math.Min(count - 1, 20)));
            if (_failures.Count >= Remembered)
                _failures.Clear();
            _failures[move.Key] = new Failure(count, message, time.GetUtcNow() + wait, InstanceLane.InstanceOf(move));
            return last?.Message != message;
        }
    }

    /// <summary>Something else is to be done now: what failed before says nothing of it.</summary>
    public void Clear()
    {
        lock (_gate)
            _failures.Clear();
    }

    /// <summary>Forgets what has not been asked for since long after it could have been:
    /// decisions wait between two tries as well.</summary>
    public void KeepOnly(IEnumerable<Move> wanted)
    {
        lock (_gate)
        {
            if (_failures.Count == 0)
                return;
            var keys = wanted.Select(move => move.Key).ToHashSet(StringComparer.Ordinal);
            var longAgo = time.GetUtcNow() - s_longest;
            foreach (string key in _failures.Where(pair => !keys.Contains(pair.Key) && pair.Value.NotBefore < longAgo)
                .Select(pair => pair.Key).ToList())
                _failures.Remove(key);
        }
    }

    private sealed record Failure(int Count, string Message, DateTimeOffset NotBefore, (int Generation, int Index)? Instance);
}
