using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Ingot.Server.Tests.Registry;

namespace Ingot.Server.Tests.Access;

public sealed class GatekeeperTests
{
    [Fact]
    public async Task NobodyWritesToARepositoryWithoutAToken()
    {
        await using var server = await RunningServer.StartAsync();
        using var http = server.Client();
        string digest = "sha256:" + new string('a', 64);
        foreach (var (method, path) in new[]
        {
            ("POST", "v2/shop/web/blobs/uploads/"), ("POST", $"v2/shop/web/blobs/uploads/?mount={digest}&from=other/x"),
            ("PATCH", "v2/shop/web/blobs/uploads/x"), ("PUT", $"v2/shop/web/blobs/uploads/x?digest={digest}"),
            ("DELETE", "v2/shop/web/blobs/uploads/x"), ("PUT", "v2/shop/web/manifests/1.0"), ("DELETE", "v2/shop/web/manifests/1.0"),
            ("DELETE", $"v2/shop/web/blobs/{digest}"), ("POST", "v2/scratch/x/blobs/uploads/"),
            ("PUT", "v2//shop/web/manifests/1.0"), ("POST", "v2/%73hop/web/blobs/uploads/"), ("BREW", "v2/shop/web/manifests/1.0"),
        })
        {
            using var answer =
                await http.SendAsync(new HttpRequestMessage(new HttpMethod(method), path) { Content = new ByteArrayContent([]) });
            await RegistryFixture.ExpectAsync(401, answer, "UNAUTHORIZED");
            Assert.Equal("Basic realm=\"ingot\"", answer.Headers.WwwAuthenticate.ToString());
        }
    }

    [Theory]
    [InlineData("publisher", 201)]
    [InlineData("administrator", 201)]
    [InlineData("viewer", 403)]
    [InlineData("approver", 403)]
    [InlineData("releaser", 403)]
    public async Task PublishersPush(string role, int status)
    {
        await using var server = await RunningServer.StartAsync();
        string token = await server.TokenAsync("someone", role);
        foreach (var shown in new[] { RunningServer.Bearer(token), RunningServer.Basic("someone", token) })
        {
            using var http = server.Client(shown);
            http.DefaultRequestHeaders.TryAddWithoutValidation("X-Ingot-User", "root");
            using var answer = await RunningServer.PushAsync(http, "shop/web", shown.Scheme.ToLowerInvariant());
            await RegistryFixture.ExpectAsync(status, answer, status == 403 ? "DENIED" : null);
        }

        Assert.Equal(status == 201, (await server.LogAsync()).Any(e => e is { Actor: "someone", Kind: "tag-bound" }));
        Assert.DoesNotContain(await server.LogAsync(), e => e is { Actor: "root" or "anonymous", Kind: "tag-bound" or "image-published" });
    }

