using System.Diagnostics;
using Ingot.Instances;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Tools;
using Xunit;

namespace Ingot.Testing;

/// <summary>What every target keeps to. A test class for a target derives from it and says how to make one, and how to plant strangers
/// beside its instances.</summary>
public abstract class TargetContract
{
    protected const string Home = "0a1b2c3d4e5f";
    protected const string OtherHome = "ffffffffffff";

    /// <summary>Why the target cannot be had here; null when it can.</summary>
    protected virtual string? Missing => null;

    /// <summary>A target that knows nothing of what an earlier one did, of a home on the one host.</summary>
    protected abstract ITarget NewTarget(string home = Home);

    /// <summary>A target of the home whose engine accepts and never answers, and which does not wait long.</summary>
    protected abstract ITarget TargetWithHangingEngine();

    /// <summary>A service that no other test uses, with three replicas each of generations 1 and 2.</summary>
    protected abstract ServiceSetup NewService(string name);

    /// <summary>Starts a container that has every label of an instance, from another image or the same one, and returns its id.</summary>
    protected abstract Task<string> CopyLabelsAsync(string instance, bool sameImage);

    /// <summary>Starts a container that has the home's, project's, service's and stage's labels, and a generation that is no
    /// number.</summary>
    protected abstract Task<string> LabelInPartAsync(ServiceKey key);

    /// <summary>Starts a container without labels under the name that the home's instance would get; null where containers have no
    /// names.</summary>
    protected abstract Task<string?> TakeNameAsync(ServiceKey key, int generation, int index);

    /// <summary>Whether a container runs, whosever it is.</summary>
    protected abstract Task<bool> RunsAsync(string id);

    /// <summary>What every instance writes once it is started.</summary>
    protected abstract IReadOnlyList<string> Says { get; }

    [Fact]
    public async Task OnAHostThatNeverRanTheServiceAllInstancesAreMadeAtOnce()
    {
        var (target, setup) = Begin("fresh");

        var ids = await Task.WhenAll(Enumerable.Range(0, 3).Select(index => CreateAsync(target, setup, 1, index)));

        var seen = await target.ObserveInstancesAsync(setup);
        Assert.Equal(ids, seen.Select(instance => instance.Id));
        Assert.All(seen, instance => Assert.Equal((InstanceState.Running, null), (instance.State, instance.Objection)));
        Assert.All(seen, instance => Assert.NotNull(instance.Address));
        Assert.Equal(3, seen.Select(instance => instance.Address).Distinct().Count());
    }

    [Fact]
    public async Task SeveralTargetsThatMakeTheSameAtOnceMakeItOnce()
    {
        var (_, setup) = Begin("race");
        ITarget[] targets = [NewTarget(), NewTarget(), NewTarget(), NewTarget()];

        var ids = await Task.WhenAll(targets
            .SelectMany(target => Enumerable.Range(0, 2).Select(index => CreateAsync(target, setup, 1, index))));

        Assert.Equal(2, ids.Distinct().Count());
        var seen = await NewTarget().ObserveInstancesAsync(setup);
        Assert.Equal([0, 1], seen.Select(instance => instance.Index));
        Assert.All(seen, instance => Assert.Equal((InstanceState.Running, null), (instance.State, instance.Objection)));
    }

    [Fact]
    public async Task EveryMoveOnAnInstanceMayBeCarriedOutTwiceAndOnWhatIsGone()
    {
        var (target, setup) = Begin("twice");
        string id = await CreateAsync(target, setup, 1, 0);
        Assert.Equal(id, await CreateAsync(target, setup, 1, 0));
        await TwiceAsync(target, setup, new Move.StopInstance(1, 0, id));
        Assert.Equal((id, InstanceState.Exited, null), Shape(Assert.Single(await target.ObserveInstancesAsync(setup))));
        Assert.Equal(id, await CreateAsync(target, setup, 1, 0));
        Assert.Equal(InstanceState.Running, Assert.Single(await target.ObserveInstancesAsync(setup)).State);
        await TwiceAsync(target, setup, new Move.RemoveInstance(1, 0, id));
        Assert.Empty(await target.ObserveInstancesAsync(setup));
        await TwiceAsync(target, setup, new Move.StopInstance(1, 0, id));
        await TwiceAsync(target, setup, new Move.RemoveInstance(1, 0, "0000000000000000000000000000000000000000000000000000000000000000"));
    }

