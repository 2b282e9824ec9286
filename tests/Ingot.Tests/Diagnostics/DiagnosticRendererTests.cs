using Ingot.Diagnostics;

namespace Ingot.Tests.Diagnostics;

public class DiagnosticRendererTests
{
    [Fact]
    public void APlaceIsShownWithItsLineAndUnderlined() => Assert.Equal(
        """
        Dockerfile:2:5: error: RUN --mount is not supported yet
          2 | RUN --mount=x echo
            |     ^^^^^^^^^
            = take it away

        1 error

        """,
        Render("FROM debian\nRUN --mount=x echo\n", (16, 9), "RUN --mount is not supported yet", "take it away"));

    [Fact]
    public void ATabStaysATabBelowTheLine() => Assert.Equal(
        "Dockerfile:1:3: error: x\n  1 | \ta\tb\n    | \t ^^\n\n1 error\n".Replace("^^", "^", StringComparison.Ordinal),
        Render("\ta\tb", (2, 1), "x"));

    [Fact]
    public void NothingIsPointedAtWithOneCaret() => Assert.Equal(
        "Dockerfile:1:1: error: x\n  1 | \n    | ^\n\n1 error\n",
        Render("", (0, 0), "x"));

    [Fact]
    public void APlaceAtTheEndOfTheFileIsShown() => Assert.Equal(
        "Dockerfile:2:1: error: x\n  2 | \n    | ^\n\n1 error\n",
        Render("a\n", (2, 0), "x"));

    [Fact]
    public void APlaceOfSeveralLinesIsUnderlinedOnTheFirst() => Assert.Equal(
        "Dockerfile:1:3: error: x\n  1 | abcd\n    |   ^^\n\n1 error\n",
        Render("abcd\nefgh\n", (2, 6), "x"));

    [Fact]
    public void TheUnderlineOfALastLineWithoutABreakEndsWithIt() => Assert.Equal(
        "Dockerfile:1:1: error: x\n  1 | ab\n    | ^^\n\n1 error\n",
        Render("ab\r\n", (0, 4), "x"));

    [Fact]
    public void WideCharactersAreUnderlinedOverTwoColumns() => Assert.Equal(
        "Dockerfile:1:3: error: x\n  1 | 안녕b🦊\n    |     ^^^\n\n1 error\n",
        Render("안녕b🦊", (2, 3), "x"));

    [Fact]
    public void CombiningMarksTakeNoColumn() => Assert.Equal(
        "Dockerfile:1:4: error: x\n  1 | e\u0301xy\n    |   ^\n\n1 error\n",
        Render("e\u0301xy", (3, 1), "x"));

    [Fact]
    public void AFileCannotWriteToTheTerminal()
    {
        string text = Render("RUN \u001b[31mx\u202e\u2028\u0007", (4, 1), "bad '\u001b]0;title\u0007'", "or \u009b2J");
        Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain('\u202e', text);
        Assert.Equal(5, text.Split('\n').Length - 2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(500)]
    [InlineData(995)]
    [InlineData(999)]
    public void LongLinesAreCutAroundThePlace(int place)
    {
        string line = string.Concat(Enumerable.Range(0, 100).Select(i => $"{i:d10}"));
        string[] rendered = Render(line, (place, 5), "x").Split('\n');
        string shown = rendered[1][6..];
        string underline = rendered[2][6..];
        Assert.True(shown.Length <= 122);
        int caret = underline.IndexOf('^', StringComparison.Ordinal);
        Assert.Equal(line[place], shown[caret]);
    }

    [Fact]
    public void ADiagnosticWithoutAPlaceIsOneLine() =>
        Assert.Equal("error: x\n  = y\n\n1 error\n", DiagnosticRenderer.Render([new Diagnostic(Severity.Error, "c", "x", "y")]));

    [Fact]
    public void ThePathIsSaid() =>
        Assert.StartsWith("error: services/web: x\n",
            DiagnosticRenderer.Render([new Diagnostic(Severity.Error, "c", "x", Path: "services/web")]), StringComparison.Ordinal);

    [Fact]
    public void ErrorsAndWarningsAreCounted()
    {
        Diagnostic error = new(Severity.Error, "c", "x");
        Diagnostic warning = new(Severity.Warning, "c", "x");
        Assert.EndsWith("\n2 errors, 1 warning\n", DiagnosticRenderer.Render([error, warning, error]), StringComparison.Ordinal);
        Assert.EndsWith("\n2 warnings\n", DiagnosticRenderer.Render([warning, warning]), StringComparison.Ordinal);
        Assert.Equal("", DiagnosticRenderer.Render([]));
    }

    [Fact]
    public void LineNumbersOfDifferentWidthKeepTheirGutter()
    {
        string text = string.Concat(Enumerable.Repeat("a\n", 100));
        Assert.Contains("\n  100 | a\n      | ^\n", Render(text, (198, 1), "x"), StringComparison.Ordinal);
    }

    private static string Render(string text, (int Start, int Length) place, string summary, string? detail = null) =>
        DiagnosticRenderer.Render([new Diagnostic(Severity.Error, "c", summary, detail,
            new SourceText("Dockerfile", text).Span(place.Start, place.Length))]);
}
