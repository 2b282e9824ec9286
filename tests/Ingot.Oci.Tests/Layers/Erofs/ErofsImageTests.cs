using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Erofs;
using Ingot.Oci.Tar;
using Ingot.Oci.Tests.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layers.Erofs;

public sealed class ErofsImageTests : IDisposable
{
    private const long GiB = 1L << 30;
    private const int DirectoryMode = 0b111_101_101;

    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Vectors => new(VectorFile.Names("oci", "layers"));

    public void Dispose() => _directory.Dispose();

    // The image holds what unpacking for an overlay makes, and a layer that is not unpacked has no image.
    [Theory]
    [MemberData(nameof(Vectors))]
    public async Task EveryVectorIsInItsImageAsItUnpacks(string name)
    {
        var vector = VectorFile.Read(name, "oci", "layers");
        Assert.SkipUnless(LinuxTree.IsRoot || !vector.Sections.ContainsKey("lower"), LinuxTree.NeedsRoot);
        string expected = vector["overlay"].Trim();
        string lower = _directory.Make("lower");
        try
        {
            if (vector.Sections.ContainsKey("lower"))
                await LayerExtractor.ExtractAsync(new MemoryStream(ArchiveScript.Build([.. vector.Lines("lower"), "end"])), lower,
                    new ExtractOptions { Whiteouts = WhiteoutForm.Overlay });
            byte[] tar = ArchiveScript.Build([.. vector.Lines("layer"), "end"]);
            var index = await LayerReader.IndexAsync(new MemoryStream(tar));
            Assert.Equal(expected, Read(index, new ErofsOptions { LowerDirectories = [lower] }).List());
        }
        catch (IngotException e)
        {
            Assert.True(expected.StartsWith("error ", StringComparison.Ordinal), e.Message);
        }
    }

