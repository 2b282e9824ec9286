using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Tests.Releases;

/// <summary>How often the judge is wrong, and how soon it is right: Poisson arrivals, one look a second, ten minutes,
/// the harm budget included.</summary>
public sealed class JudgeTableTests
{
    private const int Seconds = 600;

    private static readonly int s_runs = Seeds.Of(100);
    private static readonly RolloutSpec s_spec = World.Spec(2, 1, 10);

    [Theory]
    [InlineData(1, 0.005)]
    [InlineData(10, 0.005)]
    [InlineData(100, 0.005)]
    [InlineData(1, 0.015)]
    [InlineData(10, 0.015)]
    [InlineData(10, 0.05)]
    [InlineData(10, 0.3)]
    public void AHarmlessReleaseIsAbortedAtMostOnceInAHundred(double canaryRate, double failures)
    {
        var (aborted, _) = Simulate(new Scenario(canaryRate, failures, failures));

        // One in a hundred is promised; few runs may show a second one by chance.
        Assert.True(aborted <= 0.02, $"{aborted:P1} of harmless releases aborted");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(100)]
    public void ABrownOutOfBothGenerationsAbortsAlmostNothing(double canaryRate)
    {
        var (aborted, _) = Simulate(new Scenario(canaryRate, 0.005, 0.005) { BrownOut = 0.3 });

        Assert.True(aborted <= 0.02, $"{aborted:P1} aborted by a shared brown-out");
    }

    [Fact]
    public void SharesThatRiseDuringTheRolloutKeepThePromise()
    {
        foreach (double failures in (double[])[0.005, 0.015, 0.05])
        {
            var (aborted, _) = Simulate(new Scenario(5, failures, failures) { Shares = [0.05, 0.25, 0.5] });
            Assert.True(aborted <= 0.02, $"{aborted:P1} of harmless releases aborted at {failures:P1}");
        }
    }

    // At one canary request a second many seconds have none and say nothing: those rows are some seconds slower than with longer intervals.
    [Theory]
    [InlineData(1, 0.005, 0.03, 0.85, 241)]
    [InlineData(1, 0.005, 0.1, 0.99, 48)]
    [InlineData(1, 0.005, 0.5, 1.0, 8)]
    [InlineData(10, 0.005, 0.01, 0.80, 279)]
    [InlineData(10, 0.005, 0.03, 0.99, 23)]
    [InlineData(10, 0.005, 0.1, 1.0, 4)]
    [InlineData(10, 0.005, 0.5, 1.0, 1)]
    [InlineData(100, 0.005, 0.01, 0.99, 33)]
    [InlineData(100, 0.005, 0.03, 1.0, 3)]
    [InlineData(100, 0.005, 0.1, 1.0, 1)]
    public void ARegressionIsSeenThisOftenAndThisSoon(double canaryRate, double before, double after, double atLeast, double median)
    {
        var (aborted, seconds) = Simulate(new Scenario(canaryRate, before, after));

        Assert.True(aborted >= atLeast, $"only {aborted:P1} seen");
        Assert.True(seconds <= (median * 1.2) + 1, $"seen after {seconds} s, expected about {median} s");
    }

    [Fact]
    public void WhatCannotBeSeenInTenMinutesIsInsufficientAndNeitherPassedNorFailed()
    {
        var spec = World.Spec(2, 1, 10);
        var random = new Random(1);
        var seen = new Judgement();
        for (int second = 0; second < Seconds; second++)
            seen = Add(seen, Arrivals(random, 1, 0.005), Arrivals(random, 9, 0.005), second);

        Assert.IsType<Verdict.Insufficient>(Judge.Look(seen, spec with { Rollout = spec.Rollout with { Detect = 0.01 } }, 10));
    }

    private static (double Aborted, double MedianSeconds) Simulate(Scenario scenario)
    {
        var times = Enumerable.Range(0, s_runs).Select(seed => Run(scenario, seed)).OfType<int>().Order().ToArray();
        return ((double)times.Length / s_runs, times.Length == 0 ? double.NaN : times[times.Length / 2]);
    }

    private static int? Run(Scenario scenario, int seed)
    {
        // Neighbouring seeds of this generator begin alike.
        var random = new Random(unchecked((seed + 1) * (int)2654435761));
        var seen = new Judgement();
        for (int second = 1; second <= Seconds; second++)
        {
            double share = scenario.Shares[Math.Min(scenario.Shares.Length - 1, second * scenario.Shares.Length / Seconds)];
            double shared = scenario.BrownOut > 0 && second is > 100 and <= 340 ? scenario.BrownOut : 0;
            double total = scenario.CanaryRate / scenario.Shares[0];
            seen = Add(seen, Arrivals(random, total * share, scenario.After + shared),
                Arrivals(random, total * (1 - share), scenario.Before + shared), second);
            if (Judge.Look(seen, s_spec, 10) is Verdict.Worse)
                return second;
        }

        return null;
    }

    // Through the proxy's counters, as in a rollout.
    private static Judgement Add(Judgement before, Arm next, Arm previous, int second)
    {
        var sums = (Next: before.Next + next, Previous: before.Previous + previous);
        if (before.Epoch.Length == 0)
            before = Judge.Count(before, s_spec, Seen(default, default, 0));
        return Judge.Count(before, s_spec, Seen(sums.Next, sums.Previous, second));
    }

    private static Observation Seen(Arm next, Arm previous, int second) => new(
        World.Start + TimeSpan.FromSeconds(second),
        new ProxyObservation(true, World.Settings, "1", [Server(2, next), Server(1, previous)]),
        []);

    private static ServerObservation Server(int generation, Arm arm) => new(
        generation, 0, $"10.0.0.{generation}:80", 1, ServerAdmin.Ready, ServerHealth.Up, 0, 0,
        new ServerCounters(arm.Trials, arm.Errors, 0, 0, 0));

    private static Arm Arrivals(Random random, double rate, double failures)
    {
        long failed = Poisson(random, rate * failures);
        return new Arm(failed + Poisson(random, rate * (1 - failures)), failed);
    }

    private static long Poisson(Random random, double mean)
    {
        if (mean > 40)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            return Math.Max(0, (long)Math.Round(mean + (Math.Sqrt(mean) * normal)));
        }

        double limit = Math.Exp(-mean), product = random.NextDouble();
        long count = 0;
        for (; product > limit; count++)
            product *= random.NextDouble();
        return count;
    }

    private sealed record Scenario(double CanaryRate, double Before, double After)
    {
        public double[] Shares { get; init; } = [0.1];

        public double BrownOut { get; init; }
    }
}