    [Fact]
    public async Task AWrongTokenIsRefusedWhereNoneWouldDo()
    {
        await using var server = await RunningServer.StartAsync();
        string token = await server.TokenAsync("ann", "publisher");
        foreach (var shown in new[]
        {
            RunningServer.Basic("bob", token), RunningServer.Basic("", token), RunningServer.Basic("ann", token + "x"),
            RunningServer.Basic("root", token), RunningServer.Bearer("x"), RunningServer.Basic("ann", ""),
            new AuthenticationHeaderValue("Basic", "%%%"),
            new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(token))),
            new AuthenticationHeaderValue("Negotiate", token), new AuthenticationHeaderValue("Bearer"),
        })
        {
            using var http = server.Client(shown);
            Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("v2/")).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("v2/_catalog")).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("api/v1/status")).StatusCode);
        }
    }

    [Fact]
    public async Task AnybodyReadsUnlessThatIsSwitchedOff()
    {
        await using var open = await RunningServer.StartAsync();
        await using var closed = await RunningServer.StartAsync(options => options with { AnonymousRead = false });
        foreach (var server in new[] { open, closed })
        {
            using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
            using var pushed = await RunningServer.PushAsync(owner, "shop/web", "1");
            await RegistryFixture.ExpectAsync(201, pushed);
            using var anyone = server.Client();
            using var claimed = server.Client(RunningServer.Bearer("anonymous"));
            foreach (string path in new[] { "v2/shop/web/manifests/1", "v2/shop/web/tags/list", "v2/_catalog" })
            {
                var expected = server == open ? HttpStatusCode.OK : HttpStatusCode.Unauthorized;
                Assert.Equal(expected, (await anyone.GetAsync(path)).StatusCode);
                Assert.Equal(expected, (await claimed.GetAsync(path)).StatusCode);
                Assert.Equal(HttpStatusCode.OK, (await owner.GetAsync(path)).StatusCode);
            }
        }

        using var stranger = closed.Client();
        using var ping = await stranger.GetAsync("v2/");
        Assert.Equal((HttpStatusCode.Unauthorized, "Basic realm=\"ingot\""), (ping.StatusCode, ping.Headers.WwwAuthenticate.ToString()));
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync("v2/token")).StatusCode);
    }

    /// <summary>Docker logs in as the answer to its first question says, and never looks again.</summary>
    [Fact]
    public async Task AClientThatAsksHowToLogInIsTold()
    {
        await using var server = await RunningServer.StartAsync();
        using var anyone = server.Client();
        using var ping = await anyone.GetAsync("v2/");
        Assert.Equal((HttpStatusCode.Unauthorized, $"Bearer realm=\"{server.Address}v2/token\",service=\"ingot\""),
            (ping.StatusCode, ping.Headers.WwwAuthenticate.ToString()));

        string anonymous = await TokenAsync(anyone);
        using var reader = server.Client(RunningServer.Bearer(anonymous));
        Assert.Equal(HttpStatusCode.OK, (await reader.GetAsync("v2/")).StatusCode);
        using var denied = await RunningServer.PushAsync(reader, "shop/web", "1");
        Assert.Equal(HttpStatusCode.Unauthorized, denied.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await reader.GetAsync("api/v1/status")).StatusCode);

        using var known = server.Client(RunningServer.Basic("ann", await server.TokenAsync("ann", "publisher")));
        using var publisher = server.Client(RunningServer.Bearer(await TokenAsync(known)));
        await RegistryFixture.ExpectAsync(201, await RunningServer.PushAsync(publisher, "shop/web", "1"));
        using var wrong = server.Client(RunningServer.Basic("ann", "wrong"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await wrong.GetAsync("v2/token")).StatusCode);
    }

    [Theory]
    [InlineData("localhost", null, "http://localhost/v2/token")]
    [InlineData("localhost", "https", "https://localhost/v2/token")]
    [InlineData("ingot.example", null, "https://ingot.example/v2/token")]
    [InlineData("ingot.example", "http", "https://ingot.example/v2/token")]
    public async Task APasswordIsAskedForWithTlsBehindAProxy(string host, string? forwarded, string realm)
    {
        await using var server = await RunningServer.StartAsync(options => options with { Hosts = ["ingot.example"] });
        using var http = server.Client();
        foreach (string path in new[] { "v2/", "v2" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Host = host } };
            if (forwarded is not null)
                request.Headers.Add("X-Forwarded-Proto", forwarded);
            using var answer = await http.SendAsync(request);
            Assert.Equal($"Bearer realm=\"{realm}\",service=\"ingot\"", answer.Headers.WwwAuthenticate.ToString());
        }
    }

    [Theory]
    [InlineData("evil.example", 421)]
    [InlineData("evil.example:7070", 421)]
    [InlineData("127.0.0.1.evil.example", 421)]
    [InlineData("localhost.evil.example", 421)]
    [InlineData("ingot.example", 200)]
    [InlineData("localhost", 200)]
    [InlineData("127.0.0.1", 200)]
    [InlineData("[::1]", 200)]
    public async Task ANameThatIsNotOursIsNotAnswered(string host, int status)
    {
        await using var server = await RunningServer.StartAsync(options => options with { Hosts = ["ingot.example"] });
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        foreach (string path in new[] { "v2/_catalog", "api/v1/status", "api/v1/health" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Host = host } };
            using var answer = await owner.SendAsync(request);
            Assert.Equal(status, (int)answer.StatusCode);
        }
    }

    [Theory]
    [InlineData("http://evil.example")]
    [InlineData("null")]
    [InlineData("http://127.0.0.1:8080")]
    public async Task APageInABrowserWritesNothing(string origin)
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Basic(Ingot.Server.Access.Principal.NameOf(Environment.UserName), server.OwnToken));
        owner.DefaultRequestHeaders.TryAddWithoutValidation("Origin", origin);
        Assert.Equal(HttpStatusCode.Forbidden,
            (await owner.PostAsJsonAsync("api/v1/tokens", new { name = "eve", roles = new[] { "administrator" } })).StatusCode);
        using var push = await RunningServer.PushAsync(owner, "shop/web", "1");
        Assert.Equal(HttpStatusCode.Forbidden, push.StatusCode);
    }

    [Fact]
    public async Task OnlyTheHomesSocketSaysWhereTheHomeIs()
    {
        await using var server = await RunningServer.StartAsync();
        using var tcp = server.Client();
        string told = await tcp.GetStringAsync("api/v1/health");
        Assert.DoesNotContain(server.Home.Root, told, StringComparison.Ordinal);
        Assert.DoesNotContain("pid", told, StringComparison.Ordinal);

        using var local = server.LocalClient();
        var health = await local.GetFromJsonAsync<JsonElement>("api/v1/health");
        Assert.Equal((server.Home.Root, $"127.0.0.1:{server.Port}"),
            (health.GetProperty("home").GetString(), health.GetProperty("listen").GetString()));
        Assert.Equal(HttpStatusCode.Unauthorized, (await local.GetAsync("api/v1/status")).StatusCode);
    }

    [Fact]
    public async Task AnAddressThatIsTakenIsSaid()
    {
        using var test = new TestHome();
        using var stranger = new TcpListener(IPAddress.Loopback, 0);
        stranger.Start();
        var address = (IPEndPoint)stranger.LocalEndpoint;
        var failure = await Assert.ThrowsAsync<Tools.ToolException>(() =>
            IngotServer.RunAsync(new ServerOptions(test.Home.Root, address, "0", "0", []), TestContext.Current.CancellationToken));
        Assert.Contains($"could not listen at '{address}'", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<string> TokenAsync(HttpClient http) =>
        (await http.GetFromJsonAsync<JsonElement>("v2/token?service=ingot&scope=repository:shop/web:pull,push"))
            .GetProperty("token")
            .GetString()!;
}
