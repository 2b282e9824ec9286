using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Builds.Secrets;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Secrets;

public sealed class ByteMatcherTests
{
    [Fact]
    public void WhatIsFoundIsWhatASimpleSearchFindsHoweverTheStreamIsCut()
    {
        // Few letters, so that patterns overlap themselves and each other.
        var text = Gen.Elements('a', 'b', 'c').ArrayOf(200).Select(c => new string(c));
        var pattern = Gen.Choose(ByteMatcher.MinLength, 9)
            .SelectMany(n => Gen.Elements('a', 'b', 'c').ArrayOf(n))
            .Select(c => new string(c));
        var patterns = pattern.NonEmptyListOf().Select(p => p.Distinct().ToList());
        var cuts = Gen.Choose(1, 12).NonEmptyListOf();
        Prop.ForAll(
            text.Zip(patterns).Zip(cuts).ToArbitrary(),
            input => Assert.Equal(Simple(input.Item1.Item1, input.Item1.Item2), Found(input.Item1.Item1, input.Item1.Item2, input.Item2)))
            .Holds();
    }

    [Theory]
    [InlineData("secret-value", 1)]
    [InlineData("xsecret-valuex", 1)]
    [InlineData("secret-valu", 0)]
    [InlineData("secret-secret-value-value", 1)]
    [InlineData("secret-valuesecret-value", 2)]
    [InlineData("", 0)]
    public void OnePatternIsFoundAsOftenAsItIsThere(string text, int count) =>
        Assert.Equal(count, Found(text, ["secret-value"], [1]).Count);

    [Fact]
    public void TheLongestPatternIsFoundByteByByte()
    {
        string pattern = new string('x', ByteMatcher.MaxLength - 1) + "y";
        Assert.Equal([(0, 100L)], Found(new string('x', 100) + pattern + "zzz", [pattern], [1]));
    }

    [Fact]
    public void WithoutPatternsNothingIsFound() => Assert.False(new ByteMatcher([]).IsIn("anything"u8));

    [Theory]
    [InlineData(ByteMatcher.MinLength - 1)]
    [InlineData(ByteMatcher.MaxLength + 1)]
    public void PatternsThatAreTooShortOrTooLongAreRefused(int length) =>
        Assert.Throws<ArgumentException>(() => new ByteMatcher([new byte[length]]));

    private static List<(int, long)> Simple(string text, List<string> patterns)
    {
        var found = new List<(int, long)>();
        for (int p = 0; p < patterns.Count; p++)
        {
            for (int at = text.IndexOf(patterns[p], StringComparison.Ordinal); at >= 0; at = text.IndexOf(patterns[p], at + 1,
                StringComparison.Ordinal))
                found.Add((p, at));
        }

        return [.. found.Order()];
    }

    private static List<(int, long)> Found(string text, IEnumerable<string> patterns, IReadOnlyList<int> cuts)
    {
        var found = new List<(int, long)>();
        var scan = new ByteMatcher(patterns.Select(Encoding.ASCII.GetBytes)).Begin((pattern, at) => found.Add((pattern, at)));
        var bytes = Encoding.ASCII.GetBytes(text).AsSpan();
        for (int i = 0; bytes.Length > 0; i++)
        {
            int taken = Math.Min(bytes.Length, cuts[i % cuts.Count]);
            scan.Add(bytes[..taken]);
            bytes = bytes[taken..];
        }

        return [.. found.Order()];
    }
}
