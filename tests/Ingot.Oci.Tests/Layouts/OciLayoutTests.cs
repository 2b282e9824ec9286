using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layouts;

public sealed class OciLayoutTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly OciLayout _layout;

    public OciLayoutTests() => _layout = new OciLayout(_directory.At("layout"));

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ANameNamesWhatItWasSetTo()
    {
        var (one, two) = (await MakeAsync("1"), await MakeAsync("2"));
        Assert.Null(await _layout.FindAsync("app:1"));
        await _layout.SetAsync("app:1", one);
        await _layout.SetAsync("app:latest", one);
        Assert.Equal(one.Digest, (await _layout.FindAsync("app:latest"))!.Digest);
        await _layout.SetAsync("app:latest", two);
        Assert.Equal(two.Digest, (await _layout.FindAsync("app:latest"))!.Digest);
        Assert.Equal(["app:1", "app:latest"], (await _layout.NamesAsync()).Keys);
        Assert.Equal(2, (await _layout.ReadIndexAsync()).Manifests.Count);
    }

    [Fact]
    public async Task ANameTakenAwayNamesNothing()
    {
        var one = await MakeAsync("1");
        await _layout.SetAsync("app:1", one);
        Assert.True(await _layout.RemoveAsync("app:1"));
        Assert.False(await _layout.RemoveAsync("app:1"));
        Assert.Null(await _layout.FindAsync("app:1"));
        Assert.NotNull(await _layout.Store.SizeAsync(one.Digest));
    }

    [Fact]
    public async Task TheIndexIsWhatOtherProgramsRead()
    {
        var one = await MakeAsync("1");
        await _layout.SetAsync("app:1", one);
        Assert.Equal(
            $$$"""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{{one.Digest}}}","size":{{{one.Size}}},"annotations":{"org.opencontainers.image.ref.name":"app:1"}}]}""",
            await File.ReadAllTextAsync(_directory.At("layout", "index.json")));
    }

    [Fact]
    public async Task WhatIsNotInTheStoreGetsNoName()
    {
        var e =
            await Assert.ThrowsAsync<ContentMismatchException>(() => _layout.SetAsync("app:1", Descriptor.Of(MediaType.Manifest, "x"u8)));
        Assert.EndsWith("cannot be named 'app:1': it is not in the store", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(async () => await _layout.SetAsync("", await MakeAsync("1")));
    }

    [Fact]
    public async Task ManyWritersLoseNoName()
    {
        var one = await MakeAsync("1");
        await Task.WhenAll(
            Enumerable.Range(0, 20).Select(i => Task.Run(() => new OciLayout(_directory.At("layout")).SetAsync($"app:{i}", one))));
        Assert.Equal(20, (await _layout.NamesAsync()).Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"manifests":[null]}""")]
    [InlineData("""{"manifests":[{"mediaType":"x","digest":"sha256:../x","size":1}]}""")]
    public async Task ADamagedIndexIsTold(string text)
    {
        await File.WriteAllTextAsync(_directory.At("layout", "index.json"), text);
        var e = await Assert.ThrowsAsync<ImageException>(() => _layout.NamesAsync());
        Assert.Contains("index.json", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnnamedManifestsOfOtherProgramsStay()
    {
        var (one, two) = (await MakeAsync("1"), await MakeAsync("2"));
        await File.WriteAllBytesAsync(_directory.At("layout", "index.json"), ImageJson.Write(new ImageIndex { Manifests = [two] }));
        await _layout.SetAsync("app:1", one);
        Assert.Equal(new[] { one.Digest, two.Digest }.Order(),
            (await _layout.ReadIndexAsync()).Manifests.Select(manifest => manifest.Digest).Order());
    }

    private async Task<Descriptor> MakeAsync(string content) =>
        (await SampleImage.MakeAsync(_layout.Store, LayerCompression.Gzip, [("a", content)])).Descriptor;
}
