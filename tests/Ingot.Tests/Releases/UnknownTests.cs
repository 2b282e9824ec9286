using Ingot.Releases;

namespace Ingot.Tests.Releases;

/// <summary>An engine or a proxy that cannot be asked: unknown is never absent, and traffic goes back all the same.</summary>
public sealed class UnknownTests
{
    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    public void ABadReleaseIsTurnedBackWhileTheEngineIsSilent(int share)
    {
        var run = new Run(share == 100 ? World.Spec(2, 1) : World.Spec(2, 1, share)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);

        run.World.EngineSilent = true;
        run.World.Behaviours[2] = new() { ErrorRate = 0.9 };
        run.Until(state => state.Phase == RolloutPhase.Aborting);
        Assert.Equal((200, 0), (run.World.WeightOf(1), run.World.WeightOf(2)));

        run.Pass(30);
        Assert.Equal((RolloutPhase.Restoring, 2), (run.State.Phase, run.World.RunningOf(2)));
        run.World.EngineSilent = false;
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.RolledBack, 0), (run.State.Phase, run.World.RunningOf(2)));
    }

    [Fact]
    public void ASilentEngineMakesNoMovesOnInstancesAndTurnsNothingBack()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);

        run.World.EngineSilent = true;
        run.Pass(55);

        Assert.Equal((RolloutPhase.Shifting, 0), (run.State.Phase, run.State.Step));
        Assert.Equal("the engine does not answer", run.State.Waiting);
        run.Pass(60);
        Assert.Equal(PauseCause.Target, run.State.Pause?.Cause);
        run.World.EngineSilent = false;
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.Done, 0L, 0L), (run.State.Phase, run.World.Dropped, run.World.Cut));
    }

    [Fact]
    public void ARollbackToAWarmGenerationNeedsNoEngine()
    {
        var run = new Run(World.Spec(1, 2) with { IsRollback = true }).Serving(2, 1);
        run.World.EngineSilent = true;

        run.Pass(1);

        Assert.Equal((200, 0), (run.World.WeightOf(1), run.World.WeightOf(2)));
    }

    [Fact]
    public void InstancesThatAreAllDownByTheProxysChecksGoBackWithoutTheEngineAndWithoutBlame()
    {
        var run = new Run(World.Spec(2, 1)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Soaking);

        run.World.EngineSilent = true;
        run.World.Rate = 0;
        run.World.Behaviours[2] = new() { ReadyAfter = null };
        run.Until(state => state.Phase == RolloutPhase.Aborting);

        Assert.Equal((AbortCause.Target, false, 200), (run.State.Cause, run.State.Quarantines, run.World.WeightOf(1)));
    }

    [Fact]
    public void ASilentProxyIsNotStartedAgainAndNothingItMaySendRequestsToIsStopped()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);

        run.World.ProxySilent = true;
        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);
        for (int i = 0; i < 120; i++)
        {
            run.Pass(1);
            Assert.Empty(run.Decision.Moves);
        }

        Assert.Equal((RolloutPhase.Aborting, PauseCause.Target), (run.State.Phase, run.State.Pause?.Cause));
        run.World.ProxySilent = false;
        run.Pass(1);
        Assert.Equal((200, 0), (run.World.WeightOf(1), run.World.WeightOf(2)));
    }

    [Fact]
    public void WhatDoesNotRunWhatWasPromisedGetsNoTraffic()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Warming);
        var seen = run.World.Observe();
        seen = seen with
        {
            Instances = [.. seen.Instances
                .Select(instance => instance.Generation == 2 ? instance with { Objection = "it runs another image" } : instance)],
        };

        var decision = Rollout.Next(run.State, seen with { Time = run.World.Now }, run.World.Now);

        Assert.DoesNotContain(decision.Moves, move => move is Move.AddServer { Generation: 2 } or Move.SetShares);
        Assert.Contains("g2-0 gets no traffic: it runs another image", decision.State.Waiting, StringComparison.Ordinal);
    }

    [Fact]
    public void AnInstanceThatIsSlowToGoIsCountedOnce()
    {
        var run = new Run(World.Spec(2, 1)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Soaking);
        for (int i = 0; i < 4; i++)
            run.World.Kill(2, 0);
        var slow = run.World.Observe().Instance(2, 0)!;
        run.Pass(8, carryOut: false);

        Assert.Equal(InstanceState.Exited, slow.State);
        Assert.Equal((1, 4), (run.State.Instances["g2-0"].Replaced, run.State.Instances["g2-0"].Failures));
    }
}
