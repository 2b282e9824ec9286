using Ingot.Builds.Files;

namespace Ingot.Tests.Builds.Files;

public sealed class GoPatternTests
{
    // From the table of Go's path/filepath tests, for one component.
    [Theory]
    [InlineData("abc", "abc", true)]
    [InlineData("*", "abc", true)]
    [InlineData("*c", "abc", true)]
    [InlineData("a*", "a", true)]
    [InlineData("a*", "abc", true)]
    [InlineData("a*b*c*d*e*", "axbxcxdxe", true)]
    [InlineData("a*b*c*d*e*", "axbxcxdxexxx", true)]
    [InlineData("a*b?c*x", "abxbbxdbxebxczzx", true)]
    [InlineData("a*b?c*x", "abxbbxdbxebxczzy", false)]
    [InlineData("ab[c]", "abc", true)]
    [InlineData("ab[b-d]", "abc", true)]
    [InlineData("ab[e-g]", "abc", false)]
    [InlineData("ab[^c]", "abc", false)]
    [InlineData("ab[^e-g]", "abc", true)]
    [InlineData("a\\*b", "a*b", true)]
    [InlineData("a\\*b", "ab", false)]
    [InlineData("a?b", "a☺b", true)]
    [InlineData("a[^a]b", "a☺b", true)]
    [InlineData("a???b", "a☺b", false)]
    [InlineData("[a-ζ]*", "α", true)]
    [InlineData("*[a-ζ]", "A", false)]
    [InlineData("[\\]a]", "]", true)]
    [InlineData("[\\-]", "-", true)]
    [InlineData("[x\\-]", "x", true)]
    [InlineData("[x\\-]", "z", false)]
    [InlineData("[\\-x]", "a", false)]
    [InlineData("*x", "xxx", true)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    [InlineData("*", "", true)]
    public void MatchesAsGoDoes(string pattern, string name, bool matches) =>
        Assert.Equal(matches, GoPattern.TryParse(pattern)!.Matches(name));

    [Theory]
    [InlineData("[")]
    [InlineData("[]a]")]
    [InlineData("[-]")]
    [InlineData("[x-]")]
    [InlineData("[-x]")]
    [InlineData("[a-b-c]")]
    [InlineData("[^")]
    [InlineData("[^bc")]
    [InlineData("a[")]
    [InlineData("\\")]
    [InlineData("a\\")]
    public void WhatGoRefusesIsRefused(string pattern) => Assert.Null(GoPattern.TryParse(pattern));

    [Fact]
    public void ManyStarsTakeNoLongTime()
    {
        var pattern = GoPattern.TryParse(string.Concat(Enumerable.Repeat("a*", 200)) + "b")!;
        Assert.False(pattern.Matches(new string('a', 2000)));
    }

    [Theory]
    [InlineData("a\\[b", "a[b")]
    [InlineData("plain", "plain")]
    [InlineData("a*", null)]
    public void APatternOfOneTextIsThatText(string pattern, string? literal) => Assert.Equal(literal, GoPattern.TryParse(pattern)!.Literal);
}
