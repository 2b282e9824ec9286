using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Oci.Content;
using Ingot.Server.Api;

namespace Ingot.Cli.Tests.Pipeline;

/// <summary>What <c>ingot up</c> says of a rollout that is not done.</summary>
public sealed class UpPipelineTests : IDisposable
{
    private static readonly RolloutReply s_rollout = new(
        "shop.web.production-r2", "shop", "web", "production", 2, Digest.Of([1]), "1.2.0", "Shifting", "too many failures",
        Finished: false, Succeeded: false, 5, [])
    {
        Symptoms = [new InstanceSymptom("web-1", "abc", 1, false, ["no such table"])],
    };

    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Theory]
    [InlineData("WentBack", "production/web went back: too many failures")]
    [InlineData("Paused", "production/web is paused: too many failures")]
    [InlineData("TimedOut", "production/web is not done in time: rollout shop.web.production-r2 is in Shifting")]
    public void TheQuietAreToldWhyARolloutIsNotDone(string end, string expected)
    {
        string said = Said(end, json: false);
        Assert.Contains(expected, said, StringComparison.Ordinal);
        Assert.Contains("web-1: ended with exit code 1", said, StringComparison.Ordinal);
        Assert.Contains("web-1 | no such table", said, StringComparison.Ordinal);
        Assert.Empty(_error.ToString());
    }

    [Fact]
    public void InJsonModeThatIsNoData()
    {
        Assert.Empty(Said("WentBack", json: true));
        Assert.Contains("went back: too many failures", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatGoesOnAsAskedIsProgress() => Assert.Empty(Said("Detached", json: false));

    private string Said(string end, bool json)
    {
        var terminal = new Terminal(_output, _error, json, outputIsTerminal: false, errorIsTerminal: false, noColor: true)
        {
            IsQuiet = true,
        };
        UpPipeline.Say(terminal, "production/web", new FollowedRollout(s_rollout, Enum.Parse<RolloutEnd>(end)));
        return _output.ToString();
    }
}
