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

    /// <summary>When the last decision was made. An observation that began earlier is stale.</summary>
    public required DateTimeOffset DecidedAt { get; init; }

    /// <summary>What is remembered of instances, by <c>g2-0</c>.</summary>
    public IReadOnlyDictionary<string, InstanceMemory> Instances { get; init; } = new SortedDictionary<string, InstanceMemory>(StringComparer.Ordinal);

    /// <summary>Everything a target must know to carry out the moves.</summary>
    [JsonIgnore]
    public ServiceSetup Setup => new(Key, Proxy, [Serving, .. Warm]);
}

/// <summary>An answer of <see cref="Steady.Next"/>: the state to record, then the moves to carry out in order.</summary>
/// <param name="State">What to record before anything is done.</param>
/// <param name="Moves">What to do then; empty when all is as it should be.</param>
public sealed record SteadyDecision(SteadyState State, IReadOnlyList<Move> Moves);
