using System.Text;
using Ingot.Builds;
using Ingot.Builds.Remote;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Remote;

/// <summary>Files of web servers, honest and other ones.</summary>
public sealed class DownloadsTests : IDisposable
{
    private readonly TemporaryDirectory _cache = new();
    private readonly MemoryStore _store = new();
    private readonly HttpClient _http = Downloads.NewClient();

    public void Dispose()
    {
        _http.Dispose();
        _cache.Dispose();
    }

    [Fact]
    public async Task AFileIsFetchedOnceInABuildAndAskedAboutInTheNext()
    {
        await using var server = new WebServer((request, _) => request.Contains("If-None-Match: \"one\"", StringComparison.Ordinal)
            ? WebServer.Status("304 Not Modified")
            : WebServer.Ok("hello", "ETag: \"one\"\r\n"));
        var downloads = Make();
        Assert.Equal("hello", await TextAsync(downloads, server.Root + "/a"));
        Assert.Equal("hello", await TextAsync(downloads, server.Root + "/a"));
        Assert.Single(server.Requests);

        Assert.Equal("hello", await TextAsync(Make(), server.Root + "/a"));
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task ADateServesWhereThereIsNoName()
    {
        await using var server = new WebServer((request, _) => request.Contains("If-Modified-Since: Tue, 01 Jan 2019",
            StringComparison.Ordinal)
            ? WebServer.Status("304 Not Modified") : WebServer.Ok("hello", "Last-Modified: Tue, 01 Jan 2019 00:00:00 GMT\r\n"));
        await TextAsync(Make(), server.Root + "/a");
        Assert.Equal("hello", await TextAsync(Make(), server.Root + "/a"));
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task AFileThatChangedIsFetchedAgain()
    {
        await using var server = new WebServer((_, count) => WebServer.Ok(count == 0 ? "one" : "two", $"ETag: \"{count}\"\r\n"));
        Assert.Equal("one", await TextAsync(Make(), server.Root + "/a"));
        Assert.Equal("two", await TextAsync(Make(), server.Root + "/a"));
    }

    [Fact]
    public async Task WhatIsGoneFromTheStoreIsFetchedWhole()
    {
        await using var server = new WebServer((request, _) => request.Contains("If-None-Match", StringComparison.Ordinal)
            ? WebServer.Status("304 Not Modified")
            : WebServer.Ok("hello", "ETag: \"one\"\r\n"));
        var file = await Make().FetchAsync(Source(server.Root + "/a"), CancellationToken.None);
        await _store.DeleteAsync(file.Content);
        Assert.Equal("hello", await TextAsync(Make(), server.Root + "/a"));
    }

    [Fact]
    public async Task WhatHasAChecksumAndIsThereNeedsNoServer()
    {
        var digest = (await _store.PutAsync("x", "hello"u8.ToArray())).Digest;
        Assert.Equal(5, (await Make().FetchAsync(Source("http://127.0.0.1:1/a", digest), CancellationToken.None)).Size);
    }

    [Fact]
    public async Task AnotherFileThanTheChecksumSaysIsRefusedWithBoth()
    {
        await using var server = new WebServer((_, _) => WebServer.Ok("tampered"));
        var wanted = Digest.Of("hello"u8);
        string message = await RefusedAsync(Make(), server.Root + "/a", wanted);
        Assert.Contains($"'{Digest.Of("tampered"u8)}'", message, StringComparison.Ordinal);
        Assert.Contains($"'{wanted}'", message, StringComparison.Ordinal);
        Assert.Equal(0, await _store.ListAsync().CountAsync());
    }

    [Fact]
    public async Task ServersThatAreBusyAreAskedAgain()
    {
        await using var server = new WebServer((_, count) =>
            count < 2 ? WebServer.Status("503 Service Unavailable", "Retry-After: 0\r\n") : WebServer.Ok("hello"));
        Assert.Equal("hello", await TextAsync(Make(), server.Root + "/a"));
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task AServerThatStaysBusyIsGivenUp()
    {
        await using var server = new WebServer((_, _) => WebServer.Status("503 Service Unavailable"));
        Assert.Contains("in 3 attempts: the server answered 503", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
        Assert.Equal(3, server.Requests.Count);
    }

    [Theory]
    [InlineData("404 Not Found")]
    [InlineData("401 Unauthorized")]
    [InlineData("204 No Content")]
    [InlineData("304 Not Modified")]
    [InlineData("302 Found")]
    [InlineData("501 Not Implemented")]
    [InlineData("507 Insufficient Storage")]
    public async Task WhatIsNoFileIsNotAskedForAgain(string status)
    {
        await using var server = new WebServer((_, _) => WebServer.Status(status));
        Assert.Contains($"the server answered {status[..3]}", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task WhatBrokeOffIsContinued()
    {
        await using var server = new WebServer((request, count) => count == 0
            ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\nhello"
            : request.Contains("Range: bytes=5-", StringComparison.Ordinal)
                && request.Contains("If-Range: \"one\"", StringComparison.Ordinal)
                ? "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10\r\nETag: \"one\"\r\nConnection: "
                    + "close\r\n\r\nworld"
                : WebServer.Status("500 Wrong"));
        Assert.Equal("helloworld", await TextAsync(Make(), server.Root + "/a"));
    }

    [Fact]
    public async Task WhatBrokeOffAndIsAnotherByNowBeginsAnew()
    {
        await using var server = new WebServer((_, count) => count == 0
            ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\nhello"
            : WebServer.Ok("another", "ETag: \"two\"\r\n"));
        Assert.Equal("another", await TextAsync(Make(), server.Root + "/a"));
    }

    [Fact]
    public async Task WhatNobodyVouchesForIsNeverContinued()
    {
        await using var server =
            new WebServer((_, count) => count == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" : WebServer.Ok("helloworld"));
        Assert.Equal("helloworld", await TextAsync(Make(), server.Root + "/a"));
        Assert.DoesNotContain(server.Requests, r => r.Contains("Range:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ARestThatBeginsElsewhereIsNotTaken()
    {
        await using var server = new WebServer((_, count) => count == 0
            ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\nhello"
            : "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/10\r\nConnection: close\r\n\r\nworld");
        Assert.Contains("206", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALengthThatIsNotKeptIsNotBelieved()
    {
        await using var server = new WebServer((_, _) => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        Assert.Contains("in 3 attempts", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task HalfAChunkIsNotBelieved()
    {
        await using var server = new WebServer((_, _) => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort");
        Assert.Contains("in 3 attempts", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABodyWithoutEndIsCutOff()
    {
        await using var server = new WebServer(async (_, _, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
            while (true)
                await stream.WriteAsync(new byte[4096]);
        });
        Assert.EndsWith("has more than 100000 bytes, which is the limit", await RefusedAsync(Make(), server.Root + "/a"),
            StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task ALengthBeyondTheLimitIsNotWaitedFor()
    {
        await using var server = new WebServer((_, _) => "HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n");
        Assert.EndsWith("has more than 100000 bytes, which is the limit", await RefusedAsync(Make(), server.Root + "/a"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task AServerThatSaysNothingIsNotWaitedForLong()
    {
        await using var server = new WebServer(async (_, _, _) => await Task.Delay(Timeout.Infinite));
        Assert.Contains("nothing came for 0.5 seconds", await RefusedAsync(Make(attempts: 1), server.Root + "/a"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABodyThatStopsIsNotWaitedForLong()
    {
        await using var server = new WebServer(async (_, _, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"u8.ToArray());
            await Task.Delay(Timeout.Infinite);
        });
        Assert.Contains("nothing came for 0.5 seconds", await RefusedAsync(Make(attempts: 1), server.Root + "/a"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task RedirectsAreFollowed()
    {
        await using var server = new WebServer((request, _) => request.StartsWith("GET /a ", StringComparison.Ordinal) ? WebServer.Status(
            "302 Found", "Location: /b?x=1#y\r\n")
            : request.StartsWith("GET /b?x=1 ", StringComparison.Ordinal) ? WebServer.Status("308 Moved", "Location: c\r\n")
            : WebServer.Ok("hello"));
        Assert.Equal("hello", await TextAsync(Make(), server.Root + "/a"));
        Assert.StartsWith("GET /c ", server.Requests.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RedirectsInACircleAreLeft()
    {
        await using var server = new WebServer((_, _) => WebServer.Status("301 Moved", "Location: /a\r\n"));
        Assert.EndsWith("it is redirected more than 10 times", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
        Assert.Equal(11, server.Requests.Count);
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://127.0.0.1/x")]
    public async Task ARedirectToWhatIsNoWebServerIsNotFollowed(string location)
    {
        await using var server = new WebServer((_, _) => WebServer.Status("302 Found", $"Location: {location}\r\n"));
        Assert.Contains("which is not a web server", await RefusedAsync(Make(), server.Root + "/a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task CredentialsGoToTheirOwnServerAndIntoNoMessage()
    {
        await using var other = new WebServer((_, _) => WebServer.Status("404 Not Found"));
        await using var server = new WebServer((_, _) => WebServer.Status("302 Found", $"Location: {other.Root}/there?token=hidden\r\n"));
        string address = server.Root.Replace("://", "://me:p%40ss@", StringComparison.Ordinal) + "/a?token=hidden";
        string message = await RefusedAsync(Make(), address);
        Assert.DoesNotContain("ss@", message, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", message, StringComparison.Ordinal);
        Assert.Contains($"Authorization: Basic {Convert.ToBase64String("me:p@ss"u8)}", server.Requests.Single(), StringComparison.Ordinal);
        Assert.DoesNotContain("Authorization", other.Requests.Single(), StringComparison.Ordinal);
        Assert.DoesNotContain(
            "ss",
            new TreeSource.Download(new Uri(address), null, "a").ToString().Replace("127", "", StringComparison.Ordinal),
            StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.EnumerateFiles(_cache.Root, "*", SearchOption.AllDirectories),
            f => File.ReadAllText(f).Contains("hidden", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("HTTP_AUTH_TOKEN_127.0.0.1", "secret\n", "Authorization: Bearer secret\r\n")]
    [InlineData("HTTP_AUTH_HEADER_127.0.0.1", "Digest abc", "Authorization: Digest abc\r\n")]
    [InlineData("HTTP_AUTH_TOKEN_other", "secret", "User-Agent: ingot/1\r\n")]
    public async Task SecretsOpenTheirHost(string name, string value, string expected)
    {
        await using var server = new WebServer((_, _) => WebServer.Ok("hello"));
        var secrets = new Dictionary<string, ReadOnlyMemory<byte>> { [name] = Encoding.UTF8.GetBytes(value) };
        var downloads = new Downloads(_http, _store, _cache.Root, TimeProvider.System, secrets);
        await downloads.FetchAsync(Source(server.Root + "/a"), CancellationToken.None);
        Assert.Contains(expected, server.Requests.Single(), StringComparison.Ordinal);
        Assert.Equal(name.EndsWith("127.0.0.1", StringComparison.Ordinal),
            server.Requests.Single().Contains("Authorization", StringComparison.Ordinal));
    }

    [Fact]
    public async Task NobodyThereIsSaid()
    {
        string message = await RefusedAsync(Make(), "http://127.0.0.1:1/a");
        Assert.StartsWith("could not fetch 'http://127.0.0.1:1/a' in 3 attempts: ", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABrokenRecordIsNoRecord()
    {
        await using var server = new WebServer((_, _) => WebServer.Ok("hello", "ETag: \"one\"\r\n"));
        await TextAsync(Make(), server.Root + "/a");
        foreach (string record in Directory.EnumerateFiles(_cache.At("downloads")))
            await File.WriteAllTextAsync(record, "{");
        Assert.Equal("hello", await TextAsync(Make(), server.Root + "/a"));
    }

    private Downloads Make(int attempts = 3) =>
        new(_http, _store, _cache.Root, TimeProvider.System, new Dictionary<string, ReadOnlyMemory<byte>>(), new DownloadSettings
        {
            MaxBytes = 100_000,
            Attempts = attempts,
            Pause = TimeSpan.FromMilliseconds(1),
            Patience = TimeSpan.FromSeconds(0.5),
        });

    private static TreeSource.Download Source(string address, Digest? checksum = null) => new(new Uri(address), checksum, "a");

    private async Task<string> TextAsync(Downloads downloads, string address) =>
        Encoding.UTF8.GetString(
            await _store.ReadRequiredAsync((await downloads.FetchAsync(Source(address), CancellationToken.None)).Content));

    private static async Task<string> RefusedAsync(Downloads downloads, string address, Digest? checksum = null) =>
        (await Assert.ThrowsAsync<DownloadException>(() =>
            downloads.FetchAsync(Source(address, checksum), CancellationToken.None))).Message;
}
