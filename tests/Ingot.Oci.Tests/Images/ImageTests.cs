using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Images;

public sealed class ImageTests
{
    private readonly MemoryStore _store = new();

    [Fact]
    public async Task AnImageIsLoadedByItsDigest()
    {
        var made = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")], [("b", "2")]);
        var image = await Image.LoadAsync(_store, made.Digest);
        Assert.Equal(made.Digest, image.Descriptor.Digest);
        Assert.Equal(await _store.SizeAsync(made.Digest), image.Descriptor.Size);
        Assert.Equal(2, image.Manifest.Layers.Count);
        Assert.Equal("linux", image.Config.Os);
    }

    [Theory]
    [InlineData("linux/amd64", 0)]
    [InlineData("linux/arm64", 1)]
    [InlineData("linux/arm64/v8", 1)]
    [InlineData("linux/arm/v6", 2)]
    [InlineData("linux/arm/v7", 3)]
    public async Task OfAnIndexThePlatformDecides(string platform, int expected)
    {
        var images = new List<Image>();
        foreach (string content in (string[])["amd64", "arm64", "armv6", "armv7"])
            images.Add(await SampleImage.MakeAsync(_store, LayerCompression.None, [("a", content)]));
        var platforms = (Platform[])[Parse("linux/amd64"), Parse("linux/arm64/v8"), Parse("linux/arm/v6"), Parse("linux/arm/v7")];
        var index =
            await PutAsync(new ImageIndex { Manifests = [.. images.Zip(platforms, (image, p) => image.Descriptor with { Platform = p })] });
        Assert.Equal(images[expected].Digest, (await Image.LoadAsync(_store, index.Digest, Parse(platform))).Digest);
        // And of an index in an index.
        var outer = await PutAsync(new ImageIndex { Manifests = [index with { Platform = Parse(platform) }] });
        Assert.Equal(images[expected].Digest, (await Image.LoadAsync(_store, outer.Digest, Parse(platform))).Digest);
    }

    [Fact]
    public async Task AnIndexWithoutThePlatformIsTold()
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.None, [("a", "1")]);
        var index =
            await PutAsync(new ImageIndex { Manifests = [image.Descriptor with { Platform = Parse("linux/amd64") }, image.Descriptor] });
        var e = await Assert.ThrowsAsync<ImageException>(() => Image.LoadAsync(_store, index.Digest, Parse("linux/riscv64")));
        Assert.Equal($"the index '{index.Digest}' has no image for linux/riscv64, only for: linux/amd64", e.Message);
    }

    [Fact]
    public async Task IndexesInIndexesComeToAnEnd()
    {
        var index = await PutAsync(new ImageIndex { Manifests = [] });
        for (int i = 0; i < 5; i++)
            index = await PutAsync(new ImageIndex { Manifests = [index with { Platform = Platform.Host }] });
        var e = await Assert.ThrowsAsync<ImageException>(() => Image.LoadAsync(_store, index.Digest));
        Assert.Contains("an index in an index", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LayersAndDiffIdsMustBeAsMany()
    {
        var made = await SampleImage.MakeAsync(_store, LayerCompression.None, [("a", "1")]);
        var manifest = await _store.PutAsync(MediaType.Manifest,
            ImageJson.Write(made.Manifest with { Layers = [.. made.Manifest.Layers, .. made.Manifest.Layers] }));
        var e = await Assert.ThrowsAsync<ImageException>(() => Image.LoadAsync(_store, manifest.Digest));
        Assert.Equal($"'{manifest.Digest}' has 2 layers, and its configuration lists 1", e.Message);
    }

    [Fact]
    public async Task AnArtifactIsNoImage()
    {
        var artifact = await SampleImage.ReferrerAsync(_store, Descriptor.Of(MediaType.Manifest, "x"u8), "application/sbom", "packages");
        var e = await Assert.ThrowsAsync<ImageException>(() => Image.LoadAsync(_store, artifact.Digest));
        Assert.Contains("not an image but an artifact", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense", "is not JSON")]
    [InlineData("[]", "neither an index nor a manifest")]
    [InlineData("""{"schemaVersion":1,"fsLayers":[]}""", "Docker's old schema 1 is not read")]
    [InlineData("""{"layers":[],"manifests":[]}""", "an index and a manifest at once")]
    [InlineData("""{"config":{},"manifests":[]}""", "an index and a manifest at once")]
    [InlineData("""{"layers":[]}""", "is not an image manifest")]
    [InlineData("""{"manifests":[null]}""", "an item that is null")]
    public async Task WhatIsNeitherIsTold(string document, string message)
    {
        var descriptor = await _store.PutAsync("", Encoding.UTF8.GetBytes(document));
        var e = await Assert.ThrowsAsync<ImageException>(() => Image.LoadAsync(_store, descriptor.Digest));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Contains(descriptor.Digest.ToString(), e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}""")]
    [InlineData(
        """{"mediaType":"application/vnd.oci.image.index.v1+json","config":{"mediaType":"x","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":1},"layers":[]}""")]
    [InlineData("""{"mediaType":"text/plain","manifests":[]}""")]
    public void AMediaTypeThatContradictsTheShapeIsTold(string document) =>
        Assert.Throws<ImageException>(() => Image.MediaTypeOf(Digest.Of([]), Encoding.UTF8.GetBytes(document)));

    [Fact]
    public async Task WhatIsNotInTheStoreIsTold()
    {
        var made = await SampleImage.MakeAsync(_store, LayerCompression.None, [("a", "1")]);
        await Assert.ThrowsAsync<ContentMismatchException>(() => Image.LoadAsync(_store, Digest.Of([])));
        await _store.DeleteAsync(made.Manifest.Config.Digest);
        await Assert.ThrowsAsync<ContentMismatchException>(() => Image.LoadAsync(_store, made.Digest));
    }

    [Fact]
    public async Task AnImageUnpacksToWhatItsContainersSee()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        using var directory = new TemporaryDirectory();
        var made = await SampleImage.MakeAsync(_store, LayerCompression.Zstandard, [("a", "old"), ("gone", "x"), ("d/x", "x")],
            [("a", "new"), (".wh.gone", ""), ("d/.wh..wh..opq", ""), ("d/y", "y")]);
        await ImageRootFileSystem.UnpackAsync(_store, made.Manifest, directory.At("root"));
        Assert.Equal("a f 644 0:0 3 0\nd d 755 0:0 0\nd/y f 644 0:0 1 0", await LinuxTree.ListAsync(directory.At("root")));
    }

    [Fact]
    public async Task ALayerThatIsNotItsDiffIdIsNotUnpackedQuietly()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        using var directory = new TemporaryDirectory();
        var one = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")]);
        var two = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "2")]);
        await Assert.ThrowsAsync<ContentMismatchException>(() =>
            ImageRootFileSystem.UnpackAsync(_store, one.Manifest with { Layers = two.Manifest.Layers }, directory.At("root")));
        await Assert.ThrowsAsync<ImageException>(() =>
            ImageRootFileSystem.UnpackAsync(_store, one.Manifest with { Layers = [] }, directory.At("root")));
    }

    private Task<Descriptor> PutAsync(ImageIndex index) => _store.PutAsync(MediaType.Index, ImageJson.Write(index));

    private static Platform Parse(string text)
    {
        string[] parts = text.Split('/');
        return new Platform { Os = parts[0], Architecture = parts[1], Variant = parts.ElementAtOrDefault(2) };
    }
}
