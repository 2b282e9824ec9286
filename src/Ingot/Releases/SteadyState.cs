using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>What is known of a service between rollouts.</summary>
public sealed record SteadyState
{
    /// <summary>The service and stage.</summary>
    public required ServiceKey Key { get; init; }

    /// <summary>How the proxy is to be set up.</summary>
    public required ProxySettings Proxy { get; init; }

    /// <summary>The generation that takes all traffic.</summary>
    public required Generation Serving { get; init; }

    /// <summary>Generations kept warm at weight 0, newest first.</summary>
    public IReadOnlyList<Generation> Warm { get; init; } = [];

    /// <summary>What is still to be taken away, and when its last connections may be cut.</summary>
    public IReadOnlyList<GenerationGoal> Leaving { get; init; } = [];

    /// <summary>Whether it returns by itself to a warm generation when what serves keeps failing. Not from where something returned to: it
    /// would go to and fro.</summary>
    public bool MayReturn { get; init; } = true;

    /// <summary>Since when fewer instances of what serves have been well than are needed; null while enough are.</summary>
    public DateTimeOffset? BelowFloorSince { get; init; }

    /// <summary>When the last decision was made. An observation that began earlier is stale.</summary>
    public required DateTimeOffset DecidedAt { get; init; }

    /// <summary>What is remembered of instances, by <c>g2-0</c>.</summary>
    public IReadOnlyDictionary<string, InstanceMemory> Instances { get; init; } =
        new SortedDictionary<string, InstanceMemory>(StringComparer.Ordinal);

    /// <summary>Everything a target must know to carry out the moves.</summary>
    [JsonIgnore]
    public ServiceSetup Setup => new(Key, Proxy, [Serving, .. Warm]);
}

/// <summary>An answer of <see cref="Steady.Next"/>: the state to record, then the moves to carry out in order.</summary>
/// <param name="State">What to record before anything is done.</param>
/// <param name="Moves">What to do then; empty when all is as it should be.</param>
public sealed record SteadyDecision(SteadyState State, IReadOnlyList<Move> Moves)
{
    /// <summary>The generation the traffic should return to, because what serves keeps failing while that one stands by;
    /// null when it need not.</summary>
    public Return? Return { get; init; }
}

/// <summary>A return to an earlier generation that nobody asked for.</summary>
/// <param name="To">The warm generation that is to serve.</param>
/// <param name="Reason">Why, as a sentence.</param>
/// <param name="Quarantines">Whether the digest that served showed itself to be bad, with the settings it served with.</param>
public sealed record Return(Generation To, string Reason, bool Quarantines);
