using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ingot.Releases;
using Ingot.SystemTests.Rollouts;
using Ingot.SystemTests.Shop;
using Ingot.Templates.Project;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Proxies;

/// <summary>A real HAProxy, kept by a real keeper, with everything that can happen to both.</summary>
public sealed class ProxyTests(ITestOutputHelper output)
{
    private const int Rate = 300;

    [Fact]
    public async Task AProxyThatIsKilledWithNobodyThereComesBackAsItWasAndRefusesNobody()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.ShareAsync(50);
        // Turned back: this must not come again, whatever is killed.
        await host.ShareAsync(100);
        await host.UntilUpAsync();
        await host.RestartServerAsync();

        await using var load = Load.Start(host.Address, Rate);
        for (int i = 0; i < 4; i++)
        {
            string epoch = (await host.SeeAsync()).Epoch;
            await ProxyHost.SignalAsync("KILL", await host.ProxyAsync());
            var clock = Stopwatch.StartNew();
            var seen = await host.UntilAsync(seen => seen.Alive && seen.Epoch != epoch);
            Say($"killed: answers again after {clock.ElapsedMilliseconds} ms");
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), $"{clock.Elapsed}");
            Assert.Equal("g1=100 g2=0", await host.WeightsAsync());
            Assert.Equal(host.Setup.Proxy, seen.Settings);
            await Task.Delay(400);
        }

        var result = await load.StopAsync();
        Say($"killed: {result}");
        // What it had taken is lost with it; what it had not waits for the next.
        Assert.DoesNotContain(result.Failures.Keys, failure => failure.Contains("refused", StringComparison.OrdinalIgnoreCase));
        Assert.True(result.Failed <= 4 * 20, result.ToString());
        Assert.Equal(["1"], result.Versions.Keys);
    }

    [Fact]
    public async Task WhatWasNotYetWrittenWhenTheServerEndedIsWrittenAtItsNextLook()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync(75);
        // As a server leaves it that ends after it wrote what it wants and before it said so to HAProxy.
        string config = Path.Combine(await host.DirectoryAsync(), "haproxy.cfg");
        await File.WriteAllTextAsync(config,
            (await File.ReadAllTextAsync(config)).Replace("weight 1 ", "weight 99 ", StringComparison.Ordinal));
        await host.RestartServerAsync();
        string epoch = (await host.SeeAsync()).Epoch;

        await ProxyHost.SignalAsync("KILL", await host.ProxyAsync());

        await host.UntilAsync(seen => seen.Alive && seen.Epoch != epoch);
        Assert.Equal("g1=3 g2=1", await host.WeightsAsync());
    }

    [Fact]
    public async Task AKeeperThatIsKilledIsReplacedWithoutClosingAnything()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.UntilUpAsync();
        await using var load = Load.Start(host.Address, Rate);
        for (int i = 0; i < 3; i++)
        {
            int keeper = await host.KeeperAsync();
            await ProxyHost.SignalAsync("KILL", keeper);
            // HAProxy goes on, and is seen not to be set up as it should be.
            var orphan = await host.UntilAsync(seen => seen.Settings is null);
            Assert.True(orphan is { Alive: true, Settings: null });
            await host.RestartServerAsync();

            await host.EnsureAsync();

            Assert.NotEqual(keeper, await host.KeeperAsync());
            Assert.Equal(host.Setup.Proxy, (await host.SeeAsync()).Settings);
            Assert.Equal("g1=100 g2=0", await host.WeightsAsync());
        }

        var result = await load.StopAsync();
        Say($"keeper: {result}");
        Assert.True(result.Failed == 0, result.ToString());
        Assert.Single(await KeepersAsync(host));
    }

    [Fact]
    public async Task WhenBothAreKilledTheProxyComesBackAsItWas()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.ShareAsync(70);
        await host.RestartServerAsync();
        await ProxyHost.SignalAsync("KILL", await host.KeeperAsync(), await host.ProxyAsync());
        Assert.False((await host.UntilAsync(seen => !seen.Alive)).Alive);

        // The engine could not be asked, so that nobody knows the instances: what was known is used.
        await host.Target.CarryOutAsync(host.Setup, new Move.EnsureProxy(host.Setup.Proxy, []));

        Assert.Equal("g1=7 g2=3", await host.WeightsAsync());
        using var http = ProxyHost.Client();
        Assert.StartsWith("{\"version\":", await http.GetStringAsync(host.Address), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATakenPortIsSaidWithItsHolderAndNothingIsTouched()
    {
        ProxyHost.Need();
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int taken = ((IPEndPoint)other.LocalEndpoint).Port;
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.UntilUpAsync();
        var before = await host.SeeAsync();
        var settings = host.Setup.Proxy;
        await using var load = Load.Start(host.Address, Rate);

        host.Change(settings with { Listen = new ListenAddress("127.0.0.1", taken), Former = settings.Listen });
        for (int i = 0; i < 5; i++)
        {
            var e = await Assert.ThrowsAsync<ToolException>(() => host.EnsureAsync());
            Assert.Matches(
                $"^could not listen at '127\\.0\\.0\\.1:{taken}': '.+' \\(process {Environment.ProcessId}\\) has that address; end it, "
                    + "or give the service another 'listen'$",
                e.Message);
        }

        var result = await load.StopAsync();
        Assert.True(result.Failed == 0, result.ToString());
        host.Change(settings);
        var after = await host.SeeAsync();
        Assert.Equal((before.Epoch, settings), (after.Epoch, after.Settings));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    public async Task TwoHomesDoNotShareAnAddress(string address)
    {
        ProxyHost.Need();
        await using var first = new ProxyHost();
        await first.EnsureAsync();
        await first.UntilUpAsync();
        await using var second = new ProxyHost();
        second.Change(second.Setup.Proxy with { Listen = new ListenAddress(address, first.Setup.Proxy.Listen.Port) });
        await using var load = Load.Start(first.Address, 100);

        var e = await Assert.ThrowsAsync<ToolException>(() => second.EnsureAsync(0));

        Assert.Contains("'haproxy' (process ", e.Message, StringComparison.Ordinal);
        Assert.False((await second.SeeAsync()).Alive);
        // Nor does a HAProxy of somebody else's, which shares its own address with everybody who asks to.
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory.At("other.cfg"), "defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n"
            + $"  timeout connect 1s\nfrontend fe\n  bind {first.Setup.Proxy.Listen}\n  http-request return status 500\n");
        var foreign = await CommandRunner.TryRunAsync(
            new Command("timeout", "3", "haproxy", "-db", "-f", directory.At("other.cfg")), onLine: null);
        Assert.Equal(1, foreign.ExitCode);
        var result = await load.StopAsync();
        Assert.True(result.Failed == 0, result.ToString());
        Assert.Equal(["1"], result.Versions.Keys);
    }

    [Fact]
    public async Task AnAddressThatChangesIsServedAtBothUntilTheOldOneIsLetGo()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.UntilUpAsync();
        var old = host.Setup.Proxy.Listen;
        var moved = host.Setup.Proxy with { Listen = new ListenAddress("127.0.0.1", DockerHost.FreePort()) };
        await using var loadOfOld = Load.Start(ProxyHost.Of(old), Rate);

        host.Change(moved with { Former = old });
        await host.EnsureAsync();
        await using var loadOfNew = Load.Start(host.Address, Rate);
        Assert.Equal(moved with { Former = old }, (await host.SeeAsync()).Settings);
        await Task.Delay(500);
        var atOld = await loadOfOld.StopAsync();
        host.Change(moved);
        await host.EnsureAsync();
        await Task.Delay(500);
        var atNew = await loadOfNew.StopAsync();

        Say($"changed: old {atOld}; new {atNew}");
        Assert.True(atOld.Failed == 0 && atNew.Failed == 0, $"{atOld} {atNew}");
        using var http = ProxyHost.Client();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetStringAsync(ProxyHost.Of(old)));
        // It is free for others.
        using var other = new TcpListener(IPAddress.Loopback, old.Port);
        other.Start();
    }

    [Fact]
    public async Task AProxyThatIsStoppedHangsNobodyAndIsNeverTakenForGone()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        int proxy = await host.ProxyAsync();
        await ProxyHost.SignalAsync("STOP", proxy);
        try
        {
            var clock = Stopwatch.StartNew();
            var e = await Assert.ThrowsAsync<ToolException>(() => host.SeeAsync());
            Assert.Matches("did not answer 'show info;show servers state be;show stat' within 1 s$", e.Message);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(3), $"{clock.Elapsed}");
            await Assert.ThrowsAsync<ToolException>(() => host.ShareAsync(0));
            await Assert.ThrowsAsync<ToolException>(() => host.EnsureAsync());
            await Assert.ThrowsAsync<ToolException>(() =>
                host.Target.CarryOutAsync(host.Setup, new Move.RemoveServer(2, 0, CutSessions: true)));
            await Assert.ThrowsAsync<ToolException>(() =>
                host.Target.CarryOutAsync(host.Setup, new Move.AddServer(2, 0, host.Two.Address)));
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"{clock.Elapsed}");

            // As many looks as fill the queue of its command socket.
            var looks = await Task.WhenAll(Enumerable.Range(0, 500).Select(async _ => await Record.ExceptionAsync(() => host.SeeAsync())));
            Assert.All(looks, look => Assert.IsType<ToolException>(look));
        }
        finally
        {
            await ProxyHost.SignalAsync("CONT", proxy);
        }

        var seen = await host.SeeAsync();
        Assert.True(seen.Alive);
        Assert.Equal(proxy, await host.ProxyAsync());
    }

    [Fact]
    public async Task ARequestHasTheTimeThatWasSetAndIsSentOnce()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        host.Change(host.Setup.Proxy with { RequestTimeout = TimeSpan.FromSeconds(1) });
        await host.EnsureAsync();
        using var http = ProxyHost.Client();

        using var late = await http.GetAsync(new Uri(host.Address, "slow?2500"));

        Assert.Equal(HttpStatusCode.GatewayTimeout, late.StatusCode);
        Assert.Equal(1, host.One.Asked("GET /slow?2500"));
    }

    [Fact]
    public async Task ARequestThatTakesLongerThanHalfAMinuteIsAnswered()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        using var http = ProxyHost.Client();

        using var answer = await http.GetAsync(new Uri(host.Address, "slow?33000"));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(1, host.One.Asked("GET /slow?33000"));
    }

    [Fact]
    public async Task ATunnelOutlivesTheDrainAndEndsWhenItIsCut()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        using var tunnel = await TunnelAsync(host.Setup.Proxy.Listen);
        Assert.Equal("one", await EchoAsync(tunnel, "one"));

        await host.ShareAsync(0);
        var seen = await host.SeeAsync();
        Assert.Equal(1, seen.Servers.Single(server => server.Generation == 1).Sessions);
        var kept = await Assert.ThrowsAsync<ToolException>(() =>
            host.Target.CarryOutAsync(host.Setup, new Move.RemoveServer(1, 0, CutSessions: false)));
        Assert.Contains("'g1-0' still has connections", kept.Message, StringComparison.Ordinal);
        Assert.Equal("two", await EchoAsync(tunnel, "two"));
        // Another process takes over: what is open stays in the one before.
        host.Change(host.Setup.Proxy with { RequestTimeout = TimeSpan.FromMinutes(1) });
        await host.EnsureAsync(0);
        Assert.Equal("three", await EchoAsync(tunnel, "three"));

        using var second = await TunnelAsync(host.Setup.Proxy.Listen);
        await host.ShareAsync(100);
        await host.Target.CarryOutAsync(host.Setup, new Move.RemoveServer(2, 0, CutSessions: true));
        Assert.Null(await EchoAsync(second, "four"));
        Assert.Single((await host.SeeAsync()).Servers);
    }

    [Fact]
    public async Task ADisabledServerIsNotStartedAgainWithTheProxy()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.Target.CarryOutAsync(host.Setup, new Move.RemoveServer(2, 0, CutSessions: true));
        string epoch = (await host.SeeAsync()).Epoch;
        await ProxyHost.SignalAsync("KILL", await host.ProxyAsync());

        var seen = await host.UntilAsync(seen => seen.Alive && seen.Epoch != epoch);

        Assert.Equal([1], seen.Servers.Select(server => server.Generation));
        await host.Target.CarryOutAsync(host.Setup, new Move.AddServer(2, 0, host.Two.Address));
        await host.UntilUpAsync();
        await ProxyHost.SignalAsync("KILL", await host.ProxyAsync());
        seen = await host.UntilAsync(seen => seen.Alive && seen.Servers.Count == 2);
        Assert.Equal("g1=100 g2=0", await host.WeightsAsync());
    }

    [Fact]
    public async Task TheProxyOfAnOlderProgramIsTakenOverWithoutLosingARequest()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        // Where its command socket is, is where this one's is.
        await host.EnsureAsync();
        string directory = await host.DirectoryAsync();
        await host.Target.RemoveProxyAsync(host.Setup.Key);
        using var older = new TemporaryDirectory();
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(older.At("haproxy.cfg"), $"""
            global
              description ingot 127.0.0.1 {host.Setup.Proxy.Listen.Port} 5000000
              stats socket {directory}/haproxy.sock mode 600 level admin expose-fd listeners
              pidfile {older.At("haproxy.pid")}
            defaults
              mode http
              timeout client 30s
              timeout server 30s
              timeout connect 2s
            frontend fe
              bind {host.Setup.Proxy.Listen}
              option idle-close-on-response
              default_backend be
            backend be
              server g1-0 {host.One.Address} weight 100

            """);
        await CommandRunner.RunAsync(new Command("haproxy", "-D", "-f", older.At("haproxy.cfg")));
        await using var load = Load.Start(host.Address, Rate);
        await Task.Delay(300);
        var before = await host.SeeAsync();
        Assert.True(before is { Alive: true, Settings: null });

        await host.EnsureAsync();

        await Task.Delay(500);
        var result = await load.StopAsync();
        Say($"older: {result}");
        Assert.True(result.Failed == 0, result.ToString());
        Assert.Equal(host.Setup.Proxy, (await host.SeeAsync()).Settings);
    }

    [Fact]
    public async Task ARemovedProxyLeavesNothingAndMayBeRemovedTwice()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        string directory = await host.DirectoryAsync();
        using var tunnel = await TunnelAsync(host.Setup.Proxy.Listen);
        // A process that has been replaced and still has a connection, one that runs, one that hangs, and their keeper.
        host.Change(host.Setup.Proxy with { RequestTimeout = TimeSpan.FromMinutes(1) });
        await host.EnsureAsync();
        Assert.Equal(3, (await ProxyHost.LeftAsync(directory)).Length);
        await ProxyHost.SignalAsync("STOP", await host.ProxyAsync());

        await host.Target.RemoveProxyAsync(host.Setup.Key);
        await host.Target.RemoveProxyAsync(host.Setup.Key);

        Assert.Empty(await ProxyHost.LeftAsync(directory));
        Assert.False(Directory.Exists(directory));
        Assert.False((await host.SeeAsync()).Alive);
        using var other = new TcpListener(IPAddress.Loopback, host.Setup.Proxy.Listen.Port);
        other.Start();
    }

    [Fact]
    public async Task AKeeperIsSmall()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();

        string rss = (await File.ReadAllLinesAsync($"/proc/{await host.KeeperAsync()}/status"))
            .Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));

        Say($"keeper: {rss}");
        Assert.True(int.Parse(rss.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) < 3000, rss);
    }

    private static async Task<string[]> KeepersAsync(ProxyHost host)
    {
        string directory = await host.DirectoryAsync();
        return [.. (await ProxyHost.LeftAsync(directory)).Where(line => line.Contains("ingot-keep-haproxy", StringComparison.Ordinal))];
    }

    private static async Task<Socket> TunnelAsync(ListenAddress listen)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 5000 };
        await socket.ConnectAsync(IPEndPoint.Parse(listen.ToString()));
        await socket.SendAsync(Encoding.ASCII.GetBytes("GET /tunnel HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"));
        var buffer = new byte[1024];
        int read = await socket.ReceiveAsync(buffer);
        Assert.StartsWith("HTTP/1.1 101 ", Encoding.ASCII.GetString(buffer, 0, read), StringComparison.Ordinal);
        return socket;
    }

    // Null when the other side is gone.
    private static async Task<string?> EchoAsync(Socket tunnel, string text)
    {
        try
        {
            await tunnel.SendAsync(Encoding.ASCII.GetBytes(text));
            var buffer = new byte[64];
            int read = await tunnel.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(5));
            return read == 0 ? null : Encoding.ASCII.GetString(buffer, 0, read);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private void Say(string line) => output.WriteLine(line);
}
