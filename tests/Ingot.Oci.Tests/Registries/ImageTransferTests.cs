using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Registries;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Registries;

public sealed class ImageTransferTests : IAsyncDisposable
{
    private const string Repository = "team/app";

    private readonly TestRegistry _registry = new();
    private readonly MemoryStore _store = new();
    private readonly RegistryClient _client;

    public ImageTransferTests() => _client = _registry.Client();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Fact]
    public async Task AnImageGoesUpAndComesDownWhole()
    {
        var image = await MakeAsync("a", "b", "c");
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0");
        var copy = new MemoryStore();
        var pulled = await ImageTransfer.PullAsync(_client, Repository, "1.0", copy);
        Assert.Equal(image.Descriptor, pulled);
        Assert.Equal(await _store.ListAsync().Order().ToListAsync(), await copy.ListAsync().Order().ToListAsync());
        Assert.Equal(image.Config.RootFs.DiffIds, (await Image.LoadAsync(copy, pulled.Digest)).Config.RootFs.DiffIds);
    }

    [Fact]
    public async Task TheManifestComesLastAndUploadsRunFourAtATime()
    {
        var image = await MakeAsync([.. Enumerable.Range(0, 12).Select(i => new string((char)('a' + i), 100_000))]);
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0");
        string[] puts = [.. _registry.Requests.Where(request => request.StartsWith("PUT", StringComparison.Ordinal))];
        Assert.Equal(14, puts.Length);
        Assert.Equal($"PUT /v2/{Repository}/manifests/1.0", puts[^1]);
        Assert.InRange(_registry.MostUploads, 1, 4);
    }

    [Fact]
    public async Task WhatIsThereIsNotSentAgain()
    {
        var first = await MakeAsync("shared", "first");
        await ImageTransfer.PushAsync(_store, _client, Repository, first.Digest, "1.0");
        _registry.Requests.Clear();
        await ImageTransfer.PushAsync(_store, _client, Repository, first.Digest, "1.0");
        Assert.Equal([$"HEAD /v2/{Repository}/manifests/{first.Digest}", $"HEAD /v2/{Repository}/manifests/1.0"], _registry.Requests);

        _registry.Requests.Clear();
        await ImageTransfer.PushAsync(_store, _client, Repository, first.Digest, "2.0");
        Assert.Equal([$"PUT /v2/{Repository}/manifests/2.0"],
            _registry.Requests.Where(request => request.StartsWith("PUT", StringComparison.Ordinal)));

        var second = await MakeAsync("shared", "second");
        _registry.Requests.Clear();
        var moved = new List<TransferProgress>();
        await ImageTransfer.PushAsync(_store, _client, Repository, second.Digest, "1.0", progress: new Collected(moved));
        Assert.Equal(3, _registry.Requests.Count(request => request.StartsWith("PUT", StringComparison.Ordinal)));
        Assert.Equal([second.Manifest.Layers[0].Digest], moved.Where(item => !item.Moved).Select(item => item.Content.Digest));
        Assert.Equal(4, moved.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhatIsSaidAboutAnImageGoesWithIt(bool hasReferrers)
    {
        _registry.HasReferrers = hasReferrers;
        var image = await MakeAsync("a");
        var sbom = await SampleImage.ReferrerAsync(_store, image.Descriptor, "application/sbom", "packages");
        var signature = await SampleImage.ReferrerAsync(_store, sbom, "application/signature", "signed");
        await SampleImage.ReferrerAsync(_store, Descriptor.Of(MediaType.Manifest, "other"u8), "application/sbom", "of another image");
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0", referrers: true);

        var copy = new MemoryStore();
        await ImageTransfer.PullAsync(_client, Repository, "1.0", copy, referrers: true);
        var about = await Referrers.ListAsync(copy, image.Digest).ToListAsync();
        Assert.Equal([sbom.Digest], about.Select(referrer => referrer.Digest));
        Assert.Equal("application/sbom", about[0].ArtifactType);
        Assert.Equal([signature.Digest], await Referrers.ListAsync(copy, sbom.Digest).Select(referrer => referrer.Digest).ToListAsync());
    }

    [Fact]
    public async Task WhatIsSaidLaterIsPushedLater()
    {
        var image = await MakeAsync("a");
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0", referrers: true);
        var sbom = await SampleImage.ReferrerAsync(_store, image.Descriptor, "application/sbom", "packages");
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0", referrers: true);
        Assert.Equal([sbom.Digest],
            await _client.ListReferrersAsync(Repository, image.Digest).Select(referrer => referrer.Digest).ToListAsync());
    }

    [Fact]
    public async Task OfAnIndexOnlyTheWantedImageIsPulled()
    {
        var (amd, arm) = (await MakeAsync("amd"), await MakeAsync("arm"));
        var index = await IndexAsync((amd, "amd64", null), (arm, "arm64", "v8"));
        await ImageTransfer.PushAsync(_store, _client, Repository, index.Digest, "1.0");

        var copy = new MemoryStore();
        await ImageTransfer.PullAsync(_client, Repository, "1.0", copy, new Platform { Os = "linux", Architecture = "arm64" });
        Assert.Null(await copy.SizeAsync(amd.Digest));
        Assert.NotNull(await copy.SizeAsync(arm.Digest));
        Assert.Equal(arm.Digest, (await Image.LoadAsync(copy, index.Digest, new Platform { Os = "linux", Architecture = "arm64" })).Digest);

        var all = new MemoryStore();
        await ImageTransfer.PullAsync(_client, Repository, "1.0", all);
        Assert.NotNull(await all.SizeAsync(amd.Digest));

        var e = await Assert.ThrowsAsync<ImageException>(() =>
            ImageTransfer.PullAsync(_client, Repository, "1.0", copy, new Platform { Os = "linux", Architecture = "s390x" }));
        Assert.Equal($"'1.0' of '{Repository}' has no image for linux/s390x, only for: linux/amd64, linux/arm64/v8", e.Message);
    }

    [Fact]
    public async Task AnIndexHeldInPartIsPushedWhenTheRegistryHasTheRest()
    {
        var (amd, arm) = (await MakeAsync("amd"), await MakeAsync("arm"));
        var index = await IndexAsync((amd, "amd64", null), (arm, "arm64", null));
        await ImageTransfer.PushAsync(_store, _client, Repository, arm.Digest);
        await _store.DeleteAsync(arm.Digest);
        await ImageTransfer.PushAsync(_store, _client, Repository, index.Digest, "1.0");
        Assert.NotNull(_registry.Manifest(Repository, "1.0"));
        await Assert.ThrowsAsync<ContentMismatchException>(() =>
            ImageTransfer.PushAsync(_store, _client, "elsewhere", index.Digest, "1.0"));
    }

    [Fact]
    public async Task WhatIsNotThereIsTold()
    {
        var e = await Assert.ThrowsAsync<RegistryException>(() => ImageTransfer.PullAsync(_client, Repository, "1.0", _store));
        Assert.Equal((404, "MANIFEST_UNKNOWN"), (e.Status, e.Code));
        Assert.Equal($"could not pull '1.0' of '{Repository}': the registry has no such manifest", e.Message);

        var image = await MakeAsync("a");
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0");
        await _client.DeleteBlobAsync(Repository, image.Manifest.Layers[0].Digest);
        var copy = new MemoryStore();
        e = await Assert.ThrowsAsync<RegistryException>(() => ImageTransfer.PullAsync(_client, Repository, "1.0", copy));
        Assert.Equal("BLOB_UNKNOWN", e.Code);
        // A manifest in the store means that its parts are there.
        Assert.Null(await copy.SizeAsync(image.Digest));
    }

    [Fact]
    public async Task ALayerThatArrivesDamagedIsNotKept()
    {
        var image = await MakeAsync("a");
        await ImageTransfer.PushAsync(_store, _client, Repository, image.Digest, "1.0");
        var layer = image.Manifest.Layers[0];
        _registry.Lie = (path, bytes) =>
            path.EndsWith(layer.Digest.ToString(), StringComparison.Ordinal) && bytes.Length > 0 ? [.. bytes[..^1], 99] : bytes;
        var copy = new MemoryStore();
        await Assert.ThrowsAsync<ContentMismatchException>(() => ImageTransfer.PullAsync(_client, Repository, "1.0", copy));
        Assert.Null(await copy.SizeAsync(layer.Digest));
        Assert.Null(await copy.SizeAsync(image.Digest));
    }

    [Fact]
    public async Task AChainOfManifestsThatDoesNotEndIsCutOff()
    {
        var subject = (await MakeAsync("a")).Descriptor;
        var first = subject;
        for (int i = 0; i < 12; i++)
            subject = await SampleImage.ReferrerAsync(_store, subject, "application/note", $"{i}");
        await Assert.ThrowsAsync<ImageException>(() => ImageTransfer.PushAsync(_store, _client, Repository, first.Digest, referrers: true));
    }

    private Task<Image> MakeAsync(params string[] layers) =>
        SampleImage.MakeAsync(_store, LayerCompression.Gzip, [.. layers.Select((content, i) => new[] { ($"file{i}", content) })]);

    private Task<Descriptor> IndexAsync(params (Image Image, string Architecture, string? Variant)[] images) =>
        _store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex
        {
            Manifests = [.. images.Select(item => item.Image.Descriptor with
            {
                Platform = new Platform { Os = "linux", Architecture = item.Architecture, Variant = item.Variant },
            })],
        }));

    // Progress<T> reports on other threads, after the fact.
    private sealed class Collected(List<TransferProgress> items) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value)
        {
            lock (items)
                items.Add(value);
        }
    }
}
