using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class GitConfigTests
{
    [Theory]
    [InlineData("[core]\n\tautocrlf = true\n", "core.autocrlf", "true")]
    [InlineData("[CORE]\nAutoCRLF=Input", "core.autocrlf", "Input")]
    [InlineData("[core]\n\tbare\n", "core.bare", "true")]
    [InlineData("[remote \"origin\"]\n\turl = https://host/a.git # note\n", "remote.origin.url", "https://host/a.git")]
    [InlineData("[remote \"Or.ig\\\"in\"]\n\turl = a\n", "remote.Or.ig\"in.url", "a")]
    [InlineData("[a] b = \"x # y\" ; z\n", "a.b", "x # y")]
    [InlineData("[a]\nb = one \\\n  two\n", "a.b", "one   two")]
    [InlineData("[a]\nb = x\\ty\\\\z\\\"\n", "a.b", "x\ty\\z\"")]
    [InlineData("[a]\nb = 1\nb = 2\n", "a.b", "2")]
    [InlineData("\uFEFF[a]\r\nb = 1\r\n", "a.b", "1")]
    [InlineData("[a]\nb c d\nwrong line\ne = 2", "a.e", "2")]
    [InlineData("[a\nb = 1\n[c]\nd = 1", "c.d", "1")]
    public void ValuesAreRead(string text, string name, string expected) => Assert.Equal(expected, GitConfig.Parse(text)[name]);

    [Theory]
    [InlineData("")]
    [InlineData("[")]
    [InlineData("[a \"")]
    [InlineData("[a]\nb = \\")]
    [InlineData("[a]\nb = \"")]
    [InlineData("=\n]\n\\\n")]
    [InlineData("# x")]
    public void WhatIsNoConfigurationIsNoError(string text) => Assert.NotNull(GitConfig.Parse(text));
}
