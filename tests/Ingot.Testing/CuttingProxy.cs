using System.Net;
using System.Net.Sockets;

namespace Ingot.Testing;

/// <summary>Passes connections on to a server on this host, and cuts each after so many bytes of either direction: one number a connection,
/// the last for all further ones.</summary>
public sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _server;
    private readonly int[] _limits;
    private readonly Task _loop;
    private int _connections;

    public CuttingProxy(Uri server, params int[] limits)
    {
        _server = server;
        _limits = limits;
        _listener.Start();
        Uri = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _loop = Task.Run(RunAsync);
    }

    public Uri Uri { get; }

    public int Connections => _connections;

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _loop;
    }

    private async Task RunAsync()
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            _ = Task.Run(() => PassAsync(client, _limits[Math.Min(Interlocked.Increment(ref _connections), _limits.Length) - 1]));
        }
    }

    private async Task PassAsync(TcpClient client, int limit)
    {
        using (client)
        {
            using var server = new TcpClient();
            await server.ConnectAsync(_server.Host, _server.Port);
            var (near, far) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(CopyAsync(near, far, limit), CopyAsync(far, near, limit));
            // A reset, not an orderly end.
            client.LingerState = new LingerOption(true, 0);
        }
    }

    private static async Task CopyAsync(NetworkStream from, NetworkStream to, int limit)
    {
        byte[] buffer = new byte[8 << 10];
        try
        {
            int read;
            while (limit > 0 && (read = await from.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, limit)))) > 0)
            {
                await to.WriteAsync(buffer.AsMemory(0, read));
                limit -= read;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException)
        {
            // The other side went.
        }
    }
}
