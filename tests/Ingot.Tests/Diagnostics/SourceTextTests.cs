using Ingot.Diagnostics;

namespace Ingot.Tests.Diagnostics;

public class SourceTextTests
{
    [Theory]
    [InlineData("", 0, 1, 1)]
    [InlineData("", 5, 1, 1)]
    [InlineData("ab", -1, 1, 1)]
    [InlineData("a\nb", 1, 1, 2)]
    [InlineData("a\nb", 2, 2, 1)]
    [InlineData("a\nb", 3, 2, 2)]
    [InlineData("a\nb", 99, 2, 2)]
    [InlineData("a\n", 2, 2, 1)]
    [InlineData("a\r\nb", 3, 2, 1)]
    [InlineData("🦊b", 2, 1, 3)]
    public void AnOffsetHasALineAndAColumn(string text, int offset, int line, int column) =>
        Assert.Equal((line, column), new SourceText("x", text).Position(offset));

    [Theory]
    [InlineData("", 1, "")]
    [InlineData("a\r\nb", 1, "a")]
    [InlineData("a\r\nb", 2, "b")]
    [InlineData("a\n", 2, "")]
    public void ALineHasNoLineBreak(string text, int line, string expected) => Assert.Equal(expected, new SourceText("x", text).Line(line));

    [Fact]
    public void ASpanKnowsItsPlaceAndText()
    {
        var span = new SourceText("Dockerfile", "FROM a\nRUN b").Span(11, 1);
        Assert.Equal(("Dockerfile:2:5", "b"), (span.ToString(), span.Text));
        Assert.Equal("RUN b", new SourceText("x", "FROM a\nRUN b").LineSpan(2).Text);
    }
}
