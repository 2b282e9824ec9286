using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Images;
using Ingot.Testing;

namespace Ingot.Tests.Projects.Images;

// Where Docker's configuration lies is a variable of the process.
[Collection("docker configuration")]
public sealed class BaseImagesTests : IAsyncDisposable
{
    private const string Repository = "team/base";

    private readonly TemporaryDirectory _directory = new();
    private readonly TestRegistry _registry = new();
    private readonly MemoryStore _source = new();
    private readonly OciLayout _layout;
    private readonly SampleHost _sample;

    public BaseImagesTests()
    {
        Environment.SetEnvironmentVariable("DOCKER_CONFIG", _directory.At("nowhere"));
        _layout = new OciLayout(_directory.At("store"));
        _sample = new SampleHost(_directory.At("home"));
        _directory.Make("project");
    }

    private string Name => $"{_registry.Name}/{Repository}:1";

    public async ValueTask DisposeAsync()
    {
        await _registry.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task ATagIsLockedTheFirstTimeAndThenDoesNotMove()
    {
        var first = await PushAsync("first");
        Assert.Equal(first, await BuildAsync());
        Assert.Contains($"lock     {Name} is {first}", _sample.Said.Lines);
        var second = await PushAsync("second");
        _registry.Requests.Clear();
        Assert.Equal(first, await BuildAsync());
        Assert.Equal(first, await BuildAsync(new BaseImageOptions(Locked: true)));
        Assert.Empty(_registry.Requests);

        Assert.Equal(second, await BuildAsync(new BaseImageOptions(Update: "")));
        Assert.Contains($"lock     {Name} moved from {first} to {second}", _sample.Said.Lines);
        Assert.Equal(second, await BuildAsync());
    }

    [Fact]
    public async Task ALockedImageIsPulledByItsDigestWhereItIsMissing()
    {
        var first = await PushAsync("first");
        await BuildAsync();
        await PushAsync("second");
        var elsewhere = new OciLayout(_directory.At("other"));
        using var bases = Bases(new BaseImageOptions(), elsewhere);
        Assert.Equal(first, (await bases.FindAsync(Name, Platform.Host, default))!.Manifest);
        Assert.Equal([$"{_registry.Name}/{Repository}@{first}"], (await elsewhere.NamesAsync()).Keys);
    }

    [Fact]
    public async Task OneNameIsUpdatedAndTheOthersStay()
    {
        var first = await PushAsync("first");
        await BuildAsync();
        await PushAsync("second");
        var e = await Assert.ThrowsAsync<InvalidInputException>(() => BuildAsync(new BaseImageOptions(Update: "other:1")));
        Assert.Contains("no image of this build comes from 'other:1'", e.Message, StringComparison.Ordinal);
        Assert.Equal(first, await BuildAsync());
        Assert.NotEqual(first, await BuildAsync(new BaseImageOptions(Update: Name)));
    }

    [Fact]
    public async Task WhenLockedNothingIsAdded()
    {
        await PushAsync("first");
        _registry.Requests.Clear();
        var e = await Assert.ThrowsAsync<ImageLookupException>(() => BuildAsync(new BaseImageOptions(Locked: true)));
        Assert.Equal("image-not-locked", e.Code);
        Assert.False(File.Exists(_directory.At("project", ImageLock.FileName)));
        Assert.Empty(_registry.Requests);
    }

    [Fact]
    public async Task ADigestIsVerifiedAndNotLocked()
    {
        var digest = await PushAsync("first");
        Assert.Equal(digest, await BuildAsync(name: $"{_registry.Name}/{Repository}@{digest}"));
        Assert.False(File.Exists(_directory.At("project", ImageLock.FileName)));
        _registry.Lie = (_, bytes) => bytes.Length == 0 ? bytes : [.. bytes[..^1], 0];
        var other = await PushAsync("second");
        await Assert.ThrowsAsync<ContentMismatchException>(() => BuildAsync(name: $"{_registry.Name}/{Repository}@{other}"));
    }

    [Fact]
    public async Task ANameOfTheLocalStoreIsNotLockedAndAsksNobody()
    {
        var image = await SampleImage.MakeAsync(_layout.Store, LayerCompression.Gzip, [("a", "local")]);
        await _layout.SetAsync("tools:latest", image.Descriptor);
        Assert.Equal(image.Digest, await BuildAsync(name: "tools"));
        Assert.False(File.Exists(_directory.At("project", ImageLock.FileName)));
    }

    [Fact]
    public async Task ALockWinsOverWhatSomebodyPulled()
    {
        var first = await PushAsync("first");
        await BuildAsync();
        var other = await SampleImage.MakeAsync(_layout.Store, LayerCompression.Gzip, [("a", "pulled")]);
        await _layout.SetAsync(Name, other.Descriptor);
        Assert.Equal(first, await BuildAsync());
    }

    [Fact]
    public async Task ParallelLookUpsPullOnce()
    {
        await PushAsync("first");
        _registry.Requests.Clear();
        using var one = Bases(new BaseImageOptions());
        using var two = Bases(new BaseImageOptions());
        var found = await Task.WhenAll(
            Enumerable.Range(0, 12).Select(i => (i % 2 == 0 ? one : two).FindAsync(Name, Platform.Host, default)));
        Assert.Single(found.Select(f => f!.Manifest).Distinct());
        Assert.Equal(2, _registry.Requests
            .Count(r => r.StartsWith("GET", StringComparison.Ordinal) && r.Contains("/blobs/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task WhatNobodyKnowsIsNull()
    {
        Assert.Null(await BuildAsync(name: $"{_registry.Name}/{Repository}:nothing"));
        Assert.Null(await BuildAsync(name: "Not A Name"));
        Assert.False(File.Exists(_directory.At("project", ImageLock.FileName)));
    }

    [Fact]
    public async Task AMissingPlatformListsThoseThereAre()
    {
        var image = await SampleImage.MakeAsync(_source, LayerCompression.Gzip, [("a", "1")]);
        var platform = new Platform { Os = "linux", Architecture = "s390x" };
        var index = await IndexAsync(image.Descriptor with { Platform = platform });
        await ImageTransfer.PushAsync(_source, _registry.Client(), Repository, index.Digest, "1");
        var e = await Assert.ThrowsAsync<ImageLookupException>(() => BuildAsync());
        Assert.Contains("only for: linux/s390x", e.Message, StringComparison.Ordinal);
        Assert.Equal(image.Digest, await BuildAsync(platform: platform));
    }

    [Fact]
    public async Task OfAnIndexASecondPlatformIsPulledWhenItIsAskedFor()
    {
        var (one, two) = (await SampleImage.MakeAsync(_source, LayerCompression.Gzip, [("a", "1")]),
            await SampleImage.MakeAsync(_source, LayerCompression.Gzip, [("a", "2")]));
        var (arm6, arm64) = (new Platform { Os = "linux", Architecture = "arm", Variant = "v6" },
            new Platform { Os = "linux", Architecture = "arm64" });
        var index = await IndexAsync(one.Descriptor with { Platform = arm6 }, two.Descriptor with { Platform = arm64 });
        await ImageTransfer.PushAsync(_source, _registry.Client(), Repository, index.Digest, "1");
        Assert.Equal(one.Digest, await BuildAsync(platform: Platform.TryParse("linux/arm/v7")));
        Assert.Equal(two.Digest, await BuildAsync(platform: arm64));
        Assert.Contains($": {index.Digest}", await File.ReadAllTextAsync(_directory.At("project", ImageLock.FileName)),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Schema1IsRefusedAtTheName()
    {
        const string Schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        _registry.AddManifest(Repository, "1", Schema1, """{"schemaVersion":1,"fsLayers":[]}"""u8.ToArray());
        var e = await Assert.ThrowsAsync<ImageLookupException>(() => BuildAsync());
        Assert.Contains("schema 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LayoutsAndArchivesAreTakenFromTheProjectsDirectory()
    {
        var image = await SampleImage.MakeAsync(_source, LayerCompression.Gzip, [("a", "1")]);
        await ImageArchive.WriteLayoutAsync(_source, image.Descriptor, "1.0", new OciLayout(_directory.At("project", "layout")));
        await using (var file = File.Create(_directory.At("project", "a:b.tar")))
            await ImageArchive.WriteDockerAsync(_source, image, "x/y:1", file);
        Assert.Equal(image.Digest, await BuildAsync(name: "oci-layout://layout"));
        Assert.Equal(image.Digest, await BuildAsync(name: "oci-layout://layout:1.0"));
        Assert.NotNull(await BuildAsync(name: "docker-archive:a:b.tar:x/y:1"));
        Assert.NotNull(await BuildAsync(name: "docker-archive:a:b.tar"));
        Assert.False(File.Exists(_directory.At("project", ImageLock.FileName)));
        foreach (var (name, problem) in new[] { ("oci-layout://nowhere", "there is no"), ("oci-layout://layout:2.0", "no image '2.0'"),
            ("docker-archive:layout/index.json", "") })
        {
            var e = await Assert.ThrowsAnyAsync<IngotException>(() => BuildAsync(name: name));
            Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ABareWordThatNoRegistryKnowsIsMostLikelyAStage()
    {
        using var bases = Bases(new BaseImageOptions(Locked: true));
        var e = await Assert.ThrowsAsync<ImageLookupException>(() => bases.FindAsync("buidler", Platform.Host, default));
        Assert.Equal("image-not-locked", e.Code);
    }

    private async Task<Descriptor> IndexAsync(params IReadOnlyList<Descriptor> manifests) =>
        await _source.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = manifests }));

    private async Task<Digest> PushAsync(string content)
    {
        var image = await SampleImage.MakeAsync(_source, LayerCompression.Gzip, [("a", content)]);
        var lie = _registry.Lie;
        _registry.Lie = (_, bytes) => bytes;
        await ImageTransfer.PushAsync(_source, _registry.Client(), Repository, image.Digest, "1");
        _registry.Lie = lie;
        return image.Digest;
    }

    private async Task<Digest?> BuildAsync(BaseImageOptions? options = null, string? name = null, Platform? platform = null)
    {
        using var bases = Bases(options ?? new BaseImageOptions());
        var found = await bases.FindAsync(name ?? Name, platform ?? Platform.Host, default);
        await bases.SaveAsync(isUpdated: false, default);
        return found?.Manifest;
    }

    private BaseImages Bases(BaseImageOptions options, OciLayout? layout = null)
    {
        string project = _directory.At("project");
        return new BaseImages(_sample.Host, layout ?? _layout, project, ImageLock.Load(project), options);
    }
}
