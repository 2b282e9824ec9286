using System.Net.Http.Headers;
using System.Net.Sockets;
using Ingot.Tools;

namespace Ingot.Cli;

/// <summary>How a server is reached.</summary>
internal abstract class ServerConnection(Uri address)
{
    /// <summary>The address of the server, as references to its images begin with it.</summary>
    public Uri Address => address;

    /// <summary>What carries requests there. It asks no proxy for this host, and follows no redirect:
    /// either would show the token to others.</summary>
    public abstract SocketsHttpHandler NewHandler();
}

/// <summary>A server by an address that somebody configured.</summary>
internal sealed class AddressConnection(Uri address) : ServerConnection(address)
{
    public override SocketsHttpHandler NewHandler() => new() { AllowAutoRedirect = false, UseCookies = false, Proxy = new ForeignProxy() };
}

/// <summary>The server of a home, through the socket there. Whatever the address says, nothing goes to it: the socket is the home owner's,
/// and who listens on it must be as well.</summary>
internal sealed class HomeConnection(Home home, Uri? address = null) : ServerConnection(address ?? new Uri(Home.DefaultServer))
{
    /// <summary>The process that listens, once it was reached.</summary>
    public UnixPeer? Peer { get; private set; }

    /// <summary>Takes nothing that was found before for granted.</summary>
    public void Forget() => Peer = null;

    public override SocketsHttpHandler NewHandler() =>
        new() { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectCallback = ConnectAsync };

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (socket, peer) = await UnixPeer.ConnectAsync(home.Server.Socket, UnixPeer.OwnUserId, cancellationToken);
        Peer = peer;
        return new NetworkStream(socket, ownsSocket: true);
    }
}

/// <summary>Shows a token to one server, and to no other that an answer of it may lead to.</summary>
internal sealed class TokenHandler(ServerConnection connection, string? token) : DelegatingHandler(connection.NewHandler())
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (token is not null && request.RequestUri is { } to && to.Scheme == connection.Address.Scheme
            && to.Authority == connection.Address.Authority)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return base.SendAsync(request, cancellationToken);
    }
}
