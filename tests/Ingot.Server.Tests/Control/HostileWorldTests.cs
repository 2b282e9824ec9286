using System.Collections.Concurrent;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Tools;

namespace Ingot.Server.Tests.Control;

/// <summary>Every append that fails, every client that leaves, and the end of the controller at every point.</summary>
public sealed class HostileWorldTests
{
    private const int AtOnce = 6;

    [Fact]
    public async Task WhicheverAppendFailsARolloutComesToItsEnd()
    {
        int appends = await CountAsync();
        Assert.InRange(appends, 6, 60);
        await ForEachAsync(appends, async n =>
        {
            await using var control = await ServingAsync();
            int count = 0;
            control.OnAppend = () => Interlocked.Increment(ref count) == n
                ? throw new LedgerException("nothing was appended: the disk is full")
                : Task.CompletedTask;
            if (await TryDeployAsync(control, "next") is null)
                await DeployAsync(control, "next again");
            await EndAsync(control, $"append {n} failed");
            Assert.Equal(2, control.Ledger.Read(view => view.Rollouts("shop", "web", ControlFixture.Stage))
                .Count(rollout => rollout.Outcome == "Done"));
        });
    }

    [Fact]
    public async Task WhereverTheControllerEndsAtTheLedgerARolloutComesToItsEnd()
    {
        int appends = await CountAsync();
        await ForEachAsync(2 * appends, async n =>
        {
            await using var control = await ServingAsync();
            int count = 0;
            var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Task Reached() => Interlocked.Increment(ref count) == (n + 1) / 2 ? KilledAsync(control, killed) : Task.CompletedTask;
            if (n % 2 == 0)
                control.OnAppended = _ => Reached();
            else
                control.OnAppend = Reached;
            var asked = DeployAsync(control, "next");
            await Task.WhenAny(asked, killed.Task);
            if (!control.Ledger.Read(view => view.Rollouts("shop", "web", ControlFixture.Stage))
                .Any(rollout => rollout.Id.EndsWith("-r2", StringComparison.Ordinal)))
                await DeployAsync(control, "next");
            await EndAsync(control, $"it was killed {(n % 2 == 0 ? "after" : "before")} append {(n + 1) / 2}");
        });
    }

    [Fact]
    public async Task WhereverTheControllerEndsAtAMoveARolloutComesToItsEnd()
    {
        int moves;
        await using (var control = await ServingAsync())
        {
            int before = control.Target.Carried.Count;
            await DeployAsync(control, "next");
            await EndAsync(control, "nothing happened");
            moves = control.Target.Carried.Count - before;
        }

        Assert.InRange(moves, 3, 40);
        await ForEachAsync(2 * moves, async n =>
        {
            await using var control = await ServingAsync();
            int count = 0;
            Task Reached() => Interlocked.Increment(ref count) == (n + 1) / 2 ? KilledAsync(control) : Task.CompletedTask;
            if (n % 2 == 0)
                control.Target.OnMoved = (_, _) => Reached();
            else
                control.Target.OnMove = (_, _) => Reached();
            await DeployAsync(control, "next");
            await EndAsync(control, $"it was killed {(n % 2 == 0 ? "after" : "before")} move {(n + 1) / 2}");
            Assert.Equal(2, control.Target.Containers);
        });
    }

    public enum Asked
    {
        Deploy,
        DeployOverAnother,
        RollBack,
        TurnBack,
        Pause,
        Stop,
    }

    public static TheoryData<Asked> AllAsked => [.. Enum.GetValues<Asked>()];

