using Ingot.Builds.Steps;

namespace Ingot.Tests.Builds.Steps;

public sealed class StepProcessorsTests
{
    [Theory]
    [InlineData("0", "0")]
    [InlineData("\t0-3\n", "0 1 2 3")]
    [InlineData("1,3,8-9", "1 3 8 9")]
    public void ListsOfTheKernelAreRead(string list, string expected) =>
        Assert.Equal(expected, string.Join(' ', StepProcessors.Parse(list)));

    [Fact]
    public void AsManyAreTakenAsAreSaidAndEachOnce()
    {
        Assert.Null(StepProcessors.Take(null));
        for (int count = 1; count <= Environment.ProcessorCount; count++)
            Assert.Equal(count, StepProcessors.Parse(StepProcessors.Take(count)!.Numbers).Distinct().Count());
    }

    [Theory]
    [InlineData(1, "0\n")]
    [InlineData(8, "0-7\n")]
    public void TheFileOfTheCLibrarySaysTheSame(int count, string expected) => Assert.Equal(expected, StepProcessors.Online(count));
}
