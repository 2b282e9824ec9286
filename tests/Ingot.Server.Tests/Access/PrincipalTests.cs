using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Access;

namespace Ingot.Server.Tests.Access;

public sealed class PrincipalTests
{
    private const string Project = """
        ingot: 1
        project: shop
        images:
          web: { version: VERSION, dockerfile: Dockerfile, claims: [no-shell] }
        stages:
          staging: { gates: [] }
          production: { gates: [], approvals: { count: 2, from: [ann, bob] } }
        """;

    [Theory]
    [InlineData("ann", true)]
    [InlineData("ci-build.7_x", true)]
    [InlineData("", false)]
    [InlineData("Ann", false)]
    [InlineData("7of9", false)]
    [InlineData("ann ", false)]
    [InlineData("ann-", false)]
    [InlineData("ann\nroot", false)]
    [InlineData("ann\u001b[2K", false)]
    [InlineData("аnn", false)]
    [InlineData("../ann", false)]
    [InlineData("ann/../root", false)]
    [InlineData("ann:x", false)]
    [InlineData("root", false)]
    [InlineData("ingot", false)]
    [InlineData("anonymous", false)]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false)]
    public void NamesAreOnesThatCannotBeTakenForOthers(string name, bool allowed) => Assert.Equal(allowed, Principal.IsName(name));

    [Theory]
    [InlineData("root", "root")]
    [InlineData("Ann", "ann")]
    [InlineData("DOMAIN\\ann", "domain-ann")]
    [InlineData("1000", "user-1000")]
    public void TheHostsUserHasANameToo(string user, string name) => Assert.Equal(name, Principal.NameOf(user));

    [Fact]
    public async Task AWordIsByTheTokensNameWhateverTheCallerSays()
    {
        await using var server = await RunningServer.StartAsync();
        using var ann = await PreparedAsync(server);
        ann.DefaultRequestHeaders.TryAddWithoutValidation("X-Ingot-User", "bob");

        await ApproveAsync(ann, "bob");
        Assert.Equal("ann", (await server.LogAsync()).Last(e => e.Kind == "approved").Actor);
        Assert.DoesNotContain(await server.LogAsync(), e => e.Actor == "bob");
    }

    [Fact]
    public async Task OneTokenIsOnePerson()
    {
        await using var server = await RunningServer.StartAsync();
        using var ann = await PreparedAsync(server);
        await ApproveAsync(ann, "ann");
        var again = await ApproveAsync(ann, "bob");
        Assert.Contains(Gates(again), g => g.GetProperty("verdict").GetString() != "pass");

        using var bob = server.Client(RunningServer.Bearer(await server.TokenAsync("bob", "approver")));
        Assert.All(Gates(await ApproveAsync(bob, "bob")), g => Assert.Equal("pass", g.GetProperty("verdict").GetString()));
    }

    [Fact]
    public async Task WhoIsNotOnTheListDoesNotApprove()
    {
        await using var server = await RunningServer.StartAsync();
        using var ann = await PreparedAsync(server);
        using var eve = server.Client(RunningServer.Bearer(await server.TokenAsync("eve", "approver")));
        using var refused = await eve.PostAsJsonAsync("api/v1/approvals", Word("ann"));
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Contains("token of 'eve'", (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhoPublishesRaisesVersionsAndChangesNoRules()
    {
        await using var server = await RunningServer.StartAsync();
        using var ann = await PreparedAsync(server);
        using var ci = server.Client(RunningServer.Bearer(await server.TokenAsync("ci", "publisher", "releaser")));
        Assert.Equal(HttpStatusCode.OK, await ApplyAsync(ci, "shop", Project.Replace("VERSION", "1.1.0", StringComparison.Ordinal)));
        foreach (var (from, to) in new[] { ("[ann, bob]", "[ci, bob]"), ("count: 2", "count: 1"),
            (", approvals: { count: 2, from: [ann, bob] }", ""), ("staging: { gates: [] }", "staging: { gates: [], soak: 1h }"),
            ("production:", "later:"), ("[no-shell]", "[non-root]"), ("  web: {", "  other: { dockerfile: Dockerfile }\n  web: {") })
            Assert.Equal(HttpStatusCode.Forbidden, await ApplyAsync(ci, "shop",
                Project.Replace("VERSION", "1.2.0", StringComparison.Ordinal).Replace(from, to, StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Forbidden, await ApplyAsync(ci, "other",
            Project.Replace("project: shop", "project: other", StringComparison.Ordinal).Replace("VERSION", "1.0.0",
                StringComparison.Ordinal)));
    }

    private static JsonElement.ArrayEnumerator Gates(JsonElement decision) => decision.GetProperty("gates").EnumerateArray();

    private static async Task<HttpStatusCode> ApplyAsync(HttpClient http, string name, string yaml)
    {
        using var answer = await http.PutAsJsonAsync($"api/v1/projects/{name}", new { yaml, by = "root" });
        return answer.StatusCode;
    }

    /// <summary>The project applied, an image of it admitted to staging, and the client of an approver.</summary>
    private static async Task<HttpClient> PreparedAsync(RunningServer server)
    {
        using var owner = server.Client(RunningServer.Bearer(server.OwnToken));
        Assert.Equal(HttpStatusCode.OK, await ApplyAsync(owner, "shop", Project.Replace("VERSION", "1.0.0", StringComparison.Ordinal)));
        using var pushed = await RunningServer.PushAsync(owner, "shop/web", "1.0.0");
        Assert.Equal(HttpStatusCode.Created, pushed.StatusCode);
        using var admitted = await owner.PostAsJsonAsync("api/v1/promotions",
            new { project = "shop", image = "web", stage = "staging", digest = await DigestAsync(owner) });
        Assert.Equal(HttpStatusCode.OK, admitted.StatusCode);
        return server.Client(RunningServer.Bearer(await server.TokenAsync("ann", "approver")));
    }

    /// <summary>Of the image that is always pushed here: the bytes are the same.</summary>
    private const string ImageDigest = "sha256:09ade42fe3e69018a3360bb092265af902f9e7d6013146cf152c82ac3a944707";

    private static async Task<string> DigestAsync(HttpClient http) =>
        (await http.GetFromJsonAsync<JsonElement>("api/v1/resolve?project=shop&image=web&tag=1.0.0")).GetProperty("digest").GetString()!;

    private static object Word(string by) =>
        new { project = "shop", image = "web", stage = "production", digest = ImageDigest, by, why = "looked at it", approved = true };

    private static async Task<JsonElement> ApproveAsync(HttpClient http, string by)
    {
        using var answer = await http.PostAsJsonAsync("api/v1/approvals", Word(by));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }
}