    [Fact]
    public async Task AMoveThatNamesAnInstanceNeverHitsItsSuccessor()
    {
        var (target, setup) = Begin("successor");
        string first = await CreateAsync(target, setup, 1, 0);
        await target.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, first));
        string second = await CreateAsync(target, setup, 1, 0);

        await target.CarryOutAsync(setup, new Move.StopInstance(1, 0, first));
        await target.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, first));

        Assert.NotEqual(first, second);
        Assert.Equal((second, InstanceState.Running, null), Shape(Assert.Single(await target.ObserveInstancesAsync(setup))));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task MovesInAnyOrderAndAtTheSameTimeEndAsTheLastOfEachInstanceSays(int seed)
    {
        var (target, setup) = Begin($"order{seed}");
        var random = new Random(seed);
        var plans = Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, 5).Select(_ => random.Next(3)).ToArray()).ToArray();

        var expected = await Task.WhenAll(plans.Select(async (plan, index) =>
        {
            InstanceState? state = null;
            foreach (int step in plan)
                state = await StepAsync(target, setup, index, step, state);
            return state;
        }));

        var seen = await target.ObserveInstancesAsync(setup);
        Assert.Equal(expected, Enumerable.Range(0, 3).Select(index => seen.FirstOrDefault(instance => instance.Index == index)?.State));
        Assert.All(seen, instance => Assert.Null(instance.Objection));
    }

    [Fact]
    public async Task WhatChangesIsSeenAtTheNextLook()
    {
        var (target, setup) = Begin("looks");
        for (int round = 0; round < 3; round++)
        {
            string id = await CreateAsync(target, setup, 1, 0);
            Assert.Equal((id, InstanceState.Running, null), Shape(Assert.Single(await target.ObserveInstancesAsync(setup))));
            Assert.Equal((id, InstanceState.Running, null), Shape(Assert.Single(await target.ObserveInstancesAsync(setup))));
            // By another process, so that nothing of it is known here.
            await NewTarget().CarryOutAsync(setup, new Move.StopInstance(1, 0, id));
            Assert.Equal((id, InstanceState.Exited, null), Shape(Assert.Single(await target.ObserveInstancesAsync(setup))));
            await NewTarget().CarryOutAsync(setup, new Move.RemoveInstance(1, 0, id));
            Assert.Empty(await target.ObserveInstancesAsync(setup));
        }
    }

    [Fact]
    public async Task MovesOfTheProxyMayBeCarriedOutTwice()
    {
        var (target, setup) = Begin("proxy");
        await CreateAsync(target, setup, 1, 0);
        string address = Assert.Single(await target.ObserveInstancesAsync(setup)).Address!;

        await TwiceAsync(target, setup, new Move.EnsureProxy(setup.Proxy, []));
        await TwiceAsync(target, setup, new Move.AddServer(1, 0, address));
        await TwiceAsync(target, setup, new Move.SetShares([new TrafficShare(1, 100, 3)], [new ServerTurn(1, 0, Takes: true)]));
        var proxy = await target.ObserveProxyAsync(setup);
        Assert.Equal((1, 0, address, 100),
            Assert.Single(proxy.Servers.Select(server => (server.Generation, server.Index, server.Address, server.Weight))));
        await TwiceAsync(target, setup, new Move.SetShares([new TrafficShare(1, 100, 3)], [new ServerTurn(1, 0, Takes: false)]));
        await TwiceAsync(target, setup, new Move.RemoveServer(1, 0, CutSessions: false));
        Assert.Empty((await target.ObserveProxyAsync(setup)).Servers);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(50)]
    public async Task EveryServerTakesItsPartOfTheShareAndOneThatIsHeldBackTakesNothing(int percent)
    {
        var (target, setup) = Begin($"shares{percent}");
        var shares = new TrafficShare[] { new(2, percent, 3), new(1, 100 - percent, 3) };
        var weights = Weights.Of(shares);
        string[] addresses =
        [
            await AddressAsync(target, setup, 1, 0), await AddressAsync(target, setup, 1, 1), await AddressAsync(target, setup, 2, 0),
        ];

        await TwiceAsync(target, setup, new Move.EnsureProxy(
            setup.Proxy, [new ProxyServer(1, 0, addresses[0]), new ProxyServer(1, 1, addresses[1])], [new TrafficShare(1, 100, 3)]));
        Assert.Equal("g1-0=100 g1-1=100", await WeightsAsync(target, setup));
        await TwiceAsync(target, setup, new Move.AddServer(2, 0, addresses[2]));
        Assert.Equal("g1-0=100 g1-1=100 g2-0=0", await WeightsAsync(target, setup));
        await TwiceAsync(target, setup,
            new Move.SetShares(shares, [new(1, 0, Takes: true), new(1, 1, Takes: false), new(2, 0, Takes: true)]));
        Assert.Equal($"g1-0={weights[1]} g1-1=0 g2-0={weights[2]}", await WeightsAsync(target, setup));

        // Another setup of a proxy that runs changes nothing of what they take.
        var changed = setup with { Proxy = setup.Proxy with { CheckTimeout = TimeSpan.FromSeconds(7) } };
        await TwiceAsync(target, changed, new Move.EnsureProxy(changed.Proxy,
            [new(1, 0, addresses[0]), new(1, 1, addresses[1]), new(2, 0, addresses[2])]));
        Assert.Equal($"g1-0={weights[1]} g1-1=0 g2-0={weights[2]}", await WeightsAsync(target, changed));
    }

    [Fact]
    public async Task LinesComeInTheOrderInWhichTheyWereWrittenAndNoneOfAnInstanceThatIsGone()
    {
        var (target, setup) = Begin("log");
        string id = await CreateAsync(target, setup, 1, 0);

        Assert.Equal(Says, await LinesAsync(NewTarget(), id, new LogQuery(Follow: true)));
        Assert.Equal(Says, await LinesAsync(target, id, new LogQuery()));
        Assert.Equal([Says[^1]], await LinesAsync(target, id, new LogQuery(Tail: 1)));

        await target.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, id));
        Assert.Empty(await LinesAsync(target, id, new LogQuery()));
    }

    [Fact]
    public async Task AHomeSeesAndTouchesOnlyWhatItMade()
    {
        var (ours, setup) = Begin("homes");
        var theirs = NewTarget(OtherHome);
        string mine = await CreateAsync(ours, setup, 1, 0);
        string other = await CreateAsync(theirs, setup, 1, 0);
        Assert.Equal(mine, Assert.Single(await ours.ObserveInstancesAsync(setup)).Id);
        Assert.Equal(other, Assert.Single(await theirs.ObserveInstancesAsync(setup)).Id);
        await Assert.ThrowsAnyAsync<IngotException>(() => theirs.CarryOutAsync(setup, new Move.StopInstance(1, 0, mine)));
        await Assert.ThrowsAnyAsync<IngotException>(() => theirs.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, mine)));
        Assert.True(await RunsAsync(mine));

        await theirs.RemoveServiceAsync(setup.Key);

        Assert.True(await RunsAsync(mine));
        Assert.False(await RunsAsync(other));
        Assert.Contains(setup.Key, await ours.FindServicesAsync());
        Assert.DoesNotContain(setup.Key, await theirs.FindServicesAsync());
        // The network that was shared with nobody is still good for the next.
        await CreateAsync(ours, setup, 1, 1);
        Assert.All(await ours.ObserveInstancesAsync(setup), instance => Assert.Equal(InstanceState.Running, instance.State));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ACopyOfTheLabelsGetsNoTrafficAndIsNoInstance(bool sameImage)
    {
        var (target, setup) = Begin(sameImage ? "copysame" : "copyother");
        string id = await CreateAsync(target, setup, 1, 0);

        string copy = await CopyLabelsAsync(id, sameImage);

        foreach (var looker in (ITarget[])[target, NewTarget()])
        {
            var seen = await looker.ObserveInstancesAsync(setup);
            Assert.Null(Assert.Single(seen, instance => instance.Id == id).Objection);
            Assert.All(seen.Where(instance => instance.Id == copy), instance => Assert.NotNull(instance.Objection));
        }

        Assert.Equal(id, await CreateAsync(target, setup, 1, 0));
    }

    [Fact]
    public async Task ACopyAloneIsNeitherAdoptedNorInTheWay()
    {
        var (target, setup) = Begin("copyalone");
        string id = await CreateAsync(target, setup, 1, 0);
        string copy = await CopyLabelsAsync(id, sameImage: false);
        await target.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, id));
        Assert.All(await target.ObserveInstancesAsync(setup), instance => Assert.NotNull(instance.Objection));

        string next = await CreateAsync(target, setup, 1, 0);

        Assert.NotEqual(copy, next);
        Assert.Null(Assert.Single(await target.ObserveInstancesAsync(setup), instance => instance.Id == next).Objection);
        Assert.True(await RunsAsync(copy));
    }

    [Fact]
    public async Task AnInstanceOfAnotherSetupThanItsGenerationHasIsObjectedTo()
    {
        var (target, setup) = Begin("setup");
        string id = await CreateAsync(target, setup, 1, 0);
        var other = setup with
        {
            Generations = [.. setup.Generations
            .Select(g => g with { Config = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["OTHER"] = "1" } })]
        };

        Assert.NotNull(Assert.Single(await target.ObserveInstancesAsync(other)).Objection);
        Assert.NotEqual(id, await CreateAsync(target, other, 1, 0));
        Assert.Null(Assert.Single(await target.ObserveInstancesAsync(setup), instance => instance.Id == id).Objection);
    }

    [Fact]
    public async Task AStrangerWithHalfOfTheLabelsIsToldOfAndHoldsNothingUp()
    {
        var (target, setup) = Begin("partly");
        string id = await CreateAsync(target, setup, 1, 0);

        string stranger = await LabelInPartAsync(setup.Key);

        Assert.Equal(id, Assert.Single(await target.ObserveInstancesAsync(setup)).Id);
        Assert.Single(target.Strangers(setup.Key));
        await CreateAsync(target, setup, 1, 1);
        Assert.Equal(2, (await target.ObserveInstancesAsync(setup)).Count);
        Assert.True(await RunsAsync(stranger));
    }

    [Fact]
    public async Task ANameThatIsTakenHoldsNothingUp()
    {
        var (target, setup) = Begin("name");
        if (await TakeNameAsync(setup.Key, 1, 0) is not { } stranger)
            return;

        string id = await CreateAsync(target, setup, 1, 0);

        Assert.Equal(id, await CreateAsync(NewTarget(), setup, 1, 0));
        Assert.Equal((id, InstanceState.Running, null), Shape(Assert.Single(await target.ObserveInstancesAsync(setup))));
        await target.RemoveServiceAsync(setup.Key);
        Assert.False(await RunsAsync(id));
        Assert.True(await RunsAsync(stranger));
    }

    [Fact]
    public async Task RemovingAServiceTakesEverythingOfItMayBeRepeatedAndLeavesOthers()
    {
        var (target, setup) = Begin("gone");
        var other = NewService("stays");
        await CreateAsync(target, setup, 1, 0);
        await CreateAsync(target, setup, 2, 1);
        await CreateAsync(target, other, 1, 0);
        await target.CarryOutAsync(setup, new Move.EnsureProxy(setup.Proxy, []));
        Assert.Contains(setup.Key, await target.FindServicesAsync());

        // By one that knows nothing of it.
        await NewTarget().RemoveServiceAsync(setup.Key);
        await NewTarget().RemoveServiceAsync(setup.Key);

        Assert.Empty(await target.ObserveInstancesAsync(setup));
        Assert.False((await target.ObserveProxyAsync(setup)).Alive);
        var left = await target.FindServicesAsync();
        Assert.DoesNotContain(setup.Key, left);
        Assert.Contains(other.Key, left);
        Assert.Equal(InstanceState.Running, Assert.Single(await target.ObserveInstancesAsync(other)).State);
        await CreateAsync(target, setup, 1, 0);
    }

    [Fact]
    public async Task AnEngineThatHangsIsSaidSoInTimeAndNeverTakenForAnEmptyOne()
    {
        var (target, setup) = Begin("hangs");
        await CreateAsync(target, setup, 1, 0);
        await target.CarryOutAsync(setup, new Move.EnsureProxy(setup.Proxy, []));
        var hanging = TargetWithHangingEngine();
        var clock = Stopwatch.StartNew();

        var seen = await hanging.ObserveAsync(setup, TimeProvider.System);
        Assert.NotNull(seen.EngineTrouble);
        Assert.Null(seen.ProxyTrouble);
        Assert.True(seen.Proxy.Alive);
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.ObserveInstancesAsync(setup));
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.CarryOutAsync(setup, new Move.CreateInstance(1, 1, 0)));
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.CarryOutAsync(setup, new Move.StopInstance(1, 0, "a")));
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.CarryOutAsync(setup, new Move.RemoveInstance(1, 0, "a")));
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.FindServicesAsync());
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.RemoveServiceAsync(setup.Key));
        await Assert.ThrowsAnyAsync<IngotException>(() => hanging.DescribeAsync());
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"after {clock.Elapsed}");
        Assert.Single(await target.ObserveInstancesAsync(setup));
        await target.RemoveServiceAsync(setup.Key);
    }

    private (ITarget Target, ServiceSetup Setup) Begin(string name)
    {
        Assert.SkipUnless(Missing is null, Missing ?? "");
        return (NewTarget(), NewService(name));
    }

    private static async Task<InstanceState?> StepAsync(ITarget target, ServiceSetup setup, int index, int step, InstanceState? state)
    {
        string id = (await target.ObserveInstancesAsync(setup)).FirstOrDefault(instance => instance.Index == index)?.Id ?? "none";
        switch (step)
        {
            case 0:
                await TwiceAsync(target, setup, new Move.CreateInstance(1, index, 0));
                return InstanceState.Running;
            case 1:
                await TwiceAsync(target, setup, new Move.StopInstance(1, index, id));
                return state is null ? null : InstanceState.Exited;
            default:
                await TwiceAsync(target, setup, new Move.RemoveInstance(1, index, id));
                return null;
        }
    }

    private async Task<List<string>> LinesAsync(ITarget target, string id, LogQuery query)
    {
        var lines = new List<string>();
        await foreach (var line in target.ReadLogAsync(id, query))
        {
            lines.Add(line.Text);
            if (query.Follow && lines.Count == Says.Count)
                break;
        }

        return lines;
    }

    private static async Task<string> WeightsAsync(ITarget target, ServiceSetup setup) => string.Join(' ',
        (await target.ObserveProxyAsync(setup)).Servers.OrderBy(server => server.Generation).ThenBy(server => server.Index)
            .Select(server => $"{InstanceName.Of(server.Generation, server.Index)}={server.Weight}"));

    private static async Task<string> AddressAsync(ITarget target, ServiceSetup setup, int generation, int index)
    {
        string id = await CreateAsync(target, setup, generation, index);
        return (await target.ObserveInstancesAsync(setup)).Single(instance => instance.Id == id).Address!;
    }

    private static async Task<string> CreateAsync(ITarget target, ServiceSetup setup, int generation, int index)
    {
        string? id = await target.CarryOutAsync(setup, new Move.CreateInstance(generation, index, 0));
        Assert.NotNull(id);
        return id;
    }

    private static async Task TwiceAsync(ITarget target, ServiceSetup setup, Move move)
    {
        await target.CarryOutAsync(setup, move);
        await target.CarryOutAsync(setup, move);
    }

    private static (string Id, InstanceState State, string? Objection) Shape(InstanceObservation instance) =>
        (instance.Id, instance.State, instance.Objection);
}
