using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Releases;
using Ingot.Testing;

namespace Ingot.Tests.Releases;

public sealed class OddsMixtureTests
{
    [Theory]
    [InlineData(0.1, 0, 0, 1)]
    [InlineData(0.1, 1, 0, 3.7123)]
    [InlineData(0.1, 2, 0, 18.5374)]
    [InlineData(0.1, 3, 0, 111.8441)]
    [InlineData(0.1, 4, 0, 747.5770)]
    [InlineData(0.1, 0, 1, 0.698636)]
    [InlineData(0.1, 0, 5, 0.338959)]
    [InlineData(0.1, 0, 20, 0.092136)]
    [InlineData(0.1, 1, 9, 0.394280)]
    [InlineData(0.1, 3, 2, 18.6693)]
    [InlineData(0.1, 5, 10, 8.9655)]
    [InlineData(0.1, 10, 20, 127.9482)]
    [InlineData(0.1, 10, 90, 0.08558892)]
    [InlineData(0.5, 1, 0, 1.5756)]
    [InlineData(0.5, 2, 0, 2.5496)]
    [InlineData(0.5, 3, 0, 4.2273)]
    [InlineData(0.5, 4, 0, 7.1624)]
    [InlineData(0.5, 5, 0, 12.3645)]
    [InlineData(0.5, 6, 0, 21.6875)]
    [InlineData(0.5, 7, 0, 38.5526)]
    [InlineData(0.5, 8, 0, 69.3021)]
    [InlineData(0.5, 9, 0, 125.7412)]
    [InlineData(0.5, 0, 1, 0.424389)]
    [InlineData(0.5, 0, 5, 0.082489)]
    public void TheEvidenceAfterOneIntervalIsTheVectors(double share, int canary, int baseline, double e)
    {
        var mixture = OddsMixture.Empty.Observe(NextArm(share, canary), PreviousArm(share, baseline));

        Assert.Equal(e, Math.Exp(mixture.LogE), e * 5e-5);
    }

    [Fact]
    public void IntervalsOfDifferentSharesMultiply()
    {
        var mixture = OddsMixture.Empty
            .Observe(NextArm(0.05, 0), PreviousArm(0.05, 2))
            .Observe(NextArm(0.25, 2), PreviousArm(0.25, 3))
            .Observe(NextArm(0.5, 4), PreviousArm(0.5, 2));

        Assert.Equal(0.833257, Math.Exp(mixture.LogE), 1e-6);
        Assert.Equal(-0.182414, mixture.LogE, 1e-6);
    }

    [Theory]
    [InlineData(0.01, 2)]
    [InlineData(0.05, 3)]
    [InlineData(0.1, 3)]
    [InlineData(0.25, 5)]
    [InlineData(0.5, 9)]
    [InlineData(0.75, 21)]
    [InlineData(0.9, 55)]
    [InlineData(0.95, 113)]
    public void TheFewestErrorsThatAbortAreTheTables(double share, int fewest)
    {
        Assert.True(OddsMixture.Empty.Observe(NextArm(share, fewest), PreviousArm(share, 0)).LogE >= Math.Log(100));
        Assert.True(OddsMixture.Empty.Observe(NextArm(share, fewest - 1), PreviousArm(share, 0)).LogE < Math.Log(100));
    }

    [Fact]
    public void AnArmWithoutTrialsSaysNothing()
    {
        var some = OddsMixture.Empty.Observe(NextArm(0.1, 2), PreviousArm(0.1, 1));

        Assert.Same(some, some.Observe(new Arm(0, 0), new Arm(1000, 900)));
        Assert.Same(some, some.Observe(new Arm(1000, 900), new Arm(0, 0)));
    }

    [Fact]
    public void OrderAndSplittingWithinAnIntervalChangeNothing() => Prop.ForAll(
        Gen.Choose(0, 30).ArrayOf(4).ToArbitrary(),
        errors =>
        {
            Arm canary = NextArm(0.2, errors[0]), baseline = PreviousArm(0.2, errors[1]);
            Arm canary2 = NextArm(0.2, errors[2]), baseline2 = PreviousArm(0.2, errors[3]);
            double one = OddsMixture.Empty.Observe(canary, baseline).Observe(canary2, baseline2).LogE;
            double other = OddsMixture.Empty.Observe(canary2, baseline2).Observe(canary, baseline).LogE;
            double whole = OddsMixture.Empty.Observe(canary + canary2, baseline + baseline2).LogE;
            return Math.Abs(one - other) < 1e-9 && Math.Abs(one - whole) < 1e-9;
        }).Holds();

    [Fact]
    public void TheEvidenceSurvivesSerialisationToTheLastBit() => Prop.ForAll(
        Gen.Choose(0, 1000).ArrayOf(6).ToArbitrary(),
        numbers =>
        {
            var mixture = OddsMixture.Empty
                .Observe(new Arm(1000 + numbers[0], numbers[1]), new Arm(3000 + numbers[2], numbers[3]))
                .Observe(new Arm(1001 + numbers[4], numbers[5]), new Arm(777, 3));
            string json = JsonSerializer.Serialize(mixture, ReleasesJsonContext.Default.OddsMixture);
            return JsonSerializer.Deserialize(json, ReleasesJsonContext.Default.OddsMixture)!.Terms.SequenceEqual(mixture.Terms);
        }).Holds();

    // Shares are kept exact by making the trials large multiples of them.
    private static Arm NextArm(double share, int errors) => new((long)Math.Round(share * 100_000), errors);

    private static Arm PreviousArm(double share, int errors) => new((long)Math.Round((1 - share) * 100_000), errors);
}
