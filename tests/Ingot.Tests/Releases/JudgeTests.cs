using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Tests.Releases;

public sealed class JudgeTests
{
    [Theory]
    [InlineData(0.01, 1.5, 6012)]
    [InlineData(0.01, 30, 12)]
    [InlineData(0.05, 2, 372)]
    [InlineData(0.05, 5, 42)]
    [InlineData(0.1, 3, 70)]
    [InlineData(0.1, 100, 4)]
    [InlineData(0.25, 10, 11)]
    [InlineData(0.5, 1.5, 318)]
    [InlineData(0.5, 20, 13)]
    [InlineData(0.75, 5, 53)]
    [InlineData(0.9, 2, 432)]
    [InlineData(0.9, 100, 66)]
    public void TheErrorsNeededAreTheTables(double share, double ratio, int errors) =>
        Assert.Equal(errors, (int)Math.Ceiling(Judge.NeededErrors(ratio, share) - 0.5), tolerance: 1);

    [Fact]
    public void EqualGenerationsCannotBeToldApart() => Assert.Equal(double.PositiveInfinity, Judge.NeededErrors(1, 0.5));

    [Fact]
    public void OneRequestASecondCannotShowADoublingInTenMinutes()
    {
        // 1 rps to the canary, a tenth of the traffic, 0.5 % before: neither passed nor failed.
        var seen = Counted(next: new Arm(600, 6), previous: new Arm(5400, 27));

        var verdict = Assert.IsType<Verdict.Insufficient>(Judge.Look(seen, Spec() with { Rollout = new() { Detect = 0.01 } }, 10));

        Assert.InRange(verdict.MissingRequests, 20_000, 60_000);
    }

    [Fact]
    public void NoTrafficIsInsufficientAndNeverAPass() =>
        Assert.IsType<Verdict.Insufficient>(Judge.Look(new Judgement(), Spec(), 5));

    [Fact]
    public void TrafficToTheOldGenerationAloneIsInsufficient() =>
        Assert.IsType<Verdict.Insufficient>(Judge.Look(Counted(next: default, previous: new Arm(1_000_000, 0)), Spec(), 5));

    [Fact]
    public void EnoughFailureFreeTrafficPasses() =>
        Assert.IsType<Verdict.NotWorse>(Judge.Look(Counted(next: new Arm(400, 0), previous: new Arm(7600, 0)), Spec(), 5));

    [Fact]
    public void AnOldGenerationThatAlwaysFailsProvesNothing()
    {
        var verdict =
            Assert.IsType<Verdict.Insufficient>(Judge.Look(Counted(next: new Arm(500, 500), previous: new Arm(500, 500)), Spec(), 50));

        Assert.Equal(long.MaxValue, verdict.MissingRequests);
    }

