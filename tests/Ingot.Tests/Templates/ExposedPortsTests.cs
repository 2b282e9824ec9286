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
    public void AWordIsPortsOfAConfiguration(string word, string ports) => Assert.Equal(ports, string.Join(' ', ExposedPorts.TryParse(word)!));

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("65536")]
    [InlineData("-80")]
    [InlineData("80-")]
    [InlineData("81-80")]
    [InlineData("1-2-3")]
    [InlineData("80/")]
    [InlineData("/tcp")]
    [InlineData("80/tcp/udp")]
    [InlineData("80/http")]
    [InlineData("8080:80")]
    [InlineData("+80")]
    [InlineData(" 80")]
    [InlineData("٨٠")]
    public void AnythingElseIsNotPorts(string word) => Assert.Null(ExposedPorts.TryParse(word));
}
