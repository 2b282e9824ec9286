using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Oci.Tests.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Images;

public sealed class MergedTreeTests
{
    [Theory]
    [InlineData("a b;c", "a b c")]
    [InlineData("a b;.wh.a", "b")]
    [InlineData("a b;.wh.a a", "a b")]
    [InlineData("d/ d/x d/y;d/.wh.x", "d d/y")]
    [InlineData("d/ d/x d/y;d/.wh..wh..opq d/z", "d d/z")]
    [InlineData("d/ d/x;.wh.d d/y", "d d/y")]
    [InlineData("d/ d/x;d", "d")]
    [InlineData("d;d/ d/x", "d d/x")]
    [InlineData("d;d/x", "d d/x")]
    [InlineData("x/y/z", "x x/y x/y/z")]
    [InlineData("a;.wh..wh..opq b", "b")]
    [InlineData("a;.wh.nothing", "a")]
    [InlineData("a;.wh.a;a", "a")]
    public async Task LayersLieOverEachOther(string layers, string expected) =>
        Assert.Equal(expected, string.Join(' ', (await TreeAsync(layers)).Walk().Select(f => f.Path)));

    [Theory]
    [InlineData("l@a l2=l", "names 'l', where there is no file")]
    [InlineData("b=a", "where there is no file")]
    [InlineData("d/ b=d", "where there is no file")]
    [InlineData("a;.wh.a b=a", "where there is no file")]
    [InlineData("b=c c=b", "is part of a loop")]
    [InlineData("a a/b", "something lies below 'a'")]
    [InlineData("l>x l/b", "something lies below 'l'")]
    public async Task LayersAtOddsAreRefused(string layers, string problem)
    {
        if (layers.Contains('@', StringComparison.Ordinal))
            layers = layers.Replace("l@a", "b=l", StringComparison.Ordinal);
        var e = await Assert.ThrowsAsync<LayerException>(() => TreeAsync(layers));
        Assert.Contains(problem.Replace("names 'l', ", "", StringComparison.Ordinal), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NamesOfOneFileStayOneFileAcrossLayers()
    {
        var tree = await TreeAsync("a;b=a;c=b;a");
        Assert.Same(tree.Find("b"), tree.Find("c"));
        Assert.NotSame(tree.Find("a"), tree.Find("b"));
        Assert.Equal((3, 0), (tree.Find("a")!.Layer, tree.Find("b")!.Layer));
    }

    [Fact]
    public async Task ADirectoryOverALinkHidesWhatItLedTo()
    {
        var tree = await TreeAsync("usr/ usr/lib/ usr/lib/a lib>usr/lib;lib/b");
        Assert.Equal(["lib", "lib/b", "usr", "usr/lib", "usr/lib/a"], tree.Walk().Select(f => f.Path));
        Assert.Equal(TarEntryType.Directory, tree.Find("lib")!.Record.Type);
    }

    [Fact]
    public async Task WhatIsExportedIsWhatIsUnpacked()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        using var directory = new TemporaryDirectory();
        var store = new MemoryStore();
        var image = await ImageAsync(store, "a b d/ d/x d/y l>a h=b e/f;.wh.a d/.wh.x d/z h2=b .wh.e g/;b d2/ d2/k=z.none|d2/k;g");
        await ImageRootFileSystem.UnpackAsync(store, image.Manifest, directory.Make("unpacked"));
        var archive = new MemoryStream();
        await FileSystemArchive.WriteAsync(store, image, archive);
        await File.WriteAllBytesAsync(directory.At("root.tar"), archive.ToArray());
        await LinuxTree.RunAsync(directory.Make("exported"), "tar", "-xpf", directory.At("root.tar"));
        Assert.Equal(await LinuxTree.ListAsync(directory.At("unpacked"), withTimes: false),
            await LinuxTree.ListAsync(directory.At("exported"), withTimes: false));
    }

    [Fact]
    public async Task FilesAreReadWithoutUnpacking()
    {
        var store = new MemoryStore();
        var image = await SampleImage.MakeAsync(store, LayerCompression.Gzip, [("etc/a", "one"), ("etc/b", "two")],
            [("etc/a", "three"), ("big", new string('x', 100_000))]);
        var tree = await MergedTree.ReadAsync(store, image);
        var files = await FileSystemArchive.ReadFilesAsync(store, image, tree, path => path.StartsWith("etc/", StringComparison.Ordinal));
        Assert.Equal([("etc/a", "three"), ("etc/b", "two")],
            files.OrderBy(f => f.Key).Select(f => (f.Key, System.Text.Encoding.UTF8.GetString(f.Value))));
    }

    [Fact]
    public async Task ComparisonsSeeContentModesOwnersLinksAndCapabilities()
    {
        var before = MergedTree.Of(await IndexAsync("header name=same", "header name=mode", "header name=owner",
            "header name=link type=2 link=a", "header name=gone", "header name=cap", "header name=kind",
            "header name=time mtime=00000000001", "end"));
        var after = MergedTree.Of(await IndexAsync("header name=same", "header name=mode mode=0004755", "header name=owner uid=0000005",
            "header name=link type=2 link=b", "header name=new", "pax SCHILY.xattr.security.capability=x", "header name=cap",
            "header name=kind type=5", "header name=time mtime=00000000002", "end"));
        var differences = TreeComparison.Compare(before, after).ToDictionary(d => d.Path);
        Assert.Equal(["cap", "gone", "kind", "link", "mode", "new", "owner"], differences.Keys.Order());
        Assert.True(differences["mode"] is { IsMode: true, IsContent: false } && TreeComparison.IsSetId(differences["mode"].After));
        Assert.True(differences["owner"] is { IsOwner: true, IsContent: false });
        Assert.True(differences["cap"] is { IsCapability: true, IsContent: false, IsMode: false });
        Assert.True(differences["link"].IsContent && differences["kind"].IsContent);
        Assert.True(differences["new"].Before is null && differences["gone"].After is null);
        Assert.Empty(TreeComparison.Compare(after, after));
    }

    [Fact]
    public async Task HistoryIsHeldAgainstTheLayers()
    {
        var store = new MemoryStore();
        var image = await SampleImage.MakeAsync(store, LayerCompression.Gzip, [("a", "1")], [("b", "2")]);
        HistoryEntry[] history =
            [new() { CreatedBy = "COPY a" }, new() { CreatedBy = "ENV A=b", EmptyLayer = true }, new() { CreatedBy = "COPY b" }];
        var steps = ImageHistory.Of(image with { Config = image.Config with { History = history } });
        Assert.Equal([("COPY a", image.Manifest.Layers[0].Digest), ("ENV A=b", null), ("COPY b", image.Manifest.Layers[1].Digest)],
            steps.Select(s => (s.Instruction, s.Layer)));
        Assert.Equal(image.Config.RootFs.DiffIds[1], steps[2].DiffId);

        Assert.Equal([null, "COPY b"],
            ImageHistory.Of(image with { Config = image.Config with { History = [history[2]] } }).Select(s => s.Instruction));
        Assert.Equal(3,
            ImageHistory.Of(image with { Config = image.Config with { History = [history[0], history[0], history[0]] } }).Count);
        Assert.Equal(2, ImageHistory.Of(image).Count);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task RecompressedLayersKeepTheirDiffIds(string compression)
    {
        var store = new MemoryStore();
        var image = await SampleImage.MakeAsync(store, LayerCompression.None, [("a", new string('x', 10_000))], [("b", "2")]);
        var made = await Recompression.ConvertAsync(store, image, LayerCompression.Find(compression)!);
        Assert.Equal(made, await Recompression.ConvertAsync(store, image, LayerCompression.Find(compression)!));
        var read = await Image.LoadAsync(store, made.Digest);
        Assert.Equal(image.Manifest.Config.Digest, read.Manifest.Config.Digest);
        Assert.All(read.Manifest.Layers, layer => Assert.Equal(LayerCompression.Find(compression)!.MediaType, layer.MediaType));
        Assert.Equal(["a", "b"], (await MergedTree.ReadAsync(store, read)).Walk().Select(f => f.Path));
        Assert.Equal(made, await Recompression.ConvertAsync(store, read, LayerCompression.Find(compression)!));
    }

    // Layers with ';', files with spaces: 'd/' is a directory, 'l>t' a symbolic link, 'h=t' a hard link.
    private static async Task<MergedTree> TreeAsync(string layers) =>
        MergedTree.Of([.. await Task.WhenAll(layers.Split(';').Select(layer => IndexAsync(Script(layer))))]);

    private static string[] Script(string layer) =>
    [
        .. layer.Split(' ').Where(file => !file.Contains('|', StringComparison.Ordinal)).Select(file => file switch
        {
            [.. var name, '/'] => $"header name={name}/ type=5 mode=0000755",
            _ when file.Split('>') is [var name, var target] => $"header name={name} type=2 link={target}",
            _ when file.Split('=') is [var name, var target] => $"header name={name} type=1 link={target}",
            _ => $"header name={file}",
        }),
        "end",
    ];

    private static Task<LayerIndex> IndexAsync(params string[] script) =>
        LayerReader.IndexAsync(new MemoryStream(ArchiveScript.Build(script)));

    private static async Task<Image> ImageAsync(MemoryStore store, string layers)
    {
        var blobs = new List<Descriptor>();
        foreach (string layer in layers.Split(';'))
            blobs.Add(await store.PutAsync(MediaType.Layer, ArchiveScript.Build(Script(layer))));
        var config = await store.PutAsync(MediaType.Config, ImageJson.Write(new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [.. blobs.Select(b => b.Digest)] },
        }));
        var manifest = await store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = config, Layers = blobs }));
        return await Image.LoadAsync(store, manifest.Digest);
    }
}
