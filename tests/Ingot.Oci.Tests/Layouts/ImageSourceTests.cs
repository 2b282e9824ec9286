using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Tar;
using Ingot.Oci.Tests.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layouts;

public sealed class ImageSourceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly MemoryStore _store = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task WhatIsExportedForDockerIsImportedAgain()
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Zstandard, [("a", "1")], [("b", "2")], [("a", "1")]);
        await WriteAsync("image.tar", output => ImageArchive.WriteDockerAsync(_store, image, "shop/web:1.0", output));
        var copy = new MemoryStore();
        var imported = await ImportAsync("image.tar", copy);
        Assert.Equal("shop/web:1.0", imported.Name);
        var read = await Image.LoadAsync(copy, imported.Digest);
        Assert.Equal(image.Manifest.Config.Digest, read.Manifest.Config.Digest);
        Assert.All(read.Manifest.Layers, layer => Assert.Equal(MediaType.LayerGzip, layer.MediaType));
        await MergedTree.ReadAsync(copy, read);
    }

    [Fact]
    public async Task WhatIsExportedAsAnOciArchiveIsImportedAsItWas()
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")], [("b", "2")]);
        await WriteAsync("image.tar", output => ImageArchive.WriteOciAsync(_store, image.Descriptor, "web:1.0", output));
        var copy = new MemoryStore();
        var imported = await ImportAsync("image.tar", copy);
        Assert.Equal((image.Digest, "web:1.0"), (imported.Digest, imported.Name));
        Assert.Equal(image.Digest, (await ImportAsync("image.tar", copy, "web:1.0")).Digest);

        var layout = new OciLayout(_directory.At("layout"));
        await ImageArchive.WriteLayoutAsync(_store, image.Descriptor, "web:1.0", layout);
        Assert.Equal(image.Digest, (await ImportAsync("layout", new MemoryStore())).Digest);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task ACompressedArchiveIsReadAndLeavesNoFile(string compression)
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")]);
        await WriteAsync("image.tar", async output =>
        {
            await using var packed = LayerCompression.Find(compression)!.Compress(output);
            await ImageArchive.WriteDockerAsync(_store, image, repoTag: null, packed);
        });
        Assert.Null((await ImportAsync("image.tar", new MemoryStore())).Name);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.At("temporary")));
    }

    [Fact]
    public async Task ExportsAreTheSameBytesEachTime()
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1"), ("d/e", "2")], [("b", "2")]);
        foreach (var write in (Func<Stream, Task>[])
            [
                output => ImageArchive.WriteDockerAsync(_store, image, "a:1", output),
                output => ImageArchive.WriteOciAsync(_store, image.Descriptor, "a:1", output),
                output => FileSystemArchive.WriteAsync(_store, image, output),
            ])
        {
            var (one, two) = (new MemoryStream(), new MemoryStream());
            await write(one);
            await write(two);
            Assert.Equal(one.ToArray(), two.ToArray());
        }
    }

    [Fact]
    public async Task WhatDockerWroteBefore110IsRead()
    {
        byte[] one = await new ArchiveFile().Add("a", "1").BytesAsync();
        byte[] two = await new ArchiveFile().Add("b", "2").BytesAsync();
        await new ArchiveFile()
            .Add("base/VERSION", "1.0")
            .Add("base/json",
                """{"id":"base","created":"2014-01-01T00:00:00Z","container_config":{"Cmd":["/bin/sh","-c","#(nop) ADD file:x"]}}""")
            .Add("base/layer.tar", one)
            .Add("top/VERSION", "1.0")
            .Add("top/json",
                """{"id":"top","parent":"base","created":"2014-01-02T00:00:00Z","architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["/bin/a"]},"container_config":{"Cmd":["make"]}}""")
            .Add("top/layer.tar", two)
            .Add("repositories", """{"old/app":{"1.0":"top"}}""")
            .WriteAsync(_directory.At("old.tar"));
        var imported = await ImportAsync("old.tar", _store);
        var image = await Image.LoadAsync(_store, imported.Digest);
        Assert.Equal("old/app:1.0", imported.Name);
        Assert.Equal([Digest.Of(one), Digest.Of(two)], image.Config.RootFs.DiffIds);
        Assert.Equal(["A=b"], image.Config.Config.Env);
        Assert.Equal(["/bin/a"], image.Config.Config.Cmd);
        Assert.Equal(["/bin/sh -c #(nop) ADD file:x", "make"], image.Config.History.Select(h => h.CreatedBy));
    }

    [Fact]
    public async Task ALayerThatIsALinkToAnotherInTheArchiveIsRead()
    {
        byte[] layer = await new ArchiveFile().Add("a", "1").BytesAsync();
        await Docker([Digest.Of(layer), Digest.Of(layer)], ["one/layer.tar", "two/layer.tar"])
            .Add("one/layer.tar", layer)
            .Add("two/layer.tar", TarEntryType.SymbolicLink, "../one/layer.tar")
            .WriteAsync(_directory.At("x.tar"));
        Assert.Equal(2, (await Image.LoadAsync(_store, (await ImportAsync("x.tar", _store)).Digest)).Manifest.Layers.Count);
    }

    [Theory]
    [InlineData("../../etc/passwd", "leads out")]
    [InlineData("/etc/passwd", "has no file")]
    [InlineData("missing.tar", "has no file 'missing.tar'")]
    [InlineData("outside", "leads out of it or into a loop")]
    [InlineData("absolute", "leads out of it or into a loop")]
    [InlineData("circle", "leads out of it or into a loop")]
    [InlineData("folder", "has no file 'folder'")]
    [InlineData("wrong", "diff id")]
    public async Task ADockerArchiveThatPointsElsewhereIsRefusedAndLeavesNothing(string layer, string problem)
    {
        byte[] good = await new ArchiveFile().Add("a", "1").BytesAsync();
        byte[] other = await new ArchiveFile().Add("a", "2").BytesAsync();
        await Docker([Digest.Of(good), Digest.Of(good)], ["good", layer])
            .Add("good", good)
            .Add("wrong", other)
            .Add("folder", TarEntryType.Directory)
            .Add("outside", TarEntryType.SymbolicLink, "../../etc/passwd")
            .Add("absolute", TarEntryType.SymbolicLink, "/etc/passwd")
            .Add("circle", TarEntryType.SymbolicLink, "circle")
            .WriteAsync(_directory.At("x.tar"));
        await RefusedAsync("x.tar", problem);
    }

    [Theory]
    [InlineData("not json", "not understood")]
    [InlineData("null", "holds no image")]
    [InlineData("[]", "holds no image")]
    [InlineData("[null]", "holds no image")]
    [InlineData("[{}]", "without 'Config' or 'Layers'")]
    [InlineData("""[{"Config":"c.json","Layers":[null]}]""", "without 'Config' or 'Layers'")]
    [InlineData("""[{"Config":"c.json","Layers":[]}]""", "has no file 'c.json'")]
    [InlineData("""[{"Config":"config.json","Layers":[]}]""", "has 0 layers, and its configuration lists 1")]
    [InlineData("""[{"Config":"manifest.json","Layers":[]}]""", "not understood")]
    [InlineData("""[{"Config":"config.json","Layers":["l"]},{"Config":"config.json","Layers":["l"],"RepoTags":["a:1"]}]""",
        "has 2 images: say which, of: a:1")]
    public async Task ADockerArchiveThatIsNotWholeIsRefused(string manifest, string problem)
    {
        byte[] layer = await new ArchiveFile().Add("a", "1").BytesAsync();
        await new ArchiveFile().Add("manifest.json", manifest).Add("config.json", Config(Digest.Of(layer))).Add("l", layer)
            .WriteAsync(_directory.At("x.tar"));
        await RefusedAsync("x.tar", problem);
    }

    [Theory]
    [InlineData("""{"a":{"1":"x"}}""", """{"parent":"x"}""", "form a loop")]
    [InlineData("""{"a":{"1":"../../etc"}}""", "{}", "leads out")]
    [InlineData("""{"a":{"1":"x","2":"x"}}""", "{}", "2 images: say which")]
    [InlineData("""{"a":null}""", "{}", "0 images")]
    [InlineData("""{"a":{"1":"y"}}""", "{}", "has no file 'y/json'")]
    [InlineData("""{"a":{"1":"x"}}""", "[]", "not an object")]
    [InlineData("[]", "{}", "not understood")]
    public async Task AnOldDockerArchiveThatIsNotHonestIsRefused(string repositories, string json, string problem)
    {
        await new ArchiveFile().Add("repositories", repositories).Add("x/json", json)
            .Add("x/layer.tar", await new ArchiveFile().Add("a", "1").BytesAsync()).WriteAsync(_directory.At("x.tar"));
        await RefusedAsync("x.tar", problem);
    }

    [Fact]
    public async Task AFileThatIsTwiceInAnArchiveIsRefused()
    {
        await new ArchiveFile().Add("manifest.json", "[]").Add("manifest.json", "[]").WriteAsync(_directory.At("x.tar"));
        await RefusedAsync("x.tar", "'manifest.json' appears twice");
    }

    [Theory]
    [InlineData("a|../a", "leads out of the archive")]
    [InlineData("manifest.json|x/../../y", "leads out of the archive")]
    public async Task AnArchiveWithANameThatLeadsOutIsRefused(string names, string problem)
    {
        await File.WriteAllBytesAsync(_directory.At("x.tar"),
            ArchiveScript.Build([.. names.Split('|').Select(n => $"header name={n}"), "end"]));
        await RefusedAsync("x.tar", problem);
    }

    [Theory]
    [InlineData("wrong", "expected 'sha256:")]
    [InlineData("short", "were promised")]
    [InlineData("missing", "has no file 'blobs/sha256/")]
    [InlineData("config", "expected 'sha256:")]
    [InlineData("diffid", "diff id")]
    public async Task AnOciArchiveThatIsNotWhatItSaysIsRefusedAndLeavesNothing(string how, string problem)
    {
        byte[] layer = await new ArchiveFile().Add("a", "1").BytesAsync();
        byte[] config = Config(how == "diffid" ? Digest.Of([1]) : Digest.Of(layer));
        byte[] manifest = ImageJson.Write(
            new Manifest { Config = Descriptor.Of(MediaType.Config, config), Layers = [Descriptor.Of(MediaType.Layer, layer)] });
        byte[] stored = how switch { "wrong" => [.. layer[..^1], 1], "short" => layer[..^512], _ => layer };
        var archive = new ArchiveFile().Add("oci-layout", "{}").Add("index.json", Index(Descriptor.Of(MediaType.Manifest, manifest)))
            .Add(Blob(Digest.Of(config)), how == "config" ? [.. config[..^1], (byte)' '] : config).Add(Blob(Digest.Of(manifest)), manifest);
        await (how == "missing" ? archive : archive.Add(Blob(Digest.Of(layer)), stored)).WriteAsync(_directory.At("x.tar"));
        await RefusedAsync("x.tar", problem);
    }

    [Fact]
    public async Task IndexesInIndexesEnd()
    {
        var archive = new ArchiveFile().Add("oci-layout", "{}");
        byte[] document = ImageJson.Write(new ImageIndex { Manifests = [] });
        for (int i = 0; i < 12; i++)
        {
            archive.Add(Blob(Digest.Of(document)), document);
            document = Index(Descriptor.Of(MediaType.Index, document));
        }

        await archive.Add("index.json", document).WriteAsync(_directory.At("x.tar"));
        await RefusedAsync("x.tar", "indexes in each other");
    }

    [Fact]
    public async Task OfSeveralImagesOneIsChosenByItsName()
    {
        var (one, two) = (await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")]),
            await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "2")]));
        var layout = new OciLayout(_directory.At("layout"));
        await ImageArchive.WriteLayoutAsync(_store, one.Descriptor, "1.0", layout);
        await ImageArchive.WriteLayoutAsync(_store, two.Descriptor, "2.0", layout);
        Assert.Equal(two.Digest, (await ImportAsync("layout", new MemoryStore(), "2.0")).Digest);
        await RefusedAsync("layout", "has 2 images: say which, of: 1.0, 2.0");
        await RefusedAsync("layout", "has no image '3.0', only: 1.0, 2.0", "3.0");
    }

    [Fact]
    public async Task OfAnIndexThePlatformIsTakenAndElseWhatIsThere()
    {
        var (amd, arm) = (await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")]),
            await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "2")]));
        Platform Linux(string architecture) => new() { Os = "linux", Architecture = architecture };
        var index = await _store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex
        {
            Manifests = [amd.Descriptor with { Platform = Linux("amd64") }, arm.Descriptor with { Platform = Linux("arm64") }],
        }));
        await ImageArchive.WriteLayoutAsync(_store, index, "1.0", new OciLayout(_directory.At("layout")));

        var part = new MemoryStore();
        Assert.Equal(index.Digest, (await ImportAsync("layout", part, platform: Linux("arm64"))).Digest);
        Assert.Null(await part.SizeAsync(amd.Digest));
        Assert.Equal(arm.Digest, (await Image.LoadAsync(part, index.Digest, Linux("arm64"))).Digest);

        await ImageArchive.WriteLayoutAsync(part, index, "1.0", new OciLayout(_directory.At("sparse")));
        Assert.Equal(index.Digest, (await ImportAsync("sparse", new MemoryStore())).Digest);
        await using var source = await ImageSource.OpenAsync(_directory.At("layout"), _directory.At("temporary"));
        var e = await Assert.ThrowsAsync<ImageException>(() => source.ImportAsync(new MemoryStore(), platform: Linux("s390x")));
        Assert.Contains("only for: linux/amd64, linux/arm64", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALinkInALayoutIsNotFollowed()
    {
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("a", "1")]);
        await ImageArchive.WriteLayoutAsync(_store, image.Descriptor, "1.0", new OciLayout(_directory.At("layout")));
        string blob = _directory.At("layout", "blobs", "sha256", image.Manifest.Layers[0].Digest.Hex);
        File.Move(blob, _directory.At("elsewhere"));
        File.CreateSymbolicLink(blob, _directory.At("elsewhere"));
        await RefusedAsync("layout", "is a link");
    }

    [Fact]
    public async Task ARootFilesystemBecomesAnImageOfOneLayer()
    {
        await new ArchiveFile()
            .Add("etc", TarEntryType.Directory)
            .Add("etc/passwd", "root")
            .Add("etc/shadow", TarEntryType.HardLink, "etc/passwd")
            .Add("bin", TarEntryType.SymbolicLink, "/usr/bin")
            .WriteAsync(_directory.At("root.tar"));
        var imported = await ImportAsync("root.tar", _store);
        Assert.Equal(imported.Digest, (await ImportAsync("root.tar", new MemoryStore())).Digest);
        var image = await Image.LoadAsync(_store, imported.Digest);
        var tree = await MergedTree.ReadAsync(_store, image);
        Assert.Equal(["bin", "etc", "etc/passwd", "etc/shadow"], tree.Walk().Select(f => f.Path));
        Assert.Same(tree.Find("etc/passwd"), tree.Find("etc/shadow"));
    }

    [Theory]
    [InlineData("a|a", "'a' appears twice")]
    [InlineData("etc/.wh.passwd", "would delete a file")]
    [InlineData(".wh..wh..opq", "would delete a file")]
    [InlineData("dev/null type=3", "is a device")]
    [InlineData("b type=1 link=a", "which is not a file that came before it")]
    [InlineData("d type=5|b type=1 link=d", "which is not a file that came before it")]
    [InlineData("b type=1 link=../../etc/shadow", "leads out")]
    [InlineData("lib type=2 link=/etc|lib/passwd", "lies below 'lib', which is a SymbolicLink")]
    [InlineData("../x", "leads out")]
    [InlineData("x type=S", "a sparse file")]
    public async Task ARootFilesystemThatIsNotHonestIsRefusedAndLeavesNothing(string entries, string problem)
    {
        await File.WriteAllBytesAsync(_directory.At("root.tar"),
            ArchiveScript.Build([.. entries.Split('|').Select(e => $"header name={e}"), "end"]));
        await RefusedAsync("root.tar", problem);
    }

    [Fact]
    public async Task WhatIsNoArchiveIsSaidToBeNone()
    {
        await File.WriteAllTextAsync(_directory.At("text"), new string('x', 2000));
        await RefusedAsync("text", "");
        await File.WriteAllBytesAsync(_directory.At("empty"), []);
        await RefusedAsync("empty", "is an empty archive");
        _directory.Make("folder");
        await RefusedAsync("folder", "has no 'index.json'");
        await RefusedAsync("nowhere", "there is no file");
    }

    [Fact]
    public async Task ABombIsStoppedByItsRatio()
    {
        var packed = new MemoryStream();
        await using (var gzip = LayerCompression.Zstandard.Compress(packed))
        {
            foreach (int _ in Enumerable.Range(0, 64))
                await gzip.WriteAsync(new byte[1 << 20]);
        }

        packed.Position = 0;
        var limits = new LayerReadLimits { FreeBytes = 1 << 20, MaxRatio = 250 };
        var e = await Assert.ThrowsAsync<LayerException>(() =>
            LayerReader.CheckAsync(packed, LayerCompression.Zstandard, packed.Length, diffId: null, limits));
        Assert.Contains("no honest one", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MoreEntriesThanAllowedAreRefused()
    {
        byte[] layer = ArchiveScript.Build([.. Enumerable.Range(0, 30).Select(i => $"header name=f{i}"), "end"]);
        var limits = new LayerReadLimits { Tar = new TarLimits { MaxEntries = 20 } };
        await Assert.ThrowsAsync<TarFormatException>(() => LayerReader.IndexAsync(new MemoryStream(layer), limits));
    }

    [Theory]
    [InlineData(".wh.x/y", "lies in a whiteout")]
    [InlineData(".wh.x type=5", "the whiteout '.wh.x' is a Directory")]
    [InlineData(".wh.", "is not a whiteout of anything")]
    [InlineData(".wh..wh.x", "is not a whiteout of anything")]
    [InlineData("a|a type=5", "a directory and something else")]
    public async Task ALayerThatIsAtOddsWithItselfIsRefused(string entries, string problem)
    {
        byte[] layer = ArchiveScript.Build([.. entries.Split('|').Select(e => $"header name={e}"), "end"]);
        var e = await Assert.ThrowsAsync<LayerException>(() => LayerReader.IndexAsync(new MemoryStream(layer)));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
    }

    private static string Blob(Digest digest) => $"blobs/sha256/{digest.Hex}";

    private static byte[] Index(params Descriptor[] manifests) => ImageJson.Write(new ImageIndex { Manifests = manifests });

    private static byte[] Config(params Digest[] diffIds) =>
        ImageJson.Write(new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = new RootFileSystem { DiffIds = diffIds } });

    private static ArchiveFile Docker(Digest[] diffIds, string[] layers) => new ArchiveFile()
        .Add("config.json", Config(diffIds))
        .Add("manifest.json",
            $$"""[{"Config":"config.json","RepoTags":["app:1"],"Layers":[{{string.Join(',', layers.Select(l => $"\"{l}\""))}}]}]""");

    private async Task WriteAsync(string name, Func<Stream, Task> write)
    {
        await using var file = File.Create(_directory.At(name));
        await write(file);
    }

    private async Task<ImportedImage> ImportAsync(string name, IContentStore store, string? tag = null, Platform? platform = null)
    {
        await using var source = await ImageSource.OpenAsync(_directory.At(name), _directory.At("temporary"));
        return await source.ImportAsync(store, tag, platform);
    }

    private async Task RefusedAsync(string name, string problem, string? tag = null)
    {
        var store = new MemoryStore();
        var e = await Assert.ThrowsAnyAsync<IngotException>(() => ImportAsync(name, store, tag));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.Empty(await store.ListAsync().ToListAsync());
        Assert.DoesNotContain(Encoding.UTF8.GetString([0]), e.Message, StringComparison.Ordinal);
    }
}
