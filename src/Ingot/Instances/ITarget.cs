using System.Net;
using Ingot.Releases;

namespace Ingot.Instances;

/// <summary>Where instances run. It reports what is, and carries moves out; it decides nothing.</summary>
/// <remarks>
/// An implementation MUST read everything it reports from the world at the time it is asked, MUST NOT report what it could not read as
/// absent (it throws <see cref="IngotException"/> instead), and MUST leave the world after carrying a move out twice as after carrying it
/// out once. It MUST NOT write any move's effect except when asked to carry it out. It MUST give servers the weights that
/// <see cref="Weights"/> makes of a move's shares, and report the weights that are. Proxy and engine are read and steered apart: neither
/// waits for the other, and every call ends within a time of the target's own, whatever the world does.
/// </remarks>
public interface ITarget
{
    /// <summary>Reads what it is and what it can pull.</summary>
    Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default);

    /// <summary>Reads how a service's proxy is now.</summary>
    Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default);

    /// <summary>Reads the instances of a service that are this home's.</summary>
    Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(ServiceSetup setup, CancellationToken cancellationToken = default);

    /// <summary>How its own sender of requests for a service stands; null when none runs.</summary>
    SyntheticObservation? ObserveSynthetic(ServiceKey key);

    /// <summary>Carries one move out and returns once its effect has been confirmed: the engine's id of the instance that was made, or was
    /// there already, and null for other moves. Throws <see cref="IngotException"/> when it could not be.</summary>
    Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default);

    /// <summary>Takes everything of a service that is this home's away. What is gone already is no error; what could not be taken away
    /// throws, and asking again goes on with it.</summary>
    Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default);

    /// <summary>The lines an instance wrote, in the order they came; none when it is gone.</summary>
    /// <param name="id">The engine's id of the instance.</param>
    /// <param name="query">Which of them.</param>
    /// <param name="cancellationToken">Ends it.</param>
    IAsyncEnumerable<LogLine> ReadLogAsync(string id, LogQuery query, CancellationToken cancellationToken = default);

    /// <summary>The services of which something is there that is this home's, whether anybody still knows them or not.</summary>
    Task<IReadOnlyList<ServiceKey>> FindServicesAsync(CancellationToken cancellationToken = default);

    /// <summary>What claims to be of a service and is no instance of it, in sentences for people: seen at the last look at the instances,
    /// and never touched.</summary>
    IReadOnlyList<string> Strangers(ServiceKey key);
}

/// <summary>Which lines of an instance's log.</summary>
/// <param name="Tail">How many of the last; null for all.</param>
/// <param name="Since">From when on; null for the beginning.</param>
/// <param name="Follow">Whether to wait for more until the instance ends.</param>
public sealed record LogQuery(int? Tail = null, DateTimeOffset? Since = null, bool Follow = false);

/// <summary>A line an instance wrote.</summary>
/// <param name="Time">When; null when the target does not say.</param>
/// <param name="IsError">Whether it was written to standard error.</param>
/// <param name="Text">The line, as it was written.</param>
public sealed record LogLine(DateTimeOffset? Time, bool IsError, string Text);

/// <summary>Observations of a target as a whole.</summary>
public static class TargetObservation
{
    /// <summary>Reads proxy and instances side by side. What could not be read says why, and keeps nothing from the other.</summary>
    public static async Task<Observation> ObserveAsync(this ITarget target, ServiceSetup setup, TimeProvider time,
        CancellationToken cancellationToken = default)
    {
        // Taken before anything is read: what it shows is no older than this.
        var began = time.GetUtcNow();
        var instances = TryAsync(() => target.ObserveInstancesAsync(setup, cancellationToken), []);
        var proxy = TryAsync(() => target.ObserveProxyAsync(setup, cancellationToken), ProxyObservation.Down);
        var (seenProxy, proxyTrouble) = await proxy;
        var (seenInstances, engineTrouble) = await instances;
        return new Observation(began, seenProxy, seenInstances, target.ObserveSynthetic(setup.Key))
        {
            ProxyTrouble = proxyTrouble,
            EngineTrouble = engineTrouble,
        };
    }

    private static async Task<(T Seen, string? Trouble)> TryAsync<T>(Func<Task<T>> read, T unknown)
    {
        try
        {
            return (await read(), null);
        }
        catch (IngotException e)
        {
            return (unknown, e.Message);
        }
    }
}

/// <summary>What a target is.</summary>
/// <param name="Name">The program and its version, as people know them: <c>Docker Engine 20.10.24</c>.</param>
/// <param name="Compressions">How layers may be compressed that it pulls, by name.</param>
/// <param name="Upgrade">What pulls the others too, for people.</param>
public sealed record TargetDescription(string Name, IReadOnlyList<string> Compressions, string Upgrade)
{
    /// <summary>The registries it speaks plain http to; null where it does not say.</summary>
    public PlainRegistries? PlainRegistries { get; init; }
}

/// <summary>The registries a target speaks plain http to; to all others it speaks https.</summary>
/// <param name="Names">Networks, <c>127.0.0.0/8</c>, and hosts with their port.</param>
/// <param name="Cure">What to do for one that is not among them, for people.</param>
public sealed record PlainRegistries(IReadOnlyList<string> Names, string Cure)
{
    /// <summary>Whether a registry is among them. Of a host that is named and not numbered only its own name is looked for.</summary>
    public bool Has(string registry) => Names.Contains(registry)
        || (IPEndPoint.TryParse(registry, out var address)
            && Names.Any(name => IPNetwork.TryParse(name, out var network) && network.Contains(address.Address)));
}
