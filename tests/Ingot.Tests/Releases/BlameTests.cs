using Ingot.Releases;

namespace Ingot.Tests.Releases;

/// <summary>What is held against a version, and what is not: deaths, failures that everything shares, the target's.</summary>
public sealed class BlameTests
{
    private static readonly RolloutPhase[] s_serving = [RolloutPhase.Shifting, RolloutPhase.Soaking, RolloutPhase.Draining];

    [Theory]
    [InlineData(1, 10)]
    [InlineData(1, 100)]
    [InlineData(2, 10)]
    [InlineData(3, 10)]
    [InlineData(3, 50)]
    [InlineData(3, 100)]
    public void AnInstanceThatIsKilledIsReplacedAndItsVersionIsNotTurnedBack(int replicas, int share)
    {
        for (int seed = 0; seed < 16; seed++)
        {
            var run = Replicated(replicas, share, seed);
            run.Until(state => s_serving.Contains(state.Phase));
            run.Pass(seed % 4);
            run.World.Kill(2, seed % replicas);
            run.ToTheEnd();

            Assert.True(run.State.Phase == RolloutPhase.Done, $"seed {seed}: {run.State.Cause}: {run.State.Reason}");
            Assert.Equal(replicas, run.World.RunningOf(2));
        }
    }

    [Fact]
    public void AnInstanceThatDiesWhereItTakesAllTrafficLosesNoRequestToItsAbsence()
    {
        var run = Replicated(1, 100, 1);
        run.Until(state => state.Phase == RolloutPhase.Soaking);
        run.World.Behaviours[2] = new() { ReadyAfter = 8 };
        run.World.Kill(2, 0);
        run.Pass(6);

        Assert.Equal((RolloutPhase.Soaking, true), (run.State.Phase, run.World.WeightOf(1) > 0));
        long dropped = run.World.Dropped;
        run.ToTheEnd();
        Assert.Equal((RolloutPhase.Done, dropped), (run.State.Phase, run.World.Dropped));
    }

