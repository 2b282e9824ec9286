using System.Net;

namespace Ingot.Tools;

/// <summary>The proxies of the person's environment, for other hosts than this one:
/// a proxy must not be told what a program says to its neighbour.</summary>
public sealed class ForeignProxy : IWebProxy
{
    /// <inheritdoc/>
    public ICredentials? Credentials
    {
        get => HttpClient.DefaultProxy.Credentials;
        set => HttpClient.DefaultProxy.Credentials = value;
    }

    /// <inheritdoc/>
    public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : HttpClient.DefaultProxy.GetProxy(destination);

    /// <inheritdoc/>
    public bool IsBypassed(Uri host) => host.IsLoopback || HttpClient.DefaultProxy.IsBypassed(host);
}
