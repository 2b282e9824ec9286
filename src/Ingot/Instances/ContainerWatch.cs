using System.Collections.Concurrent;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Listens to the Engine's events about this home's containers, so that one to which nothing happened need not be read
/// again.</summary>
/// <remarks>It is never asked how something is: only whether something happened since. While it does not listen, everything may
/// have.</remarks>
internal sealed class ContainerWatch(DockerEngine engine, string homeId, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _run = Task.CompletedTask;
    private DateTimeOffset _notBefore;
    private volatile Life? _life;

    /// <summary>A point in time as the watch counts it.</summary>
    /// <param name="Life">One unbroken stretch of listening.</param>
    /// <param name="Events">How many events it had brought.</param>
    public sealed record Mark(object? Life, long Events);

    /// <summary>Now. What is read of a container after this is as good as read later, while <see cref="IsUnchanged"/> says so.</summary>
    public Mark Now()
    {
        Begin();
        return _life is { } life ? new Mark(life, Volatile.Read(ref life.Events)) : new Mark(null, 0);
    }

    /// <summary>Whether it is known that nothing has happened to a container since.</summary>
    public bool IsUnchanged(Mark since, string id) =>
        since.Life is Life life && ReferenceEquals(life, _life) && (!life.Changed.TryGetValue(id, out long at) || at <= since.Events);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private void Begin()
    {
        if (_life is not null)
            return;

        lock (_gate)
        {
            var now = time.GetUtcNow();
            // A clock that goes back must not keep it from listening.
            bool waits = _notBefore > now && _notBefore - now <= s_pause;
            if (!_run.IsCompleted || waits || _stop.IsCancellationRequested)
                return;
            _notBefore = now + s_pause;
            _run = Task.Run(RunAsync);
        }
    }

    private async Task RunAsync()
    {
        // The Engine answers before it listens; what happens in between, it remembers.
        long since = time.GetUtcNow().ToUnixTimeSeconds() - 1;
        var life = new Life();
        try
        {
            var events = engine.WatchAsync([$"{InstanceLabels.Home}={homeId}"], since, onOpen: () => _life = life, _stop.Token);
            await foreach (var happened in events)
                life.Note(happened);
        }
        catch (Exception e) when (e is IngotException or OperationCanceledException)
        {
            // Whoever looks reads everything, and begins anew.
        }
        finally
        {
            _life = null;
        }
    }

    private sealed class Life
    {
        public long Events;

        public ConcurrentDictionary<string, long> Changed { get; } = new(StringComparer.Ordinal);

        public void Note(DockerEvent happened)
        {
            if (happened.Actor?.Id is not { } id)
                return;
            // Noted before it is counted: a mark taken in between is older than the event.
            Changed[id] = Volatile.Read(ref Events) + 1;
            Interlocked.Increment(ref Events);
            if (happened.Action == "destroy")
                Changed.TryRemove(id, out _);
        }
    }
}
