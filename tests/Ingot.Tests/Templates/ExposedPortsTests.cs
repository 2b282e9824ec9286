using Ingot.Templates.Dockerfile;

namespace Ingot.Tests.Templates;

public class ExposedPortsTests
{
    [Theory]
    [InlineData("80", "80/tcp")]
    [InlineData("53/UDP", "53/udp")]
    [InlineData("9999/sctp", "9999/sctp")]
    [InlineData("7000-7002", "7000/tcp 7001/tcp 7002/tcp")]
    [InlineData("7000-7001/udp", "7000/udp 7001/udp")]
    [InlineData("1-1", "1/tcp")]
    [InlineData("0", "0/tcp")]
    [InlineData("80/", "80/tcp")]
    [InlineData("8080:80", "80/tcp")]
    [InlineData(":80/UDP", "80/udp")]
    [InlineData("127.0.0.1:8080:80", "80/tcp")]
    [InlineData("127.0.0.1::80", "80/tcp")]
    [InlineData("[::1]:8080:80", "80/tcp")]
    [InlineData("8000-8010:80", "80/tcp")]
    [InlineData("8000-8001:80-81", "80/tcp 81/tcp")]
    public void AWordIsPortsOfAConfiguration(string word, string ports) =>
        Assert.Equal(ports, string.Join(' ', ExposedPorts.TryParse(word)!));

    [Theory]
    [InlineData("")]
    [InlineData("65536")]
    [InlineData("-80")]
    [InlineData("80-")]
    [InlineData("81-80")]
    [InlineData("1-2-3")]
    [InlineData("/tcp")]
    [InlineData("80/tcp/udp")]
    [InlineData("80/http")]
    [InlineData("80:")]
    [InlineData(":")]
    [InlineData("x:80")]
    [InlineData("localhost:1:80")]
    [InlineData("8000-8002:80-81")]
    [InlineData("80/tcp:81")]
    [InlineData("+80")]
    [InlineData(" 80")]
    [InlineData("٨٠")]
    public void AnythingElseIsNotPorts(string word) => Assert.Null(ExposedPorts.TryParse(word));
}
