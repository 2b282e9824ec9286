using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ingot.SystemTests.Proxies;

/// <summary>An instance as a proxy sees it, in this process: it does what the path says, and counts.</summary>
internal sealed class Backend : IDisposable
{
    private readonly TcpListener _listener;
    private readonly string _version;
    private readonly ConcurrentDictionary<string, int> _asked = new();
    private readonly ConcurrentDictionary<Socket, bool> _open = new();

    public Backend(string version)
    {
        _version = version;
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start(1024);
        Address = _listener.LocalEndpoint.ToString()!;
        _ = Task.Run(AcceptAsync);
    }

    /// <summary>Where it listens.</summary>
    public string Address { get; }

    /// <summary>How often something was asked for: method, blank, path.</summary>
    public int Asked(string what) => _asked.GetValueOrDefault(what);

    /// <summary>Ends as a process does that is killed: nothing listens, and every connection is reset.</summary>
    public void Dispose()
    {
        _listener.Stop();
        foreach (var socket in _open.Keys)
            Reset(socket);
    }

    private static void Reset(Socket socket)
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                var socket = await _listener.AcceptSocketAsync();
                _open[socket] = true;
                _ = Task.Run(() => ServeAsync(socket));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            using var stream = new NetworkStream(socket);
            while (await ReadHeadAsync(stream) is { Length: > 0 } head)
            {
                var words = head.Split('\n')[0].Split(' ');
                _asked.AddOrUpdate($"{words[0]} {words[1]}", 1, (_, count) => count + 1);
                if (!await AnswerAsync(stream, words[1], head))
                    return;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The other side went, or this one was ended.
        }
        finally
        {
            _open.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    private static async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
            head.Append((char)one[0]);
        return head.ToString();
    }

    // False when the connection is over.
    private async Task<bool> AnswerAsync(NetworkStream stream, string path, string head)
    {
        string[] parts = path.Split('?');
        switch (parts[0])
        {
            case "/empty":
                return false;
            case "/half":
                await WriteAsync(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf");
                return false;
            case "/status":
                await WriteAsync(stream, $"HTTP/1.1 {parts[1]} Said\r\ncontent-length: 0\r\n\r\n");
                return true;
            case "/slow":
                await Task.Delay(int.Parse(parts[1], CultureInfo.InvariantCulture));
                break;
            case "/tunnel":
                await WriteAsync(stream, "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n");
                await stream.CopyToAsync(stream);
                return false;
        }

        string body = $"{{\"version\":\"{_version}\"}}";
        bool close = head.Contains("connection: close", StringComparison.OrdinalIgnoreCase);
        await WriteAsync(stream, $"HTTP/1.1 200 OK\r\ncontent-length: {body.Length}\r\n{(close ? "connection: close\r\n" : "")}\r\n{body}");
        return !close;
    }

    private static ValueTask WriteAsync(NetworkStream stream, string text) => stream.WriteAsync(Encoding.ASCII.GetBytes(text));
}
