using System.Net;
using System.Net.Sockets;
using Ingot.Diagnostics;

namespace Ingot.SystemTests.Builds;

[Collection("builds of commands")]
public sealed class RunNetworkTests(BuildFixture fixture)
{
    [Fact]
    public async Task NoNetworkIsALoopbackAndNothingElse()
    {
        Skip();
        var built = await fixture.BuildAsync($"FROM base\nRUN --network=none tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; cat /proc/net/route | wc -l; wc -c < /etc/resolv.conf; cat /sys/class/net/lo/flags; : {Environment.TickCount64}\n");
        Assert.Equal(["lo", "1", "0", "0x9"], built.Progress.Lines);
    }

    [Fact]
    public async Task ByDefaultACommandReachesTheWorldAndNotTheHostsLoopback()
    {
        Skip();
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        int port = ((IPEndPoint)service.LocalEndpoint).Port;
        var built = await fixture.BuildAsync($"""
            FROM base
            RUN ["bash", "-c", "for host in 127.0.0.1 10.0.2.2; do (exec 3<>/dev/tcp/$host/{port}) 2>/dev/null && echo \"reached $host\"; done; ls /sys/class/net; grep -c nameserver /etc/resolv.conf >/dev/null && echo resolver"]
            """);
        Assert.Equal(["lo", "tap0", "resolver"], built.Progress.Lines);
        Assert.False(service.Pending());
    }

    [Fact]
    public async Task AbstractSocketsOfTheHostAreNotThere()
    {
        Skip();
        string name = $"ingot-abstract-{Environment.ProcessId}";
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint("\0" + name));
        socket.Listen();
        Assert.Contains(name, await File.ReadAllTextAsync("/proc/net/unix"), StringComparison.Ordinal);
        var built = await fixture.BuildAsync($"FROM base\nRUN grep -c {name} /proc/net/unix || true\n");
        Assert.Equal(["0"], built.Progress.Lines);
    }

    [Fact]
    public async Task TheHostsNetworkMustBeAllowed()
    {
        Skip();
        string dockerfile = $"FROM base\nRUN --network=host readlink /proc/self/ns/net; : {Environment.TickCount64}\n";
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync(dockerfile));
        Assert.Contains("--allow network.host", refused.Diagnostics[0].ToString(), StringComparison.Ordinal);
        var built = await fixture.BuildAsync(dockerfile, s => s with { Access = new() { AllowHostNetwork = true } }, CancellationToken.None);
        Assert.Equal([new FileInfo("/proc/self/ns/net").LinkTarget!], built.Progress.Lines);
    }

    [Fact]
    public async Task AllPrivilegesMustBeAllowed()
    {
        Skip();
        string dockerfile = $"FROM base\nRUN --security=insecure mkdir /m && mount -t tmpfs none /m && umount /m && rmdir /m && echo 'all privileges'; : {Environment.TickCount64}\n";
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync(dockerfile));
        Assert.Contains("--allow security.insecure", refused.Diagnostics[0].ToString(), StringComparison.Ordinal);
        var built = await fixture.BuildAsync(dockerfile, s => s with { Access = new() { AllowInsecure = true } }, CancellationToken.None);
        Assert.Equal(["all privileges"], built.Progress.Lines);
    }

    [Fact]
    public async Task WhatIsNotAllowedIsSaidAllAtOnceAndBeforeAnythingRuns()
    {
        Skip();
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync("FROM base\nRUN --network=host true\nRUN --security=insecure true\nRUN --mount=type=tmpfs,target=/proc true\n"));
        Assert.Equal(3, refused.Diagnostics.Count);
    }

    [Fact]
    public async Task TwoCommandsAtOnceMayListenOnOnePort()
    {
        Skip();
        const string Listen = "RUN [\"perl\", \"-MIO::Socket::INET\", \"-e\", \"my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 7341) or die; sleep 2; mkdir '/NAME'\"]\n";
        var built = await fixture.BuildAsync(
            $"FROM base AS a\n{Listen.Replace("NAME", "a", StringComparison.Ordinal)}FROM base AS b\n{Listen.Replace("NAME", "b", StringComparison.Ordinal)}FROM base\nCOPY --from=a /a /a\nCOPY --from=b /b /b\n",
            s => s with { Parallelism = 2 }, CancellationToken.None);
        Assert.NotNull(built);
    }

    private static void Skip() => Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
}
