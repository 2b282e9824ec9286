using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Builds.Normalisation;
using Ingot.Builds.Normalisation.Formats;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Normalisation.Formats;

public sealed class FormatTimesTests
{
    private const uint Epoch = 1_700_000_000;

    private static readonly StepTimes s_times = StepTimes.Any(DateTimeOffset.FromUnixTimeSeconds(Epoch));

    private static readonly DateTimeOffset s_early = DateTimeOffset.FromUnixTimeSeconds(Epoch - 100_000);
    private static readonly DateTimeOffset s_late = DateTimeOffset.FromUnixTimeSeconds(Epoch + 100_000);

    public static TheoryData<string> Formats => [.. s_formats.Keys];

    private static readonly Dictionary<string, (Func<LayerContent, StepTimes, IReadOnlyList<ContentPatch>> Find,
        Func<DateTimeOffset, byte[]> Make)> s_formats = new()
        {
            ["gzip"] = (GzipTimes.Find, Gzip),
            ["pyc"] = (BytecodeTimes.Find, Bytecode),
            ["ar"] = (ArchiveTimes.Find, Library),
            ["zip"] = (ZipTimes.Find, Zip),
            ["tar"] = (TarTimes.Find, time => Tar(time, TarEntryFormat.Ustar)),
            ["tar of pax"] = (TarTimes.Find, time => Tar(time, TarEntryFormat.Pax)),
            ["tar of gnu"] = (TarTimes.Find, time => Tar(time, TarEntryFormat.Gnu)),
            ["zip of info-zip"] = (ZipTimes.Find, time => ZipWith(time, UnixExtra(time))),
            ["zip of info-zip before"] = (ZipTimes.Find, time => ZipWith(time, OldUnixExtra(time))),
            ["zip of windows"] = (ZipTimes.Find, time => ZipWith(time, NtfsExtra(time))),
            ["cpio"] = (CpioTimes.Find, Cpio),
            ["keystore"] = (KeyStoreTimes.Find, KeyStore),
            ["go-cache"] = (GoCacheTimes.Find, GoCacheEntry),
            ["pnpm-index"] = (PnpmTimes.Find, PnpmIndex),
            ["pnpm-modules"] = (PnpmTimes.Find, PnpmModules),
        };

