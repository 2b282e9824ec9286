using System.Net;
using System.Net.NetworkInformation;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class HostNetworksTests
{
    private static readonly HostNetworks s_host = new(
        [
            At("127.0.0.1", "127.0.0.0/8"), At("::1", "::1/128"), At("192.0.2.7", "192.0.2.0/24"), At("fd00::7", "fd00::/64"),
            At("172.17.0.1", "172.17.0.0/16", isInternal: true), At("fd01::1", "fd01::/64", isInternal: true), At("10.0.2.15",
                "10.0.2.0/24", isInternal: true),
        ],
        [IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("198.51.100.0/24")]);

    [Fact]
    public void ADeviceThatGoesWhileItIsLookedAtIsLookedAtAgain()
    {
        int looks = 0;
        Assert.Same(s_host, HostNetworks.Settled(() => ++looks < 3 ? throw new DirectoryNotFoundException("veth0") : s_host));
        Assert.Equal(3, looks);
    }

    [Fact]
    public void WhatNeverSettlesIsSaid()
    {
        var e = Assert.Throws<ToolException>(() => HostNetworks.Settled(() => throw new NetworkInformationException()));
        Assert.StartsWith("could not find out which networks this host is on", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NeighboursAreTheHostItsInternalNetworksAndInstances() => Assert.Equal(
        [
            "192.0.2.7/32", "fd00::7/128", "172.17.0.1/32", "fd01::1/128", "10.0.2.15/32", "172.17.0.0/16", "fd01::/64",
            "10.0.2.0/24", "10.213.0.0/16",
        ],
        s_host.Neighbours.Select(n => $"{n}"));

    [Fact]
    public void TheNetworkOfAStepIsNotClosedToItself() => Assert.Equal(
        ["192.0.2.7/32", "fd00::7/128", "172.17.0.1/32", "fd01::1/128", "172.17.0.0/16", "fd01::/64", "10.213.0.0/16"],
        Slirp.Closable(s_host.Neighbours).Select(n => $"{n}"));

    [Theory]
    [InlineData("10.0.0.0/8")]
    [InlineData("10.213.7.0/24")]
    public void ARangeThatTheHostLeadsToIsSomebodyElses(string route)
    {
        var host = s_host with { Routes = [IPNetwork.Parse(route)] };
        Assert.True(host.IsRangeTaken);
        Assert.DoesNotContain(HostNetworks.Range, host.Neighbours);
        Assert.Null(host.FreePart("a", []));
    }

    [Fact]
    public void PartsOfTheRangeAreGivenOnce()
    {
        var first = s_host.FreePart("ingot-shop-staging", [])!.Value;
        Assert.Equal(24, first.PrefixLength);
        Assert.True(HostNetworks.Range.Contains(first.BaseAddress));
        Assert.Equal(first, s_host.FreePart("ingot-shop-staging", []));

        var given = new List<IPNetwork>();
        while (s_host.FreePart("ingot-shop-staging", given) is { } part)
            given.Add(part);
        Assert.Equal(256, given.Distinct().Count());
        Assert.Null(s_host.FreePart("another", [IPNetwork.Parse("10.213.0.0/16")]));

        var taken = s_host with { Addresses = [.. s_host.Addresses, new HostAddress(first.BaseAddress, first, IsInternal: true)] };
        Assert.NotEqual(first, taken.FreePart("ingot-shop-staging", []));
    }

    [Fact]
    public void TheKernelsTableIsRead() => Assert.Equal(
        [("eth0", "0.0.0.0/0"), ("docker0", "172.17.0.0/16"), ("tun0", "10.8.0.1/32")],
        HostNetworks.Parse(
        [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
            "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0",
            "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0",
            "tun0\t0100080A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0",
            "",
        ]).Select(r => (r.Interface, $"{r.Network}")));

    [Theory]
    [InlineData("192.0.2.77", 24, "192.0.2.0/24")]
    [InlineData("192.0.2.77", 27, "192.0.2.64/27")]
    [InlineData("192.0.2.77", 0, "0.0.0.0/0")]
    [InlineData("fd00:1:2:3:4::5", 60, "fd00:1:2::/60")]
    [InlineData("fd00::5", 128, "fd00::5/128")]
    public void AnAddressIsInANetwork(string address, int length, string network) =>
        Assert.Equal(network, $"{HostNetworks.NetworkOf(IPAddress.Parse(address), length)}");

    [Fact]
    public void ThisHostHasAddresses()
    {
        var host = HostNetworks.Now();
        Assert.Contains(host.Addresses, a => IPAddress.IsLoopback(a.Address));
        Assert.All(host.Addresses, a => Assert.True(a.Network.Contains(a.Address)));
        Assert.DoesNotContain(host.Neighbours, n => n.Contains(IPAddress.Loopback));
    }

    private static HostAddress At(string address, string network, bool isInternal = false) =>
        new(IPAddress.Parse(address), IPNetwork.Parse(network), isInternal);
}
