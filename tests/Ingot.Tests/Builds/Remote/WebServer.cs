using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ingot.Tests.Builds.Remote;

/// <summary>A server that answers byte by byte what it is told to, also what no honest one would.</summary>
internal sealed class WebServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<string, int, Stream, Task> _answer;
    private readonly Task _serving;

    /// <param name="answer">Gets the request's head and how many came before it, and writes the answer.</param>
    public WebServer(Func<string, int, Stream, Task> answer)
    {
        _answer = answer;
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <param name="answer">Gets the request's head and how many came before it; what it returns is the answer.</param>
    public WebServer(Func<string, int, string> answer)
        : this((request, count, stream) => stream.WriteAsync(Encoding.Latin1.GetBytes(answer(request, count))).AsTask())
    {
    }

    public ConcurrentQueue<string> Requests { get; } = new();

    public string Root => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>An answer with its length.</summary>
    public static string Ok(string body, string headers = "") =>
        $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nConnection: close\r\n{headers}\r\n{body}";

    public static string Status(string status, string headers = "") =>
        $"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                await using var stream = client.GetStream();
                string request = await HeadAsync(stream);
                int count = Requests.Count;
                Requests.Enqueue(request);
                await _answer(request, count, stream).WaitAsync(_stop.Token);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The other side had enough.
            }
        }
    }

    private static async Task<string> HeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
            head.Append((char)one[0]);
        return head.ToString();
    }
}
