using Ingot.Releases;

namespace Ingot.Instances;

/// <summary>Where instances run. It reports what is, and carries moves out; it decides nothing.</summary>
/// <remarks>
/// An implementation MUST read everything it reports from the world at the time it is asked, MUST NOT report what it could not read as absent
/// (it throws instead), and MUST leave the world after carrying a move out twice as after carrying it out once. It MUST NOT write any move's
/// effect except when asked to carry it out.
/// </remarks>
public interface ITarget
{
    /// <summary>Reads what it is and what it can pull.</summary>
    Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default);

    /// <summary>Reads how a service is now.</summary>
    Task<Observation> ObserveAsync(ServiceSetup setup, CancellationToken cancellationToken = default);

    /// <summary>Carries one move out and returns once its effect has been confirmed. Throws <see cref="IngotException"/> when it could not be.</summary>
    Task CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default);
}

/// <summary>What a target is.</summary>
/// <param name="Name">The program and its version, as people know them: <c>Docker Engine 20.10.24</c>.</param>
/// <param name="Compressions">How layers may be compressed that it pulls, by name.</param>
/// <param name="Upgrade">What pulls the others too, for people.</param>
public sealed record TargetDescription(string Name, IReadOnlyList<string> Compressions, string Upgrade);
