using Ingot.Diagnostics;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Releases;
using Ingot.Server.Control;
using Ingot.Templates.Project;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Server.Tests.Control;

public sealed class PullCheckTests
{
    private static readonly TargetDescription s_old = new("Docker Engine 20.10.24", ["none", "gzip"], "Docker Engine 23 or later");
    private static readonly TargetDescription s_new = new("Docker Engine 28.2.2", ["none", "gzip", "zstd"], "Docker Engine 23 or later");

    private readonly MemoryStore _store = new();

    [Fact]
    public async Task ZstdIsRefusedWhereItCannotBePulledWithImageStageEngineAndCure() => Assert.Equal(
        "Docker Engine 20.10.24, where stage 'production' runs image 'web', cannot pull its layers, which are compressed with zstd: "
        + "write 'compression: gzip' at images/web in ingot.yaml and build a new version, or use Docker Engine 23 or later",
        await ObjectionAsync("", s_old, await ImageAsync(LayerCompression.Zstandard)));

    [Theory]
    [InlineData("gzip")]
    [InlineData("none")]
    [InlineData("zstd")]
    public async Task WhatTheTargetPullsIsNotRefused(string compression) =>
        Assert.Null(await ObjectionAsync("", s_new, await ImageAsync(LayerCompression.Find(compression)!)));

    [Theory]
    [InlineData("gzip")]
    [InlineData("none")]
    public async Task WhatEveryTargetPullsIsNotRefusedWhereTheTargetDoesNotAnswer(string compression) =>
        Assert.Null(await ObjectionAsync("", description: null, await ImageAsync(LayerCompression.Find(compression)!)));

    [Theory]
    [InlineData("127.0.0.0/8", false)]
    [InlineData("127.0.0.1:7070", false)]
    [InlineData("10.0.0.0/8", true)]
    [InlineData("127.0.0.1:5000", true)]
    [InlineData(null, true)]
    public async Task ATargetThatWouldSpeakHttpsToTheRegistryIsRefusedWithTheCure(string? plain, bool isRefused)
    {
        var target = new TargetDescription("Docker Engine 29.10.0", ["none", "gzip", "zstd"], "Docker Engine 23 or later")
        {
            PlainRegistries = new PlainRegistries(plain is null ? [] : [plain], "name it"),
        };

        string? objection = await ObjectionAsync("", target, await ImageAsync(LayerCompression.Gzip));

        Assert.Equal(
            isRefused ? "Docker Engine 29.10.0, where stage 'production' runs image 'web', speaks https to the registry at 127.0.0.1:7070, "
                + "which speaks http: name it" : null, objection);
    }

    [Fact]
    public async Task OneLayerIsEnough()
    {
        var (gzip, zstd) = (await ImageAsync(LayerCompression.Gzip), await ImageAsync(LayerCompression.Zstandard));
        var mixed = await _store.PutAsync(MediaType.Manifest,
            ImageJson.Write(gzip.Manifest with { Layers = [gzip.Manifest.Layers[0], zstd.Manifest.Layers[1]] }));
        Assert.NotNull(await ObjectionAsync("", s_old, await Image.LoadAsync(_store, mixed.Digest)));
    }

    [Theory]
    [InlineData("compression: gzip", "build it again; if they are its base image's, push that with 'ingot push --compression gzip'")]
    [InlineData("compression: none", "build it again; if they are its base image's, push that with 'ingot push --compression gzip'")]
    [InlineData("compression: zstd", "write 'compression: gzip' at images/web in ingot.yaml and build a new version")]
    public async Task TheCureIsNotWhatIsWrittenAlready(string said, string cure) =>
        Assert.Contains(cure, await ObjectionAsync(", " + said, s_old, await ImageAsync(LayerCompression.Zstandard)),
            StringComparison.Ordinal);

    [Fact]
    public async Task DockersMediaTypesAreKnown()
    {
        var image = await ImageAsync(LayerCompression.Gzip);
        var docker = await _store.PutAsync(MediaType.DockerManifest, ImageJson.Write(image.Manifest with
        {
            MediaType = MediaType.DockerManifest,
            Layers = [.. image.Manifest.Layers.Select(l => l with { MediaType = MediaType.DockerLayerGzip })],
        }));
        Assert.Null(await ObjectionAsync("", description: null, await Image.LoadAsync(_store, docker.Digest)));
    }

    [Fact]
    public async Task ALayerOfAnotherKindIsForTheEngineToJudge()
    {
        var image = await ImageAsync(LayerCompression.Gzip);
        var foreign = image.Manifest.Layers[0] with { MediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" };
        var mixed = await _store.PutAsync(MediaType.Manifest,
            ImageJson.Write(image.Manifest with { Layers = [foreign, image.Manifest.Layers[1]] }));
        Assert.Null(await ObjectionAsync("", description: null, await Image.LoadAsync(_store, mixed.Digest)));
    }

    [Fact]
    public async Task ATargetThatDoesNotAnswerIsAnError() =>
        await Assert.ThrowsAsync<ToolException>(async () =>
            await ObjectionAsync("", description: null, await ImageAsync(LayerCompression.Zstandard)));

    [Fact]
    public async Task AnImageThatIsNotThereIsAnError()
    {
        var image = await ImageAsync(LayerCompression.Zstandard);
        await Assert.ThrowsAsync<ContentMismatchException>(async () =>
            await ObjectionAsync("", s_old, image with { Digest = Digest.Of([1]) }));
    }

    private Task<Image> ImageAsync(LayerCompression compression) => SampleImage.MakeAsync(_store, compression, [("a", "1")], [("b", "2")]);

    private Task<string?> ObjectionAsync(string said, TargetDescription? description, Image image)
    {
        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(
            new SourceText("ingot.yaml",
                $"ingot: 1\nproject: shop\nimages:\n  web: {{ dockerfile: D{said} }}\nstages:\n  production: {{ target: docker }}\n"),
            diagnostics);
        diagnostics.ThrowIfErrors();
        return new PullCheck(_store, ControlFixture.Named(new DescribedTarget(description)), "127.0.0.1:7070").ObjectionAsync(project!,
            project!.Stages[0], project.Images[0], image.Digest, default);
    }

    /// <summary>Says what it was told to say; without that it does not answer.</summary>
    private sealed class DescribedTarget(TargetDescription? description) : ITarget
    {
        public Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default) =>
            Task.FromResult(description ?? throw new ToolException("dockerd", "the Docker Engine did not answer"));

        public Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException();

        public Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(
            ServiceSetup setup, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException();

        public SyntheticObservation? ObserveSynthetic(ServiceKey key) => throw new InvalidOperationException();

        public Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException();

        public Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException();

        public IAsyncEnumerable<LogLine> ReadLogAsync(string id, LogQuery query, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException();

        public Task<IReadOnlyList<ServiceKey>> FindServicesAsync(CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException();

        public IReadOnlyList<string> Strangers(ServiceKey key) => throw new InvalidOperationException();
    }
}
