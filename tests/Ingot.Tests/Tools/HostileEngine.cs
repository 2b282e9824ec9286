using System.Net.Sockets;
using System.Text;
using Ingot.Testing;

namespace Ingot.Tests.Tools;

/// <summary>A Docker Engine that answers as badly as it is told to: what it does with each connection is the test's.</summary>
internal sealed class HostileEngine : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<string, Socket, CancellationToken, Task> _answer;

    /// <param name="answer">Answers a request that is no ping, given its first line.</param>
    public HostileEngine(Func<string, Socket, CancellationToken, Task> answer)
    {
        _answer = answer;
        Path = _directory.At("s");
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        _ = Task.Run(AcceptAsync);
    }

    public string Path { get; }

    public static byte[] Head(string more = "Content-Length: 100") =>
        Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n{more}\r\n\r\n");

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _directory.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptAsync(_stop.Token));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket peer)
    {
        using (peer)
        {
            try
            {
                while (await LineAsync(peer) is { } line)
                    await (line.Contains("/_ping", StringComparison.Ordinal)
                        ? peer.SendAsync(Head("Content-Length: 0"), _stop.Token).AsTask() : _answer(line, peer, _stop.Token));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // Whoever asked has gone.
            }
        }
    }

    private async Task<string?> LineAsync(Socket peer)
    {
        var request = new StringBuilder();
        byte[] buffer = new byte[8192];
        while (!request.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            int read = await peer.ReceiveAsync(buffer, _stop.Token);
            if (read == 0)
                return null;
            request.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        return request.ToString().Split("\r\n")[0];
    }
}