    [Theory]
    [MemberData(nameof(AllAsked))]
    public async Task AClientThatLeavesLeavesNothingHalfSaid(Asked asked)
    {
        foreach (bool after in (bool[])[false, true])
        {
            await using var control = await ServingAsync();
            await control.ServeAsync(await control.AdmittedAsync("second"));
            if (asked is Asked.DeployOverAnother or Asked.TurnBack or Asked.Pause)
                await control.CanaryAsync(await control.AdmittedAsync("canary"));
            var digest = await control.AdmittedAsync("next");
            using var client = new CancellationTokenSource();
            int left = 0;
            Task LeaveAsync() => Interlocked.Exchange(ref left, 1) == 0 ? client.CancelAsync() : Task.CompletedTask;
            if (after)
                control.OnAppended = _ => LeaveAsync();
            else
                control.OnAppend = LeaveAsync;

            await AskAsync(control, asked, digest, client.Token);

            await AgreesAsync(control);
        }
    }

    [Fact]
    public async Task ARepairThatFailsIsRecordedOnceAndKeepsNoOtherFromBeingMade()
    {
        await using var control = await ServingAsync();
        await control.ServeAsync(await control.AdmittedAsync("second"));
        control.Target.OnMove = (move, _) =>
            move is Move.CreateInstance { Generation: 1 } ? throw new ToolException("docker", "no such image") : Task.CompletedTask;
        control.Target.End(1);
        control.Target.End(2);

        await ControlFixture.UntilAsync(
            () =>
                control.Target.RunningOf(2) == 1 && control.Status.Troubles.Any(t => t.Contains("no such image", StringComparison.Ordinal)),
            "the other was put right");
        await control.LooksAsync(10);

        var said = control.Ledger.Read(view => view.Entries(0, 1000, new LedgerFilter { Kind = "repair-acknowledged" }))
            .Select(entry => (LedgerEvent.RepairAcknowledged)entry.Event)
            .ToList();
        Assert.Single(said, entry => entry.Outcome == "failed: no such image");
        control.Target.OnMove = (_, _) => Task.CompletedTask;
        await ControlFixture.UntilAsync(() => control.Target.RunningOf(1) == 1, "it was put right too");
        await ControlFixture.UntilAsync(() => control.Loop.Troubles.Count == 0, "nothing is wrong any more");
    }

    [Fact]
    public async Task AContainerWithOurLabelsThatWeDidNotMakeGetsNoTrafficAndIsLeftAlone()
    {
        await using var control = await ServingAsync();
        var digest = control.Loop.Steady!.Serving.Digest;
        control.Target.Impersonate(1, digest);

        await ControlFixture.UntilAsync(
            () => control.Loop.Troubles.Any(t => t.Contains("was not made by this server", StringComparison.Ordinal)), "it is reported");
        await control.LooksAsync(4);

        Assert.DoesNotContain("10.9.9.9:80", control.Target.Addresses);
        Assert.DoesNotContain(control.Target.Carried, move => move.Key.Contains("stranger", StringComparison.Ordinal));
        Assert.DoesNotContain(control.Status.Instances, instance => instance.Id.StartsWith("stranger", StringComparison.Ordinal));
        control.Kill();
        await ControlFixture.UntilAsync(
            () => control.Loop.Troubles.Any(t => t.Contains("was not made by this server", StringComparison.Ordinal)),
            "another controller knows it too");
        Assert.DoesNotContain("10.9.9.9:80", control.Target.Addresses);
    }

    [Fact]
    public async Task NothingIsRecordedWhileNothingChanges()
    {
        await using var control = await ServingAsync();
        await control.CanaryAsync(await control.AdmittedAsync("canary"));
        await control.Releases.PauseAsync(new PauseRequest("shop", "web", ControlFixture.Stage, "lunch", true), "ann", default);
        await control.LooksAsync(3);
        long size = control.Ledger.Size;
        await control.LooksAsync(16);
        Assert.Equal(size, control.Ledger.Size);
    }

