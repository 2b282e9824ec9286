using Ingot.Builds.Normalisation;

namespace Ingot.Tests.Builds.Normalisation;

public sealed class StepTimesTests
{
    private static readonly DateTimeOffset s_noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(-3600, false)]
    [InlineData(-5, false)]
    [InlineData(0, true)]
    [InlineData(30, true)]
    [InlineData(60, true)]
    [InlineData(65, false)]
    [InlineData(86400, false)]
    public void ATimeIsTheStepsBetweenItsStartAndItsEnd(int seconds, bool isOfStep)
    {
        var times = StepTimes.Between(Tree.Epoch, s_noon, TimeSpan.FromSeconds(60), s_noon.AddSeconds(60));
        Assert.Equal(isOfStep, times.IsOfStep(s_noon.AddSeconds(seconds).ToUnixTimeSeconds()));
    }

    // Files have times of before and after the clock was set.
    [Theory]
    [InlineData(-3600)]
    [InlineData(3600)]
    public void AClockThatIsSetMeanwhileLosesNoTime(int set)
    {
        var times = StepTimes.Between(Tree.Epoch, s_noon, TimeSpan.FromSeconds(60), s_noon.AddSeconds(60 + set));
        foreach (int second in (int[])[0, 30, 60])
        {
            Assert.True(times.IsOfStep(s_noon.AddSeconds(second).ToUnixTimeSeconds()));
            Assert.True(times.IsOfStep(s_noon.AddSeconds(second + set).ToUnixTimeSeconds()));
        }
    }

    // A cache may be months older than the step: only what a program keeps about it is from then.
    [Theory]
    [InlineData(-86400, true)]
    [InlineData(-90000, false)]
    [InlineData(30, true)]
    [InlineData(65, false)]
    public void ACacheStretchesTheTimeOfItsOwnRecordsAndNotTheSteps(int seconds, bool isOfCaches)
    {
        long time = s_noon.AddSeconds(seconds).ToUnixTimeSeconds();
        var times = StepTimes.Between(Tree.Epoch, s_noon, TimeSpan.FromSeconds(60), s_noon.AddSeconds(60)) with
        {
            CachesFirst = s_noon.AddDays(-1).ToUnixTimeSeconds(),
        };
        Assert.Equal(isOfCaches, times.IsOfStepOrItsCaches(time));
        Assert.Equal(seconds == 30, times.IsOfStep(time));
        Assert.Equal(seconds == 30, times.IsLocalOfStep(time));
        Assert.Equal(seconds == 30, (times with { CachesFirst = null }).IsOfStepOrItsCaches(time));
    }

    [Fact]
    public void NoTimeUpToTheEpochIsTheSteps()
    {
        var times = StepTimes.Between(s_noon.AddYears(1), s_noon, TimeSpan.FromSeconds(60), s_noon.AddSeconds(60));
        Assert.False(times.IsOfStep(s_noon.ToUnixTimeSeconds()));
        Assert.False(StepTimes.Any(s_noon).IsOfStep(s_noon.ToUnixTimeSeconds()));
        Assert.True(StepTimes.Any(s_noon).IsOfStep(s_noon.ToUnixTimeSeconds() + 1));
    }

    [Theory]
    [InlineData(true, -5, false)]
    [InlineData(true, -2, true)]
    [InlineData(true, 62, true)]
    [InlineData(true, -5 * 3600, false)]
    [InlineData(false, -5 * 3600, true)]
    [InlineData(false, 9 * 3600, true)]
    [InlineData(false, -13 * 3600, false)]
    public void ATimeWithoutAZoneMayBeOfAnyWhereTheTemplateSetsOne(bool isUtc, int seconds, bool isOfStep)
    {
        var times = StepTimes.Between(Tree.Epoch, s_noon, TimeSpan.FromSeconds(60), s_noon.AddSeconds(60)) with { IsUtc = isUtc };
        Assert.Equal(isOfStep, times.IsLocalOfStep(s_noon.AddSeconds(seconds).ToUnixTimeSeconds()));
    }
}
