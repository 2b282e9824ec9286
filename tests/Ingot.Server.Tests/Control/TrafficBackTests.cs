using Ingot.Releases;
using Ingot.Server.Ledger;
using Ingot.Tools;

namespace Ingot.Server.Tests.Control;

/// <summary>A canary that fails loses its traffic, whatever else fails, is slow or hangs.</summary>
public sealed class TrafficBackTests
{
    // A decision takes a look or two; weights follow it within a second.
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(5);

    public enum Hostile
    {
        Nothing,
        EngineFails,
        EngineHangs,
        EngineIgnoresItsToken,
        AppendFails,
        AppendHangs,
        MovesOnInstancesHang,
        MovesOnInstancesFail,
        Everything,
    }

    public static TheoryData<Hostile> All => [.. Enum.GetValues<Hostile>()];

    [Theory]
    [MemberData(nameof(All))]
    public async Task ABadCanaryLosesItsTrafficAtOnce(Hostile hostile)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        string id = await control.CanaryAsync(await control.AdmittedAsync("bad"));
        using var end = new CancellationTokenSource();
        Assail(control, hostile, end.Token);
        var began = DateTimeOffset.UtcNow;
        control.Target.FailingPercent[2] = 100;

        await ControlFixture.UntilAsync(() => control.Target.WeightOf(2) == 0 && control.Target.WeightOf(1) > 0, "the traffic is back");
        var took = DateTimeOffset.UtcNow - began;
        Assert.True(took < s_soon, $"it took {took}");

        await end.CancelAsync();
        Heal(control);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it ended");
        Assert.Equal("RolledBack", control.Ledger.Read(view => view.Rollout(id))!.Outcome);
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
        // Several changes that could not be recorded are one entry, which says all of them.
        var state = control.Ledger.Read(view => view.State(view.Rollout(id)!).State);
        Assert.Equal([RolloutPhase.Aborting, RolloutPhase.Restoring, RolloutPhase.RolledBack],
            state.History.Select(change => change.Phase).Where(phase => phase >= RolloutPhase.Aborting));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task APersonsRollbackGivesTheTrafficBackAtOnceAndTheEntriesFollow(Hostile hostile)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        var bad = await control.AdmittedAsync("bad");
        string id = await control.CanaryAsync(bad);
        using var end = new CancellationTokenSource();
        Assail(control, hostile, end.Token);
        var began = DateTimeOffset.UtcNow;

        var reply = await control.RollBackAsync();

        Assert.Equal(("started", id), (reply.Outcome, reply.Rollout));
        await ControlFixture.UntilAsync(() => control.Target.WeightOf(2) == 0, "the traffic is back");
        Assert.True(DateTimeOffset.UtcNow - began < s_soon, $"it took {DateTimeOffset.UtcNow - began}");
        await end.CancelAsync();
        Heal(control);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it ended");
        var quarantine = Assert.Single(control.Ledger.Read(view => view.Latest(10, filter: new LedgerFilter { Kind = "quarantined" })));
        Assert.Equal(("ann", bad), (quarantine.Actor, ((LedgerEvent.Quarantined)quarantine.Event).Digest));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task AfterTheRolloutTooThereIsAWayBackAtOnce(Hostile hostile)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        await control.ServeAsync(await control.AdmittedAsync("bad"));
        using var end = new CancellationTokenSource();
        Assail(control, hostile, end.Token);
        var began = DateTimeOffset.UtcNow;

        var reply = await control.RollBackAsync();