    [Fact]
    public void AnyLayerIsInItsImageAsWritten()
    {
        Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue)), seed =>
        {
            var (tar, index) = RandomLayer.Make(new Random(seed));
            var image = Read(index);
            Assert.Equal(LayerModel.List(index), image.List());
            foreach (var file in index.Files
                .Where(file => file.Type is TarEntryType.File or TarEntryType.HardLink && file.Digest is not null))
                Assert.Equal(file.Digest, Digest.Of(image.Content(Latin(file.Path), tar)));
        }).Holds();
    }

    [Fact]
    public void EqualLayersGiveEqualBytesAndOthersAnotherIdentity()
    {
        Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue)), seed =>
        {
            var (_, index) = RandomLayer.Make(new Random(seed));
            byte[] image = Write(index);
            Assert.Equal(image, Write(LayerIndex.Read(index.Write())));
            Assert.Equal(image, Write(new LayerIndex(index.Files.Reverse(), index.Whiteouts.Reverse())));
            byte[] other = Write(new LayerIndex([.. index.Files, File(new string('z', 200))], index.Whiteouts));
            Assert.NotEqual(ErofsReader.Read(image).Uuid, ErofsReader.Read(other).Uuid);
        }).Holds(50);
    }

    [Theory]
    [InlineData(TarEntryType.HardLink)]
    [InlineData(TarEntryType.SymbolicLink)]
    public void ALinkThatNamesNothingIsNoIndex(TarEntryType type)
    {
        var link = new FileRecord(new TarEntry { Path = "link", Type = type, Mode = 0b111_111_111 }, null, 0, 0);
        Assert.Throws<FormatException>(() => LayerIndex.Read(new LayerIndex([link], []).Write()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(".wh.d/a")]
    public void AnIndexWithAWhiteoutThatIsNoneIsRefused(string path) =>
        Assert.Throws<FormatException>(() => LayerIndex.Read(new LayerIndex([], [path]).Write()));

    [Fact]
    public void ADamagedIndexIsRefusedOrStillMakesASoundImage()
    {
        int images = 0;
        Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue)), seed =>
        {
            var random = new Random(seed);
            byte[] bytes = RandomLayer.Make(random).Index.Write();
            for (int i = random.Next(1, 4); i > 0; i--)
                bytes[random.Next(20, bytes.Length)] = (byte)random.Next(256);
            try
            {
                Read(LayerIndex.Read(bytes), new ErofsOptions { AllowDevices = true });
                images++;
            }
            catch (Exception e) when (e is FormatException or LayerException)
            {
                // Said so.
            }
        }).Holds(400);
        Assert.True(images >= 50, $"only {images} damaged indexes made an image");
    }

    [Theory]
    [InlineData("a/../b")]
    [InlineData("a/./b")]
    [InlineData("..")]
    [InlineData("a//b")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a\0")]
    public void APathThatNoArchiveHasIsRefused(string path) => Refused(Index(File(path)));

    [Fact]
    public void APathIsThereOnce() => Assert.Equal("'d' is in the layer twice", Refused(Index(Directory("d"), Directory("d"))));

    [Fact]
    public void AnEmptyLayerIsAnEmptyDirectory()
    {
        var image = Read(Index());
        Assert.Equal("", image.List());
        Assert.Equal((DirectoryMode, 0u, 0u, 0L), (image[""].Mode, image[""].UserId, image[""].GroupId, image[""].Seconds));
    }

    [Fact]
    public void TheRootIsAsTheLayerSays()
    {
        var root = Read(Index(
            Directory("") with { Entry = Directory("").Entry with { Mode = 0b1_111_000_001, UserId = 70_000, GroupId = 80_000 } }))[""];
        Assert.Equal((0b1_111_000_001, 70_000u, 80_000u), (root.Mode, root.UserId, root.GroupId));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(512, 1)]
    [InlineData(513, 1)]
    [InlineData((5 * GiB) + 1, 1)]
    [InlineData(1024 * GiB, 1)]
    [InlineData((1024 * GiB) + 1, 2)]
    [InlineData(2047 * GiB, 2)]
    public void AFileIsOnePieceUnlessItIsLargerThanOneCanBe(long size, int pieces)
    {
        var file = Read(Index(File("f", size, offset: 512)), new ErofsOptions(), (2048 * GiB) - 1024)["f"];
        Assert.Equal(pieces, file.Pieces.Count);
        Assert.Equal((1, 1L), (file.Pieces[0].Device, file.Pieces[0].Block));
        Assert.Equal(size, file.Pieces.Sum(piece => piece.Bytes));
        Assert.All(file.Pieces.Skip(1), piece => Assert.Equal(1 + (1L << 31), piece.Block));
    }

    [Fact]
    public void ContentsMayLieFarBackInADeviceAndInSeveral()
    {
        var options = new ErofsOptions { PlaceOf = file => file.Path == "new" ? new ErofsPlace(2, 0) : new ErofsPlace(1, file.Offset) };
        var image = Read(Index(File("far", 5, offset: 2000 * GiB), File("new", 7), File("empty")), options, 2001 * GiB, 512);
        Assert.Equal([(1, 2000 * GiB / 512, 5L)], image["far"].Pieces);
        Assert.Equal([(2, 0L, 7L)], image["new"].Pieces);
        Assert.Empty(image["empty"].Pieces);
    }

    [Theory]
    [InlineData(1, 1024, "do not lie within it")]
    [InlineData(1, 512, "do not lie within it")]
    [InlineData(1, 51, "not a multiple of 512")]
    [InlineData(1, -512, "do not lie within it")]
    [InlineData(1, long.MaxValue, "do not lie within it")]
    [InlineData(0, 0, "do not lie within it")]
    [InlineData(2, 0, "do not lie within it")]
    public void AContentThatIsNotInADeviceIsRefused(int device, long offset, string message)
    {
        var options = new ErofsOptions { PlaceOf = _ => new ErofsPlace(device, offset) };
        Assert.Contains(message, Refused(Index(File("f", 10)), options, 1023), StringComparison.Ordinal);
    }

    [Fact]
    public void ADeviceBeyondTheFormatIsRefused() =>
        Assert.Contains("EROFS reads 2 TiB", Refused(Index(), new ErofsOptions(), 2049 * GiB), StringComparison.Ordinal);

    [Fact]
    public void ADirectoryOfManyNamesIsSortedThroughAllItsBlocks()
    {
        var random = new Random(7);
        var names = Enumerable.Range(0, 30_000).Select(i => $"{random.Next()}{new string('n', i % 60)}")
            .Concat(["!", "-", ".!", ".a", "..!", "..a", new string('x', 255), "\uDCFF"]).Distinct().ToList();
        var image = Read(Index([.. names.Select(name => File("d/" + name))]));
        Assert.Equal(names.Select(name => "d/" + Latin(name)).Order(StringComparer.Ordinal),
            image.Files.SelectMany(file => file.Paths).Where(path => path.Length > 1).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ATreeMayBeAsDeepAsPathsAreLong()
    {
        string path = string.Join('/', Enumerable.Repeat("d", 2000));
        Assert.Equal(2001, Read(Index(File(path))).Files.Count());
        string wide = string.Join('/', Enumerable.Repeat(new string('d', 255), 15));
        Assert.Equal('f', Read(Index(File(wide)))[wide].Type);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(447)]
    [InlineData(448)]
    [InlineData(449)]
    [InlineData(512)]
    [InlineData(4095)]
    public void ALinkMayHaveAnyLength(int length)
    {
        string text = new('t', length);
        var image = Read(Index(Link("a", text), Link("b", text), Link("c", "é\uDCFF")));
        Assert.Equal([text, text, "Ã©ÿ"], new[] { "a", "b", "c" }.Select(path => image[path].Text));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public void ALinkThatNoProgramCouldReadIsRefused(int length) =>
        Assert.Contains("has a text of", Refused(Index(Link("a", new string('t', length)))), StringComparison.Ordinal);

    [Theory]
    [InlineData("0001-01-01T00:00:00Z", -62135596800, 0)]
    [InlineData("1969-12-31T23:59:59.9999999Z", -1, 999_999_900)]
    [InlineData("2038-01-19T03:14:08.0000001Z", 2147483648, 100)]
    [InlineData("9999-12-31T23:59:59Z", 253402300799, 0)]
    [InlineData("2001-01-01T00:00:00.5+05:00", 978289200, 500_000_000)]
    public void AnyTimeIsKept(string time, long seconds, int nanoseconds)
    {
        var at = DateTimeOffset.Parse(time, System.Globalization.CultureInfo.InvariantCulture);
        var file = Read(Index(File("f") with { Entry = File("f").Entry with { ModifiedTime = at } }))["f"];
        Assert.Equal((seconds, nanoseconds), (file.Seconds, file.Nanoseconds));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(500)]
    [InlineData(4000)]
    [InlineData(65535)]
    public void AttributesOfUsersAreKeptAndThoseOfTheHostAreNot(int length)
    {
        byte[] value = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        var attributes = new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["user.a"] = value,
            ["user.b"] = [],
            ["user." + new string('n', 250)] = [1],
            ["security.capability"] = [2],
            ["security.selinux"] = [3],
            ["trusted.x"] = [4],
            ["system.posix_acl_access"] = [5],
        };
        var image = Read(Index(
            [With(File("f", 600, offset: 0), attributes), With(Directory("d"), attributes), With(Link("l", "f"), attributes)],
            "d/.wh..wh..opq"));
        Assert.Equal(["security.capability", "user.a", "user.b", "user." + new string('n', 250)], image["f"].Attributes.Keys);
        Assert.Equal(["trusted.overlay.opaque", "user.a", "user.b", "user." + new string('n', 250)], image["d"].Attributes.Keys);
        Assert.Equal("y"u8, image["d"].Attributes["trusted.overlay.opaque"]);
        Assert.Equal(value, image["f"].Attributes["user.a"]);
        Assert.Empty(image["l"].Attributes);
    }

    [Theory]
    [InlineData("user.a", 65536, "EROFS holds 65535")]
    [InlineData("user.", 1, "whose name Linux does not support")]
    [InlineData("user.a\0b", 1, "whose name Linux does not support")]
    [InlineData("trusted.overlay.redirect", 1, "steers overlay file systems")]
    [InlineData("user.overlay.whiteout", 1, "steers overlay file systems")]
    public void AnAttributeThatCannotBeSetIsRefused(string name, int length, string message) =>
        Assert.Contains(message, Refused(Index(With(File("f"), new(StringComparer.Ordinal) { [name] = new byte[length] }))),
            StringComparison.Ordinal);

    [Fact]
    public void MoreAttributesThanAnInodeCountsAreRefused()
    {
        var attributes = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        for (char name = 'a'; name < 'e'; name++)
            attributes["user." + name] = new byte[65_000];
        Assert.Equal(4, Read(Index(With(File("f"), attributes)))["f"].Attributes.Count);
        attributes["user.e"] = new byte[3000];
        Assert.Contains("bytes of attributes", Refused(Index(With(File("f"), attributes))), StringComparison.Ordinal);
        Assert.Contains(
            "whose name Linux does not support",
            Refused(Index(With(File("f"), new(StringComparer.Ordinal) { ["user." + new string('n', 251)] = [] }))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void HardLinksAreNamesOfOneFileWhateverTheirOrder()
    {
        var image = Read(Index(HardLink("a", "m"), HardLink("b/c", "a"), File("m"), Link("s", "x"), HardLink("z", "s"),
            HardLink("0", "z")));
        Assert.Equal(["a", "b/c", "m"], image["m"].Paths.Order(StringComparer.Ordinal));
        Assert.Equal(["0", "s", "z"], image["s"].Paths.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("gone", "not a file that the layer brought before")]
    [InlineData("d", "not a file that the layer brought before")]
    [InlineData("l", "not a file that the layer brought before")]
    [InlineData("l2", "replaced afterwards")]
    [InlineData("replaced", "replaced afterwards")]
    [InlineData("implied", "not a file that the layer brought before")]
    [InlineData("hidden", "not a file that the layer brought before")]
    public void AHardLinkToNoFileOfTheLayerIsRefused(string target, string message)
    {
        var index = Index(
            [HardLink("l", target), HardLink("l2", "l3"), HardLink("l3", "l2"), Directory("d"), File("implied/x"),
                File("replaced", 5, offset: 512)],
            ".wh.hidden");
        Assert.Contains(message, Refused(index), StringComparison.Ordinal);
    }

    [Fact]
    public void DevicesAreMadeWhenAllowed()
    {
        FileRecord[] devices = [Device("c", TarEntryType.CharacterDevice, 1, 3), Device("b", TarEntryType.BlockDevice, 0xFFF, 0xFFFFF)];
        Assert.Equal("b b 0 0:0 0 fff,fffff\nc c 0 0:0 0 1,3", Read(Index(devices), new ErofsOptions { AllowDevices = true }).List());
        Assert.Contains("is a device, which an image has no use for", Refused(Index(devices)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0, "takes for a deletion")]
    [InlineData(0x1000, 0, "does not support")]
    [InlineData(0, 0x100000, "does not support")]
    [InlineData(-1, 0, "does not support")]
    public void ADeviceThatCannotBeIsRefused(int major, int minor, string message) =>
        Assert.Contains(
            message,
            Refused(Index(Device("c", TarEntryType.CharacterDevice, major, minor)), new ErofsOptions { AllowDevices = true }),
            StringComparison.Ordinal);

    [Theory]
    [InlineData(255, true)]
    [InlineData(256, false)]
    public void ANameHasAtMost255Bytes(int length, bool isAllowed)
    {
        foreach (string name in new[] { new string('n', length), new string('n', length - 2) + "é", new string('n', length - 1) + "\uDC80",
            new string('n', length - 4) + "😀" })
        {
            if (isAllowed)
                Assert.Equal(Latin(name), Read(Index(File(name))).Files.Single(file => file.Type == 'f').Paths.Single());
            else
                Assert.Contains("256 bytes", Refused(Index(File("d/" + name + "/f"))), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(uint.MaxValue, 0)]
    [InlineData(0, long.MaxValue)]
    public void AnOwnerBeyondLinuxIsRefused(long user, long group) =>
        Assert.Contains("which Linux does not support",
            Refused(Index(File("f") with { Entry = File("f").Entry with { UserId = user, GroupId = group } })), StringComparison.Ordinal);

    [Theory]
    [InlineData(".wh.")]
    [InlineData("d/.wh...")]
    [InlineData(".wh..wh.a")]
    [InlineData(".wh..wh..opq")]
    [InlineData("f/.wh.x")]
    [InlineData("f/.wh..wh..opq")]
    public void AWhiteoutOfNothingIsRefused(string whiteout) => Refused(Index([File("f")], whiteout));

    [Fact]
    public void WhatLiesInAFileIsRefused()
    {
        Assert.Contains("something lies below 'f'", Refused(Index(File("f"), File("f/x"))), StringComparison.Ordinal);
        Assert.Contains("something lies below 'a/l'", Refused(Index(Link("a/l", "x"), File("a/l/x/y"))), StringComparison.Ordinal);
        Assert.Contains("lies in a whiteout", Refused(Index(File("a/.wh.b/x"))), StringComparison.Ordinal);
        Assert.Contains("the root is a File", Refused(Index(File(""))), StringComparison.Ordinal);
    }

    [Fact]
    public void DeletionsOfWhatCannotBeThereAreLeftOut()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string lower = _directory.Make("lower");
        System.IO.Directory.CreateDirectory(Path.Combine(lower, "there"));
        var index = Index([Directory("o/d")], ".wh.a", "there/.wh.a", "new/.wh.a", "o/.wh..wh..opq", "o/.wh.a", "o/d/.wh.a");
        Assert.Equal(
            "a c 600 0:0 0 0,0\nnew d 755 0:0 0\no d 755 0:0 0 opaque\no/d d 755 0:0 0\nthere d 755 0:0 0\nthere/a c 600 0:0 0 0,0",
            WithoutTimes(Read(index, new ErofsOptions { LowerDirectories = [lower] }).List()));
        Assert.Contains("new/a c 600", Read(index).List(), StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutADeviceThereIsNoImage() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ErofsImage.Write(Stream.Null, Index(), []));

    // The directory below was made just now.
    private static string WithoutTimes(string list) =>
        System.Text.RegularExpressions.Regex.Replace(list, "(?<=there d 755 0:0 )[0-9]+", "0");

    private static FileRecord File(string path, long size = 0, long offset = 0) =>
        new(new TarEntry { Path = path, Type = TarEntryType.File, Size = size }, Digest: null, size, offset);

    private static FileRecord Directory(string path) =>
        new(new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = DirectoryMode }, Digest: null, 0, 0);

    private static FileRecord Link(string path, string text) =>
        new(new TarEntry { Path = path, Type = TarEntryType.SymbolicLink, LinkTarget = text }, Digest: null, 0, 0);

    private static FileRecord HardLink(string path, string target) =>
        new(new TarEntry { Path = path, Type = TarEntryType.HardLink, LinkTarget = target }, Digest: null, 0, 0);

    private static FileRecord Device(string path, TarEntryType type, int major, int minor) =>
        new(new TarEntry { Path = path, Type = type, DeviceMajor = major, DeviceMinor = minor }, Digest: null, 0, 0);

    private static FileRecord With(FileRecord file, SortedDictionary<string, byte[]> attributes) =>
        file with { Entry = file.Entry with { ExtendedAttributes = attributes } };

    private static LayerIndex Index(params FileRecord[] files) => new(files, []);

    private static LayerIndex Index(FileRecord[] files, params string[] whiteouts) => new(files, whiteouts);

    private static string Latin(string path) => Encoding.Latin1.GetString(TarPath.Encode(path));

    private static string Refused(LayerIndex index, ErofsOptions? options = null, params long[] devices) =>
        Assert.Throws<LayerException>(() => Write(index, options, devices)).Message;

    private static ErofsReader Read(LayerIndex index, ErofsOptions? options = null, params long[] devices) =>
        ErofsReader.Read(Write(index, options, devices));

    private static byte[] Write(LayerIndex index, ErofsOptions? options = null, params long[] devices)
    {
        var image = new MemoryStream();
        ErofsImage.Write(image, index, [.. (devices is [] ? [GiB] : devices).Select(bytes => new ErofsDevice(bytes))], options);
        return image.ToArray();
    }
}
