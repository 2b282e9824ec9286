using System.Text;
using System.Text.Json;
using Ingot.Cli.Commands;
using Ingot.Cli.Pipeline;
using Ingot.Oci.Content;
using Ingot.Server.Api;

namespace Ingot.Cli.Tests.Pipeline;

/// <summary>How a command leaves a rollout that it follows.</summary>
public sealed class RolloutFollowerTests
{
    private static readonly RolloutReply s_running =
        new("shop.web.production-r2", "shop", "web", "production", 2, Digest.Of([1]), "1.2.0", "Shifting", null, false, false, 5,
            [new RolloutEvent(7, default, "giving 5 %")]);

    private readonly List<string> _said = [];

    [Fact]
    public async Task WhatIsDetachedIsSaidOnceAndLeft()
    {
        Assert.Equal(RolloutEnd.Detached, await EndAsync(s_running, new WaitOptions(Detach: true)));
        Assert.Equal(["giving 5 %"], _said);
    }

    [Fact]
    public async Task WhatIsNotDoneInTimeGoesOn() =>
        Assert.Equal(RolloutEnd.TimedOut, await EndAsync(s_running, new WaitOptions(Timeout: TimeSpan.FromMilliseconds(300))));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnEndIsAnEndHoweverLittleOneWaits(bool succeeded)
    {
        var ended = s_running with { Finished = true, Succeeded = succeeded, State = succeeded ? "Done" : "RolledBack" };
        foreach (var options in (WaitOptions[])[new(), new(Detach: true), new(Timeout: TimeSpan.FromMilliseconds(1))])
            Assert.Equal(succeeded ? RolloutEnd.Done : RolloutEnd.WentBack, await EndAsync(ended, options));
    }

    [Fact]
    public async Task APausedOneIsNotWaitedFor() =>
        Assert.Equal(RolloutEnd.Paused, await EndAsync(s_running with { State = "Paused" }, new WaitOptions()));

    [Fact]
    public async Task ARollbackIsDoneWhenTheTrafficIsBack()
    {
        var back = s_running with { State = "Retiring", TrafficBack = true };
        Assert.Equal(RolloutEnd.Done, await EndAsync(back, new WaitOptions(), rollout => rollout.TrafficBack));
        Assert.Equal(RolloutEnd.TimedOut, await EndAsync(back, new WaitOptions(Timeout: TimeSpan.FromMilliseconds(50))));
    }

    [Fact]
    public async Task WhoeverInterruptsIsToldWhatGoesOnAndHowToStopIt()
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        var e = await Assert.ThrowsAsync<LeftRunningException>(() => FollowAsync(s_running, new WaitOptions(), null, interrupt.Token));
        Assert.Contains("rollout shop.web.production-r2 of production/web goes on without this command", e.Message,
            StringComparison.Ordinal);
        foreach (string way in (string[])["'ingot status web'", "'ingot pause web --stage production'",
            "'ingot rollback web --stage production'"])
            Assert.Contains(way, e.Message, StringComparison.Ordinal);
    }

    private async Task<RolloutEnd> EndAsync(RolloutReply reply, WaitOptions options, Func<RolloutReply, bool>? isEnough = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        return (await FollowAsync(reply, options, isEnough, limit.Token)).End;
    }

    private async Task<FollowedRollout> FollowAsync(
        RolloutReply reply, WaitOptions options, Func<RolloutReply, bool>? isEnough, CancellationToken cancellationToken)
    {
        string body = JsonSerializer.Serialize(reply, ApiJson.Default.RolloutReply);
        await using var server = new Eavesdropper(
            $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: "
                + $"close\r\n\r\n{body}");
        using var client = new ServerClient(new AddressConnection(new Uri($"http://{server.Address}/")), token: null);
        return await new RolloutFollower(client, options, _said.Add, TimeProvider.System).FollowAsync(reply.Id,
            isEnough, cancellationToken);
    }
}
