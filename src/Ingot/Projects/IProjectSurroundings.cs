using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;

namespace Ingot.Projects;

/// <summary>What only the program around it knows: its keys, its server, and what else needs the content.</summary>
public interface IProjectSurroundings
{
    /// <summary>The key that signs what is found out here.</summary>
    KeyStore OpenKeys();

    /// <summary>The keys whose word counts.</summary>
    Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken);

    /// <summary>Content that must stay, beside what has a name in the layout.</summary>
    IEnumerable<Digest> Needed();

    /// <summary>A server of our own by the name that references have for its registry; null when that registry is somebody
    /// else's.</summary>
    Task<OwnRegistry?> FindRegistryAsync(string registry, CancellationToken cancellationToken);
}

/// <summary>The registry of a server of our own, which knows us already.</summary>
/// <param name="Http">What reaches it; whoever asked for it disposes of it.</param>
/// <param name="Address">Its address.</param>
public sealed record OwnRegistry(HttpClient Http, Uri Address);
