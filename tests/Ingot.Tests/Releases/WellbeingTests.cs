using Ingot.Oci.Content;
using Ingot.Releases;

namespace Ingot.Tests.Releases;

public sealed class WellbeingTests
{
    /// <summary>What stands where an instance should be, how many moves on it failed, and whether that is the target's doing.</summary>
    [Theory]
    [InlineData(null, 0, false)]
    [InlineData(null, 1, true)]
    [InlineData(InstanceState.Created, 0, false)]
    [InlineData(InstanceState.Created, 1, true)]
    [InlineData(InstanceState.Exited, 1, false)]
    [InlineData(InstanceState.Running, 1, false)]
    public void WhatCannotBeMadeOrStartedSaysNothingOfItsImage(InstanceState? state, int failedMoves, bool isBlameless)
    {
        var generation = World.Generation(2) with { Replicas = 1 };
        InstanceObservation[] seen = state is { } there ? [new InstanceObservation(2, 0, "id", there, generation.Digest, null)] : [];
        var memory = new Dictionary<string, InstanceMemory>(StringComparer.Ordinal) { ["g2-0"] = new(FailedMoves: failedMoves) };

        var wellbeing = Wellbeing.Of(generation, memory, new Observation(World.Start, ProxyObservation.Down, seen), World.Start);

        Assert.Equal(isBlameless, wellbeing.IsBlameless);
    }
}
