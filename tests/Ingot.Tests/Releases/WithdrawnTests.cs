using Ingot.Releases;

namespace Ingot.Tests.Releases;

/// <summary>What a rollout does when what it is between may not run any more.</summary>
public sealed class WithdrawnTests
{
    private static readonly Withdrawn s_next = new("generation 2 was revoked", null);
    private static readonly Withdrawn s_previous = new(null, "generation 1 was revoked");
    private static readonly Withdrawn s_both = new("generation 2 was revoked", "generation 1 was revoked");

    [Theory]
    [InlineData(RolloutPhase.Planned)]
    [InlineData(RolloutPhase.Provisioning)]
    [InlineData(RolloutPhase.Warming)]
    [InlineData(RolloutPhase.Shifting)]
    [InlineData(RolloutPhase.Soaking)]
    public void WhatIsWithdrawnGoesBackInEveryPhase(RolloutPhase phase)
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.Phase == phase);

        run.Withdrawn = s_next;
        run.Pass(1);
        Assert.DoesNotContain(run.Decision.Moves, move => move is Move.CreateInstance { Generation: 2 });
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Withdrawn, "generation 2 was revoked"),
            (run.State.Phase, run.State.Cause, run.State.Reason));
        Assert.Equal((200, 0, 0L, 0L), (run.World.WeightOf(1), run.World.RunningOf(2), run.World.Dropped, run.World.Cut));
        Assert.False(run.State.Quarantines);
    }

    [Fact]
    public void APauseDoesNotKeepIt()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.State = Rollout.Pause(run.State, "ada", "lunch", null, run.World.Now);

        run.Withdrawn = s_next;
        run.ToTheEnd();

        Assert.Equal(RolloutPhase.RolledBack, run.State.Phase);
    }

    [Fact]
    public void AFirstDeploymentThatIsWithdrawnServesNobody()
    {
        var run = new Run(World.Spec(1, null));
        run.Until(state => state.Phase == RolloutPhase.Soaking);

        run.Withdrawn = s_next;
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, 0), (run.State.Phase, run.World.RunningOf(1)));
        Assert.Null(Steady.After(run.State));
    }

    [Fact]
    public void AnInstanceOfWhatIsWithdrawnIsNotMadeAgainWhileTheTrafficGoesBack()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.World.Behaviours[1] = new() { ReadyAfter = null };
        run.Pass(4);
        run.Withdrawn = s_next;
        run.Until(state => state.Phase == RolloutPhase.Aborting);

        run.World.Kill(2, 0);
        for (int i = 0; i < 20; i++)
        {
            run.Pass(1);
            Assert.DoesNotContain(run.Decision.Moves, move => move is Move.CreateInstance { Generation: 2 });
        }

        Assert.True(run.World.WeightOf(2) > 0);
    }

    [Fact]
    public void WhatFailsStaysWhereItIsWhenThereIsNothingGoodToGoBackTo()
    {
        var run = new Run(World.Spec(2, 1, 10, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        int weight = run.World.WeightOf(1);

        run.Withdrawn = s_previous;
        run.World.Behaviours[2] = new() { ErrorRate = 0.5 };
        run.Until(state => state.Pause is not null);
        run.Pass(120);

        Assert.Equal((PauseCause.Withdrawn, 10, weight), (run.State.Pause!.Cause, run.State.Share, run.World.WeightOf(1)));
        Assert.Contains("generation 1 was revoked", run.State.Pause.Reason, StringComparison.Ordinal);
        Assert.Contains("deploy another version", run.State.Pause.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void ItTurnsBackOnceTheOldGenerationMayRunAgain()
    {
        var run = new Run(World.Spec(2, 1, 10, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.Withdrawn = s_both;
        run.Pass(30);
        Assert.Equal((PauseCause.Withdrawn, 10), (run.State.Pause!.Cause, run.State.Share));

        run.Withdrawn = s_next;
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.RolledBack, 200), (run.State.Phase, run.World.WeightOf(1)));
    }

    [Fact]
    public void AGoodVersionReplacesARevokedOne()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Withdrawn = s_previous;
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.Done, 200), (run.State.Phase, run.World.WeightOf(2)));
    }

    [Fact]
    public void BeforeItsFirstTrafficItTurnsBackWhateverServes()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Warming);
        run.Withdrawn = s_both;
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.RolledBack, 200), (run.State.Phase, run.World.WeightOf(1)));
    }

    [Fact]
    public void APersonsPauseIsNotTakenFromThem()
    {
        var run = new Run(World.Spec(2, 1, 50)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.State = Rollout.Pause(run.State, "ada", "lunch", null, run.World.Now);
        run.Withdrawn = s_both;
        run.Pass(5);
        Assert.Equal(("lunch", PauseCause.Person), (run.State.Pause!.Reason, run.State.Pause.Cause));
    }

    [Fact]
    public void ARollbackToWhatIsWithdrawnDoesNotBegin()
    {
        var run = new Run(World.Spec(1, 2) with { IsRollback = true, Next = World.Generation(1), Previous = World.Generation(2) }).Serving(
            2, 1);
        run.Withdrawn = new Withdrawn("generation 1 was revoked", null);
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.RolledBack, 200, 0), (run.State.Phase, run.World.WeightOf(2), run.World.WeightOf(1)));
        Assert.Equal(2, Steady.After(run.State)!.Serving.Number);
    }

    [Fact]
    public void ARollbackThatHasTheTrafficEnds()
    {
        var run = new Run(World.Spec(1, 2) with { IsRollback = true, Next = World.Generation(1), Previous = World.Generation(2) }).Serving(
            2, 1);
        run.Until(state => state.Phase == RolloutPhase.Shifting);
        run.Withdrawn = new Withdrawn("generation 1 was revoked", null);
        run.ToTheEnd();
        Assert.Equal(RolloutPhase.Done, run.State.Phase);
    }

    [Fact]
    public void TheStateSurvivesItsJsonWhileItIsHeld()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.Withdrawn = s_both;
        run.Pass(3);
        string json = ReleasesJson.Write(run.State);
        Assert.Equal(json, ReleasesJson.Write(ReleasesJson.ReadRollout(json)));
    }

    [Fact]
    public void AnotherConfigurationOfTheSameDigestIsQuarantinedWhenItFails()
    {
        var next = Failed(next => next with { Config = new SortedDictionary<string, string> { ["LEVEL"] = "debug" } }, quarantines: true);
        Assert.NotEqual(World.Generation(2).SettingsDigest, next.SettingsDigest);
    }

    [Fact]
    public void WhatIsLikeWhatServesIsNotQuarantinedWhenItFails() =>
        Failed(next => next with { Replicas = 3, Version = "other" }, quarantines: false);

    // The digest of what serves, changed and failing.
    private static Generation Failed(Func<Generation, Generation> change, bool quarantines)
    {
        var spec = World.Spec(2, 1, 10);
        var run = new Run(spec with { Next = change(spec.Next with { Digest = spec.Previous!.Digest }) }).Serving(1);
        run.World.Behaviours[2] = new() { ErrorRate = 0.5 };
        run.ToTheEnd();
        Assert.Equal((AbortCause.Judge, quarantines), (run.State.Cause, run.State.Quarantines));
        return run.State.Spec.Next;
    }

    [Fact]
    public void AWarmGenerationThatIsWithdrawnIsStoppedAndComesBack()
    {
        var world = new World(seed: 1);
        world.Serve(2, 1);
        var state = new SteadyState
        {
            Key = World.Spec(2, 1).Key,
            Proxy = World.Settings,
            Serving = World.Generation(2),
            Warm = [World.Generation(1)],
            DecidedAt = world.Now,
        };
        state = Pass(world, state, 10, new HashSet<int> { 1 });
        Assert.Equal((0, 2, false), (world.RunningOf(1), world.RunningOf(2), world.Knows(1)));

        Pass(world, state, 60, new HashSet<int>());
        Assert.Equal((2, 2, 0), (world.RunningOf(1), world.RunningOf(2), world.WeightOf(1)));
    }

    [Fact]
    public void WhatServesIsRepairedThoughItIsWithdrawn()
    {
        var world = new World(seed: 1);
        world.Serve(2);
        var state = new SteadyState
        {
            Key = World.Spec(2, 1).Key,
            Proxy = World.Settings,
            Serving = World.Generation(2),
            DecidedAt = world.Now,
        };
        world.Kill(2, 0);
        Pass(world, state, 30, new HashSet<int> { 2 });
        Assert.Equal((2, 200), (world.RunningOf(2), world.WeightOf(2)));
    }

    private static SteadyState Pass(World world, SteadyState state, int seconds, IReadOnlySet<int> withdrawn)
    {
        for (int i = 0; i < seconds; i++)
        {
            world.Pass(1);
            var decision = Steady.Next(state, world.Observe(), world.Now, withdrawn);
            state = decision.State;
            foreach (var move in decision.Moves)
                world.Apply(move);
        }

        return state;
    }
}
