using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Tools;

namespace Ingot.Server.Tests.Control;

/// <summary>No word changes nothing: it has its effect, or says why it has none.</summary>
public sealed class WordTests
{
    [Fact]
    public async Task ARollbackTakesTheReleaseThatWaitsWithIt()
    {
        await using var control = await ServingAsync();
        await control.CanaryAsync(await control.AdmittedAsync("canary"));
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;
        var waiting = await control.DeployAsync(await control.AdmittedAsync("waits"));
        Assert.Equal("started", waiting.Outcome);

        var reply = await control.RollBackAsync();

        Assert.Equal(("started", 1), (reply.Outcome, reply.Generation));
        Assert.Contains("what was waiting to be released is not", reply.Reason, StringComparison.Ordinal);
        await end.CancelAsync();
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it ended");
        var rollout = control.Ledger.Read(view => view.Rollout(waiting.Rollout!))!;
        Assert.Equal("RolledBack", rollout.Outcome);
        Assert.Contains("rolled the service back", rollout.OutcomeReason, StringComparison.Ordinal);
        Assert.Equal((1, 0), (control.Loop.Steady!.Serving.Number, control.Target.RunningOf(3)));
        Assert.Equal(0, control.Target.WeightOf(3));
    }

    [Fact]
    public async Task ANewerReleaseTakesTheOneThatWaitsWithIt()
    {
        await using var control = await ServingAsync();
        await control.CanaryAsync(await control.AdmittedAsync("canary"));
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;
        var older = await control.DeployAsync(await control.AdmittedAsync("older"));
        await control.ApplyAsync();
        var newer = await control.AdmittedAsync("newer");
        await control.DeployAsync(newer);
        await end.CancelAsync();
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady!.Serving.Digest == newer,
            "the newer one serves");
        Assert.Contains("superseded", control.Ledger.Read(view => view.Rollout(older.Rollout!))!.OutcomeReason, StringComparison.Ordinal);
        Assert.DoesNotContain(control.Target.Carried, move => move is Move.CreateInstance { Generation: 3 });
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    [Fact]
    public async Task PressedTwiceARollbackGoesBackOnceAndQuarantinesOneDigest()
    {
        await using var control = await ServingAsync();
        var first = control.Loop.Steady!.Serving.Digest;
        var second = await control.AdmittedAsync("second");
        await control.ServeAsync(second);
        var third = await control.AdmittedAsync("third");
        await control.ServeAsync(third);

        Assert.Equal(("started", 2), Told(await control.RollBackAsync()));
        var twice = await control.RollBackAsync();
        Assert.Equal(("unchanged", 2), Told(twice));
        Assert.False(string.IsNullOrEmpty(twice.Reason));
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady!.Serving.Digest == second, "it is back");
        Assert.Equal(("unchanged", 2), Told(await control.RollBackAsync()));

