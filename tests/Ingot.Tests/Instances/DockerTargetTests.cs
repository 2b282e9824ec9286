using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Testing;
using Ingot.Tests.Tools;
using Ingot.Tools;

namespace Ingot.Tests.Instances;

/// <summary>What the Docker target asks of an Engine, and what it makes of its answers.</summary>
public sealed class DockerTargetTests : IAsyncLifetime
{
    private const string Home = "0123456789ab";
    private const string ImageId = "sha256:image";

    private static readonly ServiceKey s_key = new("shop", "web", "test");

    private readonly TemporaryDirectory _directory = new();
    private readonly Engine _engine = new();
    private readonly DockerTarget _target;

    public DockerTargetTests() => _target = new DockerTarget(_directory.Root, Home, TimeProvider.System, new DockerEngine(_engine.Path));

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        await _target.DisposeAsync();
        _engine.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task WhileNothingHappensOnlyTheListIsAskedFor()
    {
        await ListenAsync("a", "b");
        var (inspected, listed) = (_engine.Count("inspect"), _engine.Count("list"));

        for (int i = 0; i < 10; i++)
            Assert.Equal(2, (await LookAsync()).Count);

        Assert.Equal((inspected, listed + 10), (_engine.Count("inspect"), _engine.Count("list")));
        Assert.Equal(1, _engine.Count("events"));
    }

    [Fact]
    public async Task WhatTheListDoesNotShowIsSeenBecauseItHappened()
    {
        await ListenAsync("a", "b");
        int before = _engine.Count("inspect");
        _engine.Containers["b"] = _engine.Containers["b"] with { Restarts = 2 };

        await _engine.TellAsync("b", "start");

        await UntilAsync(async () => (await LookAsync())[1].Restarts == 2);
        Assert.Equal(before + 1, _engine.Count("inspect"));
    }

    [Fact]
    public async Task WhatTheListShowsNeedsNoEvent()
    {
        await ListenAsync("a");
        _engine.Containers["a"] = _engine.Containers["a"] with { Status = "exited" };

        Assert.Equal(InstanceState.Exited, Assert.Single(await LookAsync()).State);
        _engine.Containers.Clear();
        Assert.Empty(await LookAsync());
    }

    [Fact]
    public async Task WhileEventsAreMissedEverythingIsReadEachTime()
    {
        await ListenAsync("a", "b");
        _engine.BreakEvents();
        await UntilAsync(async () =>
        {
            int before = _engine.Count("inspect");
            await LookAsync();
            return _engine.Count("inspect") == before + 2;
        });
        _engine.Containers["a"] = _engine.Containers["a"] with { Restarts = 3 };

        Assert.Equal(3, (await LookAsync())[0].Restarts);
    }

    [Fact]
    public async Task AnEngineThatTellsNothingIsReadEachTime()
    {
        _engine.TellsEvents = false;
        _engine.Add("a", 0);
        for (int restarts = 0; restarts < 5; restarts++)
        {
            _engine.Containers["a"] = _engine.Containers["a"] with { Restarts = restarts };
            Assert.Equal(restarts, Assert.Single(await LookAsync()).Restarts);
        }
    }

    [Fact]
    public async Task WhatGoesWhileItIsReadIsNotThere()
    {
        _engine.Add("a", 0);
        _engine.Add("gone", 1, isListedOnly: true);

        Assert.Equal("a", Assert.Single(await LookAsync()).Id);
    }

