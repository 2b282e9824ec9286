using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Content;

public sealed class DigestTests
{
    private const string Hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Fact]
    public void ADigestIsItsText()
    {
        var digest = Digest.Parse("sha256:" + Hex);
        Assert.Equal("sha256:" + Hex, digest.ToString());
        Assert.Equal(Hex, digest.Hex);
        Assert.Equal("0123456789ab", digest.Short);
        Assert.Equal(digest, Digest.FromHash(digest.ToHash()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256:")]
    [InlineData(Hex)]
    [InlineData("sha256:" + Hex + "0")]
    [InlineData("sha256:0" + Hex)]
    [InlineData("sha256:123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    [InlineData("sha256:0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF")]
    [InlineData("sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    [InlineData("SHA256:" + Hex)]
    [InlineData("sha512:" + Hex)]
    [InlineData(" sha256:" + Hex)]
    [InlineData("sha256:" + Hex + "\n")]
    [InlineData("sha256:../../../etc/passwd0123456789abcdef0123456789abcdef0123456789")]
    [InlineData("sha256:０123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde")]
    public void WhatIsNoDigestIsRefusedWithASentence(string text)
    {
        Assert.False(Digest.TryParse(text, out var digest));
        Assert.True(digest.IsEmpty);
        var e = Assert.Throws<FormatException>(() => Digest.Parse(text));
        Assert.Equal($"'{text}' is not a digest: expected sha256: followed by 64 lower-case hex digits", e.Message);
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Digest>(JsonSerializer.Serialize(text)));
    }

    [Fact]
    public void TheDefaultNamesNothing()
    {
        Assert.Equal("(no digest)", default(Digest).ToString());
        Assert.Throws<InvalidOperationException>(() => default(Digest).Hex);
        Assert.Throws<InvalidOperationException>(() => default(Digest).ToHash());
    }

    [Fact]
    public void AHashOfAnotherLengthIsNoDigest() => Assert.Throws<ArgumentException>(() => Digest.FromHash(new byte[20]));

    [Fact]
    public async Task BytesAndStreamsHaveTheSameDigest()
    {
        byte[] bytes = "abc"u8.ToArray();
        Assert.Equal("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Digest.Of(bytes).ToString());
        Assert.Equal(Digest.Of(bytes), await Digest.OfAsync(new MemoryStream(bytes)));
    }

    [Fact]
    public void DigestsOrderByTheirDigits() => Prop.ForAll<byte[], byte[]>((left, right) =>
    {
        var (a, b) = (Digest.Of(left), Digest.Of(right));
        return Math.Sign(a.CompareTo(b)) == Math.Sign(string.CompareOrdinal(a.Hex, b.Hex)) && (a < b) == (b > a) && (a <= b) != (a > b);
    }).Holds();

    [Fact]
    public void DigestsGoThroughJson()
    {
        var map = new Dictionary<Digest, Digest> { [Digest.Of("a"u8)] = Digest.Of("b"u8) };
        string json = JsonSerializer.Serialize(map);
        Assert.Equal($$"""{"{{Digest.Of("a"u8)}}":"{{Digest.Of("b"u8)}}"}""", json);
        Assert.Equal(map, JsonSerializer.Deserialize<Dictionary<Digest, Digest>>(json));
    }
}