        var quarantined = control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage));
        Assert.Equal([third], quarantined.Select(q => q.Digest));
        Assert.NotEqual(first, control.Loop.Steady!.Serving.Digest);
    }

    [Fact]
    public async Task PressedTwiceInARolloutItTurnsBackOnce()
    {
        await using var control = await ServingAsync();
        string id = await control.CanaryAsync(await control.AdmittedAsync("canary"));
        Assert.Equal("started", (await control.RollBackAsync()).Outcome);
        var twice = await control.RollBackAsync();
        Assert.Equal("unchanged", twice.Outcome);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it is back");
        Assert.Equal("RolledBack", control.Ledger.Read(view => view.Rollout(id))!.Outcome);
        Assert.True(control.RolloutReply(id).Quarantined);
        Assert.Single(control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage)));
        Assert.Equal(1, control.Loop.Steady!.Serving.Number);
    }

    [Fact]
    public async Task ARollbackWhileTheOldIsClearedAwayGoesBack()
    {
        await using var control = await ControlFixture.StartAsync("{ observe: 10ms, keep: 1 }");
        foreach (string version in (string[])["first", "second"])
            await control.ServeAsync(await control.AdmittedAsync(version));
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.RemoveInstance or Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;
        var third = await control.DeployAsync(await control.AdmittedAsync("third"));
        await ControlFixture.UntilAsync(() => control.Loop.Rollout?.State.Phase == RolloutPhase.Retiring,
            "the first is being cleared away");

        var reply = await control.RollBackAsync();

        Assert.Equal(("started", 2), Told(reply));
        await ControlFixture.UntilAsync(() => control.Target.WeightOf(2) > 0 && control.Target.WeightOf(3) == 0,
            "the second has the traffic");
        await end.CancelAsync();
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady!.Serving.Number == 2, "it serves");
        Assert.Equal("Done", control.Ledger.Read(view => view.Rollout(third.Rollout!))!.Outcome);
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ADeployWhileTheOldIsClearedAwayGoesOutAlsoAfterAKill(bool kill)
    {
        await using var control = await ControlFixture.StartAsync("{ observe: 10ms, keep: 1 }");
        foreach (string version in (string[])["first", "second"])
            await control.ServeAsync(await control.AdmittedAsync(version));
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.RemoveInstance or Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;
        var third = await control.DeployAsync(await control.AdmittedAsync("third"));
        await ControlFixture.UntilAsync(() => control.Loop.Rollout?.State.Phase == RolloutPhase.Retiring,
            "the first is being cleared away");

        Assert.Equal(("started", 4), Told(await control.DeployAsync(await control.AdmittedAsync("fourth"))));
        if (kill)
            control.Kill();

        await ControlFixture.UntilAsync(() => control.Target.WeightOf(4) > 0, "the fourth has traffic");
        await end.CancelAsync();
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady!.Serving.Number == 4, "it serves");
        Assert.Equal("Done", control.Ledger.Read(view => view.Rollout(third.Rollout!))!.Outcome);
        await ControlFixture.UntilAsync(() => control.Target.RunningOf(1) == 0, "the first is gone");
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    [Theory]
    [InlineData(Word.Revoked)]
    [InlineData(Word.Rejected)]
    public async Task AReleaseThatWaitsAndWasTakenBackDoesNotGoOut(Word word)
    {
        await using var control = await ServingAsync();
        await control.CanaryAsync(await control.AdmittedAsync("canary"));
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;
        var digest = await control.AdmittedAsync("waits");
        var waiting = await control.DeployAsync(digest);
        await Doors.SayAsync(control, word, digest);
        await end.CancelAsync();
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it ended");
        Assert.Equal("RolledBack", control.Ledger.Read(view => view.Rollout(waiting.Rollout!))!.Outcome);
        Assert.DoesNotContain(control.Target.Carried, move => move is Move.CreateInstance { Generation: 3 });
    }

    [Fact]
    public async Task WhatIsBeingTurnedBackIsNotReleased()
    {
        await using var control = await ServingAsync();
        var digest = await control.AdmittedAsync("bad");
        await control.CanaryAsync(digest);
        using var end = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance
            ? Task.Delay(Timeout.Infinite, end.Token).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;
        control.Target.FailingPercent[2] = 100;
        await ControlFixture.UntilAsync(() => control.Loop.Rollout?.State.Cause is not null, "it turns back");
        var reply = await control.DeployAsync(digest);
        Assert.Equal("refused", reply.Outcome);
        Assert.Contains("turned back", reply.Reason, StringComparison.Ordinal);
        await end.CancelAsync();
    }

    [Fact]
    public async Task APauseThatWouldChangeNothingIsRefused()
    {
        await using var control = await ServingAsync();
        await control.CanaryAsync(await control.AdmittedAsync("canary"));
        Task<OpenRollout?> SayAsync(bool paused) =>
            control.Releases.PauseAsync(new PauseRequest("shop", "web", ControlFixture.Stage, "-", paused), "ann", default);
        await Assert.ThrowsAsync<ApiException>(() => SayAsync(false));
        await control.RollBackAsync();
        await Assert.ThrowsAsync<ApiException>(() => SayAsync(true));
    }

    [Fact]
    public async Task ATargetThatFailsSaysNothingAgainstTheDigest()
    {
        await using var control = await ServingAsync();
        control.Target.OnMove = (move, _) => move is Move.CreateInstance { Generation: 2 }
            ? throw new ToolException("docker", "no space left on device")
            : Task.CompletedTask;
        var reply = await control.DeployAsync(await control.AdmittedAsync("next"));
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it turned back");
        Assert.Equal("RolledBack", control.Ledger.Read(view => view.Rollout(reply.Rollout!))!.Outcome);
        Assert.Empty(control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage)));
    }

    [Fact]
    public async Task WhatCouldNotBeTakenAwayIsTriedUntilItIsGoneAlsoAfterAKill()
    {
        await using var control = await ServingAsync();
        int tries = 0;
        control.Target.OnRemove = _ =>
        {
            Interlocked.Increment(ref tries);
            throw new ToolException("docker", "the engine is not there");
        };
        var failure = await Assert.ThrowsAsync<ApiException>(() => control.Stops.StopAsync(new StopRequest("shop"), "ann", default));
        Assert.Contains("the engine is not there", failure.Message, StringComparison.Ordinal);
        Assert.Equal("stopping", control.Status.State);
        Assert.Equal("refused", (await control.RollBackAsync()).Outcome);

        int before = tries;
        control.Kill();
        await ControlFixture.UntilAsync(() => tries > before, "another controller tries too");
        Assert.Equal((1, "stopping"), (control.Target.Containers, control.Status.State));
        control.Target.OnRemove = _ => Task.CompletedTask;

        await ControlFixture.UntilAsync(() => control.Target.Containers == 0, "it is gone");
        await ControlFixture.UntilAsync(
            () => control.Ledger.Read(view => view.Latest(1, filter: new LedgerFilter { Kind = "service-stopped" })).Count == 1,
            "and that is recorded");
        await control.Stops.StopAsync(new StopRequest("shop"), "ann", default);
        await control.ServeAsync(await control.AdmittedAsync("again"));
    }

    [Fact]
    public async Task WhatAnEarlierServerLeftIsTakenAwayToo()
    {
        await using var control = await ServingAsync();
        await control.AppendAsync(new LedgerEvent.ServiceStopped("shop", "web", ControlFixture.Stage, "stopped by an earlier version"));
        control.Kill();
        Assert.Equal(1, control.Target.Containers);
        await control.Stops.StopAsync(new StopRequest("shop", "web"), "ann", default);
        Assert.Equal(0, control.Target.Containers);
    }

    [Fact]
    public async Task AServiceThatLeftTheProjectRunsOnAndIsSaidTo()
    {
        await using var control = await ServingAsync();
        const string Without = """
            ingot: 1
            project: shop
            images:
              web: { dockerfile: Dockerfile, version: 1.0.0 }
            stages:
              test: { gates: [] }
              production: { gates: [tests-passed], target: docker }

            """;
        var reply = await new ProjectBook(control.Ledger).ApplyAsync("shop", new ProjectRequest(Without),
            new Ingot.Server.Access.Principal("ann", Ingot.Server.Access.Role.Administrator), default);
        Assert.Equal([new LeftService("web", ControlFixture.Stage)], reply.Left);
        Assert.True(control.Status.Left);
        await control.Stops.StopAsync(new StopRequest("shop", "web"), "ann", default);
        Assert.Equal(0, control.Target.Containers);
    }

    private static (string Outcome, int? Generation) Told(ReleaseReply reply) => (reply.Outcome, reply.Generation);

    private static async Task<ControlFixture> ServingAsync()
    {
        var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("first"));
        return control;
    }
}