    [Theory]
    [MemberData(nameof(Formats))]
    public void FilesThatDifferInALateTimeBecomeOne(string format)
    {
        var (_, make) = s_formats[format];
        byte[] first = make(s_late), second = make(s_late.AddHours(5));
        Assert.NotEqual(first, second);
        Assert.Equal(Apply(format, first), Apply(format, second));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AnEarlyTimeStays(string format) => Assert.Empty(Find(format, s_formats[format].Make(s_early)));

    [Theory]
    [MemberData(nameof(Formats))]
    public void DoingItAgainChangesNothing(string format) => Assert.Empty(Find(format, Apply(format, s_formats[format].Make(s_late))));

    [Theory]
    [MemberData(nameof(Formats))]
    public void AFileThatIsCutOffAnywhereIsNoReasonToFail(string format)
    {
        byte[] whole = s_formats[format].Make(s_late);
        for (int length = 0; length < whole.Length; length++)
            AreWithin(Find(format, whole[..length]), length);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AFileWithAnyByteChangedIsNoReasonToFail(string format)
    {
        byte[] whole = s_formats[format].Make(s_late);
        Prop.ForAll(Gen.Choose(0, whole.Length - 1).Two().ToArbitrary(), ArbMap.Default.ArbFor<byte>(), (places, value) =>
        {
            byte[] changed = [.. whole];
            changed[places.Item1] = value;
            changed[places.Item2] ^= value;
            AreWithin(Find(format, changed), changed.Length);
        }).Holds(500);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AnyBytesAreNoReasonToFail(string format) =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => AreWithin(Find(format, bytes ?? []), bytes?.Length ?? 0)).Holds();

    [Fact]
    public void AZipFileStaysReadable()
    {
        using var archive = new ZipArchive(new MemoryStream(Apply("zip", Zip(s_late))));
        Assert.Equal(["META-INF/MANIFEST.MF", "a/B.class"], archive.Entries.Select(e => e.FullName));
        foreach (var entry in archive.Entries)
        {
            Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(Epoch).UtcDateTime, entry.LastWriteTime.DateTime, TimeSpan.FromSeconds(2));
            using var reader = new StreamReader(entry.Open());
            Assert.StartsWith("content of ", reader.ReadToEnd());
        }
    }

    [Fact]
    public void ATarFileKeepsItsChecksums()
    {
        var reader = new TarReader(new MemoryStream(Apply("tar", Tar(s_late, TarEntryFormat.Ustar))));
        var entry = reader.GetNextEntry();
        Assert.Equal("a", entry!.Name);
        Assert.Equal(Epoch, entry.ModificationTime.ToUnixTimeSeconds());
        Assert.Equal("b", reader.GetNextEntry()!.Name);
    }

    [Fact]
    public void AModuleThatNamesItsSourceByHashStays()
    {
        byte[] module = Bytecode(s_late);
        module[4] = 1;
        Assert.Empty(Find("pyc", module));
    }

    private static IReadOnlyList<ContentPatch> Find(string format, byte[] bytes) => s_formats[format].Find(LayerContent.Of(bytes), s_times);

    private static byte[] Apply(string format, byte[] bytes)
    {
        byte[] patched = [.. bytes];
        foreach (var patch in Find(format, bytes))
            patch.Bytes.CopyTo(patched, patch.Offset);
        return patched;
    }

    private static void AreWithin(IReadOnlyList<ContentPatch> patches, int length) =>
        Assert.All(patches, p => Assert.InRange(p.Offset, 0, length - p.Bytes.Length));

    private static byte[] Gzip(DateTimeOffset time) =>
        [0x1F, 0x8B, 8, 0, .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()), 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private static byte[] Bytecode(DateTimeOffset time) =>
        [0xCB, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0, .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()), 12, 0, 0, 0, 0xE3, 0];

    private static byte[] Library(DateTimeOffset time)
    {
        string Member(string name, string owner, string content) =>
            $"{name,-16}{time.ToUnixTimeSeconds(),-12}{owner}{"100644",-8}{content.Length,-10}`\n{content}"
            + $"{(content.Length % 2 == 1 ? "\n" : "")}";
        return Encoding.ASCII.GetBytes("!<arch>\n" + Member("/", "0     0     ", "index") + Member("a.o/", "0     0     ", "one")
            + Member("b.o/", "0     0     ", "four"));
    }

    [Fact]
    public void InodesOfAnArchiveAreNumberedAnewAndNamesOfOneFileStayTogether()
    {
        byte[] first = Apply("cpio", Cpio(s_late, firstInode: 4711, device: 8)),
            second = Apply("cpio", Cpio(s_late, firstInode: 12, device: 253));
        Assert.Equal(first, second);
        string[] inodes = [.. Enumerable.Range(0, 3).Select(i => Encoding.ASCII.GetString(first, (i * CpioMemberBytes) + 6, 8))];
        Assert.Equal(["00000001", "00000002", "00000001"], inodes);
    }

    [Fact]
    public void WhatFollowsAnArchiveIsNotLookedAt()
    {
        byte[] archive = Cpio(s_late);
        Assert.Equal(Find("cpio", archive).Count, Find("cpio", [.. archive, .. new byte[512], 0x28, 0xB5, 0x2F, 0xFD]).Count);
    }

    [Fact]
    public void AKeyStoreStaysWholeAndOneOfAnotherPasswordStaysAsItIs()
    {
        byte[] store = Apply("keystore", KeyStore(s_late));
        Assert.Equal(KeyStore(DateTimeOffset.FromUnixTimeSeconds(Epoch)), store);
        byte[] secret = KeyStore(s_late);
        secret[^1] ^= 1;
        Assert.Empty(Find("keystore", secret));
    }

