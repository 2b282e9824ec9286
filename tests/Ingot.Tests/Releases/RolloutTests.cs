using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Tests.Releases;

public sealed class RolloutTests
{
    [Fact]
    public void AFirstDeploymentMakesWarmsServesAndEnds()
    {
        var run = new Run(World.Spec(next: 1, previous: null));

        run.ToTheEnd();

        Assert.Equal("Planned 0, Provisioning 0, Warming 0, Shifting 100, Soaking 100, Draining 100, Retiring 100, Done 100", run.Phases);
        Assert.Equal((200, 2), (run.World.WeightOf(1), run.World.RunningOf(1)));
    }

    [Fact]
    public void ACanaryGoesThroughItsStepsAndKeepsTheOldGenerationWarmAtNoWeight()
    {
        var run = new Run(World.Spec(2, 1, 5, 25, 50)).Serving(1);
        run.World.Rate = 400;

        run.ToTheEnd();

        Assert.Equal(RolloutPhase.Done, run.State.Phase);
        Assert.Equal("5, 25, 50, 100", run.Shares);
        Assert.Equal((200, 0, 2), (run.World.WeightOf(2), run.World.WeightOf(1), run.World.RunningOf(1)));
        Assert.Equal((0, 0), (run.World.Dropped, run.World.Cut));
    }

    [Fact]
    public void BlueGreenGoesFromNothingToEverythingAtOnce()
    {
        var run = new Run(World.Spec(2, 1)).Serving(1);

        run.ToTheEnd();

        Assert.Equal("100", run.Shares);
        Assert.Equal((RolloutPhase.Done, 0L), (run.State.Phase, run.World.Dropped));
    }

