using Ingot.Releases;

namespace Ingot.Tests.Releases;

public sealed class RolloutPlanTests
{
    [Fact]
    public void ACanaryIsToldFromItsInstancesToWhatIsRemoved()
    {
        var spec = World.Spec(4, 3, 10) with { Warm = [World.Generation(2), World.Generation(1)] };
        spec = spec with { Rollout = spec.Rollout with { Keep = 2 } };
        Assert.Equal(
            [
                "create 2 instances of generation 4 (1.4.0)",
                "wait until all are healthy at / for 2 s, 60 s at most",
                "give 10 % of the traffic to generation 4, and watch it for 10 s",
                "give 100 % of the traffic to generation 4, and watch it for 10 s",
                "let generation 3 finish what it has in flight, 20 s at most",
                "keep generations 3, 2 warm",
                "remove generation 1",
            ],
            RolloutPlan.Of(spec));
    }

    [Fact]
    public void AFirstDeploymentStartsTheProxyAndLetsNothingGo()
    {
        var spec = World.Spec(1, null, 10) with { Next = World.Generation(1, replicas: 1) };
        var moves = RolloutPlan.Of(spec);
        Assert.Equal(["start the proxy at 127.0.0.1:8080", "create 1 instance of generation 1 (1.1.0)"], moves.Take(2));
        Assert.Equal(4, moves.Count);
    }

    [Fact]
    public void AnotherAddressIsTakenBesideTheEarlierOne()
    {
        var spec = World.Spec(2, 1);
        spec = spec with { ServingProxy = spec.Proxy with { Listen = new("127.0.0.1", 9090) } };
        Assert.Contains("take traffic at 127.0.0.1:8080 beside 127.0.0.1:9090", RolloutPlan.Of(spec));
    }
}
