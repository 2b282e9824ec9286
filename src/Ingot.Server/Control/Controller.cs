using System.Collections.Concurrent;
using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Ledger;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Control;

/// <summary>One loop for every service at every stage that runs, or is to run, somewhere.</summary>
internal sealed class Controller : IAsyncDisposable
{
    private readonly LedgerStore _ledger;
    private readonly ITarget _target;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<ServiceKey, ServiceLoop> _loops = new();
    private readonly Lock _gate = new();

    public Controller(LedgerStore ledger, ITarget target, TimeProvider time, ILogger logger)
    {
        _ledger = ledger;
        _target = target;
        _time = time;
        _logger = logger;
    }

    /// <summary>The loops, by stage and service.</summary>
    public IEnumerable<ServiceLoop> Loops => _loops.Values.OrderBy(l => l.Key.Project, StringComparer.Ordinal).ThenBy(l => l.Key.Service, StringComparer.Ordinal).ThenBy(l => l.Key.Stage, StringComparer.Ordinal);

    /// <summary>Takes up everything that the ledger says is under way or runs.</summary>
    public void Resume()
    {
        var keys = _ledger.Read(view => view.LiveGenerations().Select(g => new ServiceKey(g.Project, g.Service, g.Stage)).Distinct().ToList());
        foreach (var key in keys)
            Get(key);
    }

    /// <summary>The loop of a service, begun when there is none yet.</summary>
    public ServiceLoop Get(ServiceKey key)
    {
        lock (_gate)
        {
            return _loops.GetOrAdd(key, k => new ServiceLoop(k, _ledger.Read(view => ServiceHistory.Read(view, k, _ledger.Working)), _ledger, _target, _time, _logger));
        }
    }

    public ServiceLoop? Find(ServiceKey key) => _loops.GetValueOrDefault(key);

    public async Task RemoveAsync(ServiceKey key)
    {
        if (_loops.TryRemove(key, out var loop))
            await loop.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var loop in _loops.Values)
            await loop.DisposeAsync();
    }
}
