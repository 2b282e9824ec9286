using System.Diagnostics;
using System.Text;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class HaproxyRuntimeTests
{
    private const string Info =
        "Name: HAProxy\nVersion: 2.6.12\nPid: 4711\nStart_time_sec: 1795260570\ndescription: ingot 127.0.0.1 8080 5000000\n\n";
    private const string States = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
        + "srv_check_state\n3 be 1 g1-0 10.0.0.2 2 0 95 0 6\n3 be 2 g2-0 10.0.0.3 0 1 0 0 2\n3 be 3 g2-1 10.0.0.4 2 8 5 0 6\n\n";
    private const string Stats = "# pxname,svname,qcur,scur,status,check_status,hrsp_2xx,hrsp_5xx,addr,check_desc,-,\n"
        + "fe,FRONTEND,,3,OPEN,,100,2,,,,\n"
        + "be,g1-0,1,2,UP,* L7OK,90,1,10.0.0.2:8080,\"passed, well\",,\n"
        + "be,g2-0,0,0,MAINT,INI,0,0,10.0.0.3:8080,,,\n"
        + "be,g2-1,0,0,DRAIN,L4CON,9,1,10.0.0.4:8080,,,\n"
        + "be,BACKEND,1,2,UP,,99,2,,,,\n\n";

    [Fact]
    public async Task EverythingIsReadByNameOnOneConnection()
    {
        using var peer = Peer(_ => Info + States + Stats);

        var status = await new HaproxyRuntime(peer.Path, TimeProvider.System).StatusAsync();

        Assert.Equal("show info;show servers state be;show stat\n", Assert.Single(peer.Requests));
        Assert.Equal(new HaproxyInfo(4711, 1795260570, "ingot 127.0.0.1 8080 5000000"), status.Info);
        Assert.Equal("100", status.Frontend["hrsp_2xx"]);
        Assert.Equal(
            ["g1-0 10.0.0.2:8080 95 False False True L7OK", "g2-0 10.0.0.3:8080 0 True False False INI",
                "g2-1 10.0.0.4:8080 5 False True True L4CON"],
            status.Servers.Select(s => $"{s.Name} {s.Address} {s.Weight} {s.IsMaintenance} {s.IsDraining} {s.IsUp} {s.CheckStatus}"));
        Assert.Equal((2L, 1L, 0L), (status.Servers[0].Number("scur"), status.Servers[0].Number("qcur"), status.Servers[0].Number("econ")));
        Assert.Equal("passed, well", status.Servers[0].Stats["check_desc"]);
    }

    [Fact]
    public async Task AddingEnablingAndWeighingSayTheGuidesCommands()
    {
        using var peer = Peer(command => command.StartsWith("add server", StringComparison.Ordinal) ? "New server registered.\n" : "\n");
        var runtime = new HaproxyRuntime(peer.Path, TimeProvider.System);

        Assert.True(await runtime.TryAddAsync("g2-0", "10.0.0.3:8080", new HaproxyCheck("/", TimeSpan.FromMilliseconds(500), 2, 3)));
        await runtime.EnableAsync("g2-0");
        await runtime.SetWeightAsync("g2-0", 25);
        await runtime.DrainAsync("g2-0");
        Assert.True(await runtime.TryMaintainAsync("g2-0"));
        await runtime.CutSessionsAsync("g2-0");

        Assert.Equal(
            ["add server be/g2-0 10.0.0.3:8080 weight 0 check inter 500ms rise 2 fall 3", "enable health be/g2-0",
                "set server be/g2-0 state ready", "set server be/g2-0 weight 25", "set server be/g2-0 state drain",
                "set server be/g2-0 state maint", "shutdown sessions server be/g2-0"],
            peer.Requests.Select(request => request.TrimEnd()));
    }

    [Fact]
    public async Task WhatIsDoneAlreadyIsNoError()
    {
        using var there = Peer(_ => "Already exists a server with the same name in backend.\n");
        using var gone = Peer(_ => "No such server.\n");
        using var missing = Peer(_ => "entry not found.\n");

        Assert.False(await new HaproxyRuntime(there.Path, TimeProvider.System).TryAddAsync("g2-0", "10.0.0.3:8080",
            new HaproxyCheck("/", TimeSpan.FromSeconds(1), 2, 3)));
        Assert.False(await new HaproxyRuntime(gone.Path, TimeProvider.System).TryMaintainAsync("g2-0"));
        Assert.True(await new HaproxyRuntime(gone.Path, TimeProvider.System).TryDeleteAsync("g2-0"));
        await new HaproxyRuntime(missing.Path, TimeProvider.System).RemoveFromMapAsync("m", "k");
    }

    [Fact]
    public async Task AServerWithConnectionsIsNotDeletedYet()
    {
        using var peer = Peer(_ => "Server still has connections attached to it, cannot remove it.\n");

        Assert.False(await new HaproxyRuntime(peer.Path, TimeProvider.System).TryDeleteAsync("g2-0"));
    }

    [Theory]
    [InlineData("Absolute weight can only be between 0 and 256 inclusive.")]
    [InlineData("No such server.")]
    [InlineData("Unknown command: 'set', but maybe one of the following ones is a better match:")]
    public async Task ARefusalIsThrownWithTheCommandAndTheReply(string reply)
    {
        using var peer = Peer(_ => reply + "\n");

        var e =
            await Assert.ThrowsAsync<ToolException>(() => new HaproxyRuntime(peer.Path, TimeProvider.System).SetWeightAsync("g2-0", 999));

        Assert.Equal($"HAProxy refused 'set server be/g2-0 weight 999': {reply}", e.Message);
    }

    [Fact]
    public async Task DeletingWhatIsNotInMaintenanceThrows()
    {
        using var peer = Peer(_ => "Only servers in maintenance mode can be deleted.\n");

        await Assert.ThrowsAsync<ToolException>(() => new HaproxyRuntime(peer.Path, TimeProvider.System).TryDeleteAsync("g2-0"));
    }

    [Fact]
    public async Task AKeyOfAMapIsChangedWhereItIsAndAddedWhereItIsNot()
    {
        using var there = Peer(_ => "\n");
        using var missing = Peer(command => command.StartsWith("set map", StringComparison.Ordinal) ? "entry not found.\n" : "\n");

        await new HaproxyRuntime(there.Path, TimeProvider.System).SetMapAsync("/m", "g1-0", "/well");
        await new HaproxyRuntime(missing.Path, TimeProvider.System).SetMapAsync("/m", "g1-0", "/well");

        Assert.Equal(["set map /m g1-0 /well\n"], there.Requests);
        Assert.Equal(["set map /m g1-0 /well\n", "add map /m g1-0 /well\n"], missing.Requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Permission denied\n")]
    [InlineData(Info)]
    [InlineData(Info + States)]
    [InlineData(Info + Stats)]
    [InlineData(States + Stats)]
    [InlineData(Info + States + "# pxname,svname,\nbe,g1-0,\n")]
    public async Task AHalfAnswerIsAnErrorAndNeverAnEmptyProxy(string reply)
    {
        using var peer = Peer(_ => reply);

        await Assert.ThrowsAsync<ToolException>(() => new HaproxyRuntime(peer.Path, TimeProvider.System).StatusAsync());
    }

    [Fact]
    public async Task NothingThatListensIsNoInformationAndAnErrorForEverythingElse()
    {
        var runtime = new HaproxyRuntime("/run/ingot-tests/nothing.sock", TimeProvider.System);

        Assert.Null(await runtime.TryInfoAsync());
        Assert.Null(await runtime.TryStatusAsync());
        var e = await Assert.ThrowsAsync<ToolException>(() => runtime.StatusAsync());
        Assert.Contains("/run/ingot-tests/nothing.sock", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneThatListensAndSaysNothingIsAnErrorInTimeAndNotGone()
    {
        using var silent = new UnixServer(_ => false, _ => []);
        var runtime = new HaproxyRuntime(silent.Path, TimeProvider.System);
        var clock = Stopwatch.StartNew();

        var e = await Assert.ThrowsAsync<ToolException>(() => runtime.TryStatusAsync());
        Assert.EndsWith("did not answer 'show info;show servers state be;show stat' within 1 s", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ToolException>(() => runtime.TryInfoAsync());
        await Assert.ThrowsAsync<ToolException>(() => runtime.SetWeightAsync("g1-0", 1));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}");

        // Who does not want to wait any more is told so.
        using var enough = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => runtime.StatusAsync(enough.Token));
    }

    private static UnixServer Peer(Func<string, string> answer) =>
        new(request => request.EndsWith('\n'), request => Encoding.ASCII.GetBytes(answer(request.TrimEnd())));
}
