using System.Text.Json.Serialization;
using Ingot.Templates.Project;

namespace Ingot.Releases;

/// <summary>What was asked for: a service is to run a generation. Never changed once the rollout has begun.</summary>
public sealed record RolloutSpec
{
    /// <summary>The service and stage.</summary>
    public required ServiceKey Key { get; init; }

    /// <summary>How the proxy is to be set up.</summary>
    public required ProxySettings Proxy { get; init; }

    /// <summary>How the proxy is set up now: it stays so until the next generation is ready, and becomes so again when the rollout turns
    /// back. Null when nothing changes.</summary>
    public ProxySettings? ServingProxy { get; init; }

    /// <summary>The generation that is to serve: a new one, or the one a rollback returns to.</summary>
    public required Generation Next { get; init; }

    /// <summary>The generation that serves now; null for the first deployment.</summary>
    public Generation? Previous { get; init; }

    /// <summary>Older generations kept warm, newest first, without <see cref="Next"/> and <see cref="Previous"/>.</summary>
    public IReadOnlyList<Generation> Warm { get; init; } = [];

    /// <summary>Steps, windows and budgets.</summary>
    public RolloutDefinition Rollout { get; init; } = new();

    /// <summary>Whether this returns to an earlier generation: no canary steps, no soak, and never rolled back itself.</summary>
    public bool IsRollback { get; init; }

    /// <summary>Who asked.</summary>
    public required string By { get; init; }

    /// <summary>Why: a release, drift, age, a rebuild. One machine serves every reason.</summary>
    public required string Reason { get; init; }

    /// <summary>Percent of the traffic at each step; the last is always 100.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> Steps => IsRollback || Previous is null ? [100] : [.. Rollout.Canary, 100];

    /// <summary>Everything a target must know to carry out the moves.</summary>
    [JsonIgnore]
    public ServiceSetup Setup => new(Key, Proxy, Previous is null ? [Next, .. Warm] : [Next, Previous, .. Warm]);

    /// <summary>The name of the rollout: the same request has the same name, so that it is not begun twice.</summary>
    public override string ToString() => $"{Key}#{Next.Number}{(IsRollback ? $"-back-from-{Previous?.Number}" : "")}";
}
