using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layouts;

public sealed class LayoutReachTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DirectoryStore _store;

    public LayoutReachTests() => _store = new DirectoryStore(_directory.At("layout"));

    public void Dispose() => _directory.Dispose();

    private Task<Image> ImageAsync(string content) =>
        SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("file", content)], [("other", content)]);

    private static IEnumerable<Digest> PartsOf(Image image) =>
        image.Manifest.Layers.Append(image.Manifest.Config).Select(d => d.Digest).Append(image.Digest);

    [Fact]
    public async Task AnImageReachesItsConfigurationAndLayersAndNothingElse()
    {
        var image = await ImageAsync("one");
        await ImageAsync("two");
        Assert.Equal(PartsOf(image).Order(), (await LayoutReach.OfAsync(_store, [image.Digest])).Order());
    }

    [Fact]
    public async Task WhatSaysSomethingAboutAnImageIsReachedAndWhatSaysSomethingAboutThat()
    {
        var image = await ImageAsync("one");
        var evidence = await SampleImage.ReferrerAsync(_store, image.Descriptor, "application/test", "evidence");
        var signature = await SampleImage.ReferrerAsync(_store, evidence, "application/test", "signature");
        var other = await SampleImage.ReferrerAsync(_store, (await ImageAsync("two")).Descriptor, "application/test", "of another");
        var reached = await LayoutReach.OfAsync(_store, [image.Digest]);
        Assert.Contains(evidence.Digest, reached);
        Assert.Contains(signature.Digest, reached);
        Assert.DoesNotContain(other.Digest, reached);
    }

    [Fact]
    public async Task AnIndexReachesItsImagesAndOneThatIsNotHereIsNoError()
    {
        var image = await ImageAsync("one");
        var missing = new Descriptor { MediaType = MediaType.Manifest, Digest = Digest.Of("missing"u8), Size = 7 };
        var index = await _store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = [image.Descriptor, missing] }));
        Assert.Equal(PartsOf(image).Append(missing.Digest).Append(index.Digest).Order(),
            (await LayoutReach.OfAsync(_store, [index.Digest])).Order());
    }

    [Fact]
    public async Task AManifestAsLargeAsARegistryTakesReachesItsLayers()
    {
        var image = await ImageAsync("one");
        var notes = new SortedDictionary<string, string> { ["large"] = new('x', 7 << 20) };
        var large = await _store.PutAsync(MediaType.Manifest, ImageJson.Write(image.Manifest with { Annotations = notes }));
        Assert.Equal(PartsOf(image).Where(d => d != image.Digest).Append(large.Digest).Order(),
            (await LayoutReach.OfAsync(_store, [large.Digest])).Order());
    }

    [Theory]
    [InlineData("""{"layers":[{"digest":"LAYER"}],"layers":[]}""")]
    [InlineData("""{"Layers":[{"Digest":"LAYER"}],"config":null}""")]
    [InlineData("""{"layers":[{"digest":"LAYER","size":"not a number"}]}""")]
    [InlineData("""{"layers":[{"d\u0069gest":"LAYER"}]}""")]
    [InlineData("""{"manifests":[{"digest":"LAYER"}],"layers":[]}""")]
    [InlineData("""{"fsLayers":[{"blobs":[{"digest":"LAYER"}]}]}""")]
    [InlineData("""{"layers":[{"digest":"LAYER"}], then something else""")]
    public async Task WhateverSomeReaderTakesForAReferenceIsOne(string document)
    {
        var layer = await _store.PutAsync("text/plain", "a layer"u8.ToArray());
        var manifest = await _store.PutAsync(MediaType.Manifest,
            System.Text.Encoding.UTF8.GetBytes(document.Replace("LAYER", layer.Digest.ToString(), StringComparison.Ordinal)));
        Assert.Contains(layer.Digest, await LayoutReach.OfAsync(_store, [manifest.Digest]));
    }

    [Fact]
    public async Task ACircleEndsAndWhatIsNoDocumentIsJustABlob()
    {
        var text = await _store.PutAsync("text/plain", "{ this is no JSON"u8.ToArray());
        var empty = await _store.PutAsync("text/plain", ReadOnlyMemory<byte>.Empty);
        var one = Digest.Of("names itself"u8);
        await File.WriteAllBytesAsync(
            _store.PathOf(one),
            ImageJson.Write(new ImageIndex { Manifests = [new Descriptor { MediaType = MediaType.Index, Digest = one, Size = 1 }] }),
            TestContext.Current.CancellationToken);
        Assert.Equal(new[] { text.Digest, empty.Digest, one }.Order(),
            (await LayoutReach.OfAsync(_store, [text.Digest, empty.Digest, one])).Order());
        Assert.Empty(await LayoutReach.OfAsync(_store, []));
    }
}
