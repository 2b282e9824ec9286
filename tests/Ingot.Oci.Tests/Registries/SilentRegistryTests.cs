using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;

namespace Ingot.Oci.Tests.Registries;

/// <summary>Registries that accept, and then do nothing, or a little for ever: every call ends in time and says so, and nobody takes that
/// for an interruption.</summary>
public sealed class SilentRegistryTests
{
    private const string Repository = "team/app";
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_generous = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")]
    [InlineData("HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\n")]
    public Task AQuestionEndsInTime(string answer) => EndsAsync(answer, drips: false, client => client.GetManifestAsync(Repository, "1"));

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
    public Task ADocumentThatDripsEndsInTime(string answer) =>
        EndsAsync(answer, drips: true, client => client.GetManifestAsync(Repository, "1"));

    [Fact]
    public Task ListsEndInTime() =>
        EndsAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", drips: false, async client =>
            Assert.Empty(await client.ListTagsAsync(Repository).ToListAsync()));

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")]
    public async Task AServerOfTokensIsNotWaitedForEither(string answer)
    {
        await using var tokens = new Silent(_ => answer, drips: false);
        string challenge =
            $"HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer realm=\"{tokens.Uri}token\",service=\"s\"\r\nContent-Length: 0\r\n\r\n";
        await EndsAsync(challenge, drips: false, client => client.GetManifestAsync(Repository, "1"));
    }

    [Fact]
    public async Task AnUploadThatIsNotTakenEndsInTimeHoweverLargeItIs()
    {
        await using var registry = new Silent(line => line switch
        {
            _ when line.StartsWith("HEAD", StringComparison.Ordinal) => "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
            _ when line.StartsWith("POST", StringComparison.Ordinal) => "HTTP/1.1 202 X\r\nLocation: /up\r\nContent-Length: 0\r\n\r\n",
            _ when line.StartsWith("GET", StringComparison.Ordinal) => "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
            _ => "",
        }, drips: false);
        byte[] bytes = new byte[64 << 20];
        using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        var client = new RegistryClient(http, registry.Uri) { Patience = s_patience };
        var clock = Stopwatch.StartNew();

        var e = await Assert.ThrowsAsync<RegistryException>(() =>
            client.PushBlobAsync(Repository, Descriptor.Of("", bytes), _ => new(new MemoryStream(bytes))));

        Assert.Contains("no answer for 0.3 seconds", e.Message, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < s_generous, $"after {clock.Elapsed}");
    }

    [Fact]
    public async Task AClientWithATimeoutOfItsOwnIsNoInterruptionEither()
    {
        await using var registry = new Silent(_ => "", drips: false);
        using var http = new HttpClient { Timeout = TimeSpan.FromMilliseconds(100) };
        var client = new RegistryClient(http, registry.Uri);

        var e = await Assert.ThrowsAsync<RegistryException>(() => client.GetManifestAsync(Repository, "1"));

        Assert.Contains("0.1 seconds", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhoeverAsksMayGiveUpBefore()
    {
        await using var registry = new Silent(_ => "", drips: false);
        using var http = new HttpClient();
        using var given = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            new RegistryClient(http, registry.Uri).GetManifestAsync(Repository, "1", given.Token));
    }

    private static async Task EndsAsync(string answer, bool drips, Func<RegistryClient, Task> ask)
    {
        await using var registry = new Silent(_ => answer, drips);
        using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        var clock = Stopwatch.StartNew();

        var e = await Assert.ThrowsAsync<RegistryException>(() => ask(new RegistryClient(http, registry.Uri) { Patience = s_patience }));

        Assert.Matches("no answer for 0.3 seconds|did not come whole in 0.3 seconds|the registry answered 500", e.Message);
        Assert.True(clock.Elapsed < s_generous, $"after {clock.Elapsed}");
    }

    /// <summary>Answers the head of each request with what it is told, and then says nothing more, or a byte now and then.</summary>
    private sealed class Silent : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();
        private readonly Func<string, string> _answer;
        private readonly bool _drips;

        public Silent(Func<string, string> answer, bool drips)
        {
            (_answer, _drips) = (answer, drips);
            _listener.Start();
            Uri = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
            _ = Task.Run(AcceptAsync);
        }

        public Uri Uri { get; }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            _listener.Stop();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using (client)
            {
                try
                {
                    var stream = client.GetStream();
                    while (await HeadAsync(stream) is { } line && _answer(line) is { Length: > 0 } answer)
                        await AnswerAsync(stream, answer);
                    await Task.Delay(Timeout.Infinite, _stop.Token);
                }
                catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
                {
                    // Whoever asked has gone.
                }
            }
        }

        private async Task AnswerAsync(NetworkStream stream, string answer)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), _stop.Token);
            byte[] drop = answer.Contains("chunked", StringComparison.Ordinal) ? "1\r\n \r\n"u8.ToArray() : " "u8.ToArray();
            while (_drips)
            {
                await stream.WriteAsync(drop, _stop.Token);
                await Task.Delay(50, _stop.Token);
            }
        }

        private async Task<string?> HeadAsync(NetworkStream stream)
        {
            var head = new StringBuilder();
            byte[] one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                if (await stream.ReadAsync(one, _stop.Token) == 0)
                    return null;
                head.Append((char)one[0]);
            }

            return head.ToString().Split("\r\n")[0];
        }
    }
}
