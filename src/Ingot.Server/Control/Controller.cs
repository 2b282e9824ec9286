using System.Collections.Concurrent;
using Ingot.Releases;
using Ingot.Server.Ledger;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Control;

/// <summary>One loop for every service at every stage that runs, or is to run, somewhere.</summary>
internal sealed class Controller : IAsyncDisposable
{
    private readonly LoopWorld _world;
    private readonly ConcurrentDictionary<ServiceKey, ServiceLoop> _loops = new();
    private readonly Lock _gate = new();

    /// <summary>Makes a controller that has no loops yet.</summary>
    /// <param name="ledger">The ledger.</param>
    /// <param name="targets">Where instances run.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    /// <param name="append">How entries get onto the ledger; its own way when left out.</param>
    public Controller(LedgerStore ledger, StageTargets targets, TimeProvider time, ILogger logger, AppendEntries? append = null) =>
        _world = new LoopWorld(
            ledger, append ?? ((actor, say) => ledger.AppendAsync(actor, say)), targets, new LoopClock(time), time, logger);

    /// <summary>The loops, by stage and service.</summary>
    public IEnumerable<ServiceLoop> Loops => _loops.Values.OrderBy(l => l.Key.Project, StringComparer.Ordinal)
        .ThenBy(l => l.Key.Service, StringComparer.Ordinal).ThenBy(l => l.Key.Stage, StringComparer.Ordinal);

    /// <summary>Takes up everything that the ledger says is under way or runs.</summary>
    public void Resume()
    {
        var keys = _world.Ledger.Read(view => view.LiveServices().Select(s => new ServiceKey(s.Project, s.Service, s.Stage)).ToList());
        foreach (var key in keys)
            Resume(key);
    }

    // What is damaged about one service keeps no other from going on.
    private void Resume(ServiceKey key)
    {
        try
        {
            Get(key);
        }
        catch (Exception e) when (e is FormatException or LedgerException or ArgumentException or InvalidCastException)
        {
            _world.Logger.LogError(
                e,
                "{Service} is not managed, because what the ledger says about it cannot be read: {Message}; run 'ingot log verify'",
                key,
                e.Message);
        }
    }

    /// <summary>The loop of a service, begun when there is none yet.</summary>
    public ServiceLoop Get(ServiceKey key)
    {
        lock (_gate)
        {
            return _loops.GetOrAdd(key,
                k => new ServiceLoop(k, _world.Ledger.Read(view => ServiceHistory.Read(view, k, _world.Ledger.Working)), _world));
        }
    }

    public ServiceLoop? Find(ServiceKey key) => _loops.GetValueOrDefault(key);

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_loops.Values.Select(loop => loop.DisposeAsync().AsTask()));
    }
}
