using Ingot.Releases;

namespace Ingot.Server.Control;

/// <summary>Tells when instances started by the clock decisions are made by. The engine says it by the wall clock, which may be set while
/// they run: what was once known of a start stays.</summary>
internal sealed class StartTimes(TimeProvider time, TimeProvider wall)
{
    private Dictionary<(string Id, DateTimeOffset Said), DateTimeOffset> _known = [];

    /// <summary>The instances with their starts by the clock of decisions.</summary>
    /// <param name="seen">The instances as the engine says.</param>
    /// <param name="isKnown">Whether it said so: one that is silent has not lost its instances.</param>
    public IReadOnlyList<InstanceObservation> Of(IReadOnlyList<InstanceObservation> seen, bool isKnown = true)
    {
        var ahead = time.GetUtcNow() - wall.GetUtcNow();
        var known = new Dictionary<(string Id, DateTimeOffset Said), DateTimeOffset>();
        List<InstanceObservation> told = [.. seen.Select(Tell)];
        if (isKnown)
            _known = known;
        return told;

        InstanceObservation Tell(InstanceObservation instance)
        {
            if (instance.StartedAt is not { } said)
                return instance;
            var start = known[(instance.Id, said)] = _known.TryGetValue((instance.Id, said), out var before) ? before : said + ahead;
            return instance with { StartedAt = start };
        }
    }
}
