using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Storage;
using Ingot.Tools;

namespace Ingot.Server.Tests.Access;

/// <summary>The whole server in this process, on a port and in a home of its own.</summary>
public sealed class RunningServer : IAsyncDisposable
{
    private readonly TestHome _test = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _run = Task.CompletedTask;

    public ServerHome Home => _test.Home;

    public int Port { get; } = FreePort();

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    public string OwnToken => File.ReadAllText(Home.Token).Trim();

    public static async Task<RunningServer> StartAsync(Func<ServerOptions, ServerOptions>? configure = null)
    {
        var server = new RunningServer();
        var options = new ServerOptions(server.Home.Root, new IPEndPoint(IPAddress.Loopback, server.Port), "0", "test", ["scratch/*"]);
        server._run = IngotServer.RunAsync(configure?.Invoke(options) ?? options, server._stop.Token);
        using var http = server.Client();
        for (int i = 0; !server._run.IsCompleted; i++)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri("api/v1/health", UriKind.Relative));
                return server;
            }
            catch (HttpRequestException) when (i < 600)
            {
                await Task.Delay(50);
            }
        }

        await server._run;
        throw new InvalidOperationException("the server ended at once");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _test.Dispose();
    }

    /// <summary>A client over TCP.</summary>
    public HttpClient Client(AuthenticationHeaderValue? authorization = null)
    {
        var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = Address };
        http.DefaultRequestHeaders.Authorization = authorization;
        return http;
    }

    /// <summary>A client through the socket in the home.</summary>
    public HttpClient LocalClient() => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellationToken) =>
            new NetworkStream((await UnixPeer.ConnectAsync(Home.Socket, UnixPeer.OwnUserId, cancellationToken)).Socket, ownsSocket: true),
    })
    {
        BaseAddress = Address,
    };

    public static AuthenticationHeaderValue Bearer(string token) => new("Bearer", token);

    public static AuthenticationHeaderValue Basic(string user, string token) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{token}")));

    /// <summary>Makes a token as the home's owner.</summary>
    public async Task<string> TokenAsync(string name, params string[] roles)
    {
        using var owner = Client(Bearer(OwnToken));
        using var answer = await owner.PostAsJsonAsync("api/v1/tokens", new { name, roles });
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
    }

    /// <summary>Pushes a small image and returns the answer to its manifest.</summary>
    public static async Task<HttpResponseMessage> PushAsync(HttpClient http, string repository, string tag)
    {
        byte[] config = """{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"""u8.ToArray();
        using var blob = await http.PostAsync(new Uri($"v2/{repository}/blobs/uploads/?digest={Digest.Of(config)}", UriKind.Relative),
            new ByteArrayContent(config));
        if (!blob.IsSuccessStatusCode)
            return new HttpResponseMessage(blob.StatusCode)
            {
                Content = new StringContent(await blob.Content.ReadAsStringAsync()),
                Headers = { { "X-Challenge", blob.Headers.WwwAuthenticate.ToString() } },
            };

        string manifest =
            $$"""{"schemaVersion":2,"mediaType":"{{MediaType.Manifest}}","config":{"mediaType":"{{MediaType.Config}}","digest":"{{Digest.Of(config)}}","size":{{config.Length}}},"layers":[]}""";
        var content = new StringContent(manifest);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(MediaType.Manifest);
        return await http.PutAsync(new Uri($"v2/{repository}/manifests/{tag}", UriKind.Relative), content);
    }

    /// <summary>Who did what, from the ledger.</summary>
    public async Task<IReadOnlyList<(string Actor, string Kind)>> LogAsync()
    {
        using var owner = Client(Bearer(OwnToken));
        var log = await owner.GetFromJsonAsync<JsonElement>("api/v1/log?all=true&count=1000");
        return [.. log.GetProperty("entries")
            .EnumerateArray()
            .Select(e => (e.GetProperty("actor").GetString()!, e.GetProperty("kind").GetString()!))];
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
