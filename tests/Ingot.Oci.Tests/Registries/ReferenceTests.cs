using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Registries;

public sealed class ReferenceTests
{
    private const string Hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("alpine", null, "alpine", null, false)]
    [InlineData("alpine:3.20", null, "alpine", "3.20", false)]
    [InlineData("localhost:5000", null, "localhost", "5000", false)]
    [InlineData("library/alpine", null, "library/alpine", null, false)]
    [InlineData("localhost/app", "localhost", "app", null, false)]
    [InlineData("localhost:5000/app", "localhost:5000", "app", null, false)]
    [InlineData("127.0.0.1:5000/team/app:v1", "127.0.0.1:5000", "team/app", "v1", false)]
    [InlineData("[::1]:5000/app", "[::1]:5000", "app", null, false)]
    [InlineData("Registry.Example/app", "Registry.Example", "app", null, false)]
    [InlineData("registry.example/a/b__c/d-e---f/g.h_i:_Tag.1-x", "registry.example", "a/b__c/d-e---f/g.h_i", "_Tag.1-x", false)]
    [InlineData("app@sha256:" + Hex, null, "app", null, true)]
    [InlineData("registry.example:443/app:1@sha256:" + Hex, "registry.example:443", "app", "1", true)]
    public void AReferenceHasItsParts(string text, string? registry, string repository, string? tag, bool hasDigest)
    {
        var reference = Reference.Parse(text);
        Assert.Equal((registry, repository, tag, hasDigest),
            (reference.Registry, reference.Repository, reference.Tag, reference.Digest is not null));
        Assert.Equal(text, reference.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData(":")]
    [InlineData("@")]
    [InlineData("App")]
    [InlineData("a//b")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a..b")]
    [InlineData("a___b")]
    [InlineData("-a")]
    [InlineData("a-")]
    [InlineData("a:")]
    [InlineData("a:.tag")]
    [InlineData("a:-tag")]
    [InlineData("a:b:c")]
    [InlineData("a:tag/b")]
    [InlineData("a b")]
    [InlineData("a\n")]
    [InlineData("a@sha256:123")]
    [InlineData("a@sha256:" + Hex + "0")]
    [InlineData("a@" + Hex)]
    [InlineData("a@sha256:" + Hex + "@sha256:" + Hex)]
    [InlineData("registry.example/")]
    [InlineData("registry.example/App")]
    [InlineData("-registry.example/app")]
    [InlineData("registry..example/app")]
    [InlineData("registry.example:port/app")]
    [InlineData("registry.example:/app")]
    [InlineData("user:password@registry.example/app")]
    [InlineData("https://registry.example/app")]
    [InlineData("../../etc/passwd")]
    [InlineData("é")]
    public void WhatIsNoReferenceIsRefusedWithASentence(string text)
    {
        Assert.False(Reference.TryParse(text, out var reference));
        Assert.Null(reference);
        Assert.StartsWith($"'{text}' is not a reference to an image: expected",
            Assert.Throws<FormatException>(() => Reference.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesAndTagsHaveTheirLengths()
    {
        Assert.True(Reference.TryParse(new string('a', 255), out _));
        Assert.False(Reference.TryParse(new string('a', 256), out _));
        Assert.True(Reference.TryParse("a:" + new string('t', 128), out _));
        Assert.False(Reference.TryParse("a:" + new string('t', 129), out _));
    }

    [Fact]
    public void TagsAndDigestsCanBeChanged()
    {
        var reference = Reference.Parse("registry.example/app:1");
        var digest = Digest.Of([]);
        Assert.Equal($"registry.example/app:1@{digest}", reference.WithDigest(digest).ToString());
        Assert.Equal("registry.example/app:2", reference.WithDigest(digest).WithTag("2").ToString());
        Assert.Equal("registry.example/app", reference.WithTag(null).ToString());
        Assert.Throws<FormatException>(() => reference.WithTag("no tag"));
    }

    [Theory]
    [InlineData("registry.example", "https://registry.example/")]
    [InlineData("registry.example:5000", "https://registry.example:5000/")]
    [InlineData("localhost:5000", "http://localhost:5000/")]
    [InlineData("127.0.0.1:5000", "http://127.0.0.1:5000/")]
    [InlineData("[::1]:5000", "http://[::1]:5000/")]
    [InlineData("localhost.example", "https://localhost.example/")]
    [InlineData("docker.io", "https://registry-1.docker.io/")]
    public void OnlyThisMachineIsSpokenToInPlain(string registry, string uri) =>
        Assert.Equal(uri, RegistryClient.UriOf(registry).ToString());

    [Fact]
    public void WhatIsPrintedIsReadBack()
    {
        var component = Gen.NonEmptyListOf(Gen.Elements("a", "0", "b-c", "d_e", "f__g", "h.i", "x---y"))
            .Select(parts => string.Concat(parts));
        var texts = from registry in Gen.Elements("", "localhost/", "registry.example/", "r-1.example:80/", "[fe80::1]/")
                    from path in Gen.NonEmptyListOf(component)
                    from tag in Gen.Elements("", ":latest", ":1.2.3-rc_1", ":_")
                    from digest in Gen.Elements("", "@sha256:" + Hex)
                    select registry + "x/" + Bounded(string.Join('/', path.Take(4))) + tag + digest;
        Prop.ForAll(Arb.From(texts), text => Reference.Parse(text).ToString() == text).Holds();
    }

    // A repository's name has at most 255 characters; a cut name may end in what only stands between letters.
    private static string Bounded(string path) => path.Length <= 200 ? path : path[..200] + "z";

    [Fact]
    public void AnyTextIsAnsweredWithoutAnException() => Prop.ForAll<string>(text =>
    {
        _ = Reference.TryParse(text ?? "", out _);
        _ = Reference.TryParse(string.Concat(Enumerable.Repeat("a-", 5000)) + text, out _);
    }).Holds();
}