    [Theory]
    [InlineData(InstanceLabels.Generation, "one")]
    [InlineData(InstanceLabels.Generation, null)]
    [InlineData(InstanceLabels.Index, "-1")]
    [InlineData(InstanceLabels.Index, "99999999999")]
    [InlineData(InstanceLabels.Port, "")]
    [InlineData(InstanceLabels.Digest, "sha256:short")]
    [InlineData(InstanceLabels.Digest, null)]
    public async Task LabelsThatCannotBeReadAreAStrangersAndNoError(string label, string? value)
    {
        _engine.Add("a", 0);
        _engine.Add("stranger", 1, change: labels => labels[label] = value!);

        Assert.Equal("a", Assert.Single(await LookAsync()).Id);
        Assert.Contains("'docker rm -f name-stranger'", Assert.Single(_target.Strangers(s_key)), StringComparison.Ordinal);
        Assert.DoesNotContain(_engine.Asked, line => line.StartsWith("DELETE", StringComparison.Ordinal)
            || line.Contains("/stop", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(InstanceLabels.Digest, "sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData(InstanceLabels.Port, "81")]
    [InlineData(InstanceLabels.Spec, "sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData(InstanceLabels.Spec, null)]
    public async Task LabelsOfAnotherSetupAreObjectedTo(string label, string? value)
    {
        _engine.Add("a", 0, change: labels => labels[label] = value!);

        Assert.Contains(label, Assert.Single(await LookAsync()).Objection, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task AContainerWithMoreRightsThanWeGiveIsObjectedTo(bool isReadOnly, bool isPrivileged)
    {
        _engine.Add("a", 0);
        _engine.Containers["a"] = _engine.Containers["a"] with { ReadOnly = isReadOnly, Privileged = isPrivileged };

        Assert.NotNull(Assert.Single(await LookAsync()).Objection);
    }

    [Fact]
    public async Task AnotherImageUnderTheSameLabelsIsObjectedToAndTheRightOneIsAskedForOnce()
    {
        _engine.Add("a", 0);
        _engine.Add("other", 1);
        _engine.Containers["other"] = _engine.Containers["other"] with { Image = "sha256:another" };

        var seen = await LookAsync();
        await LookAsync();

        Assert.Null(seen[0].Objection);
        Assert.Contains("'sha256:another'", seen[1].Objection, StringComparison.Ordinal);
        Assert.Equal(1, _engine.Asked.Count(line => line.Contains($"images/{ImageId}", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task OneContainerThatCannotBeRemovedKeepsNoOtherAndIsNamed()
    {
        foreach (string id in (string[])["a", "b", "c"])
            _engine.Add(id, 0, status: "exited");
        _engine.Stuck = "b";

        var e = await Assert.ThrowsAsync<ToolException>(() => _target.RemoveServiceAsync(s_key));

        Assert.Contains("removing the container 'b' failed: it is stuck (500)", e.Message, StringComparison.Ordinal);
        Assert.Equal(["b"], _engine.Containers.Keys);
        _engine.Stuck = null;
        await _target.RemoveServiceAsync(s_key);
        Assert.Empty(_engine.Containers);
    }

    [Fact]
    public async Task TheNetworkOfAnEarlierVersionGoesWithTheLastContainerOnItAndNoOtherDoes()
    {
        foreach (string id in (string[])["a", "b"])
            _engine.Add(id, 0, status: "exited");
        var setup = new ServiceSetup(s_key, new ProxySettings(new ListenAddress("127.0.0.1", 0), TimeSpan.Zero), []);
        _engine.Networks.Add(("old", "ingot-shop-012345", new() { [InstanceLabels.Home] = Home, [InstanceLabels.Project] = "shop" }));
        _engine.Networks.Add(("new", "ingot-shop.test-012345",
            new() { [InstanceLabels.Home] = Home, [InstanceLabels.Project] = "shop", [InstanceLabels.Stage] = "test" }));

        // Nothing runs on it, and what is stopped may be started again.
        await _target.CarryOutAsync(setup, new Move.RemoveInstance(Generation.Number, 0, "a"));
        Assert.Equal(["old", "new"], _engine.Networks.Select(network => network.Id));

        await _target.CarryOutAsync(setup, new Move.RemoveInstance(Generation.Number, 0, "b"));
        Assert.Equal(["new"], _engine.Networks.Select(network => network.Id));
    }

    [Fact]
    public async Task ServicesAreFoundByTheirContainersAndByWhatIsLeftOfTheirProxies()
    {
        _engine.Add("a", 0);
        _engine.Add("b", 0, change: labels => labels.Remove(InstanceLabels.Stage));
        Directory.CreateDirectory(_directory.At("proxies/shop.api.test"));
        Directory.CreateDirectory(_directory.At("proxies/else"));

        Assert.Equal([new ServiceKey("shop", "api", "test"), s_key], await _target.FindServicesAsync());
    }

    [Fact]
    public async Task ContainersOfVersionsThatDidNotTellHomesApartAreNamedAndLeftAlone()
    {
        _engine.Add("a", 0, status: "exited");
        _engine.Add("old", 1, change: labels => labels.Remove(InstanceLabels.Home), name: "ingot-shop.web.test-g1-1");
        _engine.Add("other", 1, change: labels => labels[InstanceLabels.Home] = "another12345", name: "ingot-shop.web.test-g1-1");
        _engine.Add("copy", 1, change: labels => labels.Remove(InstanceLabels.Home), name: "mine");

        Assert.Equal("a", Assert.Single(await LookAsync()).Id);
        Assert.Contains("'docker rm -f ingot-shop.web.test-g1-1'", Assert.Single(_target.Strangers(s_key)), StringComparison.Ordinal);
        await _target.RemoveServiceAsync(s_key);
        Assert.Equal(["copy", "old", "other"], _engine.Containers.Keys);
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("0123/..45678")]
    public void AHomeIsToldFromOthersByEnough(string homeId)
    {
        using var engine = new DockerEngine();
        Assert.Throws<ArgumentException>(() => new DockerTarget(_directory.Root, homeId, TimeProvider.System, engine));
    }

    private async Task ListenAsync(params string[] ids)
    {
        for (int index = 0; index < ids.Length; index++)
            _engine.Add(ids[index], index);
        // Read once before it listens, and once after.
        await UntilAsync(async () =>
        {
            int before = _engine.Count("inspect");
            await LookAsync();
            return _engine.Count("events") == 1 && _engine.Count("inspect") == before;
        });
    }

    private static async Task UntilAsync(Func<Task<bool>> reached)
    {
        for (int i = 0; i < 1000; i++)
        {
            if (await reached())
                return;
            await Task.Delay(10);
        }

        Assert.Fail("it did not come to that in ten seconds");
    }

    private Task<IReadOnlyList<InstanceObservation>> LookAsync() =>
        _target.ObserveInstancesAsync(new ServiceSetup(s_key,
            new ProxySettings(new ListenAddress("127.0.0.1", 80), TimeSpan.FromSeconds(1)), [Generation]));

    private static Generation Generation { get; } = new()
    {
        Number = 1,
        Repository = "127.0.0.1:7070/shop/web",
        Digest = Digest.Of("image"u8),
        Version = "1",
        Replicas = 2,
        Port = 80
    };

    private sealed record Container(int Index, IReadOnlyDictionary<string, string> Labels)
    {
        public string Status { get; init; } = "running";

        public int Restarts { get; init; }

        public string Image { get; init; } = ImageId;

        public bool ReadOnly { get; init; } = true;

        public bool Privileged { get; init; }

        public bool IsListedOnly { get; init; }

        public string? Name { get; init; }
    }

    /// <summary>As much of an Engine as looking and removing need.</summary>
    private sealed class Engine : IDisposable
    {
        private readonly HostileEngine _peer;
        private readonly ConcurrentQueue<string> _asked = new();
        private Socket? _listener;

        public Engine() => _peer = new HostileEngine(AnswerAsync);

        public string Path => _peer.Path;

        public SortedDictionary<string, Container> Containers { get; } = new(StringComparer.Ordinal);

        public IEnumerable<string> Asked => _asked;

        public List<(string Id, string Name, Dictionary<string, string> Labels)> Networks { get; } = [];

        public bool TellsEvents { get; set; } = true;

        public string? Stuck { get; set; }

        public void Add(string id, int index, Action<SortedDictionary<string, string>>? change = null, string status = "running",
            bool isListedOnly = false, string? name = null)
        {
            var labels = new SortedDictionary<string,
                string>(InstanceLabels.Of(Home, s_key, Generation, index, ImageId).ToDictionary(), StringComparer.Ordinal);
            change?.Invoke(labels);
            Containers[id] = new Container(index, labels) { Status = status, IsListedOnly = isListedOnly, Name = name };
        }

        public int Count(string what)
        {
            string part = what switch { "list" => "/containers/json?", "events" => "/events?", _ => "/json HTTP" };
            return _asked.Count(line => line.Contains(part, StringComparison.Ordinal)
                && !line.Contains("/images/", StringComparison.Ordinal));
        }

        public async Task TellAsync(string id, string action) =>
            await _listener!
                .SendAsync(Encoding.ASCII.GetBytes($"{{\"Type\":\"container\",\"Action\":\"{action}\",\"Actor\":{{\"ID\":\"{id}\"}}}}\n"));

        public void BreakEvents()
        {
            TellsEvents = false;
            _listener!.Close();
        }

        public void Dispose() => _peer.Dispose();

        private async Task AnswerAsync(string line, Socket socket, CancellationToken stop)
        {
            _asked.Enqueue(line);
            string path = line.Split(' ')[1];
            if (path.Contains("/events?", StringComparison.Ordinal) && TellsEvents)
            {
                await socket.SendAsync(HostileEngine.Head("Connection: close"), stop);
                _listener = socket;
                await Task.Delay(Timeout.Infinite, stop);
            }

            bool isOfHome = path.Contains(InstanceLabels.Home, StringComparison.Ordinal);
            var (status, body) = Answer(line.Split(' ')[0], path.Split('?')[0].Split('/')[2..], isOfHome);
            byte[] bytes = Encoding.UTF8.GetBytes(body);
            byte[] answer = [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {status} X\r\nContent-Length: {bytes.Length}\r\n\r\n"), .. bytes];
            await socket.SendAsync(answer, stop);
        }

        private (int Status, string Body) Answer(string method, string[] path, bool isOfHome)
        {
            lock (Containers)
            {
                return (method, path) switch
                {
                    ("GET", ["containers", "json"]) =>
                        (200, $"[{string.Join(',', Containers.Where(one => !isOfHome || IsOfHome(one.Value)).Select(Row))}]"),
                    ("GET", ["containers", var id, "json"]) => Containers.TryGetValue(id, out var one) && !one.IsListedOnly
                        ? (200, Inspected(id, one)) : (404, "{}"),
                    ("GET", ["images", ImageId, "json"]) => (200, Image(ImageId)),
                    ("GET", ["images", ..]) => (404, "{}"),
                    ("GET", ["networks"]) => (200, JsonSerializer.Serialize(Networks.Select(one => new { one.Id, one.Name, one.Labels }))),
                    ("DELETE", ["networks", var id]) => (Networks.RemoveAll(one => one.Id == id) > 0 ? 204 : 404, ""),
                    ("DELETE", ["containers", var id]) when id == Stuck => (500, "{\"message\":\"it is stuck\"}"),
                    ("DELETE", ["containers", var id]) => (Containers.Remove(id) ? 204 : 404, ""),
                    _ => (500, "{\"message\":\"not here\"}"),
                };
            }
        }

        private static bool IsOfHome(Container container) => container.Labels.GetValueOrDefault(InstanceLabels.Home) == Home;

        private static string Row(KeyValuePair<string, Container> one) =>
            $$"""{"Id":"{{one.Key}}","Names":["/{{one.Value.Name ?? $"name-{one.Key}"}}"],"Image":"i","State":"{{one.Value.Status}}","Labels":{{JsonSerializer.Serialize(one.Value.Labels)}}}""";

        private static string Inspected(string id, Container one) => $$"""
            {"Id":"{{id}}","Name":"/name-{{id}}","RestartCount":{{one.Restarts}},"Image":"{{one.Image}}",
             "State":{"Status":"{{one.Status}}","ExitCode":0,"OOMKilled":false,"Error":"","StartedAt":"2026-01-02T03:04:05Z","Pid":1},
             "HostConfig":{"ReadonlyRootfs":{{(one.ReadOnly ? "true" : "false")}},"Privileged":{{(one.Privileged ? "true" : "false")}}},
             "Config":{"Image":"i","User":"","Labels":{{JsonSerializer.Serialize(one.Labels)}}},
             "NetworkSettings":{"Networks":{"ingot-shop-012345":{"IPAddress":"10.0.0.{{one.Index + 2}}"} } } }
            """;

        private static string Image(string id) => $$"""{"Id":"{{id}}","RepoDigests":["elsewhere/web@{{Generation.Digest}}"]}""";
    }
}