    [Fact]
    public void InstancesThatStayIllAreTheVersionsFaultAfterAGraceAndNotBefore()
    {
        var run = Replicated(3, 10, 1);
        run.Until(state => state.AcknowledgedAt is not null);
        run.World.Pass(70);
        run.World.Rate = 0;
        run.World.Behaviours[2] = new() { ReadyAfter = null };
        run.Pass(8);
        Assert.Null(run.State.Cause);

        run.ToTheEnd();
        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Health, true), (run.State.Phase, run.State.Cause, run.State.Quarantines));
    }

    [Fact]
    public void RetriesThatSucceedAreNobodysFailure()
    {
        var seen = Judge.Count(new Judgement(), World.Spec(2, 1, 10), Counted(0, default));
        seen = Judge.Count(seen, World.Spec(2, 1, 10), Counted(1, new ServerCounters(100, 0, 0, 0, 500)));

        Assert.Equal(new Arm(100, 0), seen.Next);
    }

    [Fact]
    public void WhatALivingInstanceLeavesUnansweredIsItsFailureAMomentLater()
    {
        var spec = World.Spec(2, 1, 10);
        var seen = Judge.Count(new Judgement(), spec, Counted(0, default));
        seen = Judge.Count(seen, spec, Counted(1, new ServerCounters(100, 0, 3, 4, 0)));
        Assert.Equal(new Arm(100, 0), seen.Next);

        seen = Judge.Count(seen, spec, Counted(2, new ServerCounters(100, 0, 3, 4, 0)));
        Assert.Equal(new Arm(107, 7), seen.Next);
    }

    [Theory]
    [InlineData(InstanceState.Exited, 3600)]
    [InlineData(InstanceState.Restarting, 3600)]
    [InlineData(InstanceState.Running, 2)]
    public void WhatADeadInstanceLeavesUnansweredIsNot(InstanceState state, int age)
    {
        var spec = World.Spec(2, 1, 10);
        var seen = Judge.Count(new Judgement(), spec, Counted(0, default));
        seen = Judge.Count(seen, spec, Counted(1, new ServerCounters(100, 0, 3, 4, 0)));
        seen = Judge.Count(seen, spec, Counted(2, new ServerCounters(100, 0, 3, 9, 0), state, age));
        seen = Judge.Count(seen, spec, Counted(30, new ServerCounters(100, 0, 3, 9, 0)));

        Assert.Equal(new Arm(100, 0), seen.Next);
    }

    [Theory]
    [InlineData(new int[0], 100)]
    [InlineData(new int[0], 10)]
    [InlineData(new[] { 10, 50 }, 100)]
    public void ABrownOutWithAllTrafficOnTheNextGenerationTurnsAlmostNothingBack(int[] canary, int rate)
    {
        int runs = Seeds.Of(100);
        int aborted = 0;
        for (int seed = 0; seed < runs; seed++)
        {
            var run = new Run(World.Spec(2, 1, canary), seed).Serving(1);
            run.World.Rate = rate;
            BrownOut(run, new Random(unchecked((seed + 1) * (int)2654435761)));
            aborted += run.State.Phase == RolloutPhase.Done ? 0 : 1;
        }

        TestContext.Current.SendDiagnosticMessage(
            $"[{string.Join(' ', canary)}] {rate}/s: {aborted} of {runs} turned back by a shared brown-out");
        Assert.True(aborted <= Math.Max(2, runs / 100), $"{aborted} of {runs}");
    }

    [Theory]
    [InlineData(100, 0.05, 25)]
    [InlineData(100, 0.2, 10)]
    [InlineData(100, 0.5, 5)]
    [InlineData(100, 1, 5)]
    [InlineData(10, 0.5, 15)]
    [InlineData(10, 1, 10)]
    public void ARegressionThatBeginsWithAllTrafficIsTurnedBackSoon(int rate, double failures, int seconds)
    {
        var times = new List<int>();
        var failed = new List<long>();
        for (int seed = 0; seed < Seeds.Of(20); seed++)
        {
            var spec = World.Spec(2, 1);
            var run = new Run(spec with { Rollout = spec.Rollout with { Observe = TimeSpan.FromSeconds(60) } }, seed).Serving(1);
            run.World.Rate = rate;
            run.Until(state => state.Phase == RolloutPhase.Soaking);
            run.Pass(seed % 8);
            run.World.Behaviours[2] = new() { ErrorRate = failures };
            int from = run.World.Elapsed;
            run.Until(state => state.IsTerminal || state.Phase == RolloutPhase.Aborting);
            Assert.Equal(AbortCause.Judge, run.State.Cause);
            times.Add(run.World.Elapsed - from);
            failed.Add(run.World.Failures);
        }

        times.Sort();
        failed.Sort();
        string figures = $"{rate}/s at {failures:P0}: {times[times.Count / 2]} s and {failed[times.Count / 2]} failed requests in the "
            + $"median, {times[times.Count * 19 / 20]} s and {failed[times.Count * 19 / 20]} in 19 of 20";
        TestContext.Current.SendDiagnosticMessage(figures);
        Assert.True(times[times.Count / 2] <= seconds, figures);
    }

    [Fact]
    public void AHiccupOfTheNextGenerationAloneIsComparedAndForgiven()
    {
        var run = new Run(World.Spec(2, 1)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Soaking);
        run.World.Rate = 10;
        run.World.Behaviours[2] = new() { ErrorRate = 0.5 };
        run.Until(state => state.Probe is not null || state.IsTerminal);
        run.World.Behaviours[2] = new();
        run.ToTheEnd();

        Assert.Equal((RolloutPhase.Done, 1), (run.State.Phase, run.State.Probes));
        Assert.Contains(run.State.History, change => change.Reason.StartsWith("it fails no more", StringComparison.Ordinal));
    }

    [Fact]
    public void ARevokedOldGenerationIsGivenNothingToCompareWith()
    {
        var run = new Run(World.Spec(2, 1)).Serving(1);
        run.Until(state => state.Phase == RolloutPhase.Soaking);
        run.Withdrawn = new Withdrawn(null, "generation 1 was revoked");
        run.World.Behaviours[2] = new() { ErrorRate = 1 };
        run.Pass(5);

        Assert.Equal((0, PauseCause.Withdrawn), (run.World.WeightOf(1), run.State.Pause?.Cause));
    }

    [Fact]
    public void WhatFailsOnlyUnderTheWholeLoadIsNotTriedForEver()
    {
        var run = new Run(World.Spec(2, 1)).Serving(1);
        for (int i = 0; i < 700 && run.State.Pause is null && !run.State.IsTerminal; i++)
        {
            run.World.Behaviours[2] = new() { ErrorRate = run.State.Share == 100 ? 0.3 : 0 };
            run.Pass(1);
        }

        Assert.True(run.State.Probes is > 2 and < 10, $"{run.State.Probes} comparisons, {run.State.Phase}");
        Assert.NotEqual(RolloutPhase.Done, run.State.Phase);
    }

    // From some second after it takes all traffic, for some time, a share of all requests fails whoever takes them.
    private static void BrownOut(Run run, Random random)
    {
        run.Until(state => state.Share == 100 && state.AcknowledgedAt is not null);
        run.Pass(random.Next(8));
        run.World.SharedErrorRate = 0.05 + (random.NextDouble() * 0.95);
        for (int left = random.Next(1, 60); left > 0 && !run.State.IsTerminal; left--)
            run.Pass(1);
        run.World.SharedErrorRate = 0;
        run.ToTheEnd();
    }

    private static Run Replicated(int replicas, int share, int seed)
    {
        var spec = share == 100 ? World.Spec(2, 1) : World.Spec(2, 1, share);
        spec = spec with { Next = spec.Next with { Replicas = replicas }, Previous = spec.Previous! with { Replicas = replicas } };
        var run = new Run(spec, seed);
        run.World.ServeWith(replicas, 1);
        return run;
    }

    private static Observation Counted(int second, ServerCounters counters, InstanceState state = InstanceState.Running, int age = 3600)
    {
        var now = World.Start + TimeSpan.FromSeconds(second);
        var server = new ServerObservation(2, 0, "10.0.0.2:80", 1, ServerAdmin.Ready, ServerHealth.Up, 0, 0, counters);
        var instance = new InstanceObservation(2, 0, "id", state, World.Generation(2).Digest, "10.0.0.2:80",
            StartedAt: now - TimeSpan.FromSeconds(age));
        return new Observation(now, new ProxyObservation(true, World.Settings, "1", [server]), [instance]);
    }
}
