using Ingot.Builds.Cache;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Cache;

public sealed class StepCacheTests : IDisposable
{
    private static readonly StepKey s_key = StepKey.Of([new("run", "make")]);
    private static readonly StepResult s_result = new()
    {
        DiffId = Digest.Of("layer"u8),
        Bytes = 17,
        Rules = ["apt-logs@1"],
        Packages = [new("curl", "amd64", "8.0", Digest.Of("x"u8))],
    };

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-steps-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private StepCache Open() => new(_directory);

    private string RecordFile => Path.Combine(_directory, "steps", s_key.Digest.Hex + ".json");

    [Fact]
    public void AResultIsFoundByAnotherBuilder()
    {
        Open().Add(s_key, "place", s_result);
        var found = Open().Find(s_key)!;
        Assert.Equal((s_result.DiffId, 17, "apt-logs@1", "curl"), (found.DiffId, found.Bytes, found.Rules[0], found.Packages[0].Name));
        Assert.Null(Open().Find(StepKey.Of([new("run", "make all")])));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"key\":[],\"result\":{}}")]
    [InlineData("{\"key\":[\"a\"],\"result\":{}}")]
    [InlineData("{\"key\":[\"a\",\"b\"],\"result\":{\"diff_id\":\"sha256:x\"}}")]
    [InlineData("{\"key\":[\"a\",\"b\"]}")]
    [InlineData("[1,2,3]")]
    public void WhatACrashLeftIsAMiss(string json)
    {
        Open().Add(s_key, "place", s_result);
        File.WriteAllText(RecordFile, json);
        Assert.Null(Open().Find(s_key));
    }

    [Fact]
    public void SelectionsAreRememberedByLayersAndPatterns()
    {
        var cache = Open();
        cache.AddSelection(Digest.Of("chain"u8), ["a", "b"], Digest.Of("selected"u8));
        Assert.Equal(Digest.Of("selected"u8), Open().FindSelection(Digest.Of("chain"u8), ["a", "b"]));
        Assert.Null(cache.FindSelection(Digest.Of("chain"u8), ["a"]));
        Assert.Null(cache.FindSelection(Digest.Of("other"u8), ["a", "b"]));
    }

    [Fact]
    public void NothingTemporaryStays()
    {
        var cache = Open();
        cache.Add(s_key, "place", s_result);
        cache.AddSelection(Digest.Of("chain"u8), ["a"], Digest.Of("selected"u8));
        Assert.Empty(Directory.EnumerateFiles(_directory, "*.tmp", SearchOption.AllDirectories));
    }
}
