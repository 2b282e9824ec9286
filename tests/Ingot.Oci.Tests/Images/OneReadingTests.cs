using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Oci.Tests.Layouts;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Images;

/// <summary>Documents that readers would read differently are refused at every door.</summary>
public sealed class OneReadingTests : IAsyncDisposable
{
    private const string Repository = "team/app";

    private readonly TemporaryDirectory _directory = new();
    private readonly MemoryStore _store = new();
    private readonly TestRegistry _registry = new();

    public static TheoryData<string> Documents => [.. HostileDocument.Names];

    public async ValueTask DisposeAsync()
    {
        _directory.Dispose();
        await _registry.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task AsABaseOrUnderAScan(string name)
    {
        var hostile = await HostileDocument.MakeAsync(name, _store);
        await RefusedAsync(hostile, () => Image.LoadAsync(_store, hostile.Digest));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task FromALayout(string name)
    {
        var hostile = await LayoutAsync(name);
        var target = new MemoryStore();
        await RefusedAsync(hostile, () => ImportAsync("layout", target));
        Assert.Empty(await target.ListAsync().ToListAsync());
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task FromAnArchiveOfALayout(string name)
    {
        var hostile = await LayoutAsync(name);
        var archive = new ArchiveFile();
        foreach (string file in Directory.GetFiles(_directory.At("layout"), "*", SearchOption.AllDirectories)
            .Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)))
            archive.Add(Path.GetRelativePath(_directory.At("layout"), file), await File.ReadAllBytesAsync(file));
        await archive.WriteAsync(_directory.At("x.tar"));
        var target = new MemoryStore();
        await RefusedAsync(hostile, () => ImportAsync("x.tar", target));
        Assert.Empty(await target.ListAsync().ToListAsync());
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task FromADockerArchive(string name)
    {
        var hostile = await HostileDocument.MakeAsync(name, _store);
        if (hostile.Kind != "config")
            return;

        var manifest = ImageJson.ReadManifest(hostile.Image);
        await new ArchiveFile()
            .Add("manifest.json", """[{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}]""")
            .Add("config.json", (await _store.ReadAsync(manifest.Config.Digest))!)
            .Add("layer.tar", (await _store.ReadAsync(manifest.Layers[0].Digest))!)
            .WriteAsync(_directory.At("x.tar"));
        var target = new MemoryStore();
        await RefusedAsync(hostile, () => ImportAsync("x.tar", target));
        Assert.Empty(await target.ListAsync().ToListAsync());
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task FromARegistryAndToOne(string name)
    {
        var hostile = await HostileDocument.MakeAsync(name, _store);
        await foreach (var digest in _store.ListAsync())
        {
            byte[] bytes = (await _store.ReadAsync(digest))!;
            _registry.AddBlob(Repository, bytes);
            _registry.AddManifest(Repository, "other", MediaType.Manifest, bytes);
        }

        _registry.AddManifest(Repository, "1.0", hostile.MediaType, hostile.Image);
        var target = new MemoryStore();
        await RefusedAsync(hostile, () => ImageTransfer.PullAsync(_registry.Client(), Repository, "1.0", target));
        Assert.Null(await target.SizeAsync(hostile.Digest));

        await using var other = new TestRegistry();
        await RefusedAsync(hostile,
            () => ImageTransfer.CopyAsync(_registry.Client(), Repository, "1.0", other.Client(), Repository, "1.0", new TransferOptions()));
        await RefusedAsync(hostile, () => ImageTransfer.PushAsync(_store, other.Client(), Repository, hostile.Digest, "1.0"));
        Assert.Null(other.Manifest(Repository, "1.0"));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task ToALayoutOrAnArchive(string name)
    {
        var hostile = await HostileDocument.MakeAsync(name, _store);
        var descriptor = Descriptor.Of(hostile.MediaType, hostile.Image);
        await RefusedAsync(hostile, () => ImageArchive.WriteOciAsync(_store, descriptor, "x", new MemoryStream()));
        await RefusedAsync(hostile, () => ImageArchive.WriteLayoutAsync(_store, descriptor, "x", new OciLayout(_directory.At("out"))));
    }

    [Theory]
    [InlineData("""[{"Config":"config.json","Layers":["l"],"layers":["m"]}]""")]
    [InlineData("""[{"Config":"config.json","Config":"other.json","Layers":["l"]}]""")]
    [InlineData("""[{"config":"config.json","Layers":["l"]}]""")]
    [InlineData("\uFEFF[]")]
    [InlineData("""[{"Config":"config.json","Layers":["l"],"RepoTags":["\udc00"]}]""")]
    public async Task AListOfDockersIsReadOneWay(string manifest)
    {
        await new ArchiveFile().Add("manifest.json", manifest).Add("config.json", "{}").Add("l", "").WriteAsync(_directory.At("x.tar"));
        var e = await Assert.ThrowsAsync<ImageException>(() => ImportAsync("x.tar", _store));
        Assert.Contains("not understood", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnImageIsNotHandedOutAsWhatItDoesNotSay()
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")]);
        await foreach (var digest in _store.ListAsync())
            _registry.AddBlob(Repository, (await _store.ReadAsync(digest))!);
        _registry.AddManifest(Repository, "1.0", MediaType.DockerManifest, (await _store.ReadAsync(image.Digest))!);
        var e = await Assert.ThrowsAsync<ImageException>(() =>
            ImageTransfer.PullAsync(_registry.Client(), Repository, "1.0", new MemoryStore()));
        Assert.Contains("tools would disagree", e.Message, StringComparison.Ordinal);
    }

    private static async Task RefusedAsync(HostileDocument hostile, Func<Task> act)
    {
        var e = await Assert.ThrowsAnyAsync<IngotException>(act);
        Assert.True(e is ImageException or RegistryException or ContentMismatchException, e.ToString());
        Assert.Contains(hostile.Expected, e.Message, StringComparison.Ordinal);
    }

    private async Task<HostileDocument> LayoutAsync(string name)
    {
        var layout = new OciLayout(_directory.At("layout"));
        var hostile = await HostileDocument.MakeAsync(name, layout.Store);
        await layout.SetAsync("app", Descriptor.Of(hostile.MediaType, hostile.Image));
        return hostile;
    }

    private async Task ImportAsync(string name, IContentStore target)
    {
        await using var source = await ImageSource.OpenAsync(_directory.At(name), _directory.At("temporary"));
        await source.ImportAsync(target);
    }
}
