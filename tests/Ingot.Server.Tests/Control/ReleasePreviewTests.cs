using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Control;

/// <summary>What a release would do, what it joins, and when a rollback is done.</summary>
public sealed class ReleasePreviewTests
{
    [Fact]
    public async Task APreviewSaysWhatWouldBeMovedAndRecordsNothing()
    {
        await using var control = await ControlFixture.StartAsync("{ canary: [10%], observe: 10ms, keep: 1 }");
        await control.ServeAsync(await control.AdmittedAsync("first"));
        var next = await control.AdmittedAsync("next");
        long size = control.Ledger.Size;

        var preview = Preview(control, next);

        Assert.Equal(("started", 2), (preview.Outcome, preview.Generation));
        Assert.Contains("create 1 instance of generation 2", preview.Moves[0], StringComparison.Ordinal);
        Assert.Contains(preview.Moves, move => move.StartsWith("give 10 % of the traffic to generation 2", StringComparison.Ordinal));
        Assert.Equal((size, 1), (control.Ledger.Size, control.Loop.Steady!.Serving.Number));
    }

    [Fact]
    public async Task APreviewIsOfTheProjectAsItIsGiven()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("first");
        await control.ServeAsync(digest);
        Assert.Equal("unchanged", Preview(control, digest).Outcome);

        Assert.Equal("started",
            Preview(control, digest, yaml => yaml.Replace("port: 80\n", "port: 81\n", StringComparison.Ordinal)).Outcome);
        Assert.Equal("unchanged", Preview(control, digest).Outcome);
    }

    [Fact]
    public async Task APreviewOfWhatIsNotAdmittedSaysWhy()
    {
        await using var control = await ControlFixture.StartAsync();
        var preview = Preview(control, await control.PublishAsync("unknown"));
        Assert.Equal(("unknown", 0), (preview.Outcome, preview.Moves.Count));
        Assert.Equal("not admitted yet: 'ingot up' asks the gates first", preview.Reason);
    }

    [Fact]
    public async Task APreviewOfWhatItsStageHasOutgrownLeavesItToTheGates()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("first");
        await control.ApplyAsync(production: "gates: [tests-passed, no-secrets]");
        var preview = Preview(control, digest);
        Assert.Equal(("unknown", 0), (preview.Outcome, preview.Moves.Count));
        Assert.Contains("asks for no-secrets since it admitted", preview.Reason, StringComparison.Ordinal);
        Assert.EndsWith(": 'ingot up' asks the gates first", preview.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("revoked")]
    [InlineData("rejected")]
    [InlineData("quarantine")]
    public async Task WhatNoGateTakesBackIsRefusedAlsoBeforeItIsAdmitted(string word)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.PublishAsync("bad");
        if (word == "revoked")
            await control.AppendAsync(new LedgerEvent.Revoked("shop", "web", digest, "a hole"));
        else if (word == "rejected")
            await control.SayAsync(digest, "bob", approved: false);
        else
            await control.AppendAsync(new LedgerEvent.Quarantined("shop", "web", ControlFixture.Stage, digest, "it failed"));

        var preview = Preview(control, digest);

        Assert.Equal(("refused", 0), (preview.Outcome, preview.Moves.Count));
        Assert.Contains(word, preview.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ingot: 2")]
    [InlineData("not yaml: [")]
    [InlineData("")]
    public async Task APreviewOfWhatIsNoProjectIsInvalid(string yaml)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("first");
        Assert.Equal("invalid", Assert.Throws<ApiException>(() => Preview(control, digest, _ => yaml)).Code);
    }

    [Fact]
    public async Task TheSameReleaseAgainJoinsTheRolloutAndAnotherSaysWhatMakesWay()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var canary = await control.AdmittedAsync("canary");
        string rollout = await control.CanaryAsync(canary);

        var joined = await control.DeployAsync(canary);
        Assert.Equal(("started", rollout), (joined.Outcome, joined.Rollout));
        Assert.Contains($"rollout {rollout} of the same release, which ann began, is under way: this request joins it", joined.Reason,
            StringComparison.Ordinal);

        var other = await control.DeployAsync(await control.AdmittedAsync("other"));
        Assert.Contains($"rollout {rollout} of", other.Reason, StringComparison.Ordinal);
        Assert.Contains("makes way first", other.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ARollbackIsDoneForThePersonOnceTheProxyConfirmedItWhateverIsLeft(bool inRollout)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var next = await control.AdmittedAsync("next");
        if (inRollout)
            await control.CanaryAsync(next);
        else
            await control.ServeAsync(next);
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;

        string id = (await control.RollBackAsync()).Rollout!;

        await ControlFixture.UntilAsync(() => control.RolloutReply(id).TrafficBack, "the traffic is back");
        Assert.Equal((true, 0, false), (control.Target.WeightOf(1) > 0, control.Target.WeightOf(2), control.RolloutReply(id).Finished));
        await end.CancelAsync();
    }

    private static ReleasePreviewReply Preview(ControlFixture control, Digest digest, Func<string, string>? change = null)
    {
        string yaml = control.Ledger.Read(view => view.Project("shop"))!.Text;
        return control.Releases.Preview(new ReleasePreviewRequest(change?.Invoke(yaml) ?? yaml, "web", ControlFixture.Stage, digest));
    }
}
