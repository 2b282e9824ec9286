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
    /// <summary>Reads how a service is now.</summary>
    Task<Observation> ObserveAsync(ServiceSetup setup, CancellationToken cancellationToken = default);

    /// <summary>Carries one move out and returns once its effect has been confirmed. Throws <see cref="IngotException"/> when it could not be.</summary>
    Task CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default);
}
