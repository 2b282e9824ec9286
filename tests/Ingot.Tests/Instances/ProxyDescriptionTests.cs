using Ingot.Instances;
using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Tests.Instances;

public sealed class ProxyDescriptionTests
{
    private static readonly ProxySettings s_settings = new(new ListenAddress("[::1]", 8080), TimeSpan.FromMilliseconds(500));

    [Fact]
    public void WhatIsWrittenIsReadAgain()
    {
        ProxySettings[] all =
        [
            s_settings,
            s_settings with { Former = new ListenAddress("0.0.0.0", 80) },
            s_settings with { RequestTimeout = TimeSpan.FromMinutes(10) },
            s_settings with { Former = new ListenAddress("127.0.0.1", 65535), RequestTimeout = TimeSpan.FromMilliseconds(1) },
        ];
        Assert.All(all, settings => Assert.Equal(settings, ProxyDescription.Read(ProxyDescription.Write(settings))));
        Assert.Equal(all.Length, all.Select(ProxyDescription.Write).Distinct().Count());
    }

    [Theory]
    [InlineData("")]
    [InlineData("ingot 127.0.0.1 8080 5000000")]
    [InlineData("ingot-2")]
    [InlineData("ingot-2 127.0.0.1:8080 5000000 -")]
    [InlineData("ingot-2 127.0.0.1:8080 5000000 - - -")]
    [InlineData("ingot-2 127.0.0.1 5000000 - -")]
    [InlineData("ingot-2 127.0.0.1:x 5000000 - -")]
    [InlineData("ingot-2 127.0.0.1:8080 x - -")]
    [InlineData("ingot-2 127.0.0.1:8080 -1 - -")]
    [InlineData("ingot-2 127.0.0.1:8080 5000000 x -")]
    [InlineData("ingot-2 127.0.0.1:8080 5000000 - x")]
    [InlineData("ingot-3 127.0.0.1:8080 5000000 - -")]
    public void ALineOfAnotherVersionSaysNothing(string line) => Assert.Null(ProxyDescription.Read(line));
}
