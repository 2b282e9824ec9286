using System.Diagnostics;
using System.Globalization;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Oci.Tests.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layers;

public sealed class DirectoryLayerTests : IDisposable
{
    private static readonly DateTimeOffset s_epoch = DateTimeOffset.FromUnixTimeSeconds(1000);
    private static readonly byte[] s_capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    // One of everything, in an order of making that is not the order of names.
    private const string Tree = """
        mkdir -m 755 usr usr/bin etc
        mkdir -m 1777 tmp
        printf hello > usr/bin/tool; chown 1:2 usr/bin/tool; chmod 4755 usr/bin/tool
        ln usr/bin/tool etc/aaa-tool
        ln usr/bin/tool usr/bin/tool-1.0
        ln -s ../usr/bin/tool etc/link
        mkfifo -m 600 tmp/pipe
        printf x > etc/a; printf y > etc/a-b; mkdir -m 755 etc/a.d; printf z > etc/a.d/z
        chmod 644 etc/a etc/a-b etc/a.d/z
        mknod -m 666 etc/null c 1 3
        find . -exec touch -h -d @500 {} +
        touch -h -d @2000 etc/link etc/a
        touch -d @700.75 etc/a-b
        """;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ADirectoryBecomesASortedArchive()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        Assert.Equal(
            """
            directory 755 0:0 0 500 etc
            file 644 0:0 1 1000 etc/a = x
            file 644 0:0 1 700 etc/a-b = y
            directory 755 0:0 0 500 etc/a.d
            file 644 0:0 1 500 etc/a.d/z = z
            file 4755 1:2 5 500 etc/aaa-tool = hello
            symboliclink 777 0:0 0 1000 etc/link -> ../usr/bin/tool
            characterdevice 666 0:0 0 500 etc/null (1,3)
            directory 1777 0:0 0 500 tmp
            fifo 600 0:0 0 500 tmp/pipe
            directory 755 0:0 0 500 usr
            directory 755 0:0 0 500 usr/bin
            hardlink 4755 1:2 0 500 usr/bin/tool -> etc/aaa-tool
            hardlink 4755 1:2 0 500 usr/bin/tool-1.0 -> etc/aaa-tool
            """,
            await ListAsync(await MakeTreeAsync(), new DirectoryLayerOptions { Epoch = s_epoch }));
    }

    [Fact]
    public async Task WhatIsUnpackedIsWhatWasPacked()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = await MakeTreeAsync(), copy = _directory.Make("copy");
        LinuxTree.SetAttribute(Path.Combine(root, "etc", "a"), "security.capability", s_capability);
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Gzip);
        await DirectoryLayer.WriteAsync(writer, root, new DirectoryLayerOptions());
        var layer = await writer.FinishAsync();
        var index = await LayerExtractor.ExtractAsync(store, layer.Blob!, layer.DiffId, copy, new ExtractOptions { AllowDevices = true });
        Assert.Equal(layer.Index.Write(), index.Write());
        Assert.Equal(await LinuxTree.ListAsync(root), await LinuxTree.ListAsync(copy));
        Assert.Equal(s_capability, LinuxTree.GetAttribute(Path.Combine(copy, "etc", "a"), "security.capability"));
        Assert.Equal(layer.DiffId, (await HashAsync(copy, new DirectoryLayerOptions())).DiffId);
    }

    [Fact]
    public async Task GnuTarUnpacksTheSameTree()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = await MakeTreeAsync(), copy = _directory.Make("copy");
        await File.WriteAllBytesAsync(_directory.At("a.tar"), await TarAsync(root, new DirectoryLayerOptions()));
        await LinuxTree.MakeAsync(copy, "tar --numeric-owner -xpf ../a.tar");
        Assert.Equal(await LinuxTree.ListAsync(root), await LinuxTree.ListAsync(copy));
    }

    [Fact]
    public async Task TheSameContentMadeInAnotherOrderIsTheSameLayer()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string first = _directory.Make("first"), second = _directory.Make("second");
        await LinuxTree.MakeAsync(first,
            "mkdir d; for i in $(seq 300); do echo $i > d/$i; done; ln d/7 d/x; find . -exec touch -d @5 {} +");
        await LinuxTree.MakeAsync(second, "mkdir d; for i in $(seq 300 -1 1); do echo $i > d/$i; done; mv d/7 d/x; ln d/x d/7; find . "
            + "-exec touch -d @5 {} +; sleep 0.01; ls -lR > /dev/null; cat d/*> /dev/null");
        Assert.Equal((await HashAsync(first, new DirectoryLayerOptions())).DiffId,
            (await HashAsync(second, new DirectoryLayerOptions())).DiffId);
    }

    [Theory]
    [InlineData("000")]
    [InlineData("022")]
    [InlineData("077")]
    public async Task AnotherProcessWithAnotherMaskMakesTheSameLayer(string mask)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = await MakeTreeAsync();
        string here = await RepackedDigestsAsync(root, _directory.Make("here"));
        string there = _directory.Make("there");
        var start = new ProcessStartInfo("sh", ["-c", $"umask {mask}; exec \"$0\" \"$@\"", Environment.ProcessPath!])
        {
            RedirectStandardOutput = true,
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(DirectoryLayerTests).Assembly.Location);
        foreach (string argument in (string[])["-noLogo", "-explicit", "only", "-method",
            $"{typeof(DirectoryLayerTests).FullName}.{nameof(WritesTheDigestsOfATree)}"])
            start.ArgumentList.Add(argument);
        start.Environment["INGOT_TEST_TREE"] = root;
        start.Environment["INGOT_TEST_COPY"] = there;
        start.Environment["TZ"] = "Asia/Tokyo";
        start.Environment["LC_ALL"] = "tr_TR.UTF-8";
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output);
        Assert.Equal(here, await File.ReadAllTextAsync(Path.Combine(there, "digests")));
    }

    // Not a test of its own: what the one above runs in another process.
    [Fact(Explicit = true)]
    public async Task WritesTheDigestsOfATree()
    {
        string copy = Environment.GetEnvironmentVariable("INGOT_TEST_COPY")!;
        await File.WriteAllTextAsync(Path.Combine(copy, "digests"),
            await RepackedDigestsAsync(Environment.GetEnvironmentVariable("INGOT_TEST_TREE")!, copy));
    }

    [Fact]
    public async Task NothingIsYoungerThanTheEpochAndAllTimesAreWholeSeconds()
    {
        string root = _directory.Make("root");
        File.WriteAllText(Path.Combine(root, "new"), "");
        File.SetLastWriteTimeUtc(Path.Combine(root, "new"), s_epoch.UtcDateTime.AddTicks(1));
        File.WriteAllText(Path.Combine(root, "old"), "");
        File.SetLastWriteTimeUtc(Path.Combine(root, "old"), DateTime.UnixEpoch.AddSeconds(-1.5));
        var index = (await HashAsync(root, new DirectoryLayerOptions { Epoch = s_epoch })).Index;
        Assert.Equal(s_epoch, index.Find("new")!.ModifiedTime);
        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(-2), index.Find("old")!.ModifiedTime);
    }

    [Fact]
    public async Task OnlyCapabilitiesAreKeptOfTheAttributes()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root"), file = Path.Combine(root, "ping");
        File.WriteAllText(file, "");
        LinuxTree.SetAttribute(file, "security.capability", s_capability);
        LinuxTree.SetAttribute(file, "user.note", [1]);
        LinuxTree.SetAttribute(file, "trusted.note", [1]);
        var entry = (await HashAsync(root, new DirectoryLayerOptions())).Index.Find("ping")!.Entry;
        Assert.Equal(["security.capability"], entry.ExtendedAttributes!.Keys);
        Assert.Equal(s_capability, entry.ExtendedAttributes["security.capability"]);
    }

    [Fact]
    public async Task SocketsAreLeftOut()
    {
        string root = _directory.Make("root");
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(root, "s")));
        Assert.Empty((await HashAsync(root, new DirectoryLayerOptions())).Index.Files);
        await HashAsync(root, new DirectoryLayerOptions { ApplyToSource = true });
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    [Fact]
    public async Task TheRootIsWrittenOnlyWhenItIsNotOrdinary()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root");
        await LinuxTree.MakeAsync(root, "chmod 755 .; touch -d @5 .");
        Assert.Equal("", await ListAsync(root, new DirectoryLayerOptions()));
        await LinuxTree.MakeAsync(root, "chmod 700 .; touch -d @5 .");
        Assert.Equal("directory 700 0:0 0 5 (root)", await ListAsync(root, new DirectoryLayerOptions()));
    }

    [Fact]
    public async Task ADirectoryMayLieAnywhereInTheLayer()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root");
        await LinuxTree.MakeAsync(root, "umask 022; mkdir -m 755 d; echo -n x > d/f; ln d/f g; find . -exec touch -d @5 {} +; chmod 700 .");
        Assert.Equal(
            "directory 755 0:0 0 5 opt/app/d\nfile 644 0:0 1 5 opt/app/d/f = x\nhardlink 644 0:0 0 5 opt/app/g -> opt/app/d/f",
            await ListAsync(root, new DirectoryLayerOptions { Prefix = "opt/app" }));
    }

    [Fact]
    public async Task NamesThatAreNoTextAndDeepDirectoriesAreKept()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root");
        await LinuxTree.MakeAsync(root, """
            echo -n x > "$(printf 'caf\351')"
            for i in $(seq 200); do mkdir deep-directory; cd deep-directory; done; echo -n y > bottom
            """);
        var index = (await HashAsync(root, new DirectoryLayerOptions())).Index;
        Assert.Equal(Digest.Of("x"u8), index.Find("caf\uDCE9")!.Digest);
        string bottom = string.Join('/', Enumerable.Repeat("deep-directory", 200)) + "/bottom";
        Assert.Equal(Digest.Of("y"u8), index.Find(bottom)!.Digest);
    }

    [Fact]
    public async Task APathThatNoSystemCallTakesIsRefused()
    {
        string root = _directory.Make("root");
        string deep = string.Join('/', Enumerable.Repeat(new string('d', 250), 15));
        await LinuxTree.MakeAsync(root, $"mkdir -p {deep}; cd {deep}; mkdir -p {deep}");
        var e = await Assert.ThrowsAsync<LayerException>(() => HashAsync(root, new DirectoryLayerOptions()));
        Assert.EndsWith("has a path of more than 4095 bytes, which no program could open", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANameThatWouldMeanADeletionIsRefused()
    {
        string root = _directory.Make("root");
        File.WriteAllText(Path.Combine(root, ".wh.passwd"), "");
        var e = await Assert.ThrowsAsync<LayerException>(() => HashAsync(root, new DirectoryLayerOptions()));
        Assert.Equal(
            "'.wh.passwd' cannot be in a layer: a name that begins with '.wh.' there means a deletion; rename or delete it", e.Message);
    }

    [Fact]
    public async Task WhatIsNoDirectoryIsRefused()
    {
        await Assert.ThrowsAsync<IOException>(() => HashAsync(_directory.At("missing"), new DirectoryLayerOptions()));
        File.WriteAllText(_directory.At("file"), "");
        await Assert.ThrowsAsync<IOException>(() => HashAsync(_directory.At("file"), new DirectoryLayerOptions()));
    }

    [Fact]
    public async Task AnUpperDirectorySaysWhatWasDeleted()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string upper = _directory.Make("upper");
        await LinuxTree.MakeAsync(upper, """
            umask 022; mkdir d e; echo -n x > d/-new; mknod d/gone c 0 0; mknod z c 0 0; echo -n y > e/y
            find . -exec touch -d @5 {} +
            """);
        LinuxTree.SetAttribute(Path.Combine(upper, "e"), "trusted.overlay.opaque", "y"u8.ToArray());
        LinuxTree.SetAttribute(Path.Combine(upper, "d"), "trusted.overlay.origin", [1]);
        Assert.Equal(
            """
            file 0 0:0 0 1000 .wh.z
            directory 755 0:0 0 5 d
            file 0 0:0 0 1000 d/.wh.gone
            file 644 0:0 1 5 d/-new = x
            directory 755 0:0 0 5 e
            file 0 0:0 0 1000 e/.wh..wh..opq
            file 644 0:0 1 5 e/y = y
            """,
            await ListAsync(upper, new DirectoryLayerOptions { Form = DirectoryForm.OverlayUpper, Epoch = s_epoch }));
    }

    [Fact]
    public async Task InAPlainDirectoryTheDeviceIsADevice()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root");
        await LinuxTree.MakeAsync(root, "mknod -m 600 a c 0 0; touch -d @5 a");
        Assert.Equal("characterdevice 600 0:0 0 5 a (0,0)", await ListAsync(root, new DirectoryLayerOptions()));
    }

    [Theory]
    [InlineData("trusted.overlay.redirect")]
    [InlineData("trusted.overlay.metacopy")]
    public async Task AnUpperDirectoryThatIsNotAllThereIsRefused(string attribute)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string upper = _directory.Make("upper");
        Directory.CreateDirectory(Path.Combine(upper, "d"));
        LinuxTree.SetAttribute(Path.Combine(upper, "d"), attribute, "/x"u8.ToArray());
        var e = await Assert.ThrowsAsync<LayerException>(() =>
            HashAsync(upper, new DirectoryLayerOptions { Form = DirectoryForm.OverlayUpper }));
        Assert.Equal($"'d' is not all there: it has '{attribute}'; mount the overlay with redirect_dir=off,metacopy=off", e.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AFilterDropsReplacesAndChanges(bool applyToSource)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = await MakeTreeAsync();
        string before = await LinuxTree.ListAsync(root);
        var asked = new List<string>();
        FilterResult Filter(TarEntry entry, LayerContent content)
        {
            asked.Add(entry.Path);
            return entry.Path switch
            {
                "etc/a.d" or "tmp/pipe" or "etc/aaa-tool" => FilterResult.Drop,
                "etc/a" => FilterResult.Replace([.. content.ReadAll(), .. "!"u8]),
                "usr/bin/tool-1.0" => FilterResult.Replace("other"u8.ToArray(), entry with { Mode = 0b111_101_101, UserId = 9 }),
                "etc/a-b" => FilterResult.KeepAs(entry with { Mode = 0b110_000_000, UserId = 5, ModifiedTime = s_epoch }),
                "etc/link" => FilterResult.KeepAs(entry with { GroupId = 6 }),
                _ => FilterResult.Keep,
            };
        }

        var options = new DirectoryLayerOptions { Epoch = s_epoch, Filter = Filter, ApplyToSource = applyToSource };
        byte[] tar = await TarAsync(root, options);
        Assert.Equal(
            """
            directory 755 0:0 0 500 etc
            file 644 0:0 2 1000 etc/a = x!
            file 600 5:0 1 1000 etc/a-b = y
            symboliclink 777 0:6 0 1000 etc/link -> ../usr/bin/tool
            characterdevice 666 0:0 0 500 etc/null (1,3)
            directory 1777 0:0 0 500 tmp
            directory 755 0:0 0 500 usr
            directory 755 0:0 0 500 usr/bin
            file 4755 1:2 5 500 usr/bin/tool = hello
            file 755 9:2 5 500 usr/bin/tool-1.0 = other
            """,
            (await TarListing.OfAsync(tar)).Trim());
        Assert.DoesNotContain("etc/a.d/z", asked);

        if (!applyToSource)
        {
            Assert.Equal(before, await LinuxTree.ListAsync(root));
            return;
        }

        // The directory is now what the layer says.
        Assert.Equal(Digest.Of(tar), (await HashAsync(root, new DirectoryLayerOptions())).DiffId);
        string copy = _directory.Make("copy");
        await LayerExtractor.ExtractAsync(new MemoryStream(tar), copy, new ExtractOptions { AllowDevices = true });
        Assert.Equal(await LinuxTree.ListAsync(copy), await LinuxTree.ListAsync(root));
    }

    [Fact]
    public async Task AppliedToTheSourceAlsoMeansTimesAndAttributes()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string root = _directory.Make("root");
        await LinuxTree.MakeAsync(root, "umask 022; mkdir d; echo -n x > d/f; echo -n y > d/g; chmod 4755 d/g");
        LinuxTree.SetAttribute(Path.Combine(root, "d", "f"), "user.note", [1]);
        LinuxTree.SetAttribute(Path.Combine(root, "d", "g"), "security.capability", s_capability);
        FilterResult Filter(TarEntry entry, LayerContent content) =>
            entry.Path == "d/g" ? FilterResult.KeepAs(entry with { UserId = 7 }) : FilterResult.Keep;
        await HashAsync(root, new DirectoryLayerOptions { Epoch = s_epoch, Filter = Filter, ApplyToSource = true });
        Assert.Equal("d d 755 0:0 1000\nd/f f 644 0:0 1 1000\nd/g f 4755 7:0 1 1000 capability", await LinuxTree.ListAsync(root));
        Assert.Null(LinuxTree.GetAttribute(Path.Combine(root, "d", "f"), "user.note"));
    }

    [Fact]
    public async Task DroppedDeletionsAreDeletionsNoMore()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string upper = _directory.Make("upper");
        await LinuxTree.MakeAsync(upper, "umask 022; mkdir e; mknod gone c 0 0; find . -exec touch -d @5 {} +");
        LinuxTree.SetAttribute(Path.Combine(upper, "e"), "trusted.overlay.opaque", "y"u8.ToArray());
        var options = new DirectoryLayerOptions
        {
            Form = DirectoryForm.OverlayUpper,
            ApplyToSource = true,
            Filter = (entry, _) => Whiteout.IsWhiteout(entry.Path) ? FilterResult.Drop : FilterResult.Keep,
        };
        Assert.Equal("directory 755 0:0 0 5 e", await ListAsync(upper, options));
        Assert.Equal("e d 755 0:0 5", await LinuxTree.ListAsync(upper));
    }

    public static TheoryData<string, FilterResult> ImpossibleDecisions => new()
    {
        { "nothing else", FilterResult.KeepAs(new TarEntry { Path = "elsewhere", Type = TarEntryType.File, Size = 1 }) },
        { "nothing else", FilterResult.KeepAs(new TarEntry { Path = "f", Type = TarEntryType.File, Size = 2 }) },
        { "nothing else", FilterResult.KeepAs(new TarEntry { Path = "f", Type = TarEntryType.Fifo }) },
    };

    [Theory]
    [MemberData(nameof(ImpossibleDecisions))]
    public async Task AFilterMayNotMakeAnotherFileOfIt(string message, FilterResult result)
    {
        string root = _directory.Make("root");
        File.WriteAllText(Path.Combine(root, "f"), "x");
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            HashAsync(root, new DirectoryLayerOptions { Filter = (_, _) => result }));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADirectoryCannotGetContent()
    {
        string root = _directory.Make("root");
        Directory.CreateDirectory(Path.Combine(root, "d"));
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            HashAsync(root, new DirectoryLayerOptions { Filter = (_, _) => FilterResult.Replace([1]) }));
    }

    [Fact]
    public async Task CancellingStopsTheWalk()
    {
        string root = _directory.Make("root");
        await using var writer = LayerWriter.HashOnly();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            DirectoryLayer.WriteAsync(writer, root, new DirectoryLayerOptions(), new CancellationToken(canceled: true)));
    }

    private async Task<string> MakeTreeAsync()
    {
        string root = _directory.Make("root");
        await LinuxTree.MakeAsync(root, Tree);
        return root;
    }

    private static async Task<string> RepackedDigestsAsync(string tree, string scratch)
    {
        var store = new MemoryStore();
        var text = new StringBuilder();
        foreach (var compression in (LayerCompression[])[LayerCompression.Gzip, LayerCompression.Zstandard])
        {
            await using var writer = await LayerWriter.BeginAsync(store, compression);
            await DirectoryLayer.WriteAsync(writer, tree, new DirectoryLayerOptions { Epoch = s_epoch });
            var layer = await writer.FinishAsync();
            string copy = Directory.CreateDirectory(Path.Combine(scratch, compression.Name)).FullName;
            await LayerExtractor.ExtractAsync(store, layer.Blob!, layer.DiffId, copy, new ExtractOptions { AllowDevices = true });
            text.Append(CultureInfo.InvariantCulture, $"{layer.DiffId} {layer.Blob!.Digest}\n{await LinuxTree.ListAsync(copy)}\n");
        }

        return text.ToString();
    }

    private static async Task<Layer> HashAsync(string root, DirectoryLayerOptions options)
    {
        await using var writer = LayerWriter.HashOnly();
        await DirectoryLayer.WriteAsync(writer, root, options);
        return await writer.FinishAsync();
    }

    private static async Task<byte[]> TarAsync(string root, DirectoryLayerOptions options)
    {
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.None);
        await DirectoryLayer.WriteAsync(writer, root, options);
        var layer = await writer.FinishAsync();
        return (await store.ReadAsync(layer.Blob!.Digest))!;
    }

    private static async Task<string> ListAsync(string root, DirectoryLayerOptions options) =>
        (await TarListing.OfAsync(await TarAsync(root, options))).Trim();
}
