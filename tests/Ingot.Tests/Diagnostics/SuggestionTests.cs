using Ingot.Diagnostics;

namespace Ingot.Tests.Diagnostics;

public class SuggestionTests
{
    private static readonly string[] s_words = ["FROM", "RUN", "COPY", "ENV", "HEALTHCHECK", "from", "production"];

    [Theory]
    [InlineData("RUNN", "did you mean 'RUN'?")]
    [InlineData("FORM", "did you mean 'FROM'?")]
    [InlineData("run", "did you mean 'RUN'?")]
    [InlineData("HELTHCHCK", "did you mean 'HEALTHCHECK'?")]
    [InlineData("prodcution", "did you mean 'production'?")]
    [InlineData("XYZ", null)]
    [InlineData("", null)]
    [InlineData("prod", null)]
    public void TheNearestWordIsSuggestedWhenItIsNear(string word, string? expected) =>
        Assert.Equal(expected, Suggestion.For(word, s_words));

    [Fact]
    public void NothingIsSuggestedFromNothing() => Assert.Null(Suggestion.For("RUN", []));
}
