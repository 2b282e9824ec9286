using System.Net;
using Ingot.Builds.Steps;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Steps;

public sealed class StepNetworkTests
{
    [Theory]
    [InlineData("", "nameserver 10.0.2.3\n")]
    [InlineData("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n",
        "nameserver 10.0.2.3\noptions edns0 trust-ad\nsearch example.org\n")]
    [InlineData("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", "nameserver 10.0.2.3\nnameserver 192.0.2.2\n")]
    [InlineData("nameserver ::1\n; nameserver 192.0.2.9\n# nameserver 192.0.2.9\n\tnameserver\t192.0.2.1 \nnameserver 127.1.2.3\n",
        "nameserver 10.0.2.3\n")]
    [InlineData("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
        "nameserver 10.0.2.3\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n")]
    [InlineData("nameserver 192.0.2.1\nnameserver 198.51.100.2\nnameserver 192.0.2.3\n", "nameserver 10.0.2.3\nnameserver 192.0.2.3\n")]
    [InlineData("nameserver 198.51.100.2\nnameserver 192.0.2.3\n", "nameserver 10.0.2.3\nnameserver 192.0.2.3\n")]
    [InlineData("nameserver not-an-address\nsortlist 1.2.3.4\n", "nameserver 10.0.2.3\n")]
    public void TheResolverOfANamespaceIsTheOneThatIsInIt(string host, string expected) =>
        Assert.Equal(expected, NetworkOfStep.TextFor(host, [IPNetwork.Parse("198.51.100.0/24")]));

    [Fact]
    public void ADirectoryThatTheRuntimeTakesForTwoIsSaidWithTheCure()
    {
        Assert.Equal("/a home/1-run/network", NetworkOfStep.NamespaceIn("/a home/1-run"));

        var error = Assert.Throws<ToolException>(() => NetworkOfStep.NamespaceIn("/one,two/1-run"));
        Assert.Contains("'/one,two/1-run': set INGOT_HOME", error.Message, StringComparison.Ordinal);
    }
}
