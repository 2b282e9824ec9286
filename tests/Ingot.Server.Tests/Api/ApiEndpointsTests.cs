using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Ingot.Server.Tests.Access;

namespace Ingot.Server.Tests.Api;

public sealed class ApiEndpointsTests
{
    private static readonly string s_sha512 = "sha512:" + new string('a', 128);

    [Fact]
    public async Task ARequestThatIsNotWhatItShouldBeIsInvalidAndNoFailureOfTheServer()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        foreach (string path in new[] { "promotions", "approvals", "revocations", "tags/deletions", "releases", "rollbacks", "pauses",
            "stops", "keys", "keys/retirements", "tokens", "tokens/x/revocation" })
        {
            foreach (string body in new[] { "", "{", "null", "[]", "1", "{}",
                """{"project":null,"name":null,"key":null,"why":null,"repository":null}""" })
                await InvalidAsync(owner, path, body, "application/json");
            foreach (string? type in new[] { null, "text/plain", "x", "application/json; charset=utf-7", "application/json; charset=utf-16",
                "application/json; charset=none" })
                await InvalidAsync(owner, path, "{}", type);
        }

        await InvalidAsync(owner, "tokens", """{"name":"ann","roles":[null]}""", "application/json");
    }

    [Fact]
    public async Task DecisionsAreAboutSha256Digests()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        foreach (string path in new[] { "promotions", "approvals", "revocations", "releases" })
        {
            string body = JsonSerializer.Serialize(new
            {
                project = "p",
                image = "i",
                service = "s",
                stage = "s",
                digest = s_sha512,
                why = "w",
                reason = "w",
                approved = true,
            });
            Assert.Contains("is not a sha256 digest", await InvalidAsync(owner, path, body, "application/json; charset=utf-8"),
                StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ARequestHasALimitHoweverItIsSent(bool chunked)
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/stops")
        {
            Content = new StringContent(new string(' ', (1 << 20) + 1), Encoding.UTF8, "application/json"),
        };
        request.Headers.TransferEncodingChunked = chunked;
        using var answer = await owner.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Equal("invalid", (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString());
    }

    [Fact]
    public async Task AnAnswerDoesNotRepeatAllThatWasSent()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        foreach (string name in new[] { new string('A', 10_000), "\\u001b" + new string('A', 10_000) })
            Assert.InRange((await InvalidAsync(owner, "tokens", $$"""{"name":"{{name}}"}""", "application/json")).Length, 100, 500);
    }

    [Theory]
    [InlineData("releases", "wbe", "live", "the project 'shop' has no service 'wbe'; did you mean 'web'? services: api, web")]
    [InlineData("releases", "web", "prod", "the project 'shop' has no stage 'prod'; stages: test, live")]
    [InlineData("rollbacks", "", "live", "has no service ''; services: api, web")]
    [InlineData("stops", "wbe", null, "the project 'shop' never had a service 'wbe'; did you mean 'web'? services: ")]
    [InlineData("stops", "web", "liev", "the service 'web' never ran at 'liev'; did you mean 'live'? stages: live")]
    [InlineData("stops", null, "test", "nothing of the project 'shop' ran at 'test'; stages: live")]
    public async Task WhatIsNotThereIsAnsweredWithWhatIs(string path, string? service, string? stage, string expected)
    {
        const string Project = "ingot: 1\nproject: shop\nimages:\n  web: { dockerfile: Dockerfile, version: 1.0.0 }\nstages:\n  test: {}\n"
            + "  live: { target: docker }\n"
            + "services:\n  api: { image: web, port: 80, listen: 8080 }\n  web: { image: web, port: 80, listen: 8081 }\n";
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        using var applied = await owner.PutAsJsonAsync(new Uri("api/v1/projects/shop", UriKind.Relative), new { yaml = Project });
        Assert.Equal(HttpStatusCode.OK, applied.StatusCode);

        var body =
            new { project = "shop", image = "web", service, stage, digest = "sha256:" + new string('a', 64), why = "w", reason = "w" };
        using var answer = await owner.PostAsJsonAsync(new Uri("api/v1/" + path, UriKind.Relative), body);
        var error = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal((HttpStatusCode.NotFound, "not_found"), (answer.StatusCode, error.GetProperty("code").GetString()));
        Assert.Contains(expected, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("project=shop&service=web", HttpStatusCode.NotFound, "knows no project 'shop'")]
    [InlineData("service=web", HttpStatusCode.BadRequest, "'project' is missing")]
    [InlineData("project=shop", HttpStatusCode.NotFound, "knows no project 'shop'")]
    [InlineData("project=shop&service=web&tail=many", HttpStatusCode.BadRequest, "'tail' is 'many'")]
    [InlineData("project=shop&service=web&tail=-1", HttpStatusCode.BadRequest, "'tail' is '-1'")]
    [InlineData("project=shop&service=web&since=once", HttpStatusCode.BadRequest, "'since' is 'once'")]
    [InlineData("project=shop&service=web&stage=", HttpStatusCode.BadRequest, "'stage' is missing")]
    [InlineData("project=%1b%5b2J&service=web", HttpStatusCode.BadRequest, "invisible characters")]
    public async Task LogsOfWhatIsNotNamedRightAreRefused(string query, HttpStatusCode status, string expected)
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        using var answer = await owner.GetAsync(new Uri("api/v1/logs?" + query, UriKind.Relative));
        Assert.Equal(status, answer.StatusCode);
        Assert.Contains(expected, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhoeverWaitsForSomethingDoesNotHoldUpTheServersEnd()
    {
        var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        var waiting = owner.GetAsync(new Uri("api/v1/log?from=1000000&wait=20000", UriKind.Relative));
        await Task.Delay(500);
        Assert.False(waiting.IsCompleted);
        var clock = Stopwatch.StartNew();
        await server.DisposeAsync();
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(12));
        await waiting.ContinueWith(answer => answer.IsCompletedSuccessfully ? (int)answer.Result.StatusCode : 0, TaskScheduler.Default);
    }

    private static async Task<string> InvalidAsync(HttpClient http, string path, string body, string? type)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        if (type is not null)
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await http.PostAsync(new Uri("api/v1/" + path, UriKind.Relative), content);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.BadRequest, $"{path} {type} {body}: {(int)answer.StatusCode} {text}");
        var error = JsonSerializer.Deserialize<JsonElement>(text);
        Assert.Equal("invalid", error.GetProperty("code").GetString());
        string message = error.GetProperty("message").GetString()!;
        Assert.DoesNotContain("Ingot.Server", message, StringComparison.Ordinal);
        return message;
    }
}