    [Fact]
    public void AVersionThatFailsIsTurnedBackWithinTwoSecondsOfItsFirstTraffic()
    {
        var run = new Run(World.Spec(2, 1, 10, 50)).Serving(1);
        run.World.Behaviours[2] = new() { ErrorRate = 0.5 };

        run.Until(state => state.Phase == RolloutPhase.Shifting);
        var shifted = run.World.Now;
        run.Until(state => state.Phase == RolloutPhase.Aborting);
        Assert.True(run.World.Now - shifted <= TimeSpan.FromSeconds(3));
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Judge), (run.State.Phase, run.State.Cause));
        Assert.True(run.State.Quarantines);
        Assert.Equal((200, 0, 0, 2), (run.World.WeightOf(1), run.World.RunningOf(2), run.World.WeightOf(2), run.World.InstancesOf(2)));
        Assert.False(run.World.Knows(2));
    }

    [Fact]
    public void TheDecisionToTurnBackSetsTheWeightsInTheSameAnswer()
    {
        var run = new Run(World.Spec(2, 1, 10, 50)).Serving(1);
        run.World.Behaviours[2] = new() { ErrorRate = 0.5 };

        run.Until(state => state.Phase == RolloutPhase.Aborting);

        var shares = Assert.Single(run.Decision.Moves.OfType<Move.SetShares>());
        Assert.Equal("shares g1=100%/2 at g1-0 g1-1 -g2-0 -g2-1", shares.Key);
        Assert.DoesNotContain(run.Decision.Moves, move => move is Move.StopInstance or Move.RemoveInstance or Move.RemoveServer);
    }

    [Fact]
    public void AFailureBothGenerationsShareTurnsNothingBack()
    {
        var run = new Run(World.Spec(2, 1, 10, 50)).Serving(1);
        run.World.SharedErrorRate = 0.3;

        run.ToTheEnd();

        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void InstancesThatNeverBecomeHealthyTurnTheRolloutBackAtTheirDeadline()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.World.Behaviours[2] = new() { ReadyAfter = null };

        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Health), (run.State.Phase, run.State.Cause));
        Assert.Equal("0 of 2 instances are ready after 60 s", run.State.Reason);
        Assert.Equal((0L, "0"), (run.World.Dropped, run.Shares));
    }

    [Fact]
    public void InstancesThatKeepEndingTripTheBreakerLongBeforeTheDeadline()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.World.Behaviours[2] = new() { ReadyAfter = null, EndsAfter = 1 };

        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Health), (run.State.Phase, run.State.Cause));
        Assert.True(run.World.Now - World.Start < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void AFirstDeploymentThatNeverBecomesHealthyIsStoppedAndServesNothing()
    {
        var run = new Run(World.Spec(1, null));
        run.World.Behaviours[1] = new() { ReadyAfter = null };

        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, 0, 2), (run.State.Phase, run.World.RunningOf(1), run.World.InstancesOf(1)));
        Assert.Null(Steady.After(run.State));
    }

    [Fact]
    public void AFirstDeploymentThatFailsAllRequestsIsTurnedBackByTheAbsoluteGuard()
    {
        var run = new Run(World.Spec(1, null));
        run.World.Behaviours[1] = new() { ErrorRate = 1 };

        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Judge), (run.State.Phase, run.State.Cause));
        Assert.False(run.World.Knows(1));
    }

    [Fact]
    public void TooLittleTrafficPausesAtTheStepsDeadlineAndSaysWhatWouldHelp()
    {
        var run = new Run(World.Spec(2, 1, 5)).Serving(1);
        run.World.Rate = 1;

        run.Until(state => state.Pause is not null);

        Assert.Equal(PauseCause.TooLittleTraffic, run.State.Pause!.Cause);
        Assert.Matches(
            "^too little traffic to judge 5 %: \\d+ requests seen, about \\d+ more are needed to rule out failures of 1 % "
                + ".*'rollout.synthetic'.*'ingot resume web --stage production'",
            run.State.Pause.Reason);
        run.Pass(600);
        Assert.Equal((RolloutPhase.Shifting, 0), (run.State.Phase, run.State.Step));
    }

    [Fact]
    public void APauseForWantOfTrafficEndsByItselfOnceThereWasEnough()
    {
        var run = new Run(World.Spec(2, 1, 5)).Serving(1);
        run.World.Rate = 1;
        run.Until(state => state.Pause is not null);

        run.World.Rate = 2000;
        run.ToTheEnd();

        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void ResumingWithoutTrafficWaivesTheProofOfThatStepOnly()
    {
        var run = new Run(World.Spec(2, 1, 5, 50)).Serving(1);
        run.World.Rate = 0;
        run.Until(state => state.Pause is not null);

        run.State = Rollout.Resume(run.State, "ada", run.World.Now);
        run.Until(state => state.Pause is not null);
        Assert.Equal(1, run.State.Step);
        run.State = Rollout.Resume(run.State, "ada", run.World.Now);
        run.ToTheEnd();

        Assert.Equal(RolloutPhase.Done, run.State.Phase);
        Assert.Contains(run.State.History, change => change.Reason == "resumed by ada, without the proof");
    }

    [Fact]
    public void TheJudgeTurnsAPausedRolloutBack()
    {
        var run = new Run(World.Spec(2, 1, 20)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.State = Rollout.Pause(run.State, "ada", "lunch", null, run.World.Now);

        run.World.Behaviours[2] = new() { ErrorRate = 0.5 };
        run.ToTheEnd();

        Assert.Equal(AbortCause.Judge, run.State.Cause);
    }

    [Fact]
    public void APersonsPauseHoldsEverythingAndItsEndResumes()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.State = Rollout.Pause(run.State, "ada", "lunch", run.World.Now + TimeSpan.FromMinutes(10), run.World.Now);

        run.Pass(590);
        Assert.Equal((RolloutPhase.Shifting, "paused by ada: lunch"), (run.State.Phase, run.State.Waiting));
        run.ToTheEnd();

        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void ARollbackToAWarmGenerationIsOneWeightChangeInTheFirstAnswer()
    {
        var run = new Run(World.Spec(1, 2, 5, 25) with { IsRollback = true }).Serving(2, 1);

        run.Pass(1);

        Assert.Equal("shares g1=100%/2 at g1-0 g1-1 -g2-0 -g2-1", Assert.Single(run.Decision.Moves).Key);
        run.ToTheEnd();
        Assert.Equal("Planned 0, Provisioning 0, Warming 0, Shifting 100, Draining 100, Retiring 100, Done 100", run.Phases);
        Assert.Equal((200, 0, 2), (run.World.WeightOf(1), run.World.RunningOf(2), run.World.InstancesOf(2)));
        Assert.True(run.World.Now - World.Start < TimeSpan.FromSeconds(15));
    }

    [Fact]
    public void ARollbackIsNeverRolledBackAndPausesInstead()
    {
        var run = new Run(World.Spec(1, 2) with { IsRollback = true }).Serving(2);
        run.World.Behaviours[1] = new() { ReadyAfter = null };

        run.Until(state => state.Pause is not null);
        Assert.Equal((RolloutPhase.Warming, PauseCause.Target), (run.State.Phase, run.State.Pause!.Cause));
        Assert.Same(run.State, Rollout.Abort(run.State, "ada", "no", run.World.Now));

        run.World.Behaviours[1] = new();
        run.ToTheEnd();
        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void ANewReleaseGivesTheOldGenerationItsWeightBackFirst()
    {
        var run = new Run(World.Spec(2, 1, 20)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);

        run.State = Rollout.Supersede(run.State, "release 3", run.World.Now);
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Superseded, 200), (run.State.Phase, run.State.Cause, run.World.WeightOf(1)));
        Assert.False(run.State.Quarantines);
        Assert.Equal((0L, 0L), (run.World.Dropped, run.World.Cut));
    }

    [Fact]
    public void AFirstDeploymentThatServesEndsAsDoneWhenItIsSuperseded()
    {
        var run = new Run(World.Spec(1, null));
        run.Until(state => state.Phase == RolloutPhase.Soaking);

        run.State = Rollout.Supersede(run.State, "release 2", run.World.Now);
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.Done, 200), (run.State.Phase, run.World.WeightOf(1)));
    }

    [Fact]
    public void APersonMayTurnBackAnyTimeBeforeTheOldGenerationRetires()
    {
        foreach (var phase in (RolloutPhase[])[RolloutPhase.Planned, RolloutPhase.Provisioning, RolloutPhase.Warming, RolloutPhase.Shifting,
            RolloutPhase.Soaking])
        {
            var run = new Run(World.Spec(2, 1, 50)).Serving(1);
            run.Until(state => state.Phase == phase);

            run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);
            run.ToTheEnd();

            Assert.Equal((RolloutPhase.RolledBack, AbortCause.Person, "wrong day (ada)"),
                (run.State.Phase, run.State.Cause, run.State.Reason));
            Assert.Equal((200, 0L), (run.World.WeightOf(1), run.World.Dropped));
        }
    }

    [Fact]
    public void AHealthyCanaryTakesOverWhenTheOldGenerationHasNoHealthyInstanceLeft()
    {
        var run = new Run(World.Spec(2, 1, 5)).Serving(1);
        run.World.Rate = 1;
        run.Until(state => state.AcknowledgedAt is not null);

        run.World.Behaviours[1] = new() { ReadyAfter = null };
        run.Until(state => state.Phase == RolloutPhase.Soaking);

        Assert.Contains(run.State.History, change => change.Reason == "generation 1 has no healthy instance left");
    }

    [Fact]
    public void WithNothingHealthyToGoBackToTheNewGenerationKeepsItsWeight()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.World.Behaviours[1] = new() { ReadyAfter = null };
        run.Pass(4);

        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);
        run.Until(state => state.Pause is not null);
        Assert.Equal((RolloutPhase.Aborting, PauseCause.Target), (run.State.Phase, run.State.Pause!.Cause));
        Assert.True(run.World.WeightOf(2) > 0);
        Assert.Contains("has no healthy instance to go back to", run.State.Pause.Reason, StringComparison.Ordinal);

        run.World.Behaviours[1] = new();
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.RolledBack, 200), (run.State.Phase, run.World.WeightOf(1)));
    }

    [Fact]
    public void AMoveThatFailsFiveTimesBeforeAnyTrafficTurnsBackWithItsMessage()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        var move = new Move.CreateInstance(2, 0, 0);
        run.Until(state => state.Phase == RolloutPhase.Provisioning, carryOut: false);

        for (int i = 0; i < 5; i++)
            run.State = Rollout.Failed(run.State, move, "the image is not in the registry", run.World.Now);
        run.ToTheEnd();

        Assert.Equal((AbortCause.Target, "the image is not in the registry"), (run.State.Cause, run.State.Reason));
        Assert.False(run.State.Quarantines);
    }

    [Fact]
    public void MovesThatFailByTurnsTurnBackToo()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Provisioning, carryOut: false);

        for (int i = 0; i < 9; i++)
            run.State = Rollout.Failed(run.State, new Move.CreateInstance(2, i % 2, i), "the registry is gone", run.World.Now);
        run.ToTheEnd();

        Assert.Equal((AbortCause.Target, false), (run.State.Cause, run.State.Quarantines));
    }

    [Fact]
    public void AMoveThatFailsWaitsAndTheOthersDoNot()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Provisioning, carryOut: false);
        run.State = Rollout.Failed(run.State, new Move.CreateInstance(2, 0, 0), "the registry is gone", run.World.Now);

        run.Pass(1, carryOut: false);
        Assert.Equal(["create g2-1 attempt 0"], run.Decision.Moves.Select(move => move.Key));
        run.ToTheEnd();
        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void AProxyThatIsGoneForAMomentIsNotHeldAgainstTheNextGenerationHoweverManyMovesItFails()
    {
        var spec = World.Spec(2, 1, 50);
        var run = new Run(spec with { Next = spec.Next with { Replicas = 8 } }).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Provisioning);
        run.Pass(1, carryOut: false);
        foreach (var move in run.Decision.Moves.Where(move => move.Lane == Lane.Traffic))
            run.State = Rollout.Failed(run.State, move, "the proxy does not answer", run.World.Now);
        Assert.Equal((1, 8), (run.State.FailedTrafficMoves, run.Decision.Moves.Count(move => move is Move.AddServer)));

        run.ToTheEnd();
        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void AProxyThatStaysGoneTurnsTheReleaseBackSoon()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.World.Behaviours[2] = new() { ReadyAfter = null };
        run.Until(state => state.Phase == RolloutPhase.Warming);
        var from = run.World.Now;
        while (run.State.Cause is null && run.World.Now - from < TimeSpan.FromSeconds(30))
        {
            run.State = Rollout.Failed(run.State, new Move.AddServer(2, 0, "10.0.0.2:80"), "the proxy does not answer", run.World.Now);
            run.Pass(1);
        }

        Assert.Equal(AbortCause.Target, run.State.Cause);
        Assert.InRange(run.World.Now - from, TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(12));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void WhatFailsAtInstancesOfOtherGenerationsIsNotHeldAgainstTheNext(int generation)
    {
        var run = new Run(World.Spec(4, 3, 50) with { Warm = [World.Generation(1)] }).Serving(3, 1);
        run.Until(state => state.Phase == RolloutPhase.Provisioning);
        for (int i = 0; i < 20; i++)
            run.State = Rollout.Failed(run.State, new Move.CreateInstance(generation, i % 2, i), "its image was pruned", run.World.Now);
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.Done, (AbortCause?)null), (run.State.Phase, run.State.Cause));
    }

    [Fact]
    public void AMoveThatFailsWhileSomethingIsDecidedIsRememberedInThePhaseItFailedIn()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Provisioning, carryOut: false);
        var basis = run.State;
        run.Pass(1, carryOut: false);
        var current = Rollout.Failed(basis, new Move.CreateInstance(2, 0, 0), "the registry is gone", run.World.Now);
        current = Rollout.Failed(current, new Move.AddServer(2, 1, "10.0.0.2:80"), "the proxy does not answer", run.World.Now);

        var kept = Rollout.KeepFailures(basis, current, run.State);
        Assert.Equal((1, current.Instances["g2-0"].NotBefore), (kept.Instances["g2-0"].FailedMoves, kept.Instances["g2-0"].NotBefore));
        Assert.Equal((1, current.LastFailure), (kept.FailedTrafficMoves, kept.LastFailure));
        Assert.Equal(run.State, Rollout.KeepFailures(current, current, run.State));

        var elsewhere = Rollout.KeepFailures(basis, current, run.State with { Phase = RolloutPhase.Warming });
        Assert.Equal((1, 0, (MoveFailure?)null),
            (elsewhere.Instances["g2-0"].FailedMoves, elsewhere.FailedTrafficMoves, elsewhere.LastFailure));
    }

    [Fact]
    public void WhatIsRememberedOfAReplacedInstanceStaysWhenItsNextCannotBeMade()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        var basis = run.State;
        run.Pass(1, carryOut: false);
        var remembered = new InstanceMemory(Replaced: 1, Removing: "id9");
        var decided = run.State with { Instances = new Dictionary<string, InstanceMemory> { ["g2-0"] = remembered } };
        var kept = Rollout.KeepFailures(
            basis, Rollout.Failed(basis, new Move.CreateInstance(2, 0, 1), "no space left", run.World.Now), decided);

        Assert.Equal(remembered with { FailedMoves = 1, NotBefore = run.World.Now + TimeSpan.FromSeconds(2) }, kept.Instances["g2-0"]);
    }

    [Fact]
    public void InstancesThatAreWatchedForLongAreNoUnboundedWait()
    {
        var spec = World.Spec(2, 1, 50);
        var health = spec.Next.Health with { Interval = TimeSpan.FromSeconds(60), Healthy = 5, Deadline = TimeSpan.FromSeconds(30) };
        var run = new Run(spec with { Next = spec.Next with { Health = health } }).Serving(1);

        run.Until(state => state.Phase == RolloutPhase.Shifting);

        Assert.True(run.World.Elapsed > 300);
    }

    [Fact]
    public void AChangedAddressIsTakenOnceTheNextGenerationIsReadyAndGivenBackWhenItTurnsBack()
    {
        var other = World.Settings with { Listen = new ListenAddress("127.0.0.1", 9090) };
        var run = new Run(World.Spec(2, 1, 25) with { Proxy = other, ServingProxy = World.Settings }).Serving(1);

        run.Until(state => state.Phase == RolloutPhase.Warming);
        Assert.Equal(World.Settings, run.World.Observe().Proxy.Settings);
        run.Until(state => state.AcknowledgedAt is not null);
        Assert.Equal(other with { Former = World.Settings.Listen }, run.World.Observe().Proxy.Settings);
        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);
        run.ToTheEnd();

        Assert.Equal((World.Settings, World.Settings), (run.World.Observe().Proxy.Settings, Steady.After(run.State)!.Proxy));
        Assert.Equal((200, 0L), (run.World.WeightOf(1), run.World.Dropped));
    }

    [Theory]
    [InlineData(9090)]
    [InlineData(8080)]
    public void UsersOfTheEarlierAddressAreServedUntilTheNextGenerationIsInPlace(int port)
    {
        var other = World.Settings with { Listen = new ListenAddress("127.0.0.1", port), CheckTimeout = TimeSpan.FromSeconds(1) };
        var run = new Run(World.Spec(2, 1, 25) with { Proxy = other, ServingProxy = World.Settings }).Serving(1);
        run.World.Used = World.Settings.Listen;
        run.Until(state => state.Phase == RolloutPhase.Soaking);
        Assert.Equal((port == 8080 ? null : World.Settings.Listen, 0L), (run.World.Observe().Proxy.Settings!.Former, run.World.Dropped));

        run.World.Used = other.Listen;
        run.ToTheEnd();
        run.World.Pass(1);
        foreach (var move in Steady.Next(Steady.After(run.State)!, run.World.Observe(), run.World.Now).Moves)
            run.World.Apply(move);
        Assert.Equal((RolloutPhase.Done, other, 0L), (run.State.Phase, run.World.Observe().Proxy.Settings, run.World.Dropped));
    }

    [Fact]
    public void AnAddressThatCannotBeTakenKeepsNoTrafficFromGoingBack()
    {
        var other = World.Settings with { Listen = new ListenAddress("127.0.0.1", 9090) };
        var run = new Run(World.Spec(2, 1, 25) with { Proxy = other, ServingProxy = World.Settings }).Serving(1);
        run.World.Taken = other.Listen;

        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Target, 200), (run.State.Phase, run.State.Cause, run.World.WeightOf(1)));
        Assert.Equal(World.Settings, run.World.Observe().Proxy.Settings);
    }

    [Fact]
    public void ARolloutThatOnlyTakesOthersAwayMakesWayAtOnce()
    {
        var run = new Run(World.Spec(3, 2) with { Warm = [World.Generation(1)] }).Serving(2, 1);
        run.World.Endless = 1;
        run.Until(state => state.Phase == RolloutPhase.Retiring);

        run.State = Rollout.Supersede(run.State, "a rollback", run.World.Now);

        Assert.Equal((RolloutPhase.Done, false), (run.State.Phase, run.State.Quarantines));
        Assert.NotNull(run.State.FinishedAt);
    }

    [Fact]
    public void GenerationsBeyondThoseKeptAreRemovedAndTheOthersStayWarm()
    {
        var spec = World.Spec(4, 3, 50) with { Warm = [World.Generation(2), World.Generation(1)] };
        var run = new Run(spec with { Rollout = spec.Rollout with { Keep = 2 } }).Serving(3, 2, 1);

        run.ToTheEnd();

        Assert.Equal((2, 2, 0, 0), (run.World.RunningOf(3), run.World.RunningOf(2), run.World.InstancesOf(1), run.World.WeightOf(3)));
        Assert.Equal([3, 2], Steady.After(run.State)!.Warm.Select(warm => warm.Number));
    }

    [Fact]
    public void KeepingNoneRemovesTheOldGenerationAfterItHasDrained()
    {
        var spec = World.Spec(2, 1, 50);
        var run = new Run(spec with { Rollout = spec.Rollout with { Keep = 0 } }).Serving(1);

        run.ToTheEnd();

        Assert.Equal((RolloutPhase.Done, 0, 0L, 0L), (run.State.Phase, run.World.InstancesOf(1), run.World.Dropped, run.World.Cut));
    }

    [Fact]
    public void WhatAFailedRolloutLeftStoppedIsRemovedByTheNextOne()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.World.Behaviours[2] = new() { ErrorRate = 1 };
        run.ToTheEnd();
        Assert.Equal(2, run.World.InstancesOf(2));

        run.Begin(World.Spec(3, 1, 50));
        run.Until(state => state.Phase == RolloutPhase.Warming);

        Assert.Equal(0, run.World.InstancesOf(2));
    }

    [Fact]
    public void SyntheticTrafficRunsOnlyWhileStepsAreObserved()
    {
        var spec = World.Spec(2, 1, 50);
        var run = new Run(spec with { Rollout = spec.Rollout with { Synthetic = new SyntheticTraffic("/", 20) } }).Serving(1);

        run.Until(state => state.Phase == RolloutPhase.Shifting);
        Assert.Contains(new Move.StartSynthetic("/", 20), run.Decision.Moves);
        run.Pass(1);
        Assert.DoesNotContain(new Move.StartSynthetic("/", 20), run.Decision.Moves);
        run.Until(state => state.Phase >= RolloutPhase.Draining);
        Assert.Contains(new Move.StopSynthetic(), run.Decision.Moves);
        run.ToTheEnd();
        Assert.Null(run.World.Observe().Synthetic);
    }

    [Fact]
    public void AnObservationOlderThanTheLastDecisionDecidesNothing()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        var old = run.World.Observe();
        run.Until(state => state.Phase == RolloutPhase.Shifting);

        var decision = Rollout.Next(run.State, old, run.World.Now);

        Assert.Same(run.State, decision.State);
        Assert.Empty(decision.Moves);
    }

    [Theory]
    [InlineData(-3)]
    [InlineData(-10800)]
    public void AfterTheClockWentBackTheNextLookIsDecidedOn(int seconds)
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);

        run.World.JumpClock(TimeSpan.FromSeconds(seconds));
        run.Pass(1);

        Assert.Equal((RolloutPhase.Aborting, run.World.Now, 0), (run.State.Phase, run.State.DecidedAt, run.World.WeightOf(2)));
        run.Pass(1);
        Assert.Equal(RolloutPhase.Restoring, run.State.Phase);
    }

    [Fact]
    public void AStaleReadBackIsNotAConfirmation()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        var serving = run.World.Observe();
        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now + TimeSpan.FromSeconds(1));

        run.State = Rollout.Next(run.State, serving with { Time = run.World.Now + TimeSpan.FromSeconds(2) },
            run.World.Now + TimeSpan.FromSeconds(2)).State;

        Assert.Equal(RolloutPhase.Aborting, run.State.Phase);
    }

    [Fact]
    public void AClockThatGoesBackDoesNotFreezeTheDeadlines()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.World.Behaviours[2] = new() { ReadyAfter = null };
        run.Until(state => state.Phase == RolloutPhase.Warming);

        run.World.JumpClock(TimeSpan.FromHours(-3));
        var from = run.World.Now;
        run.ToTheEnd();

        Assert.Equal(RolloutPhase.RolledBack, run.State.Phase);
        Assert.True(run.World.Now - from < TimeSpan.FromMinutes(3));
    }

    [Theory]
    [InlineData(RolloutPhase.Provisioning)]
    [InlineData(RolloutPhase.Warming)]
    [InlineData(RolloutPhase.Shifting)]
    [InlineData(RolloutPhase.Soaking)]
    public void AControllerThatWasAwayForAnHourGoesOnAndDoesNotHoldItAgainstTheRelease(RolloutPhase phase)
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        // What was decided last was recorded and never done.
        run.Until(state => state.Phase == phase, carryOut: phase != RolloutPhase.Provisioning);

        run.World.Pass(3600);
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.Done, 0L), (run.State.Phase, run.World.Dropped));
    }

    [Fact]
    public void WeightsThatWereRecordedAndNeverSetAreSetByTheControllerThatComesBack()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Warming);
        run.Until(state => state.Phase == RolloutPhase.Shifting, carryOut: true);
        run.World.Apply(new Move.SetShares([new(1, 100, 2)], [new(1, 0, true), new(1, 1, true), new(2, 0, false), new(2, 1, false)]));

        run.World.Pass(300);
        run.Pass(1);

        Assert.Equal("shares g2=50%/2 g1=50%/2 at g1-0 g1-1 g2-0 g2-1", Assert.Single(run.Decision.Moves).Key);
        run.ToTheEnd();
        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void AProxyThatDiesComesBackWithTheWeightsOfTheStep()
    {
        var run = new Run(World.Spec(2, 1, 25)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);

        run.World.KillProxy();
        run.Pass(1);

        Assert.StartsWith("proxy 127.0.0.1:8080 g2=25%/2 g1=75%/2 g2-0=10.", run.Decision.Moves[0].Key, StringComparison.Ordinal);
        Assert.Equal((2, 6), (run.World.WeightOf(2), run.World.WeightOf(1)));
        run.ToTheEnd();
        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void AProxySetUpOtherwiseIsReplacedBeforeAnyWeightMoves()
    {
        var other = World.Settings with { CheckTimeout = TimeSpan.FromSeconds(2) };
        var run = new Run(World.Spec(2, 1, 25) with { Proxy = other }).Serving(1);

        run.Pass(1);

        var replaced = Assert.IsType<Move.EnsureProxy>(run.Decision.Moves.Single(move => move is Move.EnsureProxy));
        Assert.Null(replaced.Shares);
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.Done, 0L), (run.State.Phase, run.World.Dropped));
    }

    [Fact]
    public void AnInstanceThatWasKilledIsFoundAgainUnderItsNewAddress()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);

        run.World.Kill(1, 0);
        run.Pass(1);

        Assert.Contains(run.Decision.Moves, move => move is Move.AddServer { Generation: 1, Index: 0 });
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.Done, 0L), (run.State.Phase, run.World.Dropped));
    }

    [Fact]
    public void TheStateIsWholeAfterItsJsonInEveryPhase()
    {
        var run = new Run(World.Spec(2, 1, 5, 50)).Serving(1);
        for (int i = 0; i < 300 && !run.State.IsTerminal; i++)
        {
            string json = ReleasesJson.Write(run.State);
            run.State = ReleasesJson.ReadRollout(json);
            Assert.Equal(json, ReleasesJson.Write(run.State));
            run.Pass(1);
        }

        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void TheReceiptSaysWhatWasServedAndHowLongDrainingTook()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.ToTheEnd();

        var receipt = RolloutReceipt.Of(run.State);

        Assert.Equal((RolloutPhase.Done, 0L, 0L), (receipt.Outcome, receipt.UserFailures, receipt.UnfinishedAtDeadline));
        Assert.True(receipt.UserRequests > 2000 && receipt.Next.Trials > 1000 && receipt.Previous.Trials > 500);
        Assert.NotNull(receipt.DrainSeconds);
    }

    [Fact]
    public void AReceiptOfARolloutThatStillRunsIsRefused() =>
        Assert.Throws<ArgumentException>(() => RolloutReceipt.Of(Rollout.Begin(World.Spec(2, 1), World.Start)));

    [Theory]
    [InlineData(1, 1, 3)]
    [InlineData(2, 1, 3)]
    [InlineData(3, 2, 3)]
    [InlineData(10, 5, 5)]
    [InlineData(1000, 500, 200)]
    public void TheFloorIsHalfAndTheBreakerHalfBetweenThreeAndTwoHundred(int replicas, int floor, int breaker) =>
        Assert.Equal((floor, breaker), (Rollout.Floor(replicas), Rollout.Breaker(replicas)));

    // What a ledger records of a move, and what people find it by.
    [Fact]
    public void EveryMoveHasAKeyAndARecordOfItsOwn()
    {
        (Move Move, string Key, string Json)[] moves =
        [
            (new Move.EnsureProxy(
                new(new("127.0.0.1", 8080), TimeSpan.FromSeconds(1)), [new(1, 0, "10.0.0.1:80")], [new(1, 100, 2)]),
                "proxy 127.0.0.1:8080 g1=100%/2 g1-0=10.0.0.1:80",
                """
                {"move":"ensure-proxy","settings":{"listen":{"address":"127.0.0.1","port":8080},"check_timeout":"00:00:01"},
                "servers":[{"generation":1,"index":0,"address":"10.0.0.1:80"}],"shares":[{"generation":1,"percent":100,"servers":2}]}
                """),
            (new Move.CreateInstance(1, 0, 2), "create g1-0 attempt 2",
                """{"move":"create-instance","generation":1,"index":0,"attempt":2,"lane":"Instances"}"""),
            (new Move.AddServer(1, 0, "10.0.0.1:80"), "server g1-0 10.0.0.1:80",
                """{"move":"add-server","generation":1,"index":0,"address":"10.0.0.1:80"}"""),
            (new Move.SetShares([new(2, 5, 1), new(1, 95, 2)], [new(2, 0, Takes: true), new(1, 1, Takes: false)]),
                "shares g2=5%/1 g1=95%/2 at g2-0 -g1-1",
                """
                {"move":"set-shares","shares":[{"generation":2,"percent":5,"servers":1},{"generation":1,"percent":95,"servers":2}],
                "servers":[{"generation":2,"index":0,"takes":true},{"generation":1,"index":1,"takes":false}]}
                """),
            (new Move.RemoveServer(1, 0, true), "remove-server g1-0 cut",
                """{"move":"remove-server","generation":1,"index":0,"cut_sessions":true}"""),
            (new Move.StopInstance(1, 0, "abc"), "stop g1-0 abc",
                """{"move":"stop-instance","generation":1,"index":0,"id":"abc","lane":"Instances"}"""),
            (new Move.RemoveInstance(1, 0, "abc"), "remove g1-0 abc",
                """{"move":"remove-instance","generation":1,"index":0,"id":"abc","lane":"Instances"}"""),
            (new Move.StartSynthetic("/", 5), "synthetic / 5/s", """{"move":"start-synthetic","path":"/","rate":5}"""),
            (new Move.StopSynthetic(), "synthetic off", """{"move":"stop-synthetic"}"""),
        ];

        Assert.All(moves, move => Assert.Equal(
            (move.Key, $$"""{{move.Json.ReplaceLineEndings("")[..^1]}},"key":"{{move.Key}}"}"""),
            (move.Move.Key, ReleasesJson.Write(move.Move))));
    }
}

