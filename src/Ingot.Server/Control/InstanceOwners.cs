using Ingot.Releases;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Which containers are ours, by the ids the ledger holds: a container that has our labels and another id is a stranger,
/// whoever gave it the labels.</summary>
internal sealed class InstanceOwners
{
    private const int AtOnce = 256;
    private const string Done = "done";

    private static readonly TimeSpan s_roundedAway = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly Dictionary<(int Generation, int Index), Owned> _owned = [];
    private long _lowest;

    /// <summary>What an acknowledgement of a move says when it was made.</summary>
    public static string Outcome(string? id) => id is null ? Done : $"{Done} {id}";

    /// <summary>Reads what the ledger says of a service's instances.</summary>
    public static InstanceOwners Read(LedgerView view, ServiceKey key)
    {
        var owners = new InstanceOwners();
        var live = view.Generations(key.Project, key.Service, key.Stage).Where(g => !g.IsRetired).Select(g => g.Number).ToHashSet();
        if (live.Count > 0 && First(view, key, live) is { } first)
            owners.Follow(view, key, first);
        owners._lowest = live.Count > 0 ? live.Min() : view.NextGeneration(key.Project, key.Service, key.Stage);
        return owners;
    }

    // A rollback asks for a generation that is there already: the first request made its instances.
    private static long? First(LedgerView view, ServiceKey key, HashSet<long> live) => Entries(view, key, 0, "release-requested")
        .Where(entry =>
            entry.Event is LedgerEvent.ReleaseRequested request && request.Stage == key.Stage && live.Contains(request.Generation))
        .Select(entry => (long?)entry.Seq).FirstOrDefault();

    private void Follow(LedgerView view, ServiceKey key, long first)
    {
        string rollouts = $"{key.Stem}-r";
        string[] kinds = ["rollout-intent", "rollout-acknowledged", "repair-intended", "repair-acknowledged", "service-stopped"];
        foreach (var entry in kinds.SelectMany(kind => Entries(view, key, first, kind)).OrderBy(entry => entry.Seq))
        {
            switch (entry.Event)
            {
                case LedgerEvent.RolloutIntent x when x.Rollout.StartsWith(rollouts, StringComparison.Ordinal):
                    Intended(x.Key, x.Rollout, entry.Time);
                    break;
                case LedgerEvent.RolloutAcknowledged x when x.Rollout.StartsWith(rollouts, StringComparison.Ordinal):
                    Acknowledged(x.Key, x.Outcome);
                    break;
                case LedgerEvent.RepairIntended x when x.Stage == key.Stage:
                    Intended(x.Key, null, entry.Time);
                    break;
                case LedgerEvent.RepairAcknowledged x when x.Stage == key.Stage:
                    Acknowledged(x.Key, x.Outcome);
                    break;
                case LedgerEvent.ServiceStopped x when x.Stage == key.Stage:
                    _owned.Clear();
                    break;
            }
        }
    }

    private static IEnumerable<LedgerEntry> Entries(LedgerView view, ServiceKey key, long from, string kind)
    {
        var filter = new LedgerFilter { Service = $"{key.Project}/{key.Service}", Kind = kind };
        while (view.Entries(from, AtOnce, filter) is { Count: > 0 } entries)
        {
            foreach (var entry in entries)
                yield return entry;
            from = entries[^1].Seq + 1;
        }
    }

    /// <summary>A move is about to be made; <paramref name="rollout"/> is null for a repair.</summary>
    public void Intended(string move, string? rollout, DateTimeOffset now)
    {
        if (Parse(move) is ("create", var instance, _))
        {
            lock (_gate)
                _owned[instance] = new Owned(null, move, rollout, now);
        }
    }

    /// <summary>A move was made, or failed.</summary>
    public void Acknowledged(string move, string outcome)
    {
        if (Parse(move) is not { } parsed || !outcome.StartsWith(Done, StringComparison.Ordinal))
            return;
        lock (_gate)
        {
            if (parsed.Verb == "remove")
                _owned.Remove(parsed.Instance);
            // An acknowledgement of an earlier version names no id: what stands there is taken on when it is seen.
            else if (parsed.Verb == "create" && outcome.Length > Done.Length)
                _owned[parsed.Instance] = new Owned(outcome[(Done.Length + 1)..], move, null, default);
        }
    }

    /// <summary>Nothing is ours any more.</summary>
    public void Clear()
    {
        lock (_gate)
            _owned.Clear();
    }

    /// <summary>Parts what is ours from strangers, and says what is taken on: what stands where something was to be made,
    /// and is what it should be.</summary>
    /// <param name="seen">The instances with our labels.</param>
    /// <param name="isInFlux">Whether a move on an instance is under way: its acknowledgement says the id.</param>
    public Sorted Sort(IReadOnlyList<InstanceObservation> seen, Func<(int Generation, int Index), bool> isInFlux)
    {
        List<InstanceObservation> ours = [];
        List<string> strangers = [];
        List<Adoption> adopted = [];
        lock (_gate)
        {
            foreach (var instance in seen)
            {
                var at = (instance.Generation, instance.Index);
                bool isExpected = _owned.TryGetValue(at, out var owned);
                // What was made before the entries that were read is a leftover of ours: nothing runs of it any more,
                // and it can only be taken away.
                bool isLeft = !isExpected && instance.Generation < _lowest;
                if (isLeft || (isExpected && MayBe(owned!, instance)))
                    ours.Add(instance);
                else
                    strangers.Add($"the container {Short(instance.Id)} has the labels of "
                        + $"{InstanceName.Of(instance.Generation, instance.Index)} and was not made by this server: "
                        + "it is left alone and gets no traffic");
                if (isExpected && owned!.Id is null && MayBe(owned, instance) && instance.Objection is null
                    && instance.State != InstanceState.Created && !isInFlux(at))
                {
                    _owned[at] = owned with { Id = instance.Id };
                    adopted.Add(new Adoption(owned.Move, owned.Rollout, instance.Id));
                }
            }
        }

        return new Sorted(ours, strangers, adopted);
    }

    // What ran before it was to be made was made by somebody else. One of ours that is doubted is found when making it is tried again.
    private static bool MayBe(Owned owned, InstanceObservation instance) => owned.Id == instance.Id
        || (owned.Id is null && (instance.StartedAt is not { } started || started >= owned.Since - s_roundedAway));

    private static string Short(string id) => id[..Math.Min(12, id.Length)];

    // create g2-0 attempt 1; remove g2-0 ID
    private static (string Verb, (int Generation, int Index) Instance, string Tail)? Parse(string move) =>
        move.Split(' ', 3) is [("create" or "remove") and var verb, var name, var rest]
            && InstanceName.TryParse(name, out int generation, out int index)
            ? (verb, (generation, index), rest)
            : null;

    /// <summary>Instances as they are to be shown to a decision.</summary>
    internal sealed record Sorted(
        IReadOnlyList<InstanceObservation> Ours, IReadOnlyList<string> Strangers, IReadOnlyList<Adoption> Adopted);

    /// <summary>An instance that was made, and whose making was not acknowledged: the server ended in between.</summary>
    internal sealed record Adoption(string Move, string? Rollout, string Id);

    private sealed record Owned(string? Id, string Move, string? Rollout, DateTimeOffset Since);
}
