using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Server.Api;

namespace Ingot.Cli.Tests.Commands;

/// <summary>What commands about services say, and how they end.</summary>
public sealed class ServiceCommandTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(ExitCode.Done, ExitCode.Waiting, ExitCode.Waiting)]
    [InlineData(ExitCode.WentBack, ExitCode.Waiting, ExitCode.WentBack)]
    [InlineData(ExitCode.TimedOut, ExitCode.No, ExitCode.No)]
    [InlineData(ExitCode.Done, ExitCode.Done, ExitCode.Done)]
    public void OfTwoEndsTheOneToKnowOfFirstIsTheCode(int one, int other, int expected)
    {
        Assert.Equal(expected, ExitCode.Worse(one, other));
        Assert.Equal(expected, ExitCode.Worse(other, one));
    }

    [Fact]
    public void EveryCodeHasOneMeaning() => Assert.Equal(ExitCode.All.Count, ExitCode.All.Select(row => row.Code).Distinct().Count());

    [Theory]
    [InlineData("admitted", "", ExitCode.Done)]
    [InlineData("refused", "approvals:unknown", ExitCode.Waiting)]
    [InlineData("refused", "approvals:unknown soak:fail", ExitCode.Waiting)]
    [InlineData("refused", "tests-passed:pass soak:unknown", ExitCode.Waiting)]
    [InlineData("refused", "approvals:fail", ExitCode.No)]
    [InlineData("refused", "approvals:unknown tests-passed:unknown", ExitCode.No)]
    [InlineData("refused", "tests-passed:fail", ExitCode.No)]
    [InlineData("refused", "", ExitCode.No)]
    public void WaitingForPeopleOrTimeIsNoRefusal(string decision, string gates, int expected)
    {
        var rows = gates.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(gate => new GateReply(gate.Split(':')[0], gate.Split(':')[1], "", null, []))
            .ToList();
        Assert.Equal(expected,
            PromotionCommands.CodeOf(new DecisionReply("shop", "web", Digest.Of([1]), null, "production", decision, null, rows)));
    }

    [Theory]
    [InlineData(RolloutEnd.Done, ExitCode.Done, "done")]
    [InlineData(RolloutEnd.Detached, ExitCode.Done, "detached")]
    [InlineData(RolloutEnd.Paused, ExitCode.Waiting, "paused")]
    [InlineData(RolloutEnd.WentBack, ExitCode.WentBack, "rolled_back")]
    [InlineData(RolloutEnd.TimedOut, ExitCode.TimedOut, "timed_out")]
    internal void EveryEndOfARolloutHasACodeAndAName(RolloutEnd end, int code, string name)
    {
        var rollout = new RolloutReply("r1", "shop", "web", "production", 2, Digest.Of([1]), null, "Shifting", null, false, false, 5, []);
        var followed = new FollowedRollout(rollout, end);
        Assert.Equal((code, name, name), (followed.ExitCode, followed.Name, followed.Reply.Outcome));
    }

    [Theory]
    [InlineData("10m", "2026-01-31T11:50:00Z")]
    [InlineData("1.5h", "2026-01-31T10:30:00Z")]
    [InlineData("2026-01-30T00:00:00Z", "2026-01-30T00:00:00Z")]
    [InlineData("2026-01-30T01:00:00+01:00", "2026-01-30T00:00:00Z")]
    [InlineData("2026-01-30", "2026-01-30T00:00:00Z")]
    public void SinceIsATimeOrAsLongAgo(string text, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected, System.Globalization.CultureInfo.InvariantCulture), ServiceLogs.Since(text, s_now));

    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("10")]
    [InlineData("-5m")]
    [InlineData("12:30")]
    [InlineData("2026-13-45T00:00:00Z")]
    public void ATimeThatIsNoneIsRefusedWithWhatOneLooksLike(string text) =>
        Assert.Contains("2026-01-31T12:00:00Z",
            Assert.Throws<InvalidInputException>(() => ServiceLogs.Since(text, s_now)).Diagnostics[0].Detail, StringComparison.Ordinal);

    [Theory]
    [InlineData("all", null)]
    [InlineData("0", 0)]
    [InlineData("100", 100)]
    public void TailIsANumberOrAll(string text, int? expected) => Assert.Equal(expected, ServiceLogs.Tail(text));

    [Theory]
    [InlineData("-1")]
    [InlineData("ten")]
    [InlineData("1e3")]
    [InlineData("99999999999")]
    [InlineData("")]
    public void ATailThatIsNoneIsRefused(string text) => Assert.Throws<InvalidInputException>(() => ServiceLogs.Tail(text));

    [Fact]
    public void WhatIsAskedForIsEscaped() => Assert.Equal(
        "api/v1/logs?project=shop&service=w%26stage%3Dx%2F..&follow=true&stage=%E6%BC%A2&tail=5&since=2026-01-31T12%3A00%3A00.0000000Z",
        new LogRequest("w&stage=x/..", "漢", true, 5, s_now).PathFor("shop"));

    [Theory]
    [InlineData(false, false, "production/g2-0 | red\n")]
    [InlineData(true, false, "production/g2-0 | 2026-01-31T12:00:00.000Z red\n")]
    [InlineData(false, true, "\u001b[31mred\u001b[0m\n")]
    public void LinesCarryTheirInstanceAndDoNothingToATerminalUnlessAskedFor(bool times, bool raw, string expected)
    {
        using var output = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal(output, output, json: false, outputIsTerminal: false, errorIsTerminal: false, noColor: true);
        new LogStyle(times, raw).Write(terminal,
            new LogLineReply("production", "web", "g2-0", "0123456789ab", s_now, "stdout", "\u001b[31mred\u001b[0m"));
        Assert.Equal(expected, output.ToString());
    }

    [Fact]
    public void AnInstanceThatFailedIsShownWithItsEndItsContainerAndItsLastLines() => Assert.Equal(
        [
            "g2-0: ended with exit code 3; kept as container 0123456789ab until the next rollout: 'docker inspect 0123456789ab'",
            "g2-0 | cannot bind\\x00",
            "g2-1: ran out of memory; kept as container ba9876543210 until the next rollout: 'docker inspect ba9876543210'",
        ],
        SymptomText.Of([new("g2-0", "0123456789ab", 3, false, ["cannot bind\0"]), new("g2-1", "ba9876543210", null, true, [])]));

    [Theory]
    [InlineData(true, RolloutEnd.Done, ExitCode.Done)]
    [InlineData(true, RolloutEnd.WentBack, ExitCode.Done)]
    [InlineData(false, RolloutEnd.Done, ExitCode.WentBack)]
    [InlineData(false, RolloutEnd.WentBack, ExitCode.WentBack)]
    [InlineData(false, RolloutEnd.Paused, ExitCode.Waiting)]
    [InlineData(false, RolloutEnd.TimedOut, ExitCode.TimedOut)]
    internal void ARollbackIsDoneOnlyWhereTheTrafficIsBack(bool isBack, RolloutEnd end, int expected)
    {
        var rollout = new RolloutReply("shop.web.production-r3", "shop", "web", "production", 1, Digest.Of([1]), null, "Done",
            null, true, true, 0, [])
        {
            TrafficBack = isBack,
        };
        Assert.Equal(expected, ReleaseCommands.CodeOfReturn(new FollowedRollout(rollout, end)));
    }

    [Theory]
    [InlineData(1, "production/web: generation 1 has the traffic again")]
    [InlineData(null, "production/web: nothing serves: the first deployment was taken back")]
    public void ARollbackSaysWhatServes(int? generation, string expected) =>
        Assert.Equal(expected, ReleaseCommands.Returned("production/web", generation));

    [Fact]
    public void InstancesAreRowsOfWhatIsObserved()
    {
        var instance = new InstanceStatus("0123456789ab", "10.0.0.2:80", "running", "unhealthy", Digest.Of([1]), 2)
        {
            Name = "g2-0",
            Version = "1.2.0",
            Since = s_now,
            Check = "answered 404",
        };
        var status = new StatusReply([Service("web", "production", instance), Service("web", "staging", instance)]);
        var row = Assert.Single(PsCommand.Rows(status, "staging"));
        Assert.Equal(("staging", "g2-0", "1.2.0", "answered 404", "0123456789ab", s_now),
            (row.Stage, row.Instance, row.Version, row.Check, row.Container, row.Since));
        Assert.Equal(2, PsCommand.Rows(status, null).Count);
        Assert.Empty(PsCommand.Rows(status, "nowhere"));
    }

    [Theory]
    [InlineData("deploy", "web", "--stage", "production", "--detach", "--wait")]
    [InlineData("up", "--detach", "--timeout", "5m")]
    [InlineData("up", "--timeout", "soon")]
    [InlineData("up", "--timeout", "0s")]
    [InlineData("logs", "web", "--tail", "many")]
    [InlineData("logs", "web", "--since", "once")]
    [InlineData("serve", "--install", "--uninstall")]
    public async Task WhatContradictsItselfOrIsNoTimeIsWrongInputAndStartsNothing(params string[] arguments)
    {
        await using var program = new ChildProgram();
        var run = await program.RunAsync(arguments);
        Assert.True(run.ExitCode == ExitCode.WrongInput, run.ToString());
        Assert.False(File.Exists(program.Socket));
    }

    [Fact]
    public async Task NothingIsRunInAnInstance()
    {
        await using var program = new ChildProgram();
        var run = await program.RunAsync("exec", "web", "--", "sh", "-c", "id");
        Assert.Equal(ExitCode.No, run.ExitCode);
        Assert.Contains("it never changes after it was made", run.Error, StringComparison.Ordinal);
        Assert.Contains("'ingot logs web'", run.Error, StringComparison.Ordinal);
        Assert.Contains("docker run --rm -it", run.Error, StringComparison.Ordinal);
    }

    private static ServiceStatus Service(string name, string stage, params InstanceStatus[] instances) => new()
    {
        Project = "shop",
        Service = name,
        Stage = stage,
        Image = "shop/web",
        Digest = Digest.Of([1]),
        Version = "1.2.0",
        Generation = 2,
        State = "healthy",
        Share = 100,
        Since = s_now,
        Url = null,
        Instances = instances,
        Warm = [],
        Rollout = null,
    };
}