        Assert.Equal(("started", 1), (reply.Outcome, reply.Generation));
        await ControlFixture.UntilAsync(() => control.Target.WeightOf(2) == 0 && control.Target.WeightOf(1) > 0, "the traffic is back");
        Assert.True(DateTimeOffset.UtcNow - began < s_soon, $"it took {DateTimeOffset.UtcNow - began}");
        await end.CancelAsync();
        Heal(control);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == 1, "it ended");
        Assert.Equal("Done", control.Ledger.Read(view => view.Rollout(reply.Rollout!))!.Outcome);
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    // The append takes longer than anybody waits for it, and fails then.
    [Fact]
    public async Task AReturnThatWasNotRecordedWhenItBeganIsRecordedBeforeWhatFollowsFromIt()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        await control.ServeAsync(await control.AdmittedAsync("bad"));
        int appends = 0;
        control.OnAppend = async () =>
        {
            if (Interlocked.Increment(ref appends) > 2)
                return;
            await Task.Delay(1200);
            throw new LedgerException("nothing was appended: the disk is full");
        };

        var reply = await control.RollBackAsync();

        Assert.Equal(("started", 1), (reply.Outcome, reply.Generation));
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == 1, "it ended");
        Assert.Equal("Done", control.Ledger.Read(view => view.Rollout(reply.Rollout!))!.Outcome);
        Assert.Single(control.Ledger.Read(view => view.Latest(10, filter: new LedgerFilter { Kind = "quarantined" })));
        Assert.Equal(3, control.Ledger.Read(view => view.Rollouts("shop", "web", ControlFixture.Stage)).Count);
        await control.Stops.StopAsync(new Ingot.Server.Api.StopRequest("shop"), "ann", default);
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    [Theory]
    [InlineData("UPDATE generations SET spec = '{'")]
    [InlineData("UPDATE generations SET digest = 'x'")]
    [InlineData("UPDATE generations SET time = 'x'")]
    [InlineData("UPDATE rollouts SET state_detail = '{'")]
    [InlineData("UPDATE rollouts SET spec = '[]'")]
    public async Task ADamagedTableEndsNoServer(string damage)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));

        await control.RestartAsync(() =>
        {
            using var db = Ingot.Server.Storage.SqliteDatabase.OpenWriter(control.Home.Database);
            Assert.NotEqual(0, db.Execute(damage));
            return Task.CompletedTask;
        });

        Assert.NotEmpty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    // It goes back already, and nothing waits: the word counts all the same.
    [Fact]
    public async Task AReturnThatIsSaidAgainWhileAReleaseIsBeingRecordedIsTheLastWord()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        await control.CanaryAsync(await control.AdmittedAsync("bad"));
        var next = await control.AdmittedAsync("next");
        using var end = new CancellationTokenSource();
        var reached = new TaskCompletionSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance ? HangAsync(end.Token) : Task.CompletedTask;
        Assert.Equal("started", (await control.RollBackAsync()).Outcome);
        control.OnAppended = HangAt(e => e is LedgerEvent.ReleaseRequested request && request.Digest == next, reached, end.Token);
        var deploy = control.DeployAsync(next);
        await reached.Task;

        Assert.Equal("unchanged", (await control.RollBackAsync()).Outcome);

        await end.CancelAsync();
        var late = await deploy;
        await ControlFixture.UntilAsync(
            () => control.Ledger.Read(view => view.Rollout(late.Rollout!))!.Outcome == "RolledBack", "it is withdrawn");
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == 1, "it ended");
        Assert.DoesNotContain(control.Target.Carried, move => move is Move.CreateInstance { Generation: 3 });
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    // The rollout was done when that was written, and what it says was taken back before the writing ended.
    [Fact]
    public async Task AReturnWhileTheEndOfARolloutIsBeingRecordedOutlivesAKill()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        using var end = new CancellationTokenSource();
        var reached = new TaskCompletionSource();
        control.OnAppended = HangAt(e => e is LedgerEvent.RolloutFinished { Outcome: "Done" }, reached, end.Token);
        var bad = await control.DeployAsync(await control.AdmittedAsync("bad"));
        await reached.Task;
        using var stopped = new CancellationTokenSource();
        control.Target.OnMove = (move, _) => move is Move.StopInstance ? HangAsync(stopped.Token) : Task.CompletedTask;

        await control.RollBackAsync();
        await end.CancelAsync();
        await ControlFixture.UntilAsync(() => control.Target.WeightOf(2) == 0 && control.Target.WeightOf(1) > 0, "the traffic is back");
        await ControlFixture.UntilAsync(
            () => control.Ledger.Read(view => view.State(view.Rollout(bad.Rollout!)!)).State.Phase != RolloutPhase.Done,
            "what is owed is on the ledger");
        control.Kill();
        await stopped.CancelAsync();

        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == 1,
            "the good one serves");
        Assert.NotNull(control.Ledger.Read(view => view.Rollout(bad.Rollout!))!.Outcome);
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    // The release is decided, and its entries take long to come onto the disk; the person goes back before that.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AReturnThatComesWhileAReleaseIsBeingRecordedIsTheLastWord(bool canary)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        await control.ServeAsync(await control.AdmittedAsync("bad"));
        if (canary)
            await control.CanaryAsync(await control.AdmittedAsync("canary"));
        var next = await control.AdmittedAsync("next");
        using var end = new CancellationTokenSource();
        var reached = new TaskCompletionSource();
        control.OnAppended = HangAt(e => e is LedgerEvent.ReleaseRequested request && request.Digest == next, reached, end.Token);
        var deploy = control.DeployAsync(next);
        await reached.Task;

        var reply = await control.RollBackAsync();

        int serves = canary ? 2 : 1;
        Assert.Equal(("started", serves), (reply.Outcome, reply.Generation));
        await ControlFixture.UntilAsync(() => control.Target.WeightOf(canary ? 3 : 2) == 0 && control.Target.WeightOf(serves) > 0,
            "the traffic is back");
        await end.CancelAsync();
        var late = await deploy;
        Assert.NotEqual(reply.Rollout, late.Rollout);
        await ControlFixture.UntilAsync(
            () => control.Ledger.Read(view => view.Rollout(late.Rollout!))!.Outcome == "RolledBack", "it is withdrawn");
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == serves, "it ended");
        Assert.DoesNotContain(control.Target.Carried, move => move is Move.CreateInstance create && create.Generation == (canary ? 4 : 3));
        await ControlFixture.UntilAsync(() => control.Loop.Troubles.Count == 0, "nothing is wrong any more");
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    [Theory]
    [InlineData(Hostile.AppendFails)]
    [InlineData(Hostile.AppendHangs)]
    public async Task WithoutTheLedgerNothingGoesForward(Hostile hostile)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        await control.CanaryAsync(await control.AdmittedAsync("next"));
        using var end = new CancellationTokenSource();
        Assail(control, hostile, end.Token);
        control.Target.End(1);
        control.Target.End(2);
        int moves = control.Target.Carried.Count(move => move.Lane == Lane.Instances);

        await ControlFixture.UntilAsync(() => control.Loop.Troubles.Count > 0, "it says so");
        await Task.Delay(1500);

        Assert.Equal(moves, control.Target.Carried.Count(move => move.Lane == Lane.Instances));
        Assert.Contains(control.Status.Troubles,
            trouble => trouble.Contains("disk", StringComparison.Ordinal) || trouble.Contains("ledger", StringComparison.Ordinal));
        await end.CancelAsync();
        Heal(control);
        await ControlFixture.UntilAsync(() => control.Target.RunningOf(1) == 1, "it goes on");
    }

    [Fact]
    public async Task ASlowMoveDelaysNeitherALookNorAWord()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("good"));
        using var end = new CancellationTokenSource();
        Assail(control, Hostile.MovesOnInstancesHang, end.Token);
        await control.DeployAsync(await control.AdmittedAsync("next"));
        await control.LooksAsync(3);
        int looks = control.Target.LooksAtProxy;
        var began = DateTimeOffset.UtcNow;

        Assert.Equal("started", (await control.RollBackAsync()).Outcome);

        Assert.True(DateTimeOffset.UtcNow - began < TimeSpan.FromSeconds(1));
        await ControlFixture.UntilAsync(() => control.Target.LooksAtProxy > looks + 5, "it goes on looking");
        await end.CancelAsync();
    }

    private static void Assail(ControlFixture control, Hostile hostile, CancellationToken end)
    {
        bool all = hostile == Hostile.Everything;
        if (hostile is Hostile.EngineFails)
            control.Target.OnLookAtEngine = _ => throw new ToolException("docker", "the engine is not there");
        if (hostile is Hostile.EngineHangs)
            control.Target.OnLookAtEngine = token => Task.Delay(Timeout.Infinite, token);
        if (hostile is Hostile.EngineIgnoresItsToken || all)
            control.Target.OnLookAtEngine = _ => HangAsync(end);
        if (hostile is Hostile.AppendFails)
            control.OnAppend = () => throw new LedgerException("nothing was appended: the disk is full");
        if (hostile is Hostile.AppendHangs || all)
            control.OnAppend = () => HangAsync(end);
        if (hostile is Hostile.MovesOnInstancesHang || all)
            control.Target.OnMove = (move, _) => move.Lane == Lane.Instances ? HangAsync(end) : Task.CompletedTask;
        if (hostile is Hostile.MovesOnInstancesFail)
            control.Target.OnMove = (move, _) => move.Lane == Lane.Instances ? throw new ToolException("docker", "no") : Task.CompletedTask;
    }

    private static void Heal(ControlFixture control)
    {
        control.Target.OnLookAtEngine = _ => Task.CompletedTask;
        control.OnAppend = () => Task.CompletedTask;
        control.Target.OnMove = (_, _) => Task.CompletedTask;
    }

    // Entries are on the ledger, and whoever wrote them does not hear of it until the end.
    private static Func<IReadOnlyList<LedgerEntry>, Task> HangAt(
        Predicate<LedgerEvent> isMeant, TaskCompletionSource reached, CancellationToken end) =>
        entries =>
        {
            if (!entries.Any(entry => isMeant(entry.Event)))
                return Task.CompletedTask;
            reached.TrySetResult();
            return HangAsync(end);
        };

    private static async Task HangAsync(CancellationToken end)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, end);
        }
        catch (OperationCanceledException)
        {
            // It goes on as if nothing had been.
        }
    }
}
