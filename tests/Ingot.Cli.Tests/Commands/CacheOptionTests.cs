namespace Ingot.Cli.Tests.Commands;

public sealed class CacheOptionTests
{
    [Theory]
    [InlineData("say what to prune", "prune")]
    [InlineData("'much' is not a size", "prune", "--cache", "--keep-storage", "much")]
    [InlineData("'soon' is not a duration", "prune", "--cache", "--older-than", "soon")]
    [InlineData("'--keep-storage' bounds the cache", "prune", "--registry", "--keep-storage", "1G")]
    [InlineData("leave one out", "prune", "--registry", "--all", "--older-than", "1d")]
    [InlineData("leave one out", "prune", "--cache", "--all", "--older-than", "1d")]
    [InlineData("is not a place for a cache", "build", "--cache-to", "Not A Reference")]
    [InlineData("is not a place for a cache", "build", "--cache-from", "dir:")]
    [InlineData("is not a place for a cache", "build", "--cache-from",
        "registry.example/app@sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("'mode=mox' in", "build", "--cache-to", "registry.example/app:cache,mode=mox")]
    [InlineData("'' in", "build", "--cache-to", "dir:x,")]
    public async Task WhatCannotBeMeantIsSaid(string said, params string[] arguments)
    {
        var run = await ProgramRun.Of(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(said, run.Error, StringComparison.Ordinal);
    }
}