    [Fact]
    public void WhatPnpmWritesStaysWhatItWas()
    {
        Assert.Equal($"prunedAt: {s_late:r}\n".Length, $"prunedAt: {DateTimeOffset.FromUnixTimeSeconds(0):r}\n".Length);
        string after = Encoding.ASCII.GetString(PnpmTimes.Find(LayerContent.Of(PnpmIndex(s_late)), StepTimes.Any(Tree.Epoch))
            .Aggregate(PnpmIndex(s_late), (bytes, patch) =>
            {
                patch.Bytes.CopyTo(bytes, patch.Offset);
                return bytes;
            }));
        using var json = System.Text.Json.JsonDocument.Parse(after);
        Assert.Equal(315532800000, json.RootElement.GetProperty("files").GetProperty("a.js").GetProperty("checkedAt").GetInt64());
    }

    private const int CpioMemberBytes = 110 + 2 + 4;

    private static byte[] Cpio(DateTimeOffset time) => Cpio(time, firstInode: 1, device: 0);

    // The third is another name of the first.
    private static byte[] Cpio(DateTimeOffset time, uint firstInode, uint device)
    {
        string Member(string name, uint inode, string content) =>
            $"070701{inode:X8}000081A40000000000000000{1:X8}{time.ToUnixTimeSeconds():X8}{content.Length:X8}{device:X8}{device:X8}{0:X8}"
            + $"{0:X8}{name.Length + 1:X8}{0:X8}{name}\0{content}";
        return Encoding.ASCII.GetBytes(Member("a", firstInode, "1234") + Member("b", firstInode + 1, "5678")
            + Member("c", firstInode, "1234"))
            .Concat(Encoding.ASCII.GetBytes($"070701{string.Concat(Enumerable.Repeat("00000000", 11))}0000000B00000000TRAILER!!!\0"))
            .ToArray();
    }

    private static byte[] KeyStore(DateTimeOffset time)
    {
        static byte[] Number(int value, int bytes) => [.. BitConverter.GetBytes(value).Reverse().Skip(4 - bytes)];
        static byte[] Text(string text) => [.. Number(text.Length, 2), .. Encoding.UTF8.GetBytes(text)];
        byte[] Entry(string alias) => [.. Number(2, 4), .. Text(alias), .. BitConverter.GetBytes(time.ToUnixTimeMilliseconds()).Reverse(),
            .. Text("X.509"), .. Number(3, 4), 1, 2, 3];
        byte[] store = [0xFE, 0xED, 0xFE, 0xED, .. Number(2, 4), .. Number(2, 4), .. Entry("one"), .. Entry("two")];
#pragma warning disable RS0030, CA5350 // the format's own
        return [.. store, .. System.Security.Cryptography.SHA1
            .HashData([.. Encoding.BigEndianUnicode.GetBytes("changeit"), .. "Mighty Aphrodite"u8, .. store])];
#pragma warning restore RS0030, CA5350
    }

    private static byte[] GoCacheEntry(DateTimeOffset time) =>
        Encoding.ASCII.GetBytes(
            $"v1 {new string('a', 64)} {new string('b', 64)} {12345,20} {time.ToUnixTimeSeconds() * 1_000_000_000,20}\n");

    private static byte[] PnpmIndex(DateTimeOffset time) =>
        Encoding.ASCII.GetBytes("""{"name":"a","files":{"a.js":{"checkedAt":TIME,"integrity":"sha512-x","mode":420,"size":3}}}"""
            .Replace("TIME", $"{time.ToUnixTimeMilliseconds()}", StringComparison.Ordinal));

    private static byte[] PnpmModules(DateTimeOffset time) =>
        Encoding.ASCII.GetBytes($"hoistPattern:\n  - '*'\nprunedAt: {time:r}\nregistries: {{}}\n");

