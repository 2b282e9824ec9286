using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Ingot.Server.Api;
using Ingot.Server.Tests.Access;
using Ingot.Transparency;

namespace Ingot.Server.Tests.Api;

public sealed class LogEndpointsTests
{
    private const string Large = "ingot: 1\nproject: shop\n# ";

    [Fact]
    public async Task TheTailIsTheNewestEntriesOldestFirst()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        for (int i = 0; i < 7; i++)
            await ApplyAsync(owner, $"ingot: 1\nproject: shop\n# {i}\n");

        var all = await LogAsync(owner, "from=0&count=1000");
        var tail = await LogAsync(owner, "tail=3");
        Assert.Equal(all.Entries.TakeLast(3).Select(e => e.Entry), tail.Entries.Select(e => e.Entry));
        Assert.Equal(all.Size, tail.Size);
        Assert.Equal(all.Entries.Count, (await LogAsync(owner, "tail=1000000")).Entries.Count);
        Assert.Single((await LogAsync(owner, "tail=-5")).Entries);
    }

    [Fact]
    public async Task WhoFollowsIsToldWhatComesAndNotKeptForEver()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        long size = (await LogAsync(owner, "tail=1")).Size;
        Assert.Empty((await LogAsync(owner, $"from={size}&wait=100")).Entries);

        var waiting = LogAsync(owner, $"from={size}&wait=20000");
        await ApplyAsync(owner, "ingot: 1\nproject: shop\n");
        Assert.Equal(size, (await waiting.WaitAsync(TimeSpan.FromSeconds(10))).Entries[0].Entry);
    }

    [Fact]
    public async Task ADocumentIsServedToWhoMayReadEntriesAndToNobodyElse()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        string yaml = Large + new string('x', 100_000) + "\n";
        await ApplyAsync(owner, yaml);
        var applied = (await LogAsync(owner, "tail=1")).Entries[0].Body.GetProperty("text_document");
        string path = $"api/v1/log/documents/{applied.GetProperty("document").GetString()}";

        using var answer = await owner.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal(yaml, await answer.Content.ReadAsStringAsync());
        Assert.Equal("application/octet-stream", answer.Content.Headers.ContentType!.ToString());
        using var stranger = server.Client(null);
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync(new Uri(path, UriKind.Relative))).StatusCode);
        foreach (string missing in new[] { "sha256:" + new string('0', 64), "x", "..%2f..%2fledger.db" })
            Assert.Equal(HttpStatusCode.NotFound,
                (await owner.GetAsync(new Uri($"api/v1/log/documents/{missing}", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task AMonitorWithATokenComputesTheRootFromTiles()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        await ApplyAsync(owner, "ingot: 1\nproject: shop\n");
        string note = await owner.GetStringAsync(new Uri("api/v1/log/checkpoint", UriKind.Relative));
        string[] lines = note.Split('\n');
        int size = int.Parse(lines[1], CultureInfo.InvariantCulture);
        string path = $"api/v1/log/{new Tile(Tile.Entries, 0, size).Path}";

        var tree = CompactTree.Empty;
        foreach (var entry in Tile.ReadEntries(await owner.GetByteArrayAsync(new Uri(path, UriKind.Relative))))
            tree = tree.Append(MerkleTree.HashLeaf(entry));

        Assert.Equal(lines[2], tree.Root.ToString());
        using var stranger = server.Client(null);
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync(new Uri(path, UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task ALedgerIsVerifiedAgainstCheckpointsThatWereKept()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        var kept = new List<string>();
        for (int i = 0; i < 3; i++)
        {
            kept.Add(await owner.GetStringAsync(new Uri("api/v1/log/checkpoint", UriKind.Relative)));
            await ApplyAsync(owner, $"ingot: 1\nproject: shop\n# {i}\n");
        }

        var good = await owner.PostAsJsonAsync(new Uri("api/v1/log/verify", UriKind.Relative), new VerifyRequest(kept),
            ApiJson.Default.VerifyRequest);
        Assert.True((await good.Content.ReadFromJsonAsync(ApiJson.Default.VerifyReply))!.Ok);
        foreach (string forged in new[] { "", "nothing", kept[0].Replace("\n", "\n\n", StringComparison.Ordinal),
            kept[0].Replace("ingot.local", "other.local", StringComparison.Ordinal) })
        {
            var bad = await owner.PostAsJsonAsync(new Uri("api/v1/log/verify", UriKind.Relative), new VerifyRequest([kept[1], forged]),
                ApiJson.Default.VerifyRequest);
            Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
            Assert.Contains("number 2 of ", await bad.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AConfigurationThatRecordsHaveNoRoomForIsRefusedAtTheDoor()
    {
        await using var server = await RunningServer.StartAsync();
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        string Yaml(int size) => $$"""
            ingot: 1
            project: shop
            images:
              web: { dockerfile: Dockerfile, version: 1.0.0 }
            services:
              web:
                image: web
                port: 80
                listen: { test: 8080 }
                config: { TEXT: "{{new string('x', size)}}" }
            stages:
              test: { target: docker }
            """;
        using var refused = await PutAsync(owner, Yaml(140_000));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("the configuration of the service", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var taken = await PutAsync(owner, Yaml(120_000));
        Assert.True(taken.IsSuccessStatusCode, await taken.Content.ReadAsStringAsync());
    }

    private static async Task<LogReply> LogAsync(HttpClient http, string query) =>
        (await http.GetFromJsonAsync(new Uri($"api/v1/log?all=true&{query}", UriKind.Relative), ApiJson.Default.LogReply))!;

    private static async Task ApplyAsync(HttpClient http, string yaml)
    {
        using var answer = await PutAsync(http, yaml);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static Task<HttpResponseMessage> PutAsync(HttpClient http, string yaml) =>
        http.PutAsync(new Uri("api/v1/projects/shop", UriKind.Relative),
            JsonContent.Create(new ProjectRequest(yaml), ApiJson.Default.ProjectRequest));
}
