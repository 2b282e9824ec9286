using Ingot.Instances;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Tests.Releases;

/// <summary>A rollout that fails says what was seen of its instances.</summary>
public sealed class SymptomTests
{
    [Theory]
    [InlineData("L7STS", "404", "answered 404")]
    [InlineData("L4CON", "", "refused the connection")]
    [InlineData("L7TOUT", "", "did not answer in time")]
    [InlineData("L7RSP", "", "answered with something that is not HTTP")]
    [InlineData("L7OK", "200", null)]
    [InlineData("INI", "", null)]
    [InlineData("", "", null)]
    [InlineData("SOMETHING-NEW", "1", null)]
    public void WhatACheckGotIsSaidInWords(string status, string code, string? expected) => Assert.Equal(expected, DockerTarget.CheckResult(
        new HaproxyServerStatus("g1-0", "10.0.0.1:80", 0, false, false, false, status,
            new Dictionary<string, string> { ["check_code"] = code })));

    [Fact]
    public void AGenerationThatNeverBecomesHealthySaysWhatItsChecksGot()
    {
        var run = new Run(World.Spec(2, 1, 10)).Serving(1);
        run.World.Behaviours[2] = new() { ReadyAfter = null };
        run.World.CheckGets = "answered 404";
        run.ToTheEnd();

        Assert.Equal(AbortCause.Health, run.State.Cause);
        Assert.Equal("0 of 2 instances are ready: g2-0 answered 404 when asked for /, g2-1 answered 404 when asked for / after 60 s",
            run.State.Reason);
    }

    [Fact]
    public void OfManyInstancesAFewAreNamed()
    {
        var run = new Run(World.Spec(2, 1, 10) with { Next = World.Generation(2, replicas: 20) }).Serving(1);
        run.World.Behaviours[2] = new() { ReadyAfter = null };
        run.World.CheckGets = "refused the connection";
        run.ToTheEnd();

        Assert.Contains(" refused the connection when asked for /, and 16 more", run.State.Reason, StringComparison.Ordinal);
        Assert.Equal(4, run.State.Reason.Split("refused the connection").Length - 1);
    }
}
