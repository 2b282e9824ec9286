using System.Net.Sockets;
using System.Text;
using Ingot.Testing;

namespace Ingot.Tests.Tools;

/// <summary>A peer on a unix socket that reads one request a connection, keeps it, and answers with what it is told.</summary>
internal sealed class UnixServer : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Func<string, byte[]?> _answer;
    private readonly Func<string, bool> _isWhole;

    /// <param name="isWhole">Whether a request has come whole.</param>
    /// <param name="answer">The answer to a request; null to close without one.</param>
    public UnixServer(Func<string, bool> isWhole, Func<string, byte[]?> answer)
    {
        (_isWhole, _answer) = (isWhole, answer);
        Path = _directory.At("s");
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        _ = Task.Run(RunAsync);
    }

    public string Path { get; }

    public List<string> Requests { get; } = [];

    public void Dispose()
    {
        _listener.Dispose();
        _directory.Dispose();
    }

    private async Task RunAsync()
    {
        while (true)
        {
            Socket peer;
            try
            {
                peer = await _listener.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            using (peer)
                await AnswerAsync(peer);
        }
    }

    private async Task AnswerAsync(Socket peer)
    {
        var request = new StringBuilder();
        var buffer = new byte[65536];
        while (!_isWhole(request.ToString()))
        {
            int read = await peer.ReceiveAsync(buffer);
            if (read == 0)
                return;
            request.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        Requests.Add(request.ToString());
        if (_answer(request.ToString()) is { } answer)
            await peer.SendAsync(answer);
    }
}