/// <summary>A rollout carried out in a world without faults.</summary>
public sealed class Run
{
    public Run(RolloutSpec spec, int seed = 1)
    {
        World = new World(seed);
        State = Rollout.Begin(spec, World.Now);
        Decision = new RolloutDecision(State, []);
    }

    public World World { get; }

    public RolloutState State { get; set; }

    public RolloutDecision Decision { get; private set; }

    /// <summary>What may not run any more from now on.</summary>
    public Withdrawn Withdrawn { get; set; } = Withdrawn.None;

    public string Phases => string.Join(", ", State.History
        .Where(change => change.Reason != "the proxy has confirmed the weights")
        .Select(change => $"{change.Phase} {change.Share}"));

    public string Shares => string.Join(", ", State.History.Where(change => change.Phase is RolloutPhase.Shifting or RolloutPhase.Aborting)
        .Select(change => change.Share).Distinct());

    public Run Serving(int serving, params int[] warm)
    {
        World.Serve(serving, warm);
        return this;
    }

    public void Begin(RolloutSpec spec) => State = Rollout.Begin(spec, World.Now);

    public void Pass(int seconds, bool carryOut = true)
    {
        for (int i = 0; i < seconds; i++)
        {
            World.Pass(1);
            var seen = World.Observe();
            var before = State;
            Decision = Rollout.Next(State, seen, World.Now, Withdrawn);
            Assert.Empty(Invariants.Check(before, seen, Decision));
            State = Decision.State;
            foreach (var move in carryOut ? Decision.Moves : [])
                World.Apply(move);
        }
    }

    public void Until(Func<RolloutState, bool> reached, bool carryOut = true)
    {
        for (int i = 0; !reached(State); i++)
        {
            Assert.True(i < 1200, $"still in {State.Phase} after 20 minutes: {State.Waiting}");
            Pass(1, carryOut);
        }
    }

    public void ToTheEnd() => Until(state => state.IsTerminal);
}
