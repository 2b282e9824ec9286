using FsCheck;
using FsCheck.Fluent;
using Ingot.Releases;
using Ingot.Testing;

namespace Ingot.Tests.Releases;

public sealed class WeightsTests
{
    [Theory]
    [InlineData(0, 3, 3, 0, 100)]
    [InlineData(100, 3, 3, 100, 0)]
    [InlineData(50, 1, 1, 1, 1)]
    [InlineData(5, 1, 1, 1, 19)]
    [InlineData(25, 3, 3, 1, 3)]
    [InlineData(1, 1, 1, 1, 99)]
    [InlineData(99, 1, 1, 99, 1)]
    [InlineData(10, 1, 3, 1, 3)]
    [InlineData(10, 3, 1, 1, 27)]
    [InlineData(50, 2, 3, 3, 2)]
    [InlineData(33, 1, 1, 33, 67)]
    [InlineData(1, 10, 1, 1, 256)]
    public void TheWeightsOfTwoGenerationsAreTheTables(int share, int firstServers, int secondServers, int first, int second) =>
        Assert.Equal((first, second), Weights.Split(share, firstServers, secondServers));

    [Fact]
    public void EveryShareOfUpToTenServersEachIsMetWithinHalfAPercent() => Prop.ForAll(
        Gen.Choose(1, 99).ToArbitrary(),
        Gen.Choose(1, 10).ToArbitrary(),
        Gen.Choose(1, 10).ToArbitrary(),
        (share, n1, n2) =>
        {
            // The one pair of weights that cannot be spread further apart bounds what few servers against many can do.
            double smallest = (double)n1 / (n1 + (256.0 * n2)), largest = 256.0 * n1 / ((256.0 * n1) + n2);
            var (w1, w2) = Weights.Split(share, n1, n2);
            double got = (double)n1 * w1 / ((n1 * w1) + (n2 * w2));
            double wanted = Math.Clamp(share / 100.0, smallest, largest);
            return w1 is >= 1 and <= 256 && w2 is >= 1 and <= 256 && Math.Abs(got - wanted) < 0.005;
        }).Holds();

    [Theory]
    [InlineData(-1, 1, 1)]
    [InlineData(101, 1, 1)]
    [InlineData(50, 0, 1)]
    [InlineData(50, 1, 0)]
    public void SharesOutsideAHundredAndGenerationsWithoutServersAreRefused(int share, int first, int second) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Weights.Split(share, first, second));

    [Fact]
    public void SharesThatDoNotAddUpAreRefused() => Assert.Throws<ArgumentException>(() => Weights.Of(
        [new TrafficShare(2, 30, 1), new TrafficShare(1, 60, 1)]));

    [Fact]
    public void WarmGenerationsHaveNoWeight()
    {
        var weights = Weights.Of([new(3, 25, 2), new(2, 75, 2), new(1, 0, 2)]);

        Assert.Equal((1, 3, 0), (weights[3], weights[2], weights[1]));
    }

    [Fact]
    public void AServerThatIsToTakeNothingHasNoWeightWhateverItsGenerationTakes() => Assert.Equal(
        [((2, 0), 1), ((2, 1), 0), ((1, 0), 19), ((0, 0), 0)],
        Weights.Of(new Move.SetShares(
            [new(2, 5, 2), new(1, 95, 2)],
            [new(2, 0, Takes: true), new(2, 1, Takes: false), new(1, 0, Takes: true), new(0, 0, Takes: true)]))
            .Select(weight => (weight.Key, weight.Value)));
}
