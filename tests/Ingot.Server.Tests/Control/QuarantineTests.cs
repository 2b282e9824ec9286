using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Control;

/// <summary>What failed stays away with the settings it failed with, and goes out with others.</summary>
public sealed class QuarantineTests
{
    [Fact]
    public async Task ADigestThatFailedWithWrongSettingsGoesOutWithMendedOnesAndNoOverride()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await control.AdmittedAsync("image");
        await control.ConfigureAsync("{ LISTEN: '99999' }");
        control.Target.Sick.Add(2);
        await FailsAsync(control, digest);

        var again = await control.DeployAsync(digest);
        Assert.Equal("refused", again.Outcome);
        Assert.Contains("with these settings", again.Reason, StringComparison.Ordinal);
        Assert.Contains("fix what is wrong with the settings of service 'web'", again.Reason, StringComparison.Ordinal);

        await control.ConfigureAsync("{ LISTEN: '80' }");
        await control.ServeAsync(digest);
    }

    [Fact]
    public async Task ABadDigestStaysAwayWithTheSettingsItFailedWithAlsoAfterAnotherServed()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await control.AdmittedAsync("bad");
        control.Target.Sick.Add(2);
        await FailsAsync(control, digest);
        await control.ServeAsync(await control.AdmittedAsync("after"));

        Assert.Equal("refused", (await control.DeployAsync(digest)).Outcome);
        Assert.Equal("started", (await control.DeployAsync(digest, allTheSame: true)).Outcome);
        Assert.Null(control.Ledger.Read(view => view.Quarantine("shop", "web", ControlFixture.Stage, digest)));
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    [Theory]
    [InlineData("replicas: { production: 2 }", "refused")]
    [InlineData("limits: { memory: 512Mi }", "started")]
    [InlineData("writable: { /tmp: 1Mi }", "started")]
    public async Task OnlySettingsThatDecideWhetherAnInstanceIsWellMakeItAnother(string setting, string outcome)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await control.AdmittedAsync("bad");
        control.Target.Sick.Add(2);
        await FailsAsync(control, digest);

        await control.ConfigureAsync("{}\n    " + setting);

        Assert.Equal(outcome, (await control.DeployAsync(digest)).Outcome);
    }

    [Fact]
    public async Task AQuarantineOfAnEarlierVersionIsOfTheDigestWhateverTheSettings()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("bad");
        await control.AppendAsync(new LedgerEvent.Quarantined("shop", "web", ControlFixture.Stage, digest, "it failed"));
        await control.ConfigureAsync("{ LEVEL: debug }");
        var refused = await control.DeployAsync(digest);
        Assert.Equal("refused", refused.Outcome);
        Assert.DoesNotContain("settings", refused.Reason, StringComparison.Ordinal);

        Assert.Equal("started", (await control.DeployAsync(digest, allTheSame: true)).Outcome);
        Assert.Empty(control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage)));
    }

    [Fact]
    public async Task AnOverrideLiftsTheQuarantineOfTheseSettingsOnly()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("bad");
        var other = Digest.Of([1]);
        await control.AppendAsync(new LedgerEvent.Quarantined("shop", "web", ControlFixture.Stage, digest, "it failed", other));
        await control.AppendAsync(new LedgerEvent.Quarantined("shop", "web", ControlFixture.Stage, digest,
            "it failed, before settings were recorded"));

        Assert.Equal("started", (await control.DeployAsync(digest, allTheSame: true)).Outcome);

        Assert.Equal(other, Assert.Single(control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage))).Settings);
    }

    private static async Task FailsAsync(ControlFixture control, Digest digest)
    {
        string rollout = (await control.DeployAsync(digest)).Rollout!;
        await ControlFixture.UntilAsync(() => control.Ledger.Read(view => view.Rollout(rollout))!.Outcome == "RolledBack", "it went back");
        Assert.True(control.RolloutReply(rollout).Quarantined);
    }
}
