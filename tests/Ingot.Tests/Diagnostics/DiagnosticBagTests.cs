using Ingot.Diagnostics;

namespace Ingot.Tests.Diagnostics;

public class DiagnosticBagTests
{
    private static readonly SourceText s_source = new("f", "a\nb\nc\n");

    [Fact]
    public void DiagnosticsComeInTheOrderOfTheFile()
    {
        DiagnosticBag bag = [];
        bag.Error("c", "third", s_source.LineSpan(3));
        bag.Error("c", "first", s_source.LineSpan(1));
        bag.Warning("c", "second", s_source.LineSpan(2));
        Assert.Equal(["first", "second", "third"], bag.Select(d => d.Summary));
        Assert.Equal((3, 2), (bag.Count, bag.ErrorCount));
    }

    [Fact]
    public void WarningsAreNoErrors()
    {
        DiagnosticBag bag = [];
        bag.Warning("c", "x");
        Assert.False(bag.HasErrors);
        bag.ThrowIfErrors();
    }

    [Fact]
    public void ErrorsAreThrownWithEverythingElse()
    {
        DiagnosticBag bag = [];
        bag.Warning("c", "careful");
        bag.Error("c", "wrong", s_source.LineSpan(2), "mend it", "a/b");
        var thrown = Assert.Throws<InvalidInputException>(bag.ThrowIfErrors);
        Assert.Equal(2, thrown.Diagnostics.Count);
        Assert.Contains("f:2:1: error: a/b: wrong (mend it)", thrown.Message, StringComparison.Ordinal);
    }
}
