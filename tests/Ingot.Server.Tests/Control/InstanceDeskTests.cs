using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Tools;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ingot.Server.Tests.Control;

/// <summary>What instances wrote, and what is left of those that failed.</summary>
public sealed class InstanceDeskTests
{
    // The form of a key of a cloud, and nobody's.
    private const string Secret = "AKIA" + "QWERTYUIOPASDFGH";

    [Fact]
    public async Task AFailedRolloutSaysWhatItsInstancesWroteWithoutSecretsAndControlCharacters()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        control.Target.Sick.Add(2);
        string[] log =
        [
            .. Enumerable.Range(1, 30).Select(i => $"line {i}"),
            "\u001b[31mcannot read /etc/app.conf\u001b[0m",
            $"key {Secret}",
            new string('x', 5000),
        ];
        var digest = await control.AdmittedAsync("bad");
        string rollout = (await control.DeployAsync(digest)).Rollout!;
        await ControlFixture.UntilAsync(() => control.RolloutReply(rollout).Finished, "it went back");
        foreach (var instance in await control.Target.ObserveInstancesAsync(null!))
            control.Target.Logs[instance.Id] = log;

        var reply = await Failures(control).WithSymptomsAsync(control.RolloutReply(rollout), default);

        Assert.Contains("g2-0 ended with exit code 3", reply.Reason, StringComparison.Ordinal);
        var symptom = Assert.Single(reply.Symptoms!);
        Assert.Equal(("g2-0", 3, InstanceDesk.SymptomLines), (symptom.Instance, symptom.ExitCode, symptom.Log.Count));
        Assert.Contains("cannot read /etc/app.conf", symptom.Log);
        Assert.DoesNotContain(symptom.Log, line => line.Contains(Secret, StringComparison.Ordinal) || line.Length > 400);

        var status = Assert.Single((await Failures(control).WithFailuresAsync(control.StatusReply, null, default)).Services);
        Assert.Equal((rollout, 2, reply.Reason), (status.Failure!.Rollout, status.Failure.Generation, status.Failure.Reason));
        Assert.Equal(symptom.Log, Assert.Single(status.Failure.Symptoms).Log);

