using Ingot.Instances;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Instances;

public sealed class TargetsTests
{
    [Fact]
    public void WhatAStageMayNameIsWhatThereIs() => Assert.Equal(ProjectKeys.Targets, Targets.Names);

    [Fact]
    public void AStageThatNamesNoTargetRunsOnTheFirst()
    {
        var (one, other) = (new MemoryTarget(), new MemoryTarget());
        var targets = new Targets(new Dictionary<string, ITarget> { ["docker"] = one, ["machines"] = other });

        Assert.Same(one, targets.Named(null));
        Assert.Same(other, targets.Named("machines"));
        Assert.Equal([one, other], targets.All);
    }
}
