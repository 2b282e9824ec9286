using System.Text;
using System.Text.Json;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;

namespace Ingot.Tests.Evidence.Signatures;

public sealed class StatementTests
{
    private static readonly Digest s_image = Digest.Of("image"u8);
    private static readonly string s_hex = s_image.Hex;

    [Fact]
    public void AStatementHasOneForm() => Assert.Equal(
        $$$"""{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"shop/web","digest":{"sha256":"{{{s_hex}}}"},"annotations":{"a":"1","b":"<2>"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}""",
        Encoding.UTF8.GetString(
            Statement.Signature(s_image, "shop/web", new(StringComparer.Ordinal) { ["b"] = "<2>", ["a"] = "1" }).ToBytes()));

    [Fact]
    public void AStatementComesBackAsItWas()
    {
        var statement = Statement.About(s_image, "web", "https://example.org/x",
            JsonElement.Parse("""{"b":[1,2.50,"é\u0000\"+"],"a":{"x":null}}"""));
        var read = Statement.Parse(statement.ToBytes());
        Assert.Equal(statement.ToBytes(), read.ToBytes());
        Assert.Equal(new StatementSubject("web", s_image), Assert.Single(read.Subjects));
    }

    [Theory]
    [InlineData("https://in-toto.io/Statement/v1")]
    [InlineData("https://in-toto.io/Statement/v0.1")]
    public void BothTypesOfStatementsAreRead(string type) =>
        Assert.Equal(s_image, Statement.Parse(Encoding.UTF8.GetBytes(
            $$$"""{"_type":"{{{type}}}","subject":[{"digest":{"sha256":"{{{s_hex}}}"}}],"predicateType":"p"}""")).Subjects[0].Digest);

    [Fact]
    public void SubjectsWithoutADigestThatCanBeComparedAreLeftOut()
    {
        var read = Statement.Parse(Encoding.UTF8.GetBytes(
            $$$"""{"_type":"https://in-toto.io/Statement/v1","subject":[null,{"name":"x"},{"digest":{"sha512":"00"}},{"digest":{"sha256":"ABC"}},{"digest":null},{"digest":{"sha256":"{{{s_hex}}}"}}],"predicateType":"p"}"""));
        Assert.Equal(s_image, Assert.Single(read.Subjects).Digest);
    }

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("{}")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v2","subject":[SUBJECT],"predicateType":"p"}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"p"}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":SUBJECT,"predicateType":"p"}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x"}],"predicateType":"p"}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","predicateType":"p"}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[SUBJECT]}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[SUBJECT],"predicateType":7}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[SUBJECT],"predicateType":"p","predicate":[]}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[SUBJECT],"predicateType":"p","predicateType":"q"}""")]
    [InlineData("""{"_type":"https://in-toto.io/Statement/v1","subject":[SUBJECT],"predicateType":"p"} {}""")]
    public void WhatIsNoStatementIsRefused(string json) =>
        Assert.Throws<FormatException>(() => Statement.Parse(Encoding.UTF8.GetBytes(json.Replace("SUBJECT",
            $$$"""{"digest":{"sha256":"{{{s_hex}}}"}}""", StringComparison.Ordinal))));
}