        var quarantine = Assert.Single((await Failures(control).QuarantinesAsync("shop", "web", ControlFixture.Stage, digest, default))!);
        Assert.Equal(("web", true), (quarantine.Service, quarantine.WithSettings));
        Assert.Equal(symptom.Log, Assert.Single(quarantine.Symptoms).Log);
        Assert.Null(await Failures(control).QuarantinesAsync("shop", "web", "test", digest, default));
        Assert.Null(await Failures(control).QuarantinesAsync("other", "web", ControlFixture.Stage, digest, default));
    }

    [Fact]
    public async Task AFirstRolloutThatFailedIsInTheStatusAlsoAfterARestartAndUntilTheServiceIsStopped()
    {
        await using var control = await ControlFixture.StartAsync();
        control.Target.Sick.Add(1);
        string rollout = (await control.DeployAsync(await control.AdmittedAsync("bad"))).Rollout!;
        await ControlFixture.UntilAsync(() => control.RolloutReply(rollout).Finished, "it went back");
        await control.RestartAsync(() => Task.CompletedTask);

        var status = Assert.Single((await Failures(control).WithFailuresAsync(control.StatusReply, "shop", default)).Services);
        Assert.Equal(("failed", rollout, null), (status.State, status.Failure!.Rollout, status.Digest));

        await control.Stops.StopAsync(new StopRequest("shop"), "ann", default);
        Assert.Empty((await Failures(control).WithFailuresAsync(control.StatusReply, null, default)).Services);
    }

    [Fact]
    public async Task WhatAFirstRolloutThatFailedHasLeftIsRemovedByTheNextOneAlsoAfterARestart()
    {
        await using var control = await ControlFixture.StartAsync();
        control.Target.Sick.Add(1);
        string rollout = (await control.DeployAsync(await control.AdmittedAsync("bad"))).Rollout!;
        await ControlFixture.UntilAsync(() => control.RolloutReply(rollout).Finished, "it went back");
        Assert.Equal(1, control.Target.Containers);
        await control.RestartAsync(() => Task.CompletedTask);

        await control.ServeAsync(await control.AdmittedAsync("good"));

        Assert.Equal(1, control.Target.Containers);
        Assert.Empty(control.Loop.Troubles);
    }

    [Fact]
    public async Task ARolloutThatAPersonTookBackHasNoSymptoms()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        string rollout = await control.CanaryAsync(await control.AdmittedAsync("canary"));
        await control.RollBackAsync();
        await ControlFixture.UntilAsync(() => control.RolloutReply(rollout).Finished, "it went back");

        Assert.Null((await Failures(control).WithSymptomsAsync(control.RolloutReply(rollout), default)).Symptoms);
        Assert.Null(Assert.Single((await Failures(control).WithFailuresAsync(control.StatusReply, null, default)).Services).Failure);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnEngineThatHangsOrFailsLeavesTheSymptomsOutAndHoldsNothingUp(bool hangs)
    {
        await using var control = await ControlFixture.StartAsync();
        control.Target.Sick.Add(1);
        string rollout = (await control.DeployAsync(await control.AdmittedAsync("bad"))).Rollout!;
        await ControlFixture.UntilAsync(() => control.RolloutReply(rollout).Finished, "it went back");
        control.Target.OnReadLog = _ => hangs ? Task.Delay(Timeout.Infinite) : throw new ToolException("dockerd", "it does not answer");

        var reply = await Failures(control).WithSymptomsAsync(control.RolloutReply(rollout), default).WaitAsync(TimeSpan.FromSeconds(20));

        string line = Assert.Single(Assert.Single(reply.Symptoms!).Log);
        Assert.Contains(hangs ? "there was no answer in time" : "it does not answer", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALogThatFailsInAWayNobodyThoughtOfFailsNoStatus()
    {
        await using var control = await ControlFixture.StartAsync();
        control.Target.Sick.Add(1);
        string rollout = (await control.DeployAsync(await control.AdmittedAsync("bad"))).Rollout!;
        await ControlFixture.UntilAsync(() => control.RolloutReply(rollout).Finished, "it went back");
        control.Target.OnReadLog = _ => throw new InvalidOperationException("something\nelse\u001b[2J");

        var status = Assert.Single((await Failures(control).WithFailuresAsync(control.StatusReply, null, default)).Services);

        string line = Assert.Single(Assert.Single(status.Failure!.Symptoms).Log);
        Assert.Contains("could not be read", line, StringComparison.Ordinal);
        Assert.DoesNotContain(line, c => char.IsControl(c));
    }

    [Theory]
    [InlineData("AKIA\u001b[1m")]
    [InlineData("\u001b[32mAKIA\u001b[0m")]
    [InlineData("\rAKIA")]
    [InlineData("AKIA\u001b\u001b[0m[0m")]
    public void ASecretThatIsColouredIsNotShown(string beginning)
    {
        string shown = Assert.Single(InstanceDesk.Shown([$"key {beginning}{Secret[4..]}\r"]));
        Assert.DoesNotContain(Secret[4..], shown, StringComparison.Ordinal);
        Assert.DoesNotContain(shown, c => char.IsControl(c));
    }

    [Fact]
    public void AKeyOverSeveralLinesIsNotShownAlsoWhenItsFirstLineIsNotAmongTheLast()
    {
        string body = string.Concat(Enumerable.Repeat("Ab3/", 16));
        string[] key = [$"-----BEGIN RSA {"PRIVATE"} KEY-----", .. Enumerable.Repeat(body, 25), $"-----END RSA {"PRIVATE"} KEY-----"];
        foreach (string[] lines in (string[][])[key, ["begins", .. key, "ends"], [.. key, "ends"], [.. key.Select(line => line + "\r")]])
            Assert.DoesNotContain(InstanceDesk.Shown(lines), line => line.Contains("Ab3/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALogThatCannotBeReadEndsNoOther()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("first"));
        await control.ServeAsync(await control.AdmittedAsync("second"));
        var instances = await control.Target.ObserveInstancesAsync(null!);
        foreach (var instance in instances)
            control.Target.Logs[instance.Id] = [$"one of {instance.Generation}", $"two of {instance.Generation}"];
        string broken = instances.Single(instance => instance.Generation == 1).Id;
        control.Target.OnReadLog = id => id == broken ? throw new ToolException("dockerd", "its log is damaged") : Task.CompletedTask;

        var all = await Desk(control).LogAsync(Project(control), "web", null, new LogQuery(), default).ToListAsync();
        Assert.Equal(
            ["g1-0 (its log could not be read: its log is damaged)", "g2-0 one of 2", "g2-0 two of 2"],
            all.Select(line => $"{line.Instance} {line.Text}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task FollowingGoesOnWithAnInstanceThatIsStartedAgain()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("first"));
        string id = Assert.Single(await control.Target.ObserveInstancesAsync(null!)).Id;
        control.Target.Logs[id] = ["early", "late"];
        control.Target.LogTime = line => DateTimeOffset.UnixEpoch + TimeSpan.FromSeconds(line == "again" ? 1 : 0);
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var query = new LogQuery(Tail: 1, Follow: true);
        await using var lines = Desk(control).LogAsync(Project(control), "web", null, query, end.Token).GetAsyncEnumerator(end.Token);
        Assert.True(await lines.MoveNextAsync());
        Assert.Equal("late", lines.Current.Text);

        control.Target.Logs[id] = ["early", "late", "again"];
        Assert.True(await lines.MoveNextAsync());
        Assert.Equal(("g1-0", "again"), (lines.Current.Instance, lines.Current.Text));
    }

    [Fact]
    public async Task TheLinesOfAllInstancesCarryTheirNames()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("first"));
        await control.ServeAsync(await control.AdmittedAsync("second"));
        foreach (var instance in await control.Target.ObserveInstancesAsync(null!))
            control.Target.Logs[instance.Id] = [$"one of {instance.Generation}", $"two of {instance.Generation}"];

        var all = await Desk(control).LogAsync(Project(control), "web", null, new LogQuery(), default).ToListAsync();
        Assert.Equal(["g1-0 one of 1", "g1-0 two of 1", "g2-0 one of 2", "g2-0 two of 2"],
            all.Select(line => $"{line.Instance} {line.Text}").Order());
        Assert.All(all, line => Assert.Equal((ControlFixture.Stage, "web", "stdout"), (line.Stage, line.Service, line.Stream)));

        var last = await Desk(control)
            .LogAsync(Project(control), "web", ControlFixture.Stage, new LogQuery(Tail: 1), default)
            .ToListAsync();
        Assert.Equal(["two of 1", "two of 2"], last.Select(line => line.Text).Order());
    }

    [Fact]
    public async Task FollowingGoesOnWithInstancesThatCome()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("first"));
        foreach (var instance in await control.Target.ObserveInstancesAsync(null!))
            control.Target.Logs[instance.Id] = ["early", "late"];
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var lines = Desk(control)
            .LogAsync(Project(control), "web", null, new LogQuery(Tail: 1, Follow: true), end.Token)
            .GetAsyncEnumerator(end.Token);
        Assert.True(await lines.MoveNextAsync());
        Assert.Equal(("g1-0", "late"), (lines.Current.Instance, lines.Current.Text));

        control.Target.OnReadLog = id => Task.FromResult(control.Target.Logs.TryAdd(id, ["the new one begins", "and goes on"]));
        await control.ServeAsync(await control.AdmittedAsync("second"));
        Assert.True(await lines.MoveNextAsync());
        Assert.Equal(("g2-0", "the new one begins"), (lines.Current.Instance, lines.Current.Text));

        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await lines.MoveNextAsync())
            {
            }
        });
        await lines.DisposeAsync();
    }

    [Theory]
    [InlineData("nothing", null, "has no service 'nothing': it has web")]
    [InlineData("web", "nowhere", "has no stage 'nowhere': it has test, production")]
    [InlineData("../web", null, "has no service '../web'")]
    public async Task ANameThatNothingHasIsRefused(string service, string? stage, string expected)
    {
        await using var control = await ControlFixture.StartAsync();
        var e = Assert.Throws<ApiException>(() => Desk(control).LogAsync(Project(control), service, stage, new LogQuery(), default));
        Assert.Equal("not_found", e.Code);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    private static InstanceDesk Desk(ControlFixture control) => new(control.Ledger, control.On(control.Target), NullLogger.Instance);

    private static FailureReader Failures(ControlFixture control) => new(control.Ledger, new ProjectBook(control.Ledger), Desk(control));

    private static Templates.Project.ProjectDefinition Project(ControlFixture control) => new ProjectBook(control.Ledger).Get("shop");
}
