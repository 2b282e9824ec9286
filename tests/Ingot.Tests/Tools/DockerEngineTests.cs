using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Ingot.Instances;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class DockerEngineTests
{
    [Theory]
    [InlineData("1.41", "v1.41")]
    [InlineData("1.44", "v1.44")]
    public async Task TheNewestApiBothSidesKnowIsSpoken(string offered, string spoken)
    {
        using var peer = Peer(_ => (200, "[]"), offered);
        using var engine = new DockerEngine(peer.Path);

        await engine.ListAsync(["a=b"]);

        Assert.Equal(["GET /_ping", $"GET /{spoken}/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D"], Lines(peer));
    }

    // Docker 29.0 to 29.2 refused all below 1.44, 29.3 and later take 1.40, and an operator may ask for more.
    [Theory]
    [InlineData("1.52", "1.44", "v1.47")]
    [InlineData("1.57", "1.40", "v1.47")]
    [InlineData("1.60", "1.47", "v1.47")]
    [InlineData("1.60", null, "v1.47")]
    [InlineData("1.70", "1.60", null)]
    [InlineData("1.57", "1.48", null)]
    public async Task AnEngineThatHasForgottenWhatIsSpokenHereIsRefused(string newest, string? oldest, string? spoken)
    {
        string version = JsonSerializer.Serialize(new { Version = "29.1.0", ApiVersion = newest, MinAPIVersion = oldest });
        using var peer = Peer(request => (200, request.StartsWith("GET /version", StringComparison.Ordinal) ? version : "[]"), newest);
        using var engine = new DockerEngine(peer.Path);

        if (spoken is null)
        {
            var e = await Assert.ThrowsAsync<ToolException>(() => engine.ListAsync(["a=b"]));
            Assert.Contains($"speaks API {oldest} to {newest}, and Ingot 1.41 to 1.47", e.Message, StringComparison.Ordinal);
            return;
        }

        await engine.ListAsync(["a=b"]);
        Assert.Equal(["GET /_ping", "GET /version"], Lines(peer)[..2]);
        Assert.StartsWith($"GET /{spoken}/containers/json", Lines(peer)[2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.40")]
    [InlineData("2.1")]
    [InlineData("1.x")]
    [InlineData("")]
    public async Task AnOlderOrUnknownApiIsRefused(string offered)
    {
        using var peer = Peer(_ => (200, "[]"), offered);
        using var engine = new DockerEngine(peer.Path);

        var e = await Assert.ThrowsAsync<ToolException>(() => engine.ListAsync([]));
        Assert.Contains($"{offered}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFailureInsideASuccessfulPullThrows()
    {
        using var peer = Peer(_ =>
            (200, "{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n"));
        using var engine = new DockerEngine(peer.Path);

        var e = await Assert.ThrowsAsync<ToolException>(() => engine.PullAsync("127.0.0.1:5000/a", "sha256:abc"));

        Assert.Equal("pulling '127.0.0.1:5000/a@sha256:abc' failed: manifest unknown", e.Message);
        Assert.EndsWith("/images/create?fromImage=127.0.0.1%3A5000%2Fa&tag=sha256%3Aabc", Lines(peer)[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task APullWithoutFailureReturnsAndSendsTheCredentials()
    {
        using var peer = Peer(_ => (200, "{\"status\":\"Pulling\"}\n\n{\"status\":\"Done\",\"progressDetail\":{}}\n"));
        using var engine = new DockerEngine(peer.Path);

        await engine.PullAsync("r/a", "sha256:abc", new NetworkCredential("ada", "s>e?c"));

        string header = peer.Requests[1].Split("\r\n").Single(line =>
            line.StartsWith("X-Registry-Auth: ", StringComparison.OrdinalIgnoreCase))["X-Registry-Auth: ".Length..];
        Assert.DoesNotContain(header, c => c is '+' or '/');
        Assert.Equal("{\"username\":\"ada\",\"password\":\"s\\u003Ee?c\"}",
            Encoding.UTF8.GetString(Convert.FromBase64String(header.Replace('-', '+').Replace('_', '/'))));
    }

    [Fact]
    public async Task ATakenNameIsAnAnswerAndNotAnError()
    {
        using var peer = Peer(_ => (409, "{\"message\":\"Conflict. The container name is already in use\"}"));
        using var engine = new DockerEngine(peer.Path);

        Assert.Null(await engine.TryCreateAsync("a", new DockerContainerSpec { Image = "i" }));
    }

    [Fact]
    public async Task ACreatedContainerIsSaidInTheEnginesOwnWords()
    {
        using var peer = Peer(_ => (201, "{\"Id\":\"abc\",\"Warnings\":[]}"));
        using var engine = new DockerEngine(peer.Path);

        string? id = await engine.TryCreateAsync("a.b-g1-0", new DockerContainerSpec
        {
            Image = "r/a@sha256:abc",
            Env = ["A=b"],
            HostConfig = new DockerHostConfig
            {
                ReadonlyRootfs = true,
                CapDrop = ["ALL"],
                Memory = 5,
                MemorySwap = 5,
                NanoCpus = 7,
                PidsLimit = 9,
                RestartPolicy = new("on-failure", 3),
            },
        });

        Assert.Equal("abc", id);
        Assert.EndsWith("/containers/create?name=a.b-g1-0", Lines(peer)[1], StringComparison.Ordinal);
        using var body = JsonDocument.Parse(peer.Requests[1][(peer.Requests[1].IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        var host = body.RootElement.GetProperty("HostConfig");
        Assert.Equal("r/a@sha256:abc", body.RootElement.GetProperty("Image").GetString());
        Assert.False(body.RootElement.TryGetProperty("Cmd", out _));
        Assert.Equal((true, "ALL", 5L, 7L, 9L, "on-failure", 3), (
            host.GetProperty("ReadonlyRootfs").GetBoolean(), host.GetProperty("CapDrop")[0].GetString(),
            host.GetProperty("MemorySwap").GetInt64(), host.GetProperty("NanoCpus").GetInt64(),
            host.GetProperty("PidsLimit").GetInt64(), host.GetProperty("RestartPolicy").GetProperty("Name").GetString(),
            host.GetProperty("RestartPolicy").GetProperty("MaximumRetryCount").GetInt32()));
    }

    [Fact]
    public async Task WhatIsSoAlreadyIsNoError()
    {
        using var same = Peer(_ => (304, ""));
        using var gone = Peer(_ => (404, "{\"message\":\"No such container: a\"}"));
        using var unchanged = new DockerEngine(same.Path);
        using var missing = new DockerEngine(gone.Path);

        await unchanged.StartAsync("a");
        await unchanged.StopAsync("a", 10);
        await missing.StopAsync("a", 10);
        await missing.RemoveAsync("a", force: true);
        Assert.Null(await missing.FindContainerAsync("a"));
        Assert.Null(await missing.FindImageAsync("a"));
        Assert.Equal("", await missing.LogsAsync("a", 5));
        await missing.KillAsync("a", "SIGKILL");
        Assert.True(await missing.TryRemoveNetworkAsync("a"));
        var e = await Assert.ThrowsAsync<DockerUnusableException>(() => missing.StartAsync("a"));
        Assert.Equal("starting the container 'a' failed: No such container: a (404)", e.Message);
    }

    [Theory]
    [InlineData(404, "No such container: a", true)]
    [InlineData(409, "container is marked for removal and cannot be started", true)]
    [InlineData(400, "network shop is ambiguous (2 matches found on name)", true)]
    [InlineData(500, "task 39e1: already exists", true)]
    [InlineData(500, "the disk is full", false)]
    [InlineData(400, "no", false)]
    public async Task WhatCanNeverBeStartedIsToldFromWhatCannotBeNow(int status, string message, bool isUnusable)
    {
        using var peer = Peer(_ => (status, $"{{\"message\":\"{message}\"}}"));
        using var engine = new DockerEngine(peer.Path);

        Assert.Equal(isUnusable, await Record.ExceptionAsync(() => engine.StartAsync("a")) is DockerUnusableException);
    }

    [Theory]
    [InlineData(500, "{\"message\":\"the disk is full\"}", "the disk is full (500)")]
    [InlineData(500, "not JSON\n", "not JSON (500)")]
    [InlineData(400, "{}", "{} (400)")]
    public async Task ARefusalSaysWhatWasAttemptedAndWhatTheEngineSaid(int status, string body, string expected)
    {
        using var peer = Peer(_ => (status, body));
        using var engine = new DockerEngine(peer.Path);

        var e = await Assert.ThrowsAsync<ToolException>(() => engine.TryCreateAsync("n", new DockerContainerSpec { Image = "i" }));

        Assert.Equal($"creating the container 'n' from 'i' failed: {expected}", e.Message);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("[{\"Id\":5}]")]
    public async Task AnAnswerThatCannotBeReadIsAnErrorAndNotAnEmptyList(string body)
    {
        using var peer = Peer(_ => (200, body));
        using var engine = new DockerEngine(peer.Path);

        await Assert.ThrowsAsync<ToolException>(() => engine.ListAsync([]));
    }

    [Fact]
    public async Task AnInspectedContainerIsRead()
    {
        const string Container = """
            {"Id":"abc","Name":"/ingot-a","RestartCount":2,
             "State":{"Status":"exited","ExitCode":137,"OOMKilled":true,"Error":"","StartedAt":"2026-01-02T03:04:05.123456789Z","Pid":0},
             "Config":{"Image":"r/a@sha256:x","User":"65532","Labels":{"io.ingot.project":"shop"}},
             "NetworkSettings":{"Networks":{"ingot-shop":{"IPAddress":"10.0.0.2"}}}}
            """;
        using var peer = Peer(_ => (200, Container));
        using var engine = new DockerEngine(peer.Path);

        var container = await engine.FindContainerAsync("abc");

        Assert.Equal((2, "exited", 137, true),
            (container!.RestartCount, container.State.Status, container.State.ExitCode, container.State.OomKilled));
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(1234567), container.State.StartedAt);
        Assert.Equal(("shop", "10.0.0.2"),
            (container.Config.Labels!["io.ingot.project"], container.NetworkSettings.Networks!["ingot-shop"].IPAddress));
    }

    [Fact]
    public async Task OnlyNetworksOfExactlyThatNameAreMeantAndTheOldestIsFirst()
    {
        const string Networks = """
            [{"Id":"1","Name":"ingot-shop-web","Created":"2026-01-01T00:00:00Z"},{"Id":"2","Name":"ingot-shop","Created":"2026-01-03T00:00:00Z"},
             {"Id":"4","Name":"ingot-shop","Created":"2026-01-02T00:00:00Z"},{"Id":"3","Name":"ingot-shop","Created":"2026-01-02T00:00:00Z"}]
            """;
        using var peer = Peer(_ => (200, Networks));
        using var engine = new DockerEngine(peer.Path);

        Assert.Equal(["3", "4", "2"], (await engine.FindNetworksAsync("ingot-shop")).Select(network => network.Id));
    }

    [Fact]
    public async Task TheFramesOfALogAreTakenOff()
    {
        byte[] log = [1, 0, 0, 0, 0, 0, 0, 3, .. "out"u8, 2, 0, 0, 0, 0, 0, 0, 4, .. "err\n"u8];
        using var peer = new UnixServer(IsWhole,
            request => request.Contains("_ping", StringComparison.Ordinal) ? Answer(200, "OK"u8.ToArray()) : Answer(200, log));
        using var engine = new DockerEngine(peer.Path);

        Assert.Equal("outerr\n", await engine.LogsAsync("a", 10));
    }

    [Fact]
    public async Task AnEngineThatIsNotThereIsNamedWithItsSocketAndACure()
    {
        using var engine = new DockerEngine("/run/ingot-tests/none.sock");

        Assert.False(await engine.AnswersAsync());
        var e = await Assert.ThrowsAsync<ToolException>(() => engine.VersionAsync());
        Assert.Matches(
            "^asking for its API version failed: the Docker Engine at '/run/ingot-tests/none.sock' did not answer: .*; start it, "
                + "or run 'ingot doctor'$",
            e.Message);
    }

    [Theory]
    [InlineData(
        "20.10.24+dfsg1", "1.41", """[{"Name":"Engine","Version":"20.10.24+dfsg1"},{"Name":"containerd","Version":"1.6.20"}]""", false)]
    [InlineData("23.0.0", "1.42", """[{"Name":"Engine","Version":"23.0.0"}]""", true)]
    [InlineData("28.2.2", "1.50", """[{"Name":"Engine","Version":"28.2.2"}]""", true)]
    [InlineData("dev", "1.42", "null", true)]
    [InlineData("library-import", "2.0", "null", true)]
    [InlineData("4.3.1", "1.41", """[{"Name":"Podman Engine","Version":"4.3.1"},{"Name":"Conmon","Version":"2.1.6"}]""", true)]
    [InlineData("20.10.24", "1.41", "null", false)]
    [InlineData("20.10.24", "", "null", false)]
    [InlineData("20.10.24", "1", "null", false)]
    [InlineData("20.10.24", "1.x", "null", false)]
    [InlineData("20.10.24", "1.42.1", "null", false)]
    public async Task WhetherAnEnginePullsZstdIsKnownByItsApiNotByHowItsVersionIsWritten(
        string version, string api, string components, bool pulls)
    {
        using var peer = Peer(_ => (200, $$"""{"Version":"{{version}}","ApiVersion":"{{api}}","Components":{{components}}}"""));
        await using var target = new DockerTarget("/run/ingot-tests", "0123456789ab", TimeProvider.System, new DockerEngine(peer.Path));

        var description = await target.DescribeAsync();

        Assert.Equal($"Docker Engine {version}", description.Name);
        Assert.Equal(pulls ? ["none", "gzip", "zstd"] : ["none", "gzip"], description.Compressions);
    }

    // Of tests/vectors/docker-engine. The driver of the images' store decides nothing here: containerd's pulls what its Engine pulls.
    [Theory]
    [InlineData("20.10", "20.10", "v1.41", "none gzip", true)]
    [InlineData("26", "26", "v1.45", "none gzip zstd", true)]
    [InlineData("29.0", "29.0", "v1.47", "none gzip zstd", true)]
    [InlineData("29.10", "29.10", "v1.47", "none gzip zstd", true)]
    [InlineData("29.10", "29.10-insecure-registries", "v1.47", "none gzip zstd", false)]
    public async Task EnginesOfEveryAgeAreDescribed(string engine, string setUp, string spoken, string compressions, bool pullsFromThisHost)
    {
        string version = Vector($"{engine}-version.json");
        using var peer = Peer(request => (200, IsInfo(request) ? Vector($"{setUp}-info.json") : version), ApiOf(version));
        await using var target = new DockerTarget("/run/ingot-tests", "0123456789ab", TimeProvider.System, new DockerEngine(peer.Path));

        var description = await target.DescribeAsync();

        Assert.Equal(compressions, string.Join(' ', description.Compressions));
        Assert.Equal(pullsFromThisHost, description.PlainRegistries!.Has("127.0.0.1:7070"));
        Assert.Contains("insecure-registries", description.PlainRegistries.Cure, StringComparison.Ordinal);
        Assert.Contains($"GET /{spoken}/info", Lines(peer));
    }

    [Fact]
    public async Task ARegistryOfAnotherHostIsSpokenToPlainlyWhereItIsNamed()
    {
        string version = Vector("29.10-version.json");
        using var peer = Peer(request => (200, IsInfo(request) ? Vector("29.10-insecure-registries-info.json") : version), ApiOf(version));
        await using var target = new DockerTarget("/run/ingot-tests", "0123456789ab", TimeProvider.System, new DockerEngine(peer.Path));

        var registries = (await target.DescribeAsync()).PlainRegistries!;

        Assert.True(registries.Has("registry.internal:5000"));
        Assert.True(registries.Has("10.1.2.3:80"));
        Assert.False(registries.Has("registry.internal:5001"));
        Assert.False(registries.Has("[::1]:7070"));
    }

    // The containerd image store names an image by its manifest, the older one by its configuration: neither says which digest was pulled.
    [Theory]
    [InlineData("20.10-image.json")]
    [InlineData("29.0-image.json")]
    public async Task AnImageIsKnownByTheDigestItWasPulledByWhateverItsIdIs(string vector)
    {
        using var peer = Peer(_ => (200, Vector(vector)));
        using var engine = new DockerEngine(peer.Path);

        var image = await engine.FindImageAsync("a");

        Assert.True(InstancePromise.IsOf(image!, "sha256:" + string.Concat(Enumerable.Repeat("1f", 32))));
        Assert.False(InstancePromise.IsOf(image!, "sha256:" + string.Concat(Enumerable.Repeat("3d", 32))));
    }

    [Fact]
    public async Task AListSaidAgainWordForWordIsTheSameList()
    {
        string body = """[{"Id":"a","Names":["/n"],"Image":"i","State":"running","Labels":{}}]""";
        using var peer = Peer(_ => (200, body));
        using var engine = new DockerEngine(peer.Path);

        var first = await engine.ListAsync(["a=b"], known: null);
        Assert.Same(first, await engine.ListAsync(["a=b"], first));
        body = body.Replace("running", "exited", StringComparison.Ordinal);
        Assert.Equal("exited", Assert.Single((await engine.ListAsync(["a=b"], first)).Containers).State);
    }

    [Fact]
    public async Task ANetworkInUseStaysAndIsNoError()
    {
        using var peer = Peer(_ => (403, "{\"message\":\"network has active endpoints\"}"));
        using var engine = new DockerEngine(peer.Path);

        Assert.False(await engine.TryRemoveNetworkAsync("a"));
    }

    private static bool IsInfo(string request) => request.Contains("/info ", StringComparison.Ordinal);

    private static string Vector(string name) => File.ReadAllText(Repository.Vector("docker-engine", name));

    private static string ApiOf(string version) => JsonDocument.Parse(version).RootElement.GetProperty("ApiVersion").GetString()!;

    private static UnixServer Peer(Func<string, (int Status, string Body)> answer, string api = "1.41") => new(IsWhole, request =>
    {
        if (request.StartsWith("GET /_ping", StringComparison.Ordinal))
            return Answer(200, "OK"u8.ToArray(), api);
        var (status, body) = answer(request);
        return Answer(status, Encoding.UTF8.GetBytes(body));
    });

    private static string[] Lines(UnixServer peer) =>
        [.. peer.Requests.Select(request => request.Split("\r\n")[0].Replace(" HTTP/1.1", "", StringComparison.Ordinal))];

    private static bool IsWhole(string request)
    {
        int end = request.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
            return false;
        string? length = request[..end]
            .Split("\r\n")
            .FirstOrDefault(line => line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase));
        return length is null || request.Length - end - 4 >= int.Parse(length["Content-Length: ".Length..], CultureInfo.InvariantCulture);
    }

    private static byte[] Answer(int status, byte[] body, string api = "1.41") =>
        [
        .. Encoding.ASCII.GetBytes(
            $"HTTP/1.1 {status} X\r\nApi-Version: {api}\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n"),
        .. status == 304 ? [] : body,
    ];
}
