using System.Diagnostics;
using System.Text.Json;
using Ingot.Tools;

namespace Ingot.SystemTests.Shop;

/// <summary>The whole way, with real parts: a Dockerfile becomes a proven, promoted, running service.</summary>
public sealed class ShopTests(ShopFixture shop) : IClassFixture<ShopFixture>
{
    [Fact]
    public async Task UpReachesProductionByItselfAndASecondUpDoesNothing()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        Assert.True(shop.FirstUp.ExitCode == 0, shop.FirstUp.ToString());
        string before = (await shop.Ingot.ExpectAsync(0, "log", "show")).Output;
        var again = await shop.Ingot.ExpectAsync(0, "up", shop.Project);
        string after = (await shop.Ingot.ExpectAsync(0, "log", "show")).Output;
        Assert.Equal(before, after);
        Assert.Contains("nothing to do", again.Output, StringComparison.Ordinal);

        var status = await shop.StatusAsync("production");
        Assert.Equal(100, status.GetProperty("share").GetInt32());
        Assert.Equal(3, status.GetProperty("instances").EnumerateArray().Count(i => i.GetProperty("health").GetString() == "healthy"
            && i.GetProperty("generation").GetInt32() == status.GetProperty("generation").GetInt32()));
        await VerifyAsync();
    }

    [Fact]
    public async Task ACanaryUnderLoadLosesNoRequest()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string version = shop.NextVersion();
        await using var load = Load.Start(shop.Production, rate: 200);
        var up = await shop.Ingot.ExpectAsync(0, "up", shop.Project);
        await Task.Delay(1000);
        var seen = await load.StopAsync();
        Assert.True(seen.Failed == 0, $"{seen}\n{up}");
        Assert.True(seen.Requests > 1000, seen.ToString());
        Assert.True(seen.Versions.Count == 2, seen.ToString());
        Assert.Equal(version, await ShopFixture.VersionAsync(shop.Production));
        await VerifyAsync();
    }

    [Fact]
    public async Task WhatTheEngineCannotPullIsRefusedBeforeItIsBuilt()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        using var engine = new DockerEngine();
        var version = await engine.VersionAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(version.PullsZstandard, $"needs a Docker Engine before 23, and this is {version.Version}");
        string before = await ShopFixture.VersionAsync(shop.Production);
        string text = await File.ReadAllTextAsync(Path.Combine(shop.Project, "ingot.yaml"));
        shop.Edit("ingot.yaml", yaml => yaml.Replace("compression: gzip", "compression: zstd", StringComparison.Ordinal));
        try
        {
            var refused = await shop.Ingot.ExpectAsync(2, "up", shop.Project);
            Assert.Contains($"ingot.yaml:3:14: error: images/web: Docker Engine {version.Version}, where 'staging' and 'production' would "
                + "run image 'web', cannot pull layers compressed with zstd", refused.Error, StringComparison.Ordinal);
            Assert.Contains("write 'compression: gzip' at images/web, or use Docker Engine 23 or later", refused.Error,
                StringComparison.Ordinal);
            Assert.DoesNotContain("build    ", refused.Error, StringComparison.Ordinal);
            Assert.Equal(before, await ShopFixture.VersionAsync(shop.Production));
        }
        finally
        {
            shop.Edit("ingot.yaml", _ => text);
        }
    }

    [Fact]
    public async Task ABrokenVersionGoesBackByItselfAndIsQuarantined()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string good = await ShopFixture.VersionAsync(shop.Production);
        // Every fifth request: the tests of the image do not notice, the rollout does.
        shop.NextVersion(failPercent: 20);
        var up = await shop.Ingot.ExpectAsync(5, "up", shop.Project);
        Assert.True((up.Output + up.Error).Contains("quarantined", StringComparison.Ordinal), up.ToString());
        Assert.Equal(good, await ShopFixture.VersionAsync(shop.Production));

        var again = await shop.Ingot.ExpectAsync(1, "up", shop.Project);
        Assert.Contains("quarantine", again.Output + again.Error, StringComparison.Ordinal);
        shop.NextVersion();
        await shop.Ingot.ExpectAsync(0, "up", shop.Project);
        await VerifyAsync();
    }

    [Fact]
    public async Task RollbackByHandReturnsTheTrafficAtOnce()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string before = await ShopFixture.VersionAsync(shop.Production);
        shop.NextVersion();
        await shop.Ingot.ExpectAsync(0, "up", shop.Project);
        await using var load = Load.Start(shop.Production, rate: 100);
        var clock = Stopwatch.StartNew();
        await shop.Ingot.ExpectAsync(0, "-C", shop.Project, "rollback", "web", "--stage", "production", "--why", "a test");
        Assert.Equal(before, await ShopFixture.VersionAsync(shop.Production));
        var seen = await load.StopAsync();
        Assert.True(seen.Failed == 0, seen.ToString());
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"the rollback took {clock.Elapsed}");
        shop.NextVersion();
        await shop.Ingot.ExpectAsync(0, "up", shop.Project);
        await VerifyAsync();
    }

    [Fact]
    public async Task AServerKilledInTheMiddleOfARolloutDropsNothingAndFinishesIt()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string version = shop.NextVersion();
        await using var load = Load.Start(shop.Production, rate: 100);
        long from = await shop.LedgerSizeAsync();
        var up = Task.Run(() => shop.Ingot.RunAsync("up", shop.Project));
        foreach (var (what, isThere) in s_points)
        {
            from = await shop.UntilRecordedAsync(from, what, isThere, up);
            await shop.KillServerAsync();
            await shop.StartServerAsync();
        }

        var ended = await up;
        Assert.True(ended.ExitCode == 0, ended.ToString());
        Assert.Equal(version, await ShopFixture.VersionAsync(shop.Production));
        var seen = await load.StopAsync();
        Assert.True(seen.Failed == 0, seen.ToString());
        await VerifyAsync();
    }

    [Fact]
    public async Task AnApprovalIsAskedForRecordedAndShown()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string version = shop.NextVersion();
        shop.Edit("ingot.yaml", text => text.Replace("gates: [claims-hold], target: docker }",
            "gates: [claims-hold], target: docker, approvals: { count: 1 } }", StringComparison.Ordinal));
        try
        {
            var refused = await shop.Ingot.ExpectAsync(4, "up", shop.Project);
            Assert.Contains("ingot approve", refused.Output + refused.Error, StringComparison.Ordinal);
            await shop.Ingot.ExpectAsync(4, "-C", shop.Project, "explain", $"web:{version}", "--stage", "production");
            await shop.Ingot.ExpectAsync(0, "-C", shop.Project, "approve", $"web:{version}", "--stage", "production", "--why",
                "looked at staging");
            await shop.Ingot.ExpectAsync(0, "up", shop.Project);
            var explained = await shop.Ingot.ExpectAsync(0, "-C", shop.Project, "explain", $"web:{version}", "--stage", "production",
                "--output", "json");
            using var document = JsonDocument.Parse(explained.Output);
            Assert.Equal("admitted", document.RootElement.GetProperty("decision").GetString());
            Assert.Contains("looked at staging", (await shop.Ingot.ExpectAsync(0, "log", "show")).Output, StringComparison.Ordinal);
        }
        finally
        {
            shop.Edit("ingot.yaml", text => text.Replace(", approvals: { count: 1 } }", " }", StringComparison.Ordinal));
        }

        // The server gets the project back too: other tests count what an 'up' changes.
        await shop.Ingot.ExpectAsync(0, "up", shop.Project);
    }

    [Fact]
    public async Task ABrokenIngotYamlNamesEveryErrorWithLineAndColumn()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string saved = File.ReadAllText(Path.Combine(shop.Project, "ingot.yaml"));
        try
        {
            shop.Edit("ingot.yaml", text => text.Replace("replicas:", "replicsa:", StringComparison.Ordinal).Replace("no-secrets",
                "no-secrts", StringComparison.Ordinal));
            var ended = await shop.Ingot.ExpectAsync(2, "up", shop.Project);
            Assert.Matches(@"ingot\.yaml:\d+:\d+: error: .*replicsa", ended.Error);
            Assert.Contains("did you mean 'replicas'?", ended.Error, StringComparison.Ordinal);
            Assert.Contains("did you mean 'no-secrets'?", ended.Error, StringComparison.Ordinal);
        }
        finally
        {
            File.WriteAllText(Path.Combine(shop.Project, "ingot.yaml"), saved);
        }
    }

    [Fact]
    public async Task AFailingRunShowsItsLastOutputAndLeavesNoImage()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        string saved = File.ReadAllText(Path.Combine(shop.Project, "web", "Dockerfile"));
        string before = (await shop.Ingot.ExpectAsync(0, "images", "--output", "json")).Output;
        try
        {
            shop.Edit("web/Dockerfile",
                text => text.Replace("FROM scratch", "RUN echo the last words && exit 7\n\nFROM scratch", StringComparison.Ordinal).Replace(
                    "COPY --from=build /out /",
                    "COPY --from=build /out /\nCOPY --from=build /etc/hostname /hostname",
                    StringComparison.Ordinal));
            var ended = await shop.Ingot.ExpectAsync(1, "up", shop.Project);
            Assert.Contains("the last words", ended.Output + ended.Error, StringComparison.Ordinal);
            Assert.Contains("RUN echo the last words && exit 7", ended.Output + ended.Error, StringComparison.Ordinal);
            Assert.Equal(before, (await shop.Ingot.ExpectAsync(0, "images", "--output", "json")).Output);
        }
        finally
        {
            File.WriteAllText(Path.Combine(shop.Project, "web", "Dockerfile"), saved);
        }
    }

    [Fact]
    public async Task OneChangedByteInTheLedgerIsNamed()
    {
        Assert.SkipWhen(ShopFixture.Missing is not null, ShopFixture.Missing ?? "");
        await shop.StopServerAsync();
        string database = Path.Combine(shop.Ingot.Home, "ledger.db");
        string head = Path.Combine(shop.Ingot.Home, "keys", "log.head");
        byte[] whole = await File.ReadAllBytesAsync(database);
        byte[] remembered = await File.ReadAllBytesAsync(head);
        try
        {
            Assert.True(await DamageAsync(database, whole, "admitted"), "the ledger holds no decision");
            await shop.StartServerAsync();
            var ended = await shop.Ingot.ExpectAsync(1, "log", "verify");
            Assert.Matches(@"entry \d+: ", ended.Output);
            await shop.StopServerAsync();
        }
        finally
        {
            await shop.StopServerAsync();
            await File.WriteAllBytesAsync(database, whole);
            // The server above went on, and a home refuses a ledger that is shorter than the one it remembers.
            await File.WriteAllBytesAsync(head, remembered);
            await shop.StartServerAsync();
        }

        await VerifyAsync();
    }

    // Changes a byte of a text in a row: where a page was split, a copy that is no row any more may come before it in the file.
    private async Task<bool> DamageAsync(string database, byte[] whole, string text)
    {
        byte[] sought = System.Text.Encoding.ASCII.GetBytes(text);
        // Without a server storage is read by itself.
        var alone = new IngotProgram(shop.Ingot.Home, server: null);
        for (int at = whole.AsSpan().IndexOf(sought); at >= 0; at = Next(at))
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 0x20;
            await File.WriteAllBytesAsync(database, damaged);
            if ((await alone.RunAsync("log", "verify")).ExitCode == 1)
                return true;
        }

        return false;

        int Next(int at) => whole.AsSpan(at + 1).IndexOf(sought) is >= 0 and var further ? at + 1 + further : -1;
    }

    // In production: an instance is about to be made, the canary has its first share, all of the traffic has moved.
    private static readonly (string What, Func<JsonElement, bool> IsThere)[] s_points =
    [
        ("an instance is to be made", entry => Is(entry, "rollout-intent") && Says(entry, "move", "CreateInstance")),
        ("the canary has its share",
            entry => Is(entry, "rollout-acknowledged") && Says(entry, "key", "shares ") && Says(entry, "outcome", "done")),
        ("the release is watched", entry => Is(entry, "rollout-state-changed") && Says(entry, "state", "Soaking")),
    ];

    private static bool Is(JsonElement entry, string kind) => entry.GetProperty("kind").GetString() == kind
        && entry.GetProperty("body").GetProperty("rollout").GetString()!.Contains(".production-", StringComparison.Ordinal);

    private static bool Says(JsonElement entry, string member, string beginning) =>
        entry.GetProperty("body").GetProperty(member).GetString()!.StartsWith(beginning, StringComparison.Ordinal);

    private async Task VerifyAsync() => await shop.Ingot.ExpectAsync(0, "log", "verify");
}
