using System.Net;
using System.Net.Sockets;
using Ingot.Diagnostics;
using Ingot.Tools;

namespace Ingot.SystemTests.Builds;

[Collection("builds of commands")]
public sealed class RunNetworkTests(BuildFixture fixture)
{
    [Fact]
    public async Task NoNetworkIsALoopbackAndNothingElse()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nRUN --network=none tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; "
            + $"cat /proc/net/route | wc -l; wc -c < /etc/resolv.conf; cat /sys/class/net/lo/flags; : {Environment.TickCount64}\n");
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
    public async Task ByDefaultACommandReachesNeitherTheHostNorWhatRunsOnIt()
    {
        Skip();
        Assert.SkipUnless(File.Exists("/usr/sbin/ip"), "iproute2 is not installed");
        await using var neighbour = await Neighbour.StartAsync();
        using var service = new TcpListener(IPAddress.IPv6Any, 0);
        service.Server.DualMode = true;
        service.Start();
        int port = ((IPEndPoint)service.LocalEndpoint).Port;
        var host = HostNetworks.Now().Addresses
            .Where(a => !IPAddress.IsLoopback(a.Address) && !a.IsInternal)
            .Select(a => $"{a.Address}/{port}");
        string[] places =
            [.. host, $"{Neighbour.Gateway}/{port}", $"{Neighbour.Address}/{Neighbour.Port}", $"{Neighbour.Address6}/{Neighbour.Port}"];
        string Try(string network) =>
            $"FROM base\nRUN {network} for at in {string.Join(' ', places)}; do timeout 3 bash -c \"exec 3<>/dev/tcp/$at\" 2>/dev/null; "
            + $"echo $at $?; done; : {Environment.TickCount64}\n";

        // Refused at once, which is 1: what does not answer would take until the time is up, which is 124.
        var kept = await fixture.BuildAsync(Try(""));
        Assert.Equal(places.Select(p => $"{p} 1"), kept.Progress.Lines);
        Assert.False(service.Pending());

        var allowed = await fixture.BuildAsync(
            Try("--network=host"), s => s with { Access = new() { AllowHostNetwork = true } }, CancellationToken.None);
        Assert.Equal(places.Select(p => $"{p} 0"), allowed.Progress.Lines);
    }

    [Fact]
    public async Task TheResolverAndOtherHostsStayReachable()
    {
        Skip();
        var lan = HostNetworks.Now().Addresses
            .First(a => !IPAddress.IsLoopback(a.Address) && !a.IsInternal && a.Address.AddressFamily == AddressFamily.InterNetwork);
        byte[] other = lan.Address.GetAddressBytes();
        other[3] ^= 1;
        var built = await fixture.BuildAsync(
            $"FROM base\nRUN for at in 10.0.2.3/53 {new IPAddress(other)}/9 203.0.113.1/9; do bash -c \"exec 3<>/dev/udp/$at\" && echo "
                + $"open; done; : {Environment.TickCount64}\n");
        Assert.Equal(["open", "open", "open"], built.Progress.Lines);
    }

    // Neither by taking routes away, nor by frames of its own, nor by the device that has the way out.
    [Fact]
    public async Task ACommandGetsRoundNoClosedRoute()
    {
        Skip();
        using var service = new TcpListener(IPAddress.Any, 0);
        service.Start();
        int port = ((IPEndPoint)service.LocalEndpoint).Port;
        var own = HostNetworks.Now().Addresses
            .First(a => !IPAddress.IsLoopback(a.Address) && a.Address.AddressFamily == AddressFamily.InterNetwork).Address;
        byte[] bytes = own.GetAddressBytes();
        string script = $$"""
            use Socket;
            socket(my $kernel, 16, 3, 0) or die $!;
            syswrite $kernel, pack("LSSLL C8L SSC4", 36, 25, 5, 1, 0, 2, 32, 0, 0, 254, 4, 0, 7, 0, 8, 1, {{string.Join(", ", bytes)}});
            sysread $kernel, my $answer, 512;
            $! = -unpack("x16 l", $answer);
            print "routes: $!\n";
            socket(my $frames, 17, 3, 768) ? print "frames\n" : print "frames: $!\n";
            socket(my $bound, PF_INET, SOCK_STREAM, 0) or die $!;
            setsockopt($bound, 1, 25, "tap0\0");
            connect($bound, pack_sockaddr_in({{port}}, inet_aton("{{own}}"))) ? print "device\n" : print "device: $!\n";
            """;
        var built = await fixture.BuildAsync($"FROM base\nRUN <<EOF\n#!/usr/bin/perl\n{script}\n# {Environment.TickCount64}\nEOF\n");
        Assert.Equal(["routes: Operation not permitted", "frames: Operation not permitted", "device: No route to host"],
            built.Progress.Lines);
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
        var built = await fixture.BuildAsync(dockerfile, s => s with { Access = new() { AllowHostNetwork = true } },
            CancellationToken.None);
        Assert.Equal([new FileInfo("/proc/self/ns/net").LinkTarget!], built.Progress.Lines);
    }

    [Fact]
    public async Task AllPrivilegesMustBeAllowed()
    {
        Skip();
        string dockerfile = "FROM base\nRUN --security=insecure mkdir /m && mount -t tmpfs none /m && umount /m && rmdir /m && echo "
            + $"'all privileges'; : {Environment.TickCount64}\n";
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync(dockerfile));
        Assert.Contains("--allow security.insecure", refused.Diagnostics[0].ToString(), StringComparison.Ordinal);
        var built = await fixture.BuildAsync(dockerfile, s => s with { Access = new() { AllowInsecure = true } }, CancellationToken.None);
        Assert.Equal(["all privileges"], built.Progress.Lines);
    }

    [Fact]
    public async Task WhatIsNotAllowedIsSaidAllAtOnceAndBeforeAnythingRuns()
    {
        Skip();
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync(
            "FROM base\nRUN --network=host true\nRUN --security=insecure true\nRUN --mount=type=tmpfs,target=/proc true\n"));
        Assert.Equal(3, refused.Diagnostics.Count);
    }

    [Fact]
    public async Task TwoCommandsAtOnceMayListenOnOnePort()
    {
        Skip();
        const string Listen = "RUN [\"perl\", \"-MIO::Socket::INET\", \"-e\", \"my $s = IO::Socket::INET->new(Listen => 1, "
            + "LocalAddr => '127.0.0.1', LocalPort => 7341) or die; sleep 2; mkdir '/NAME'\"]\n";
        var built = await fixture.BuildAsync(
            $"FROM base AS a\n{Listen.Replace("NAME", "a", StringComparison.Ordinal)}FROM base AS b\n"
                + $"{Listen.Replace("NAME", "b", StringComparison.Ordinal)}FROM base\nCOPY --from=a /a /a\nCOPY --from=b /b /b\n",
            s => s with { Parallelism = 2 }, CancellationToken.None);
        Assert.NotNull(built);
    }

    // What a container of another program is to the host: a namespace on a bridge, where somebody listens.
    private sealed class Neighbour : IAsyncDisposable
    {
        public const string Gateway = "198.18.213.1";
        public const string Address = "198.18.213.2";
        public const string Address6 = "fd53:213::2";
        public const int Port = 7343;

        private readonly string _name = $"igt{Environment.ProcessId}";
        private readonly CancellationTokenSource _stop = new();
        private Task _listener = Task.CompletedTask;

        public static async Task<Neighbour> StartAsync()
        {
            var neighbour = new Neighbour();
            try
            {
                await neighbour.StartNowAsync();
                return neighbour;
            }
            catch
            {
                await neighbour.DisposeAsync();
                throw;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _listener.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await CommandRunner.TryRunAsync(new Command("ip", "netns", "delete", _name), onLine: null);
            await CommandRunner.TryRunAsync(new Command("ip", "link", "delete", _name), onLine: null);
            _stop.Dispose();
        }

        private async Task StartNowAsync()
        {
            await IpAsync($"netns add {_name}");
            await IpAsync($"link add {_name} type bridge");
            await IpAsync($"addr add {Gateway}/24 dev {_name}");
            await IpAsync($"addr add fd53:213::1/64 dev {_name} nodad");
            await IpAsync($"link add {_name}v type veth peer name eth0 netns {_name}");
            await IpAsync($"link set {_name}v master {_name} up");
            await IpAsync($"link set {_name} up");
            await IpAsync($"-n {_name} addr add {Address}/24 dev eth0");
            await IpAsync($"-n {_name} addr add {Address6}/64 dev eth0 nodad");
            await IpAsync($"-n {_name} link set eth0 up");
            string script = $"my $s = IO::Socket::IP->new(Listen => 9, LocalHost => '::', LocalPort => {Port}, V6Only => 0) or die $@; "
                + "$| = 1; print \"ready\\n\"; 1 while $s->accept";
            var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _listener = CommandRunner.TryRunAsync(new Command("ip", "netns", "exec", _name, "perl", "-MIO::Socket::IP", "-e", script),
                _ => ready.TrySetResult(), _stop.Token);
            await ready.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }

        private static Task IpAsync(string arguments) => CommandRunner.RunAsync(new Command("ip", arguments.Split(' ')));
    }

    private static void Skip() => Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
}