    [Fact]
    public void ThreeFailuresOfATenthOfTheTrafficAreEnoughToBeWorse()
    {
        var worse = Assert.IsType<Verdict.Worse>(Judge.Look(Counted(next: new Arm(100, 3), previous: new Arm(900, 0)), Spec(), 10));

        Assert.Contains("failed 3 of 100 requests (3 %), the old one 0 of 900 (0 %)", worse.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void AFailureThatBothGenerationsShareIsNotTheNextOnes() =>
        Assert.IsNotType<Verdict.Worse>(Judge.Look(Counted(next: new Arm(1000, 300), previous: new Arm(9000, 2700)), Spec(), 10));

    [Fact]
    public void TheHarmBudgetCountsOnlyWhatTheShareDoesNotExplain()
    {
        // A small, steady excess: never significant for the odds, and still more users than allowed.
        var seen = new Judgement { Harm = 25, Excess = 20, Variance = 16, Next = new Arm(1000, 40), Previous = new Arm(1000, 20) };

        Assert.IsType<Verdict.Worse>(Judge.Look(seen, Spec(), 50));
        Assert.IsNotType<Verdict.Worse>(Judge.Look(seen with { Variance = 26 }, Spec(), 50));
        Assert.IsNotType<Verdict.Worse>(Judge.Look(seen with { Harm = 20 }, Spec(), 50));
    }

    [Theory]
    [InlineData(400, 20, true)]
    [InlineData(401, 20, false)]
    [InlineData(20, 19, false)]
    [InlineData(20, 20, true)]
    [InlineData(0, 0, false)]
    public void WithNothingToCompareOnlyManyFailuresAtAHighRateCount(int trials, int errors, bool isWorse)
    {
        var verdict = Judge.Look(new Judgement { NextInStep = new Arm(trials, errors) }, Spec(first: true), 100);

        Assert.Equal(isWorse, verdict is Verdict.Worse);
    }

    [Fact]
    public void AtTheWholeTheOldGenerationsRateWidensTheBound()
    {
        var seen = new Judgement { NextInStep = new Arm(400, 60), Previous = new Arm(1000, 100) };

        Assert.IsNotType<Verdict.Worse>(Judge.Look(seen, Spec(), 100));
        Assert.IsType<Verdict.Worse>(Judge.Look(seen with { Previous = new Arm(1000, 10) }, Spec(), 100));
    }

    [Fact]
    public void CountersThatFallBeginANewBaseAndAddNothing()
    {
        var first = Judge.Count(new Judgement(), Spec(), Seen("a", 100, 5, 900, 9));
        var second = Judge.Count(first, Spec(), Seen("a", 110, 6, 950, 9));
        var reset = Judge.Count(second, Spec(), Seen("a", 3, 1, 960, 10));
        var after = Judge.Count(reset, Spec(), Seen("a", 5, 1, 961, 10));

        Assert.Equal((default, default), (first.Next, first.Previous));
        Assert.Equal((new Arm(10, 1), new Arm(50, 0)), (second.Next, second.Previous));
        Assert.Equal((new Arm(10, 1), new Arm(60, 1)), (reset.Next, reset.Previous));
        Assert.Equal((new Arm(12, 1), new Arm(61, 1)), (after.Next, after.Previous));
    }

    [Fact]
    public void AnotherLifeOfTheProxyBeginsANewBaseEvenWhenItsCountersAreHigher()
    {
        var first = Judge.Count(new Judgement(), Spec(), Seen("a", 100, 5, 900, 9));
        var second = Judge.Count(first, Spec(), Seen("b", 500, 400, 2000, 9));

        Assert.Equal((default, default), (second.Next, second.Previous));
    }

    [Fact]
    public void AProxyThatIsDownAddsNothingAndLosesNothing()
    {
        var first = Judge.Count(new Judgement(), Spec(), Seen("a", 100, 5, 900, 9));

        Assert.Same(first, Judge.Count(first, Spec(), new Observation(World.Start, ProxyObservation.Down, [])));
    }

    [Fact]
    public void AServerThatIsGoneForAMomentIsNotCountedTwice()
    {
        var first = Judge.Count(new Judgement(), Spec(), Seen("a", 100, 5, 900, 9));
        var seen = Seen("a", 100, 5, 950, 9);
        var without = Judge.Count(first, Spec(), seen with { Proxy = seen.Proxy with { Servers = [seen.Proxy.Servers[1]] } });
        var back = Judge.Count(without, Spec(), Seen("a", 120, 5, 950, 9));

        Assert.Equal((new Arm(20, 0), new Arm(50, 0)), (back.Next, back.Previous));
    }

    private static RolloutSpec Spec(bool first = false) =>
        World.Spec(next: 2, previous: first ? null : 1) with { Rollout = new RolloutDefinition { Canary = [5, 50] } };

    private static Judgement Counted(Arm next, Arm previous) => new()
    {
        Evidence = OddsMixture.Empty.Observe(next, previous),
        Next = next,
        Previous = previous,
        NextInStep = next,
        PreviousInStep = previous,
    };

    private static Observation Seen(string epoch, long next, long nextErrors, long previous, long previousErrors) => new(
        World.Start,
        new ProxyObservation(true, World.Settings, epoch,
        [
            new ServerObservation(2, 0, "a:1", 5, ServerAdmin.Ready, ServerHealth.Up, 0, 0, new ServerCounters(next, nextErrors, 0, 0, 0)),
            new ServerObservation(1, 0, "b:1", 95, ServerAdmin.Ready, ServerHealth.Up, 0, 0,
                new ServerCounters(previous, previousErrors, 0, 0, 0)),
        ]),
        []);
}