    [Fact]
    public void AWallClockThatIsSetChangesNoDecision()
    {
        var wall = new SetClock();
        var clock = new LoopClock(wall);
        var before = clock.GetUtcNow();
        wall.Offset = TimeSpan.FromDays(-400);
        Assert.InRange(clock.GetUtcNow() - before, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        wall.Offset = TimeSpan.FromDays(400);
        Assert.InRange(clock.GetUtcNow() - before, TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    private static async Task<ControlFixture> ServingAsync()
    {
        var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("first"));
        return control;
    }

    private static async Task<int> CountAsync()
    {
        await using var control = await ServingAsync();
        int count = 0;
        control.OnAppend = () =>
        {
            Interlocked.Increment(ref count);
            return Task.CompletedTask;
        };
        await DeployAsync(control, "next");
        await EndAsync(control, "nothing happened");
        return count;
    }

    private static async Task KilledAsync(ControlFixture control, TaskCompletionSource? killed = null)
    {
        var life = control.Life;
        control.Kill();
        killed?.SetResult();
        await life.PassAsync();
    }

    private static async Task<ReleaseReply> DeployAsync(ControlFixture control, string content) =>
        await control.DeployAsync(await control.AdmittedAsync(content));

    private static async Task<ReleaseReply?> TryDeployAsync(ControlFixture control, string content)
    {
        try
        {
            return await DeployAsync(control, content);
        }
        catch (LedgerException)
        {
            return null;
        }
    }

    private static async Task EndAsync(ControlFixture control, string what)
    {
        await ControlFixture.UntilAsync(() => control.Loop is { Rollout: null, Steady.Serving.Number: 2 } && control.Target.WeightOf(2) > 0,
            $"generation 2 serves although {what}");
        await AgreesAsync(control);
    }

    // What is in memory is what another controller would read.
    private static async Task AgreesAsync(ControlFixture control)
    {
        await ControlFixture.UntilAsync(
            () => Same(control.Loop.Memory, control.Ledger.Read(view => ServiceHistory.Read(view, ControlFixture.Key)).Memory),
            "memory and ledger say the same");
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    private static bool Same(LoopMemory one, LoopMemory other) =>
        (one.Rollout?.Id, one.Rollout?.State.Phase, one.Rollout?.State.Share, one.Rollout?.State.Pause is null) == (other.Rollout?.Id,
            other.Rollout?.State.Phase, other.Rollout?.State.Share, other.Rollout?.State.Pause is null)
        && one.Steady?.Serving.Number == other.Steady?.Serving.Number && one.StoppedBy == other.StoppedBy
        && one.Waiting.Select(waiting => waiting.Id).SequenceEqual(other.Waiting.Select(waiting => waiting.Id), StringComparer.Ordinal);

    private static async Task AskAsync(ControlFixture control, Asked asked, Ingot.Oci.Content.Digest digest, CancellationToken client)
    {
        try
        {
            await (asked switch
            {
                Asked.Deploy or Asked.DeployOverAnother => control.Releases.ReleaseAsync(
                    new ReleaseRequest("shop", "web", ControlFixture.Stage, digest, "release", false), "ann", client),
                Asked.RollBack or Asked.TurnBack =>
                    control.Releases.RollBackAsync(new RollbackRequest("shop", "web", ControlFixture.Stage, "it is wrong"), "ann", client),
                Asked.Pause =>
                    control.Releases.PauseAsync(new PauseRequest("shop", "web", ControlFixture.Stage, "lunch", true), "ann", client),
                _ => control.Stops.StopAsync(new StopRequest("shop"), "ann", client),
            });
        }
        catch (OperationCanceledException)
        {
            // It left.
        }
    }

    private static async Task ForEachAsync(int count, Func<int, Task> run)
    {
        var failures = new ConcurrentBag<Exception>();
        await Parallel.ForEachAsync(Enumerable.Range(1, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (n, _) =>
        {
            try
            {
                await run(n);
            }
            catch (Exception e)
            {
                failures.Add(new InvalidOperationException($"case {n}: {e.Message}", e));
            }
        });
        Assert.True(failures.IsEmpty, string.Join('\n', failures.Select(failure => failure.Message)));
    }

    private sealed class SetClock : TimeProvider
    {
        public TimeSpan Offset { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
    }
}