    private static byte[] Zip(DateTimeOffset time)
    {
        var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var name in (string[])["META-INF/MANIFEST.MF", "a/B.class"])
            {
                var entry = archive.CreateEntry(name);
                entry.LastWriteTime = time;
                using var writer = new StreamWriter(entry.Open());
                writer.Write("content of " + name);
            }
        }

        return bytes.ToArray();
    }

    // The writer's own extended headers have the process id in them, which is the same here.
    private static byte[] Tar(
        DateTimeOffset time, TarEntryFormat format, string first = "a", string fraction = ".25", string comment = "mtime=1 and more")
    {
        var bytes = new MemoryStream();
#pragma warning disable RS0030 // other writers' bytes are what is read here
        using (var writer = new TarWriter(bytes, format, leaveOpen: true))
#pragma warning restore RS0030
        {
            foreach (var name in (string[])[first, "b"])
            {
                TarEntry entry = format switch
                {
                    TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name,
                        [new("atime", $"{time.ToUnixTimeSeconds()}{fraction}"), new("comment", comment)]),
                    TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
                    _ => new UstarTarEntry(TarEntryType.RegularFile, name),
                };
                entry.ModificationTime = time.AddMilliseconds(format == TarEntryFormat.Pax ? 123 : 0);
                entry.DataStream = new MemoryStream([1, 2, 3]);
                writer.WriteEntry(entry);
            }
        }

        return bytes.ToArray();
    }

    private static byte[] UnixExtra(DateTimeOffset time) => [0x55, 0x54, 9, 0, 3, .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()),
        .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds())];

    private static byte[] OldUnixExtra(DateTimeOffset time) => [0x55, 0x58, 8, 0, .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()),
        .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds())];

    private static byte[] NtfsExtra(DateTimeOffset time) =>
        [0x0A, 0, 32, 0, 0, 0, 0, 0, 1, 0, 24, 0, .. Enumerable.Repeat(BitConverter.GetBytes(time.ToFileTime()), 3).SelectMany(b => b)];

    // One stored member, with a field of another program beside its name.
    private static byte[] ZipWith(DateTimeOffset time, byte[] extra, string name = "a")
    {
        byte[] content = [1, 2, 3], dos = DosTime(time), path = Encoding.ASCII.GetBytes(name);
        byte[] Half(int value) => BitConverter.GetBytes((ushort)value);
        byte[] common = [20, 0, 0, 0, 0, 0, .. dos, 0, 0, 0, 0, .. BitConverter.GetBytes(3), .. BitConverter.GetBytes(3),
            .. Half(path.Length), .. Half(extra.Length)];
        byte[] local = [0x50, 0x4B, 3, 4, .. common, .. path, .. extra, .. content];
        byte[] central = [0x50, 0x4B, 1, 2, 20, 0, .. common, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. path, .. extra];
        return [.. local, .. central, 0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, .. BitConverter.GetBytes(central.Length),
            .. BitConverter.GetBytes(local.Length), 0, 0];
    }

    private static byte[] DosTime(DateTimeOffset time) =>
        BitConverter.GetBytes((uint)(((time.Year - 1980) << 25) | (time.Month << 21) | (time.Day << 16) | (time.Hour << 11)
            | (time.Minute << 5) | (time.Second / 2)));

    // What was fetched or unpacked has times from before the step, and may be checked.
    [Theory]
    [MemberData(nameof(Formats))]
    public void ATimeFromBeforeTheStepStaysHoweverLateItIs(string format)
    {
        if (format == "pyc")
            return;

        byte[] file = s_formats[format].Make(s_late);
        var step = StepTimes.Between(DateTimeOffset.FromUnixTimeSeconds(Epoch), s_late.AddMinutes(1), TimeSpan.FromMinutes(5),
            s_late.AddMinutes(6));
        Assert.Empty(s_formats[format].Find(LayerContent.Of(file), step));
        var itsOwn = StepTimes.Between(DateTimeOffset.FromUnixTimeSeconds(Epoch), s_late.AddMinutes(-1), TimeSpan.FromMinutes(5),
            s_late.AddMinutes(4));
        Assert.Equal(Find(format, file), s_formats[format].Find(LayerContent.Of(file), itsOwn), SamePatch);
    }

    // A file that somebody made and fetched after the cache was there is not the cache's.
    [Theory]
    [MemberData(nameof(Formats))]
    public void OnlyWhatAProgramKeepsAboutItsCacheMayHaveATimeSinceTheCacheIsThere(string format)
    {
        if (format == "pyc")
            return;

        var step = StepTimes.Between(DateTimeOffset.FromUnixTimeSeconds(Epoch), s_late.AddMinutes(1), TimeSpan.FromMinutes(5),
            s_late.AddMinutes(6));
        step = step with { CachesFirst = s_late.AddDays(-1).ToUnixTimeSeconds() };
        bool isOfCaches = format is "go-cache" or "pnpm-index" or "pnpm-modules";
        Assert.Equal(isOfCaches, s_formats[format].Find(LayerContent.Of(s_formats[format].Make(s_late)), step).Count > 0);
    }

    [Theory]
    [InlineData(0x0001)]
    [InlineData(0x0009)]
    [InlineData(0x0040)]
    [InlineData(0x2000)]
    public void AnEncryptedZipFileStaysAsItIs(int flags)
    {
        byte[] zip = ZipWith(s_late, []);
        int directory = BitConverter.ToInt32(zip, zip.Length - 6);
        BitConverter.GetBytes((ushort)flags).CopyTo(zip, directory + 8);
        Assert.Empty(ZipTimes.Find(LayerContent.Of(zip), s_times));
    }

    // Few bytes that would be read two thousand times.
    [Fact]
    public void AZipFileOfWhichManyMembersAreOneIsNotReadForEach()
    {
        byte[] extra = [.. Enumerable.Repeat(UnixExtra(s_late), 5000).SelectMany(e => e)], whole = ZipWith(s_late, extra);
        int directory = BitConverter.ToInt32(whole, whole.Length - 6);
        byte[] member = [.. whole[directory..(directory + 46 + 1)]];
        (member[30], member[31]) = (0, 0);
        byte[] members = [.. Enumerable.Repeat(member, 2000).SelectMany(m => m)];
        byte[] hostile = [.. whole[..directory], .. members, 0x50, 0x4B, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0,
            .. BitConverter.GetBytes(members.Length), .. BitConverter.GetBytes(directory), 0, 0];
        byte[] honest = [.. whole[..directory], .. member, 0x50, 0x4B, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0,
            .. BitConverter.GetBytes(member.Length), .. BitConverter.GetBytes(directory), 0, 0];
        Assert.NotEmpty(ZipTimes.Find(LayerContent.Of(honest), s_times));
        Assert.Empty(ZipTimes.Find(LayerContent.Of(hostile), s_times));
    }

    private static bool SamePatch(ContentPatch one, ContentPatch other) =>
        one.Offset == other.Offset && one.Bytes.AsSpan().SequenceEqual(other.Bytes);

    // The source is dated by the layer, whenever it is from.
    [Fact]
    public void AModuleGetsTheTimeOfItsSourceHoweverEarlyThatIs() =>
        Assert.NotEmpty(BytecodeTimes.Find(LayerContent.Of(Bytecode(s_late)),
            StepTimes.Between(DateTimeOffset.FromUnixTimeSeconds(Epoch), s_late.AddDays(9), TimeSpan.Zero, s_late.AddDays(9))));

    [Theory]
    [InlineData("META-INF/KEY.SF", false)]
    [InlineData("META-INF/key.sf", false)]
    [InlineData(".signature.p7s", false)]
    [InlineData("a/.signature.p7s", true)]
    [InlineData("META-INF/KEY.TXT", true)]
    [InlineData("a/META-INF/KEY.SF", true)]
    public void ASignedFileStaysAsItIs(string member, bool isChanged) =>
        Assert.Equal(isChanged, ZipTimes.Find(LayerContent.Of(ZipWith(s_late, [], member)), s_times).Count > 0);

    [Fact]
    public void AFileWithABlockOfSignaturesStaysAsItIs()
    {
        byte[] zip = ZipWith(s_late, []), magic = Encoding.ASCII.GetBytes("APK Sig Block 42");
        int directory = BitConverter.ToInt32(zip, zip.Length - 6);
        byte[] signed = [.. zip[..directory], .. magic, .. zip[directory..^6], .. BitConverter.GetBytes(directory + magic.Length), 0, 0];
        Assert.NotEmpty(ZipTimes.Find(LayerContent.Of(zip), s_times));
        Assert.Empty(ZipTimes.Find(LayerContent.Of(signed), s_times));
    }

    // GNU tar leaves out the zeros at the end of a fraction: one time in ten is a digit shorter.
    [Theory]
    [InlineData("")]
    [InlineData(".5")]
    [InlineData(".123456789")]
    public void TimesOfAsManyDigitsAsTheyNeedBecomeOne(string fraction)
    {
        byte[] one = Apply("tar of pax", Tar(s_late, TarEntryFormat.Pax, fraction: ".12345678"));
        byte[] other = Apply("tar of pax", Tar(s_late.AddHours(1), TarEntryFormat.Pax, fraction: fraction));
        Assert.Equal(one, other);
        var entry = Assert.IsType<PaxTarEntry>(new TarReader(new MemoryStream(other)).GetNextEntry());
        Assert.Equal(($"{Epoch}", "mtime=1 and more"), (entry.ExtendedAttributes["atime"], entry.ExtendedAttributes["comment"]));
    }

    // Extended headers of every size around the ends of one block and of two: a block of zeros that is left over would be the end of the
    // archive.
    [Theory]
    [InlineData(360, null)]
    [InlineData(870, null)]
    [InlineData(340, "mtime=1 and more")]
    [InlineData(850, "mtime=1 and more")]
    public void ExtendedHeadersKeepTheirBlocks(int first, string? comment)
    {
        int filled = 0;
        foreach (int length in Enumerable.Range(first, 160))
        {
            byte[] tar = LongTar(s_late, length, ".123456789", comment), other = LongTar(s_late.AddHours(1), length, ".5", comment);
            byte[] changed = Apply("tar of pax", tar);
            Assert.Empty(Find("tar of pax", changed));
            AreWithin(Find("tar of pax", tar), tar.Length);
            if (tar.Length == other.Length)
                Assert.Equal(changed, Apply("tar of pax", other));
            var reader = new TarReader(new MemoryStream(changed));
            foreach (char name in "ab")
            {
                var entry = Assert.IsType<PaxTarEntry>(reader.GetNextEntry());
                Assert.Equal(new string(name, length), entry.Name);
                Assert.Equal((Epoch, $"{Epoch}"), (entry.ModificationTime.ToUnixTimeSeconds(), entry.ExtendedAttributes["atime"]));
                string? filler = entry.ExtendedAttributes.GetValueOrDefault(comment is null ? "comment" : "INGOT.filler");
                filled += filler is null ? 0 : 1;
                if (comment is not null)
                    Assert.Equal(comment, entry.ExtendedAttributes["comment"]);
            }

            Assert.Null(reader.GetNextEntry());
        }

        Assert.InRange(filled, 2, 100);
    }

    private static byte[] LongTar(DateTimeOffset time, int length, string fraction, string? comment)
    {
        var bytes = new MemoryStream();
#pragma warning disable RS0030 // other writers' bytes are what is read here
        using (var writer = new TarWriter(bytes, TarEntryFormat.Pax, leaveOpen: true))
#pragma warning restore RS0030
        {
            foreach (char name in "ab")
            {
                var attributes = new Dictionary<string, string> { ["atime"] = $"{time.ToUnixTimeSeconds()}{fraction}" };
                if (comment is not null)
                    attributes["comment"] = comment;
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, new string(name, length), attributes)
                {
                    ModificationTime = time.AddMilliseconds(123),
                    DataStream = new MemoryStream([1, 2, 3]),
                });
            }
        }

        return bytes.ToArray();
    }

    [Theory]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Pax)]
    public void ATarFileOfWhichMoreWouldChangeThanIsHeldInMemoryStays(TarEntryFormat format)
    {
        var tar = LayerContent.Of(Tar(s_late, format));
        Assert.NotEmpty(TarTimes.Find(tar, s_times, 64 << 10));
        Assert.Empty(TarTimes.Find(tar, s_times, 150));
    }

    public static TheoryData<string> Bounded => ["ar", "zip", "cpio"];

    // Every member is of the step, and there are so many of them that what would change is more than the file.
    [Theory]
    [MemberData(nameof(Bounded))]
    public void AnArchiveOfWhichMoreWouldChangeThanIsHeldInMemoryStays(string format)
    {
        Func<LayerContent, StepTimes, long, IReadOnlyList<ContentPatch>> find = format switch
        {
            "ar" => ArchiveTimes.Find,
            "zip" => ZipTimes.Find,
            _ => CpioTimes.Find,
        };
        var archive = LayerContent.Of(s_formats[format].Make(s_late));
        Assert.NotEmpty(find(archive, s_times, 64 << 10));
        Assert.Empty(find(archive, s_times, 150));
    }

    [Fact]
    public void AHostileLibraryTakesNoMoreMemoryThanTheBound()
    {
        string member = $"{"a/",-16}{s_late.ToUnixTimeSeconds(),-12}{"12    12    "}{"100644",-8}{0,-10}`\n";
        byte[] library = Encoding.ASCII.GetBytes("!<arch>\n" + string.Concat(Enumerable.Repeat(member, 300_000)));
        Assert.Empty(ArchiveTimes.Find(LayerContent.Of(library), s_times));
        Assert.Equal(20_000, ArchiveTimes.Find(LayerContent.Of(library[..(8 + (60 * 10_000))]), s_times).Count);
    }

    [Fact]
    public void AHostileInitramfsTakesNoMoreMemoryThanTheBound()
    {
        string member =
            $"070701{7:X8}000081A40000000000000000{1:X8}{s_late.ToUnixTimeSeconds():X8}{0:X8}{8:X8}{8:X8}{0:X8}{0:X8}{2:X8}{0:X8}a\0";
        string end = $"070701{string.Concat(Enumerable.Repeat("00000000", 11))}0000000B00000000TRAILER!!!\0";
        byte[] Archive(int members) => Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(member, members)) + end);
        Assert.Empty(CpioTimes.Find(LayerContent.Of(Archive(200_000)), s_times));
        Assert.Equal(40_000, CpioTimes.Find(LayerContent.Of(Archive(10_000)), s_times).Count);
    }

    // Each member has its own header, and as many times as a field of it can hold.
    [Fact]
    public void AHostileZipFileTakesNoMoreMemoryThanTheBound()
    {
        byte[] Archive(int members)
        {
            byte[] extra = [.. Enumerable.Repeat(UnixExtra(s_late), 5000).SelectMany(e => e)], one = ZipWith(s_late, extra);
            int directory = BitConverter.ToInt32(one, one.Length - 6);
            byte[] local = one[..directory], central = one[directory..^22];
            var bytes = new MemoryStream();
            for (int i = 0; i < members; i++)
                bytes.Write(local);
            for (int i = 0; i < members; i++)
            {
                BitConverter.GetBytes(i * local.Length).CopyTo(central, 42);
                bytes.Write(central);
            }

            bytes.Write([0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, .. BitConverter.GetBytes(members * central.Length),
                .. BitConverter.GetBytes(members * local.Length), 0, 0]);
            return bytes.ToArray();
        }

        Assert.NotEmpty(ZipTimes.Find(LayerContent.Of(Archive(2)), s_times));
        Assert.Empty(ZipTimes.Find(LayerContent.Of(Archive(60)), s_times));
    }

    // A value of more lines is one record, whatever its lines look like.
    [Fact]
    public void WhatOnlyLooksLikeATimeInAnExtendedHeaderStays()
    {
        string comment = $"a~27 mtime={s_late.ToUnixTimeSeconds()}.000000~b";
        byte[] tar = Tar(s_late, TarEntryFormat.Pax, comment: comment);
        tar.AsSpan().Replace((byte)'~', (byte)'\n');
        string text = Encoding.Latin1.GetString(Apply("tar of pax", tar));
        Assert.Contains(comment.Replace('~', '\n'), text, StringComparison.Ordinal);
        Assert.Contains($" mtime={Epoch}\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void ATarFileOfPaxStaysReadable()
    {
        var reader = new TarReader(new MemoryStream(Apply("tar of pax", Tar(s_late, TarEntryFormat.Pax))));
        var entry = Assert.IsType<PaxTarEntry>(reader.GetNextEntry());
        Assert.Equal((Epoch, "mtime=1 and more"), (entry.ModificationTime.ToUnixTimeSeconds(), entry.ExtendedAttributes["comment"]));
        Assert.Equal("b", reader.GetNextEntry()!.Name);
    }

    [Fact]
    public void CompressedTarFilesThatDifferInALateTimeBecomeOneAndThenStay()
    {
        byte[]? first = GzipTarTimes.Remake(LayerContent.Of(GzipTar(s_late)), s_times),
            second = GzipTarTimes.Remake(LayerContent.Of(GzipTar(s_late.AddHours(3))), s_times);
        Assert.Equal(first, second);
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of(first!), s_times));
        Assert.Empty(GzipTimes.Find(LayerContent.Of(first!), s_times));
        using var input = LayerCompression.Gzip.Decompress(new MemoryStream(first!));
        Assert.Equal(Epoch, new TarReader(input).GetNextEntry()!.ModificationTime.ToUnixTimeSeconds());
    }

    [Fact]
    public void ACompressedTarFileThatIsCutOffOrIsNoneStays()
    {
        byte[] whole = GzipTar(s_late);
        for (int length = 0; length < whole.Length; length++)
            Assert.Null(GzipTarTimes.Remake(LayerContent.Of(whole[..length]), s_times));
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of([.. whole, 1, 2, 3]), s_times));
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of(Gzip(s_late)), s_times));
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of(GzipTar(s_early)), s_times));
    }

    // Alpine's: the signature is a part of its own, which is compressed for itself, before what it signs.
    [Fact]
    public void ACompressedTarFileThatIsSignedStays()
    {
        byte[] parts = [.. WithTime(GzipTar(s_late), s_late), .. GzipTar(s_late)];
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of(parts), s_times));
        Assert.Empty(GzipTarTimes.Find(LayerContent.Of(parts), s_times));
        byte[] signed = WithTime(GzipTar(s_late, ".SIGN.RSA.key"), s_late);
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of(signed), s_times));
        Assert.Empty(GzipTarTimes.Find(LayerContent.Of(signed), s_times));
        Assert.NotEmpty(GzipTarTimes.Find(LayerContent.Of(WithTime(GzipTar(s_early), s_late)), s_times));
    }

    // A small file that would take a gigabyte.
    [Fact]
    public void ACompressedTarFileThatIsFarLargerUnpackedIsNotHeldInMemory()
    {
        var bytes = new MemoryStream();
#pragma warning disable RS0030 // as other programs write it
        using (var output = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
#pragma warning restore RS0030
        {
            output.Write(Tar(s_late, TarEntryFormat.Ustar));
            for (int i = 0; i < 129; i++)
                output.Write(new byte[1 << 20]);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Null(GzipTarTimes.Remake(LayerContent.Of(bytes.ToArray()), s_times));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    private static byte[] WithTime(byte[] gzip, DateTimeOffset time)
    {
        BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()).CopyTo(gzip, 4);
        return gzip;
    }

    private static byte[] GzipTar(DateTimeOffset time, string first = "a")
    {
        var bytes = new MemoryStream();
#pragma warning disable RS0030 // as other programs write it
        using (var output = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
            output.Write(Tar(time, TarEntryFormat.Ustar, first));
#pragma warning restore RS0030
        return bytes.ToArray();
    }
}
