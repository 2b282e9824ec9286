using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Ingot.Instances;
using Ingot.Releases;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Rollouts;

/// <summary>The Docker target keeps the contract, on a real Engine, and withstands what a host does to it.</summary>
public sealed class DockerTargetTests(DockerHost host, ITestOutputHelper output) : TargetContract, IClassFixture<DockerHost>, IAsyncLifetime
{
    private const string Planted = "ingot.test.planted";

    private readonly List<IAsyncDisposable> _targets = [];
    private readonly List<IDisposable> _engines = [];
    private readonly List<ServiceKey> _services = [];

    protected override string? Missing => host.Missing;

    protected override IReadOnlyList<string> Says => ["version 1.1.0 starts", "listens"];

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        if (Missing is null)
        {
            await RemoveAsync($"{Planted}={Environment.ProcessId}");
            foreach (var target in (ITarget[])[NewTarget(), NewTarget(OtherHome)])
            {
                foreach (var key in _services)
                    await target.RemoveServiceAsync(key);
            }
        }

        foreach (var target in _targets)
            await target.DisposeAsync();
        foreach (var engine in _engines)
            engine.Dispose();
    }

    protected override ITarget NewTarget(string home = Home) =>
        Keep(new DockerTarget(Path.Combine(host.Home, home), home, TimeProvider.System));

    protected override ITarget TargetWithHangingEngine()
    {
        string path = Path.Combine(host.Home, "hanging.sock");
        File.Delete(path);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        _engines.Add(listener);
        var patience = new DockerPatience
        {
            Answer = TimeSpan.FromMilliseconds(500),
            Work = TimeSpan.FromMilliseconds(500),
            Silence = TimeSpan.FromMilliseconds(500)
        };
        return Keep(new DockerTarget(Path.Combine(host.Home, Home), Home, TimeProvider.System, new DockerEngine(path, patience)));
    }

    protected override ServiceSetup NewService(string name)
    {
        var (key, proxy, _) = host.Service("contract-" + name);
        _services.Add(key);
        return new ServiceSetup(key, proxy, [host.Generation(1) with { Replicas = 3 }, host.Generation(2) with { Replicas = 3 }]);
    }

    protected override async Task<string> CopyLabelsAsync(string instance, bool sameImage)
    {
        var labels = (await host.Engine.FindContainerAsync(instance))!.Config.Labels!;
        string image = sameImage ? $"{host.RepositoryName}@{host.Generation(1).Digest}" : $"{host.RepositoryName}@{host.OtherDigest}";
        return await PlantAsync([.. labels.SelectMany(label => (string[])["--label", $"{label.Key}={label.Value}"]), "--name",
            "a-copy-" + instance[..12], image]);
    }

    protected override Task<string> LabelInPartAsync(ServiceKey key)
    {
        string[] labels = [.. InstanceLabels.Filter(Home, key), $"{InstanceLabels.Generation}=one"];
        return PlantAsync([.. labels.SelectMany(label => (string[])["--label", label]), $"{host.RepositoryName}@{host.OtherDigest}"]);
    }

    protected override async Task<string?> TakeNameAsync(ServiceKey key, int generation, int index) =>
        await PlantAsync("--name", HardenedContainer.Name(Home, key, generation, index), $"{host.RepositoryName}@{host.OtherDigest}");

    protected override async Task<bool> RunsAsync(string id) => (await host.Engine.FindContainerAsync(id))?.State.Status == "running";

    [Fact]
    public async Task AnInstanceWhoseNetworkWentBeforeItWasStartedIsMadeAnew()
    {
        var (target, setup) = Begin("netless");
        // As after a crash between creating and starting, and a 'docker network prune'.
        string made = await CreateOnlyAsync(target, setup);
        foreach (var network in await host.Engine.FindNetworksAsync(HardenedContainer.Network(Home, setup.Key)))
            Assert.True(await host.Engine.TryRemoveNetworkAsync(network.Id));

        string? id = await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0));

        Assert.NotEqual(made, id);
        Assert.Equal((id, InstanceState.Running),
            Assert.Single((await target.ObserveInstancesAsync(setup)).Select(instance => (instance.Id, instance.State))));
    }

    [Fact]
    public async Task AnInstanceThatWasMadeAndNotStartedIsAdopted()
    {
        var (target, setup) = Begin("unstarted");
        string made = await CreateOnlyAsync(target, setup);
        Assert.Equal((made, InstanceState.Created),
            Assert.Single((await target.ObserveInstancesAsync(setup)).Select(instance => (instance.Id, instance.State))));

        Assert.Equal(made, await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)));
    }

    [Fact]
    public async Task SeveralNetworksOfOneNameAreCured()
    {
        var (target, setup) = Begin("networks");
        string name = HardenedContainer.Network(Home, setup.Key);
        await target.RemoveServiceAsync(setup.Key);
        foreach (int _ in Enumerable.Range(0, 3))
            await MakeNetworkAsync(name, setup.Key.Project);
        Assert.True((await host.Engine.FindNetworksAsync(name)).Count >= 3);

        await Task.WhenAll(Enumerable.Range(0, 3).Select(index => NewTarget().CarryOutAsync(setup, new Move.CreateInstance(1, index, 0))));

        Assert.Single(await host.Engine.FindNetworksAsync(name));
        Assert.All(await target.ObserveInstancesAsync(setup), instance => Assert.Equal(InstanceState.Running, instance.State));
    }

    [Fact]
    public async Task ANetworkOfOursThatSomebodyElseUsesIsLeftToThem()
    {
        var (target, setup) = Begin("shared");
        await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0));
        string guest = await PlantAsync("--network", HardenedContainer.Network(Home, setup.Key),
            $"{host.RepositoryName}@{host.OtherDigest}");

        await target.RemoveServiceAsync(setup.Key);

        Assert.True(await RunsAsync(guest));
        Assert.Empty(await target.ObserveInstancesAsync(setup));
    }

    [Fact]
    public async Task AnInstanceThatIgnoresItsSignalIsKilledInTime()
    {
        var (target, setup) = Begin("stubborn");
        setup = setup with { Generations = [host.Generation(1, ("IGNORE_TERM", "1"))] };
        string id = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;
        await Task.Delay(500);
        var clock = Stopwatch.StartNew();

        await target.CarryOutAsync(setup, new Move.StopInstance(1, 0, id));

        Assert.InRange(clock.Elapsed.TotalSeconds, HardenedContainer.StopSeconds - 1, HardenedContainer.StopSeconds + 10);
        Assert.Equal((InstanceState.Exited, 137),
            Assert.Single((await target.ObserveInstancesAsync(setup)).Select(instance => (instance.State, instance.ExitCode))));
    }

    [Fact]
    public async Task AnInstanceIsStoppedByTheSignalItsImageNames()
    {
        var (target, setup) = Begin("signal");
        setup = setup with { Generations = [host.Generation(1, ("IGNORE_TERM", "1")) with { Digest = host.OtherDigest }] };
        string id = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;
        await Task.Delay(500);
        var clock = Stopwatch.StartNew();

        await target.CarryOutAsync(setup, new Move.StopInstance(1, 0, id));

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(HardenedContainer.StopSeconds), $"after {clock.Elapsed}");
        Assert.Equal(7, Assert.Single(await target.ObserveInstancesAsync(setup)).ExitCode);
    }

    [Fact]
    public async Task WhatSeveralRemoveAtOnceIsGoneWhenAnyOfThemReturns()
    {
        var (target, setup) = Begin("together");
        string id = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;

        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            await NewTarget().CarryOutAsync(setup, new Move.RemoveInstance(1, 0, id));
            Assert.Null(await host.Engine.FindContainerAsync(id));
        }));
    }

    [Fact]
    public async Task APausedInstanceCanBeStoppedAndRemoved()
    {
        var (target, setup) = Begin("paused");
        string id = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;
        await RunAsync("docker", "pause", id);

        await target.CarryOutAsync(setup, new Move.StopInstance(1, 0, id));
        Assert.Equal(InstanceState.Exited, Assert.Single(await target.ObserveInstancesAsync(setup)).State);
        await target.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, id));
    }

    [Fact]
    public async Task AnImageWhoseNameWasTakenAwayIsStillKnown()
    {
        var (target, setup) = Begin("untagged");
        string id = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;
        await RunAsync("docker", "image", "rm", "-f", $"{host.RepositoryName}@{host.Generation(1).Digest}");

        Assert.Null(Assert.Single(await NewTarget().ObserveInstancesAsync(setup)).Objection);
        Assert.Equal(id, await NewTarget().CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)));
    }

    [Fact]
    public async Task AnInstanceThatTheEngineStartsAgainIsSeenWithItsNewCount()
    {
        var (target, setup) = Begin("restarts");
        setup = setup with { Generations = [host.Generation(1, ("END_AFTER_MS", "700"))] };
        await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0));
        var clock = Stopwatch.StartNew();
        var counts = new List<int>();
        while (clock.Elapsed < TimeSpan.FromSeconds(30) && !counts.Contains(HardenedContainer.Restarts))
        {
            counts.Add(Assert.Single(await target.ObserveInstancesAsync(setup)).Restarts);
            await Task.Delay(100);
        }

        Assert.Equal(counts.Order(), counts);
        Assert.Equal(HardenedContainer.Restarts, counts[^1]);
    }

    [Fact]
    public async Task LookingAtIdleServicesCostsNextToNothing()
    {
        var (target, first) = Begin("idle");
        var second = NewService("idle2");
        foreach (var setup in (ServiceSetup[])[first, second])
            await Task.WhenAll(Enumerable.Range(0, 2).Select(index => target.CarryOutAsync(setup, new Move.CreateInstance(1, index, 0))));
        for (int i = 0; i < 50; i++)
            await LookAsync(target, first, second);

        double milliseconds = await MeasureAsync("a look at a service", () => LookAsync(target, first, second));
        await MeasureAsync("the same, reading each container", () => ReadAllAsync(first, second));

        // A steady loop looks every two seconds.
        Assert.True(milliseconds / 20 < 0.2, $"{milliseconds} ms a look");
    }

    // An image's own check runs as "exec" does, again and again: whoever is told of each reads each container again.
    [Fact]
    public async Task ACommandRunInAContainerIsNoChange()
    {
        var (target, setup) = Begin("checked");
        string id = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;
        var isOpen = new TaskCompletionSource();
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var events = host.Engine.WatchAsync(
            [$"{InstanceLabels.Home}={Home}"], DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1, isOpen.SetResult,
            stop.Token).GetAsyncEnumerator();
        var next = events.MoveNextAsync().AsTask();
        await isOpen.Task;
        await Task.Delay(TimeSpan.FromSeconds(2), stop.Token);
        await CommandRunner.TryRunAsync(new Command("docker", "exec", id, "/instance", "--check"), onLine: null, stop.Token);
        await CommandRunner.RunAsync(new Command("docker", "pause", id), stop.Token);
        Assert.True(await next);
        Assert.Equal((id, "pause"), (events.Current.Actor?.Id, events.Current.Action));
        await CommandRunner.RunAsync(new Command("docker", "unpause", id), stop.Token);
    }

    private async Task<double> MeasureAsync(string what, Func<Task> look)
    {
        const int Looks = 300;
        using var self = Process.GetCurrentProcess();
        using var dockerd = Process.GetProcessById(int.Parse((await File.ReadAllTextAsync("/var/run/docker.pid")).Trim(),
            CultureInfo.InvariantCulture));
        var (before, theirs) = (self.TotalProcessorTime, dockerd.TotalProcessorTime);
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Looks; i++)
            await look();
        self.Refresh();
        dockerd.Refresh();
        double milliseconds = (self.TotalProcessorTime - before).TotalMilliseconds / Looks / 2;
        double dockers = (dockerd.TotalProcessorTime - theirs).TotalMilliseconds / Looks / 2;
        long bytes = (GC.GetTotalAllocatedBytes(precise: true) - allocated) / Looks / 2;
        output.WriteLine($"{what}: {milliseconds:F2} ms of processor, {bytes} bytes, {dockers:F2} ms of dockerd; "
            + $"every two seconds: {milliseconds / 20:F3} % of a core");
        return milliseconds;
    }

    private async Task ReadAllAsync(params ServiceSetup[] setups)
    {
        foreach (var setup in setups)
        {
            var listed = await host.Engine.ListAsync(InstanceLabels.Filter(Home, setup.Key));
            await Task.WhenAll(listed.Select(container => host.Engine.FindContainerAsync(container.Id)));
        }
    }

    [Fact]
    public async Task AnEngineThatIsStoppedIsSaidSoInTimeAndAnswersAgainAfterwards()
    {
        var (target, setup) = Begin("stopped");
        await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0));
        await target.CarryOutAsync(setup, new Move.EnsureProxy(setup.Proxy, []));
        string dockerd = (await File.ReadAllTextAsync("/var/run/docker.pid")).Trim();
        await RunAsync("kill", "-STOP", dockerd);
        try
        {
            var clock = Stopwatch.StartNew();
            var proxy = await target.ObserveProxyAsync(setup);
            Assert.True(proxy.Alive && clock.Elapsed < TimeSpan.FromSeconds(2), $"after {clock.Elapsed}");
            var e = await Assert.ThrowsAsync<ToolException>(() => target.ObserveInstancesAsync(setup));
            Assert.Contains("did not answer within 10 s", e.Message, StringComparison.Ordinal);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"after {clock.Elapsed}");
        }
        finally
        {
            await RunAsync("kill", "-CONT", dockerd);
        }

        Assert.Equal(InstanceState.Running, Assert.Single(await target.ObserveInstancesAsync(setup)).State);
    }

    private static async Task LookAsync(ITarget target, params ServiceSetup[] setups)
    {
        foreach (var setup in setups)
            Assert.Equal(2, (await target.ObserveInstancesAsync(setup)).Count);
    }

    private async Task<string> CreateOnlyAsync(ITarget target, ServiceSetup setup)
    {
        // The image and the network are there after this.
        string first = (await target.CarryOutAsync(setup, new Move.CreateInstance(1, 0, 0)))!;
        await target.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, first));
        var network = (await host.Engine.FindNetworksAsync(HardenedContainer.Network(Home, setup.Key)))[0];
        Assert.True(HostNetworks.Range.Contains(network.Subnets.Single().BaseAddress));
        var image = (await host.Engine.FindImageAsync(HardenedContainer.Reference(setup.Generations[0])))!;
        var spec = HardenedContainer.Spec(Home, setup.Key, setup.Generations[0], 0, image, network.Id);
        return (await host.Engine.TryCreateAsync(HardenedContainer.Name(Home, setup.Key, 1, 0), spec))!;
    }

    // Docker's own command asks it to refuse a second one of the name.
    private static async Task MakeNetworkAsync(string name, string project)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(DockerEngine.DefaultSocket), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        });
        var labels = new Dictionary<string, string> { [InstanceLabels.Home] = Home, [InstanceLabels.Project] = project };
        string body = JsonSerializer.Serialize(new { Name = name, Driver = "bridge", Labels = labels });
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri("http://docker/v1.41/networks/create"), content);
        response.EnsureSuccessStatusCode();
    }

    private (ITarget Target, ServiceSetup Setup) Begin(string name)
    {
        Assert.SkipUnless(Missing is null, Missing ?? "");
        return (NewTarget(), NewService(name));
    }

    private static async Task<string> PlantAsync(params string[] arguments) =>
        (await RunAsync(["docker", "run", "-d", "--label", $"{Planted}={Environment.ProcessId}", .. arguments])).Trim();

    private static async Task RemoveAsync(string label)
    {
        string ids = await RunAsync("docker", "ps", "-aq", "--filter", $"label={label}");
        foreach (string id in ids.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await RunAsync("docker", "rm", "-f", id);
    }

    private static async Task<string> RunAsync(params string[] words)
    {
        var answer = await CommandRunner.CaptureAsync(new Command(words[0], words[1..]), 1 << 20);
        string error = System.Text.Encoding.UTF8.GetString(answer.Error);
        Assert.True(answer.ExitCode == 0, $"{string.Join(' ', words)}: {error}");
        return System.Text.Encoding.UTF8.GetString(answer.Output);
    }

    private DockerTarget Keep(DockerTarget target)
    {
        _targets.Add(target);
        return target;
    }
}
