using System.Diagnostics;
using System.Globalization;
using Ingot.Releases;
using Ingot.SystemTests.Shop;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.SystemTests.Rollouts;

/// <summary>Rollouts on a real Engine behind a real HAProxy, under load.</summary>
public sealed class RolloutTests(DockerHost host, ITestOutputHelper output) : IClassFixture<DockerHost>
{
    private const int Rate = 200;

    [Fact]
    public async Task AFirstDeploymentServesHardenedInstances()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("first");
        await using var driver = new Driver(host);

        var state = await driver.RunAsync(Spec(service, host.Generation(1)));

        Assert.True(state.Phase == RolloutPhase.Done, $"{state.Reason}\n{driver.Tale}");
        using var http = new HttpClient { BaseAddress = service.Address };
        Assert.Equal("{\"version\":\"1.1.0\"}", await http.GetStringAsync("version"));
        string self = await http.GetStringAsync("self");
        Assert.Matches("CapEff:\\s+0000000000000000", self);
        Assert.Matches("CapBnd:\\s+0000000000000000", self);
        Assert.Matches("NoNewPrivs:\\s+1", self);
        Assert.Matches("Seccomp:\\s+2", self);
        Assert.Matches("Uid:\\s+65532", self);
        Assert.Equal(
            "write-root EROFS\nwrite-writable allowed\nunshare EPERM\nmount EPERM\nptrace EPERM\naf-alg EPERM\nraw-packet EPERM\n"
                + "keyctl EPERM\nbpf EPERM\nio_uring EPERM\nclone3 ENOSYS\n",
            await http.GetStringAsync("probe"));
    }

    [Fact]
    public async Task ACanaryUnderLoadLosesNoRequest()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("canary");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));

        await using var load = Load.Start(service.Address, Rate);
        var state = await driver.RunAsync(Spec(service, host.Generation(2), host.Generation(1), 10, 50));
        await Task.Delay(500);
        var seen = await load.StopAsync();

        Say($"canary: {seen}");
        Assert.True(state.Phase == RolloutPhase.Done, $"{state.Phase} {state.Reason}\n{driver.Tale}");
        Assert.True(seen.Failed == 0, $"{seen}\n{driver.Tale}");
        Assert.True(seen.Versions["1.2.0"] > 500 && seen.Versions["1.1.0"] > 500, seen.ToString());
        var receipt = RolloutReceipt.Of(state);
        Assert.Equal((0L, 0L), (receipt.UserFailures, receipt.UnfinishedAtDeadline));
        // The old generation stands by: running, known to the proxy, without weight.
        var after = await driver.ObserveAsync(state.Spec.Setup);
        Assert.Equal(2, after.ReadyInstances(1));
        Assert.All(after.Proxy.Servers, server => Assert.Equal(server.Generation == 2 ? 100 : 0, server.Weight));
    }

    [Fact]
    public async Task ABrokenVersionHasNoTrafficASecondAfterTheDecision()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("broken");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));

        await using var load = Load.Start(service.Address, Rate);
        var state = await driver.RunAsync(Spec(service, host.Generation(2, ("FAIL_PERCENT", "60")), host.Generation(1), 10, 50),
            s => Task.FromResult(s.Phase == RolloutPhase.Aborting));
        var decided = state.History[^1].At;
        state = await driver.RunAsync(state);
        var seen = await load.StopAsync();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Judge), (state.Phase, state.Cause));
        var back = state.History.First(change => change.Phase == RolloutPhase.Restoring).At - decided;
        var shifted = state.History.First(change => change.Phase == RolloutPhase.Shifting).At;
        string failures = string.Join(", ", seen.Failures);
        Say($"broken: {seen.Requests} requests, {seen.Failed} of them failed ({failures}); {state.Reason}");
        Say($"decided {(decided - shifted).TotalSeconds:F2} s after the first weight, back {back.TotalMilliseconds:F0} ms after that");
        Assert.True(back < TimeSpan.FromSeconds(1), $"the old generation had its weight back after {back}\n{driver.Tale}");
        // Only what the broken version answered itself.
        Assert.All(seen.Failures, failure => Assert.Equal("status 500", failure.Key));
        var after = await driver.ObserveAsync(state.Spec.Setup);
        Assert.All(after.Instances.Where(instance => instance.Generation == 2),
            instance => Assert.Equal(InstanceState.Exited, instance.State));
        Assert.Contains("version 1.2.0 starts", await host.Engine.LogsAsync(after.Instance(2, 0)!.Id, 10), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AVersionThatNeverBecomesHealthyGetsNoTrafficAtAll()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("ill");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));

        await using var load = Load.Start(service.Address, 50);
        var ill = host.Generation(2, ("HEALTHY", "0"));
        var state = await driver.RunAsync(Spec(service, ill with { Health = ill.Health with { Deadline = TimeSpan.FromSeconds(3) } },
            host.Generation(1), 50));
        var crashing = await driver.RunAsync(Spec(service, host.Generation(3, ("END_AFTER_MS", "200")), host.Generation(1), 50));
        var seen = await load.StopAsync();

        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Health), (state.Phase, state.Cause));
        Assert.Equal((RolloutPhase.RolledBack, AbortCause.Health), (crashing.Phase, crashing.Cause));
        Assert.Matches(
            "^instances of generation 3 ended \\d+ times: .*g3-[01] (ended with exit code 1|was started again \\d times)", crashing.Reason);
        Assert.True(seen.Failed == 0 && seen.Versions.Count == 1, seen.ToString());
    }

    [Fact]
    public async Task AnInstanceThatIsKilledUnderLoadCostsNoRequestAndComesBack()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("killed");
        await using var driver = new Driver(host);
        var steady = await ServeAsync(driver, service, host.Generation(1));

        await using var load = Load.Start(service.Address, Rate);
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 4; i++)
        {
            await Task.Delay(700);
            var before = (await driver.ObserveAsync(steady.Setup)).Instance(1, i % 2)!;
            // By the kernel, after which the Engine starts it again elsewhere; or by the Engine, which then leaves it.
            if (i < 2)
                await DockerHost.TryRunAsync(new Command("kill", "-9", $"{(await host.Engine.FindContainerAsync(before.Id))!.State.Pid}"));
            else
                await host.Engine.KillAsync(before.Id, "SIGKILL");
            clock.Restart();
            steady = await driver.KeepAsync(steady, seen => seen.ReadyInstances(1) == 2
                && seen.Proxy.Servers.All(server => server.Weight == 100)
                && seen.Instance(1, i % 2)! is var now && (now.Id != before.Id || now.Restarts > before.Restarts));
            Say($"killed: whole again after {clock.Elapsed.TotalSeconds:F2} s");
        }

        await Task.Delay(300);
        var result = await load.StopAsync();
        Say($"killed: {result}");
        Assert.True(result.Failed == 0, $"{result}\n{driver.Tale}");
    }

    [Fact]
    public async Task AnInstanceThatIsGoneIsMadeAnew()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("gone");
        await using var driver = new Driver(host);
        var steady = await ServeAsync(driver, service, host.Generation(1));

        await using var load = Load.Start(service.Address, Rate);
        var before = await driver.ObserveAsync(steady.Setup);
        await host.Engine.RemoveAsync(before.Instance(1, 1)!.Id, force: true);
        await driver.KeepAsync(steady, seen => seen.ReadyInstances(1) == 2
            && seen.Proxy.Servers.All(server => server.Weight == 100)
            && seen.Instance(1, 1)!.Id != before.Instance(1, 1)!.Id);

        var result = await load.StopAsync();
        Say($"gone: {result}");
        Assert.True(result.Failed == 0, $"{result}\n{driver.Tale}");
    }

    [Fact]
    public async Task AProxyThatIsKilledComesBackWithItsServersAndWeights()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("proxy");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));
        await using var load = Load.Start(service.Address, 100);
        var state = await driver.RunAsync(Spec(service, host.Generation(2), host.Generation(1), 20),
            s => Task.FromResult(s.AcknowledgedAt is not null));

        var before = await driver.ObserveAsync(state.Spec.Setup);
        var clock = Stopwatch.StartNew();
        await DockerHost.TryRunAsync(new Command("kill", "-9", before.Proxy.Epoch.Split('-')[0]));
        state = await driver.RunAsync(state, s => Task.FromResult(s.Judgement.Epoch != before.Proxy.Epoch));
        var seen = await driver.ObserveAsync(state.Spec.Setup);

        Say($"proxy: back after {clock.Elapsed.TotalMilliseconds:F0} ms");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2));
        Assert.Equal(before.Proxy.Servers.Select(Shape).Order(), seen.Proxy.Servers.Select(Shape).Order());
        state = await driver.RunAsync(state);
        Assert.True(state.Phase == RolloutPhase.Done, $"{state.Phase} {state.Reason}\n{driver.Tale}");

        static string Shape(ServerObservation server) => $"{server.Generation}-{server.Index} {server.Address} {server.Weight}";
    }

    [Fact]
    public async Task EveryMoveCarriedOutTwiceByAControllerWithoutMemoryChangesNothing()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("twice");
        await using var driver = new Driver(host, suspicious: true);
        await driver.RunAsync(Spec(service, host.Generation(1)));

        await using var load = Load.Start(service.Address, Rate);
        var state = await driver.RunAsync(Spec(service, host.Generation(2), host.Generation(1), 50) with
        {
            Rollout = Fast(50) with { Keep = 0, Synthetic = new SyntheticTraffic("/", 20) },
        });
        var seen = await load.StopAsync();

        Say($"twice: {seen}");
        Assert.True(state.Phase == RolloutPhase.Done, $"{state.Phase} {state.Reason}\n{driver.Tale}");
        Assert.True(seen.Failed == 0, $"{seen}\n{driver.Tale}");
        var after = await driver.ObserveAsync(state.Spec.Setup);
        Assert.Equal([(2, 0), (2, 1)], after.Instances.Select(instance => (instance.Generation, instance.Index)));
        Assert.Equal(2, after.Proxy.Servers.Count);
    }

    [Fact]
    public async Task ARollbackToTheWarmGenerationIsAWeightChange()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("back");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));
        await driver.RunAsync(Spec(service, host.Generation(2), host.Generation(1)));

        await using var load = Load.Start(service.Address, Rate);
        await Task.Delay(300);
        var clock = Stopwatch.StartNew();
        var state = await driver.RunAsync(Spec(service, host.Generation(1), host.Generation(2)) with { IsRollback = true },
            s => Task.FromResult(s.Phase >= RolloutPhase.Draining));
        var back = clock.Elapsed;
        state = await driver.RunAsync(state);
        var seen = await load.StopAsync();

        Say($"back: confirmed after {back.TotalMilliseconds:F0} ms; {seen}");
        Assert.True(state.Phase == RolloutPhase.Done && seen.Failed == 0, $"{seen}\n{driver.Tale}");
        Assert.True(back < TimeSpan.FromSeconds(1), $"the rollback took {back}\n{driver.Tale}");
    }

    [Fact]
    public async Task ARequestThatTakesLongIsFinishedBeforeItsInstanceGoes()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("slow");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));

        using var http = new HttpClient { BaseAddress = service.Address };
        var slow = http.GetStringAsync("slow?5000");
        var spec = Spec(service, host.Generation(2), host.Generation(1));
        var state = await driver.RunAsync(spec with { Rollout = spec.Rollout with { Keep = 0, Observe = TimeSpan.FromMilliseconds(500) } });

        Assert.Equal("{\"version\":\"1.1.0\"}", await slow);
        Assert.Equal(RolloutPhase.Done, state.Phase);
        Assert.Contains(state.History,
            change => change.Phase == RolloutPhase.Retiring && change.Reason == "nothing is in flight at the old generation");
        Assert.DoesNotContain((await driver.ObserveAsync(spec.Setup)).Instances, instance => instance.Generation == 1);
    }

    [Fact]
    public async Task AProxySetUpOtherwiseTakesOverWithoutLosingARequest()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("anew");
        await using var driver = new Driver(host);
        await driver.RunAsync(Spec(service, host.Generation(1)));
        var before = await driver.ObserveAsync(Spec(service, host.Generation(1)).Setup);

        await using var load = Load.Start(service.Address, Rate);
        // Another path to ask, and another time to wait for the answer.
        var other = host.Generation(2, ("HEALTH_PATH", "/well"));
        var spec = Spec(service, other with { Health = other.Health with { Path = "/well" } }, host.Generation(1), 50);
        var state = await driver.RunAsync(spec with { Proxy = service.Proxy with { CheckTimeout = TimeSpan.FromSeconds(1) } });
        var seen = await load.StopAsync();

        Say($"anew: {seen}");
        Assert.True(state.Phase == RolloutPhase.Done, $"{state.Phase} {state.Reason}\n{driver.Tale}");
        Assert.True(seen.Failed == 0, $"{seen}\n{driver.Tale}");
        var after = await driver.ObserveAsync(state.Spec.Setup);
        Assert.NotEqual(before.Proxy.Epoch, after.Proxy.Epoch);
        // Each generation is still asked at its own path.
        Assert.Equal((2, 2), (after.ReadyInstances(1), after.ReadyInstances(2)));
    }

    [Fact]
    public async Task RemovingAServiceLeavesNothingAndMayBeDoneTwice()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("removed");
        await using var driver = new Driver(host);
        var spec = Spec(service, host.Generation(1));
        await driver.RunAsync(spec);
        await using var target = host.Target();

        await target.RemoveServiceAsync(service.Key);
        await target.RemoveServiceAsync(service.Key);

        var after = await driver.ObserveAsync(spec.Setup);
        Assert.False(after.Proxy.Alive);
        Assert.Empty(after.Instances);
        Assert.False(Directory.Exists(Path.Combine(host.Home, "proxies", service.Key.Stem)));
        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetStringAsync(service.Address));
    }

    [Fact]
    public async Task AnImageThatIsNotThereIsNamedInTheReason()
    {
        Assert.SkipUnless(host.Missing is null, host.Missing ?? "");
        var service = host.Service("absent");
        await using var target = host.Target();
        var absent = host.Generation(1) with { Digest = Ingot.Oci.Content.Digest.Of("nothing"u8) };
        var setup = Spec(service, absent).Setup;

        var e = await Assert.ThrowsAsync<ToolException>(() => target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)));

        Assert.StartsWith($"pulling '{absent.Repository}@{absent.Digest}' failed: ", e.Message, StringComparison.Ordinal);
    }

    private static async Task<SteadyState> ServeAsync(
        Driver driver, (ServiceKey Key, ProxySettings Proxy, Uri Address) service, Generation generation)
    {
        var state = await driver.RunAsync(Spec(service, generation));
        Assert.True(state.Phase == RolloutPhase.Done, $"{state.Phase} {state.Reason}\n{driver.Tale}");
        return Steady.After(state)!;
    }

    private static RolloutSpec Spec(
        (ServiceKey Key, ProxySettings Proxy, Uri Address) service, Generation next, Generation? previous = null, params int[] canary) =>
        new()
        {
            Key = service.Key,
            Proxy = service.Proxy,
            Next = next,
            Previous = previous,
            Rollout = Fast(canary),
            By = "ada",
            Reason = "a test",
        };

    private static RolloutDefinition Fast(params int[] canary) => new()
    {
        Canary = canary,
        Observe = TimeSpan.FromSeconds(1),
        StepDeadline = TimeSpan.FromSeconds(60),
        Drain = TimeSpan.FromSeconds(10),
        Detect = 0.1,
    };

    private void Say(FormattableString text) => output.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
