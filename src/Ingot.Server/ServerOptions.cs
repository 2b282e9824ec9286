using System.Net;

namespace Ingot.Server;

/// <summary>How a server runs.</summary>
/// <param name="Home">The directory of all its data.</param>
/// <param name="Listen">Where it listens; a loopback address unless someone chose otherwise.</param>
/// <param name="Version">The program's version, for the health answer.</param>
/// <param name="Build">Names this very build, so that a newer program can replace its local server.</param>
/// <param name="MutableRepositories">Patterns of repositories whose tags may be moved and deleted.</param>
public sealed record ServerOptions(string Home, IPEndPoint Listen, string Version, string Build, IReadOnlyList<string> MutableRepositories)
{
    /// <summary>Whether images can be read without a token.</summary>
    public bool AnonymousRead { get; init; } = true;

    /// <summary>Names by which it is reached through a proxy on this host. On a loopback address it answers to those, to <c>localhost</c>
    /// and to addresses only.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>Patterns of repositories whose indexes may name images that are not there.</summary>
    public IReadOnlyList<string> SparseRepositories { get; init; } = [];
}
