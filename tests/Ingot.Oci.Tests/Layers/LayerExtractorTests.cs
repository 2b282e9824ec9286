using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Oci.Tests.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layers;

public sealed class LayerExtractorTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Vectors => new(VectorFile.Names("oci", "layers"));

    public void Dispose() => _directory.Dispose();

    // A vector has the archives of one or two layers, and what is there after each form of unpacking: of the upper layer for overlays,
    // of both for applying.
    [Theory]
    [MemberData(nameof(Vectors))]
    public async Task EveryVectorUnpacksAsItSays(string name)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var vector = VectorFile.Read(name, "oci", "layers");
        await File.WriteAllTextAsync(_directory.At("outside"), "untouched");
        Assert.Equal(vector["applied"].Trim(), await UnpackAsync(vector, WhiteoutForm.Apply));
        Assert.Equal(vector["overlay"].Trim(), await UnpackAsync(vector, WhiteoutForm.Overlay));
        Assert.Equal("untouched", await File.ReadAllTextAsync(_directory.At("outside")));
        Assert.Equal(["applied", "outside", "overlay"],
            Directory.EnumerateFileSystemEntries(_directory.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AMissingDirectoryTakesItsModeFromTheLayerBelow()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string bottom = _directory.Make("bottom"), middle = _directory.Make("middle"), top = _directory.Make("top");
        await ExtractAsync(
            ["header name=tmp/ type=5 mode=0001777 uid=0000005 mtime=00000000007", "header name=a/ type=5 mode=0000700",
                "header name=b/ type=5 mode=0000700", "header name=c/ type=5 mode=0000700", "end"],
            bottom,
            Overlay());
        await ExtractAsync(["header name=.wh.a", "header name=b/ type=5 mode=0000711", "header name=c/.wh..wh..opq", "end"],
            middle, Overlay(bottom));
        await ExtractAsync(["header name=tmp/x", "header name=a/x", "header name=b/x", "header name=c/x", "header name=new/x", "end"], top,
            Overlay(middle, bottom));
        Assert.Equal(
            """
            a d 755 0:0 0
            a/x f 644 0:0 0 0
            b d 711 0:0 0
            b/x f 644 0:0 0 0
            c d 700 0:0 0
            c/x f 644 0:0 0 0
            new d 755 0:0 0
            new/x f 644 0:0 0 0
            tmp d 1777 5:0 7
            tmp/x f 644 0:0 0 0
            """,
            await LinuxTree.ListAsync(top));
    }

    [Fact]
    public async Task TheRightsThatTheHeaderOfAHardLinkGivesTheFileHasAsInARuntime()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root");
        await ExtractAsync(["header name=a uid=0000005", "header name=b type=1 link=a mode=0004755", "header name=c uid=0000007",
            "header name=d type=1 link=c", "end"],
            root, new ExtractOptions());
        Assert.Equal("a f 4755 0:0 0 0 #1\nb f 4755 0:0 0 0 #1\nc f 644 7:0 0 0 #2\nd f 644 7:0 0 0 #2",
            (await LinuxTree.ListAsync(root)).Trim());
    }

    [Fact]
    public async Task TheIndexSaysWhatTheArchiveHeld()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var index = await ExtractAsync(
            ["header name=a size=00000000005", "data hello", "header name=b type=1 link=a", "header name=.wh.c", "end"],
            _directory.Root,
            new ExtractOptions());
        Assert.Equal(Digest.Of("hello"u8), index.Find("a")!.Digest);
        Assert.Equal(512, index.Find("a")!.Offset);
        Assert.Equal(index.Find("a")!.Digest, index.Find("b")!.Digest);
        Assert.Equal([".wh.c"], index.Whiteouts);
    }

    [Fact]
    public async Task MoreContentThanAllowedIsRefusedBeforeItIsWritten()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var e = await Assert.ThrowsAsync<LayerException>(() => ExtractAsync(
            ["header name=a size=00000000005", "data hello", "header name=b size=77777777777", "end"],
            _directory.Root,
            new ExtractOptions { MaxBytes = 1000 }));
        Assert.Equal("the layer has more than 1000 bytes of content, at 'b'", e.Message);
        Assert.False(File.Exists(_directory.At("b")));
    }

    [Fact]
    public async Task DevicesAreMadeWhenAllowed()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string[] script = ["header name=null type=3 mode=0000666 major=0000001 minor=0000003",
            "header name=disk type=4 mode=0000660 gid=0000006 major=0000010 minor=0000401", "end"];
        await ExtractAsync(script, _directory.Root, new ExtractOptions { AllowDevices = true });
        Assert.Equal("disk b 660 0:6 0 8,101\nnull c 666 0:0 0 1,3", await LinuxTree.ListAsync(_directory.Root));
    }

    [Fact]
    public async Task TheDeviceThatMeansADeletionIsNeverMade()
    {
        var e = await Assert.ThrowsAsync<LayerException>(() => ExtractAsync(["header name=a type=3 major=0000000 minor=0000000", "end"],
            _directory.Root, new ExtractOptions { AllowDevices = true }));
        Assert.Contains("takes for a deletion", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatLayInTheDirectoryCannotLeadOutOfIt()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root"), outside = _directory.Make("outside");
        await LinuxTree.MakeAsync(root, "ln -s ../outside dir; ln -s ../outside/new file; ln -s ../outside gone");
        await ExtractAsync(["header name=dir/x", "header name=file size=00000000005", "data hello", "header name=gone/.wh..wh..opq", "end"],
            root, new ExtractOptions());
        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
        Assert.Equal("hello", await File.ReadAllTextAsync(Path.Combine(root, "file")));
        Assert.True(Directory.Exists(Path.Combine(root, "dir")));
    }

    [Fact]
    public async Task ALayerCutShortIsRefused()
    {
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Gzip);
        await writer.WriteAsync(new TarEntry { Path = "a", Type = TarEntryType.File, Size = 100_000 }, new byte[100_000]);
        var layer = await writer.FinishAsync();
        await using var stream = (await store.OpenAsync(layer.Blob!.Digest))!;
        byte[] half = new byte[layer.Blob.Size / 2];
        await stream.ReadExactlyAsync(half);
        var blob = await store.PutAsync(MediaType.LayerGzip, half);
        await Assert.ThrowsAsync<LayerException>(() =>
            LayerExtractor.ExtractAsync(store, blob, layer.DiffId, _directory.Root, new ExtractOptions()));
    }

    [Fact]
    public async Task TheWrongDiffIdIsFoundAtTheEnd()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Zstandard);
        var layer = await writer.FinishAsync();
        await Assert.ThrowsAsync<ContentMismatchException>(() =>
            LayerExtractor.ExtractAsync(store, layer.Blob!, Digest.Of([]), _directory.Root, new ExtractOptions()));
        await LayerExtractor.ExtractAsync(store, layer.Blob!, layer.DiffId, _directory.Root, new ExtractOptions());
    }

    private static ExtractOptions Overlay(params string[] lower) => new() { Whiteouts = WhiteoutForm.Overlay, LowerDirectories = lower };

    private static async Task<LayerIndex> ExtractAsync(string[] script, string directory, ExtractOptions options) =>
        await LayerExtractor.ExtractAsync(new MemoryStream(ArchiveScript.Build(script)), directory, options);

    private async Task<string> UnpackAsync(VectorFile vector, WhiteoutForm form)
    {
        string lower = form == WhiteoutForm.Apply ? "applied" : "overlay/lower";
        string upper = form == WhiteoutForm.Apply ? "applied" : "overlay/upper";
        Directory.CreateDirectory(_directory.At(lower));
        Directory.CreateDirectory(_directory.At(upper));
        var options = form == WhiteoutForm.Apply ? new ExtractOptions() : Overlay(_directory.At(lower));
        try
        {
            if (vector.Sections.ContainsKey("lower"))
                await ExtractAsync([.. vector.Lines("lower"), "end"], _directory.At(lower), options with { LowerDirectories = [] });
            await ExtractAsync([.. vector.Lines("layer"), "end"], _directory.At(upper), options);
            return await LinuxTree.ListAsync(_directory.At(upper));
        }
        catch (IngotException e)
        {
            return $"error {e.Message}";
        }
    }
}
