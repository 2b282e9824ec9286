using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Tar;

public sealed class TarPathTests
{
    // Bytes that make good and bad UTF-8 likely to stand side by side.
    private static readonly Gen<byte[]> s_names = Gen.OneOf(
        Gen.ArrayOf(Gen.Choose(1, 255).Select(b => (byte)b)),
        Gen.ArrayOf(Gen.Elements<byte>(0x2F, 0x2E, 0x61, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xED, 0xA0, 0x80, 0xF0,
            0x9F, 0x98, 0x80, 0xEE, 0xFF)));

    [Fact]
    public void EveryNameComesBackByteForByte() =>
        Prop.ForAll(Arb.From(s_names), name => TarPath.Encode(TarPath.Decode(name)).SequenceEqual(name))
            .Holds(5000);

    [Fact]
    public void DifferentNamesAreDifferentTexts() =>
        Prop.ForAll(Arb.From(s_names.Zip(s_names)),
            pair => pair.Item1.SequenceEqual(pair.Item2) == (TarPath.Decode(pair.Item1) == TarPath.Decode(pair.Item2)))
            .Holds(2000);

    [Fact]
    public void TheOrderIsThatOfTheBytesOfEachComponent() =>
        Prop.ForAll(Arb.From(s_names.Zip(s_names)),
            pair => Math.Sign(TarPath.Compare(TarPath.Decode(pair.Item1), TarPath.Decode(pair.Item2))) == Math.Sign(CompareComponents(
                pair.Item1, pair.Item2)))
            .Holds(5000);

    [Theory]
    [InlineData("a", "a/b")]
    [InlineData("a/z", "a-b")]
    [InlineData("a/z", "a.b")]
    [InlineData("A", "a")]
    [InlineData("z", "é")]
    [InlineData("\uE000", "\U0001F600")]
    [InlineData("", "a")]
    public void AComesBeforeB(string a, string b)
    {
        Assert.True(TarPath.Compare(a, b) < 0);
        Assert.True(TarPath.Compare(b, a) > 0);
        Assert.Equal(0, TarPath.Compare(a, a));
    }

    [Theory]
    [InlineData("a", "a")]
    [InlineData("", "")]
    [InlineData("/", "")]
    [InlineData(".", "")]
    [InlineData("./", "")]
    [InlineData("/a//b/./c/", "a/b/c")]
    [InlineData("..a/.b/...", "..a/.b/...")]
    [InlineData("a\\..\\b", "a\\..\\b")]
    [InlineData("..", null)]
    [InlineData("a/..", null)]
    [InlineData("../a", null)]
    [InlineData("a/../b", null)]
    [InlineData("a\0b", null)]
    public void PathsAreCleaned(string path, string? expected) => Assert.Equal(expected, TarPath.Normalise(path));

    [Fact]
    public void WhatStandsForNoBytesIsRefused()
    {
        Assert.Throws<ArgumentException>(() => TarPath.Encode("\uD800"));
        Assert.Throws<ArgumentException>(() => TarPath.Encode("a\uDC7Fb"));
    }

    [Fact]
    public void PathsHaveParentsAndNames()
    {
        Assert.Equal("a/b", TarPath.Parent("a/b/c"));
        Assert.Equal("", TarPath.Parent("a"));
        Assert.Equal("", TarPath.Parent(""));
        Assert.Equal("c", TarPath.Name("a/b/c"));
        Assert.Equal("a", TarPath.Name("a"));
        Assert.Equal("a/b", TarPath.Join("a", "b"));
        Assert.Equal("b", TarPath.Join("", "b"));
        Assert.Equal("a", TarPath.Join("a", ""));
    }

    private static int CompareComponents(byte[] left, byte[] right)
    {
        // A slash ends a component: it sorts below every other byte.
        static byte[] Rank(byte[] name) => [.. name.Select(b => b == '/' ? (byte)0 : b)];
        return Rank(left).AsSpan().SequenceCompareTo(Rank(right));
    }
}
