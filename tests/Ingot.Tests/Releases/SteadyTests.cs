using Ingot.Releases;

namespace Ingot.Tests.Releases;

/// <summary>A service between rollouts.</summary>
public sealed class SteadyTests
{
    private readonly World _world = new(seed: 1);
    private SteadyState _state = new()
    {
        Key = World.Spec(2, 1).Key,
        Proxy = World.Settings,
        Serving = World.Generation(2),
        Warm = [World.Generation(1)],
        DecidedAt = World.Start,
    };

    [Fact]
    public void ACrashLoopReturnsToTheGenerationThatStandsBy()
    {
        _world.Serve(2, 1);
        _world.Behaviours[2] = new() { EndsAfter = 3 };

        var found = Until(decision => decision.Return is not null, 180);

        Assert.Equal((1, true), (found.Return!.To.Number, found.Return.Quarantines));
        Assert.Matches("^only [01] of 2 instances of generation 2 are healthy, [0-9]+ were replaced lately, and generation 1 stands by$",
            found.Return.Reason);
    }

    [Fact]
    public void AfterAReturnNothingReturnsAgain()
    {
        _world.Serve(2, 1);
        _world.Behaviours[1] = _world.Behaviours[2] = new() { EndsAfter = 8 };
        var spec = Steady.GoBack(_state, World.Generation(1), World.Spec(2, 1).Rollout, "ingot", "a crash loop");
        var rollout = Rollout.Begin(spec, _world.Now);
        for (int i = 0; i < 600 && !rollout.IsTerminal; i++)
        {
            _world.Pass(1);
            var decision = Rollout.Next(rollout, _world.Observe(), _world.Now);
            rollout = decision.State;
            Carry(decision.Moves);
        }

        Assert.Equal((RolloutPhase.Done, true), (rollout.Phase, spec.IsRollback));
        _state = Steady.After(rollout)! with { Warm = [World.Generation(2)] };
        _world.Behaviours.Remove(2);
        for (int i = 0; i < 300; i++)
            Assert.Null(Step().Return);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InstancesThatStayIllReturnAfterAGraceAlsoWithASilentEngine(bool silent)
    {
        _world.Serve(2, 1);
        _world.Pass(100);
        _world.EngineSilent = silent;
        _world.Behaviours[2] = new() { ReadyAfter = null };

        Step();
        Step();
        int from = _world.Elapsed;
        var found = Until(decision => decision.Return is not null, 90);

        Assert.InRange(_world.Elapsed - from, 8, 80);
        Assert.Equal(!silent, found.Return!.Quarantines);
    }

    [Fact]
    public void WithoutAHealthyGenerationStandingByNothingReturns()
    {
        _world.Serve(2, 1);
        _world.Behaviours[1] = _world.Behaviours[2] = new() { ReadyAfter = null };

        for (int i = 0; i < 200; i++)
            Assert.Null(Step().Return);
    }

    [Fact]
    public void ARevokedGenerationIsNoPlaceToReturnTo()
    {
        _world.Serve(2, 1);
        _world.Behaviours[2] = new() { ReadyAfter = null };

        for (int i = 0; i < 200; i++)
            Assert.Null(Step(new HashSet<int> { 1 }).Return);
    }

    [Fact]
    public void InstancesThatAreKilledNowAndThenReturnNothing()
    {
        _world.Serve(2, 1);
        for (int i = 0; i < 1200; i++)
        {
            if (i % 100 == 0)
                _world.Kill(2, i / 100 % 2);
            Assert.Null(Step().Return);
        }
    }

    [Fact]
    public void WhatServesAgainIsNotQuarantined() => ReturnsTo(1024, quarantines: false);

    [Fact]
    public void TheDigestThatServesAgainIsQuarantinedWithAnotherConfigurationOnly() => ReturnsTo(2048, quarantines: true);

    private void ReturnsTo(int processes, bool quarantines)
    {
        _world.Serve(2, 1);
        var serving = _state.Serving with { Limits = _state.Serving.Limits with { Pids = 1024 } };
        var warm = serving with { Number = 1, Limits = serving.Limits with { Pids = processes } };
        _state = _state with { Serving = serving, Warm = [warm] };
        _world.Behaviours[2] = new() { ReadyAfter = null };

        Assert.Equal(quarantines, Until(decision => decision.Return is not null, 200).Return!.Quarantines);
    }

    [Fact]
    public void ConnectionsThatOutliveTheRolloutAreCutAfterTheirOwnTime()
    {
        var spec = World.Spec(2, 1);
        var run = new Run(spec with { Rollout = spec.Rollout with { Keep = 0, DrainConnections = TimeSpan.FromSeconds(200) } }).Serving(1);
        run.World.Endless = 1;
        run.ToTheEnd();
        Assert.Equal((0L, true), (run.World.Cut, run.World.Knows(1)));

        var steady = Steady.After(run.State)!;
        int from = run.World.Elapsed;
        while (run.World.Knows(1) && run.World.Elapsed - from < 400)
        {
            run.World.Pass(1);
            var seen = run.World.Observe();
            var decision = Steady.Next(steady, seen, run.World.Now);
            Assert.Empty(Invariants.Check(seen, decision));
            steady = decision.State;
            foreach (var move in decision.Moves)
                run.World.Apply(move);
        }

        Assert.InRange(run.World.Elapsed - from, 120, 210);
        Assert.Equal((2L, 0), (run.World.Cut, run.World.WeightOf(1)));
    }

    [Fact]
    public void WhatARolloutCouldNotStopIsStoppedAfterwards()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.World.EngineSilent = true;
        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.RolledBack, 2), (run.State.Phase, run.World.RunningOf(2)));

        run.World.EngineSilent = false;
        var steady = Steady.After(run.State)!;
        for (int i = 0; i < 5; i++)
        {
            run.World.Pass(1);
            var decision = Steady.Next(steady, run.World.Observe(), run.World.Now);
            steady = decision.State;
            foreach (var move in decision.Moves)
                run.World.Apply(move);
        }

        Assert.Equal((0, 2, 0), (run.World.RunningOf(2), run.World.InstancesOf(2), steady.Leaving.Count));
    }

    [Theory]
    [InlineData(-3)]
    [InlineData(-10800)]
    public void AfterTheClockWentBackWhatServesIsKeptUp(int seconds)
    {
        _world.Serve(2, 1);
        Step();
        _world.KillProxy();
        _world.JumpClock(TimeSpan.FromSeconds(seconds));

        Assert.Contains(Step().Moves, move => move is Move.EnsureProxy);
        Assert.True(_world.ProxyAlive);
    }

    [Fact]
    public void WhatIsMadeAfterItsRolloutHasTurnedBackIsTakenAway()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Provisioning, carryOut: false);
        run.State = Rollout.Abort(run.State, "ada", "wrong day", run.World.Now);
        while (!run.State.IsTerminal)
            run.Pass(1);
        var steady = Steady.After(run.State)!;
        Assert.Equal(0, run.World.InstancesOf(2));

        for (int i = 0; i < 8; i++)
        {
            run.World.Pass(1);
            if (i == 3)
                run.World.Apply(new Move.CreateInstance(2, 0, 0));
            var seen = run.World.Observe();
            var decision = Steady.Next(steady, seen, run.World.Now);
            Assert.Empty(Invariants.Check(seen, decision));
            steady = decision.State;
            foreach (var move in decision.Moves)
                run.World.Apply(move);
        }

        Assert.Equal((0, 1, 0), (run.World.RunningOf(2), run.World.InstancesOf(2), steady.Leaving.Count));
    }

    [Fact]
    public void AForgottenGenerationThatTheProxySendsRequestsToIsDrainedAndThenStopped()
    {
        _world.Serve(2, 1, 7);
        _world.Endless = 7;
        int from = _world.Elapsed;
        while (_world.RunningOf(7) > 0 && _world.Elapsed - from < 200)
            Step();

        Assert.InRange(_world.Elapsed - from, 55, 80);
        Assert.Equal((0, false, 2, 0L), (_world.WeightOf(7), _world.Knows(7), _world.InstancesOf(7), _world.Dropped));
        Assert.Empty(Step().Moves);
    }

    [Fact]
    public void AMoveThatFailsWhileSomethingIsDecidedIsRemembered()
    {
        _world.Serve(2, 1);
        var basis = _state;
        var decided = Step().State;
        var current = Steady.Failed(basis, new Move.CreateInstance(2, 1, 1), _world.Now);

        Assert.Equal(1, Steady.KeepFailures(basis, current, decided).Instances["g2-1"].FailedMoves);
        Assert.Empty(Steady.KeepFailures(current, current, decided).Instances);
    }

    [Fact]
    public void AMoveThatFailsIsTriedAgainLaterAndKeepsNoOtherBack()
    {
        _world.Serve(2, 1);
        _world.Behaviours[2] = new();
        for (int i = 0; i < 4; i++)
            (_, _) = (Kill(0), Kill(1));
        Step();
        var create = new Move.CreateInstance(2, 0, 1);
        _state = Steady.Failed(_state, create, _world.Now);

        var decision = Step();

        Assert.DoesNotContain(decision.Moves, move => move is Move.CreateInstance { Index: 0 });
        Assert.Contains(decision.Moves, move => move is Move.CreateInstance { Index: 1 });
        Assert.Contains(Until(later => later.Moves.Any(move => move is Move.CreateInstance { Index: 0 }), 5).Moves,
            move => move is Move.CreateInstance);
    }

    private int Kill(int index)
    {
        _world.Kill(2, index);
        return index;
    }

    private SteadyDecision Until(Func<SteadyDecision, bool> reached, int seconds)
    {
        for (int i = 0; i < seconds; i++)
        {
            if (Step() is var decision && reached(decision))
                return decision;
        }

        throw new Xunit.Sdk.XunitException(
            $"not reached in {seconds} s: {_state.BelowFloorSince:T}, {string.Join(", ", _state.Instances)}");
    }

    private SteadyDecision Step(HashSet<int>? withdrawn = null)
    {
        _world.Pass(1);
        var seen = _world.Observe();
        var decision = Steady.Next(_state, seen, _world.Now, withdrawn);
        Assert.Empty(Invariants.Check(seen, decision, withdrawn));
        _state = decision.State;
        Carry(decision.Moves);
        return decision;
    }

    private void Carry(IReadOnlyList<Move> moves)
    {
        foreach (var move in moves)
            _world.Apply(move);
    }
}
