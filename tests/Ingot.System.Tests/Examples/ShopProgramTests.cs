using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Ingot.SystemTests.Examples;

/// <summary>What the example's web server promises to health checks, to the proxy before it, and to whoever sends it nonsense.</summary>
public sealed class ShopProgramTests(ShopProgram program) : IClassFixture<ShopProgram>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ItServesThePagesOfAShop()
    {
        using var shop = Serve();
        using var client = new HttpClient();

        Assert.Equal("ok\n", await client.GetStringAsync(shop.At("/healthz"), Cancellation));
        Assert.Contains("<strong>Touchstone</strong>", await client.GetStringAsync(shop.At("/"), Cancellation), StringComparison.Ordinal);
        Assert.Contains("of &quot;about&quot; 100 g", await client.GetStringAsync(shop.At("/?from=mail"), Cancellation),
            StringComparison.Ordinal);
        using var products = JsonDocument.Parse(await client.GetStringAsync(shop.At("/products"), Cancellation));
        Assert.Equal(5, products.RootElement.GetProperty("products").GetArrayLength());
        using var version = JsonDocument.Parse(await client.GetStringAsync(shop.At("/version"), Cancellation));
        Assert.Equal("3.2.1", version.RootElement.GetProperty("version").GetString());
        Assert.Equal(Environment.MachineName, version.RootElement.GetProperty("hostname").GetString());
    }

    [Fact]
    public async Task TheGivenShareOfShopRequestsFailsAndHealthDoesNot()
    {
        using var shop = Serve(("FAIL_PERCENT", "20"));
        using var client = new HttpClient();
        var statuses = new List<HttpStatusCode>();
        for (int i = 0; i < 50; i++)
        {
            statuses.Add((await client.GetAsync(shop.At(i % 2 == 0 ? "/" : "/products"), Cancellation)).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(shop.At("/healthz"), Cancellation)).StatusCode);
        }

        Assert.Equal(10, statuses.Count(status => status == HttpStatusCode.InternalServerError));
        Assert.Equal(HttpStatusCode.OK, statuses[0]);
    }

    [Theory]
    [InlineData("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405)]
    [InlineData("GET / HTTP/1.0\r\n\r\n", 200)]
    [InlineData("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200)]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)]
    [InlineData("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET /\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET /\u0001 HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400)]
    [InlineData("\r\n\r\n", 400)]
    public async Task EveryRequestHasItsStatus(string request, int status)
    {
        using var shop = Serve();

        Assert.StartsWith($"HTTP/1.1 {status} ", await shop.SendAsync(request, Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AHeadHasNoBody()
    {
        using var shop = Serve();

        string answer = await shop.SendAsync("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Cancellation);

        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Length: 0\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestsThatCameTogetherAreAnsweredInOrder()
    {
        using var shop = Serve();

        string answer = await shop.SendAsync(
            "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n"
                + "Connection: close\r\n\r\nGET / HTTP/1.1\r\n",
            Cancellation);

        Assert.Equal(["200", "404", "200"], answer.Split("HTTP/1.1 ").Skip(1).Select(part => part[..3]));
    }

    [Fact]
    public async Task ARequestThatNeverEndsIsRefused()
    {
        using var shop = Serve();

        Assert.StartsWith("HTTP/1.1 431 ", await shop.SendAsync("GET / HTTP/1.1\r\nX: " + new string('a', 20_000), Cancellation),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARequestInPiecesIsOneRequest()
    {
        using var shop = Serve();
        using var client = new TcpClient("127.0.0.1", shop.Port);
        var stream = client.GetStream();
        foreach (char c in "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await stream.WriteAsync(Encoding.ASCII.GetBytes([c]), Cancellation);
        using var reader = new StreamReader(stream);

        Assert.StartsWith("HTTP/1.1 200 ", await reader.ReadToEndAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MoreConnectionsThanItTakesAtOnceAreServed()
    {
        using var shop = Serve();
        var clients = Enumerable.Range(0, 600).Select(_ => new TcpClient("127.0.0.1", shop.Port)).ToList();

        foreach (var client in clients.Take(200))
            client.Dispose();

        Assert.StartsWith("HTTP/1.1 200 ", await shop.SendAsync("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", Cancellation),
            StringComparison.Ordinal);
        clients.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task ToldToStopItSaysSoToHealthChecksAndFinishesWhatIsInFlight()
    {
        using var shop = Serve();
        using var client = new TcpClient("127.0.0.1", shop.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes("GET /products HTTP/1.1\r\nHo"), Cancellation);
        await Task.Delay(50, Cancellation);

        shop.Stop();
        await Task.Delay(50, Cancellation);
        string health = await shop.SendAsync("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", Cancellation);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("st: a\r\n\r\n"), Cancellation);
        using var reader = new StreamReader(stream);
        string answer = await reader.ReadToEndAsync(Cancellation);

        Assert.StartsWith("HTTP/1.1 503 ", health, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nConnection: close\r\n", answer, StringComparison.Ordinal);
        var (code, output) = await shop.WaitAsync(Cancellation);
        Assert.Equal((0, "stopping: 1 connections\n"), (code, output));
    }

    [Fact]
    public async Task WithoutConnectionsItStopsSoon()
    {
        using var shop = Serve();
        var begun = Stopwatch.StartNew();
        shop.Stop();

        Assert.Equal(0, (await shop.WaitAsync(Cancellation)).ExitCode);
        Assert.InRange(begun.Elapsed, TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task ItLogsRequestsOnlyWhenToldTo()
    {
        using var quiet = Serve();
        using var loud = Serve(("LOG_LEVEL", "debug"));
        foreach (var shop in new[] { quiet, loud })
        {
            await shop.SendAsync("GET /products?all HTTP/1.1\r\nHost: a\r\n\r\n", Cancellation);
            shop.Stop();
        }

        Assert.DoesNotContain("/products", (await quiet.WaitAsync(Cancellation)).Output, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^method=GET path=/products status=200 bytes=\d+$", (await loud.WaitAsync(Cancellation)).Output);
    }

    [Fact]
    public void ItKnowsItsVersionAndItsHealth()
    {
        SkipUnlessCompiled();
        using var shop = program.Serve();

        Assert.Equal((0, "web 3.2.1\n", ""), program.Run("--version"));
        Assert.Equal(0, program.Run("--health", ("PORT", $"{shop.Port}")).ExitCode);
        Assert.Equal(1, program.Run("--health").ExitCode);
    }

    [Theory]
    [InlineData("PORT", "0", 2, "PORT is '0'")]
    [InlineData("PORT", "web", 2, "PORT is 'web'")]
    [InlineData("FAIL_PERCENT", "101", 2, "FAIL_PERCENT is '101'")]
    [InlineData("FAIL_PERCENT", "-1", 2, "FAIL_PERCENT is '-1'")]
    [InlineData("FAIL_PERCENT", "5%", 2, "FAIL_PERCENT is '5%'")]
    [InlineData("PRODUCTS", "/not/there", 1, "'/not/there': No such file or directory")]
    [InlineData("PRODUCTS", "/etc/passwd", 1, "/etc/passwd:2: expected sku, name")]
    public void AWrongSettingStopsItWithTheReason(string name, string value, int code, string reason)
    {
        SkipUnlessCompiled();

        var (exit, _, error) = program.Run("", (name, value));

        Assert.Equal(code, exit);
        Assert.Contains(reason, error, StringComparison.Ordinal);
    }

    private RunningShop Serve(params (string Name, string Value)[] settings)
    {
        SkipUnlessCompiled();
        return program.Serve(settings);
    }

    private static void SkipUnlessCompiled() => Assert.SkipUnless(ShopProgram.CanCompile, "gcc or libc6-dev is missing");
}
