using Ingot.Cli.Commands;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Projects;
using Ingot.Server.Ledger;

namespace Ingot.Cli;

/// <summary>What a command's home and server know of for the work on projects.</summary>
internal sealed class HomeSurroundings(CommandContext context) : IProjectSurroundings
{
    public KeyStore OpenKeys() => KeysCommands.Open(context.Home);

    public Task<IReadOnlyList<TrustedKey>> TrustedKeysAsync(CancellationToken cancellationToken) =>
        KeyRing.TrustedAsync(context.Home.Server, OpenKeys(), cancellationToken);

    // Whatever the server of this home speaks of: what runs, what may be promoted, evidence.
    public IEnumerable<Digest> Needed() => LedgerRoots.Read(context.Home.Server);

    // Our own server knows people by its token, and is reached as commands reach it: who else has taken its address is told nothing.
    public async Task<OwnRegistry?> FindRegistryAsync(string registry, CancellationToken cancellationToken)
    {
        if (LocalServer.Configured is { } configured && !Names(registry, configured))
            return null;

        using var client = await context.ConnectAsync(cancellationToken, start: false);
        return client.Runs && Names(registry, client.Server) ? new OwnRegistry(client.NewHttp(), client.Server) : null;
    }

    /// <summary>Whether a reference's registry is that server: by the same name, or both are this host by the same port.</summary>
    internal static bool Names(string registry, Uri server) =>
        registry == server.Authority
        || (Uri.TryCreate($"http://{registry}/", UriKind.Absolute, out var named) && named.IsLoopback && server.IsLoopback
            && named.Port == server.Port);
}
