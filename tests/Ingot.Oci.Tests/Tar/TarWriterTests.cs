using System.Diagnostics;
using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Tar;

public sealed class TarWriterTests
{
    private static readonly DateTimeOffset s_time = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    private static readonly Gen<string> s_component =
        Gen.OneOf(
            Gen.Elements("a", "etc", "größe", "日本", "with space", "line\nbreak", "\uDCFF\uDC80", ".hidden", "...", "-rf", "a=b",
                new string('n', 99), new string('n', 100), new string('é', 60), new string('n', 255)),
            Gen.Choose(1, 160).Select(length => new string('x', length)));

    private static readonly Gen<string> s_path = Gen.NonEmptyListOf(s_component).Select(parts => string.Join('/', parts.Take(6)));

    private static readonly Gen<long> s_id = Gen.Elements(0L, 1, 1000, 0x1F_FFFF, 0x20_0000, uint.MaxValue - 1);

    private static readonly Gen<DateTimeOffset> s_times = Gen.OneOf(
        Gen.Choose(int.MinValue, int.MaxValue).Select(ticks => s_time.AddTicks(ticks)),
        Gen.Elements(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddTicks(-1), DateTimeOffset.MinValue, DateTimeOffset.MaxValue,
            DateTimeOffset.FromUnixTimeSeconds(0x1_FFFF_FFFF), DateTimeOffset.FromUnixTimeSeconds(0x2_0000_0000)));

    private static readonly Gen<SortedDictionary<string, byte[]>?> s_attributes = Gen.Elements<SortedDictionary<string, byte[]>?>(
        null,
        null,
        new(StringComparer.Ordinal) { ["security.capability"] = [1, 0, 0, 2, 0, 10] },
        new(StringComparer.Ordinal) { ["user.b"] = [], ["user.a"] = "x\n7 path=y\n"u8.ToArray(), ["user.é"] = [0, 255] });

    private static readonly Gen<(TarEntry Entry, byte[] Content)> s_entry =
        from type in Gen.Elements(Enum.GetValues<TarEntryType>())
        from path in s_path
        from target in s_path
        from mode in Gen.Choose(0, 0xFFF)
        from owner in s_id
        from @group in s_id
        from time in s_times
        from attributes in s_attributes
        from size in Gen.Elements(0, 1, 511, 512, 513, 70_000)
        from device in Gen.Elements(0, 8, 0x1F_FFFF, 0x20_0000, int.MaxValue)
        select (new TarEntry
        {
            Path = path,
            Type = type,
            Mode = mode,
            UserId = owner,
            GroupId = @group,
            ModifiedTime = time,
            ExtendedAttributes = attributes,
            Size = type == TarEntryType.File ? size : 0,
            LinkTarget = type is TarEntryType.HardLink or TarEntryType.SymbolicLink ? target : null,
            DeviceMajor = type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice ? device : 0,
            DeviceMinor = type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice ? device : 0,
        }, Pattern(type == TarEntryType.File ? size : 0));

    [Fact]
    public void WhatIsWrittenIsReadBack() =>
        Prop.ForAll(Arb.From(Gen.ListOf(s_entry)), entries => RoundTripAsync([.. entries]).GetAwaiter().GetResult())
            .Holds(300);

    [Fact]
    public async Task AnArchiveIsItsBlocks()
    {
        byte[] archive = await WriteAsync([(
            new TarEntry
            {
                Path = "etc/hostname",
                Type = TarEntryType.File,
                Mode = 0b110_100_100,
                UserId = 1,
                GroupId = 2,
                Size = 6,
                ModifiedTime = s_time,
            },
            "ingot\n"u8.ToArray())]);
        byte[] expected = ArchiveScript.Build(
            ["header name=etc/hostname mode=0000644 uid=0000001 gid=0000002 size=00000000006 mtime=14524770400 major=0000000 minor=0000000",
                @"data ingot\n", "end"]);
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(archive));
    }

    [Fact]
    public async Task WhatDoesNotFitStandsInOneExtendedHeaderWithSortedKeys()
    {
        var entry = new TarEntry
        {
            Path = new string('n', 101),
            Type = TarEntryType.File,
            UserId = 3_000_000,
            ModifiedTime = s_time.AddTicks(5_000_000),
            ExtendedAttributes = new(StringComparer.Ordinal) { ["user.z"] = [1], ["security.capability"] = [2] },
        };
        byte[] archive = await WriteAsync([(entry, [])]);
        string records = System.Text.Encoding.Latin1.GetString(archive, 512, 512).TrimEnd('\0');
        string[] keys = [.. records.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(record => record[(record.IndexOf(' ', StringComparison.Ordinal) + 1)..record.IndexOf('=', StringComparison.Ordinal)])];
        Assert.Equal(["SCHILY.xattr.security.capability", "SCHILY.xattr.user.z", "mtime", "path", "uid"], keys);
        Assert.Equal("PaxHeaders/entry", System.Text.Encoding.Latin1.GetString(archive, 0, 100).TrimEnd('\0'));
    }

    [Theory]
    [InlineData(100, 0, false)]
    [InlineData(101, 0, true)]
    [InlineData(100, 155, false)]
    [InlineData(100, 156, true)]
    [InlineData(101, 155, true)]
    public async Task APathThatFitsTheTwoFieldsNeedsNoExtendedHeader(int nameLength, int prefixLength, bool isExtended)
    {
        string path = TarPath.Join(new string('p', prefixLength), new string('n', nameLength));
        byte[] archive = await WriteAsync([(new TarEntry { Path = path, Type = TarEntryType.File }, [])]);
        Assert.Equal(isExtended, archive[156] == 'x');
        Assert.Contains(path, await TarListing.OfAsync(archive), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADirectoryIsNotCutAtItsOwnSlash()
    {
        foreach (int length in Enumerable.Range(95, 12))
        {
            byte[] archive =
                await WriteAsync([(new TarEntry { Path = "p/" + new string('d', length), Type = TarEntryType.Directory }, [])]);
            Assert.Contains(" p/" + new string('d', length) + "\n", await TarListing.OfAsync(archive), StringComparison.Ordinal);
        }
    }

    public static TheoryData<string, TarEntry> Impossible => new()
    {
        { "is not a path below the root", new TarEntry { Path = "/etc", Type = TarEntryType.Directory } },
        { "is not a path below the root", new TarEntry { Path = "etc/", Type = TarEntryType.Directory } },
        { "is not a path below the root", new TarEntry { Path = "a/../b", Type = TarEntryType.File } },
        { "is not a path below the root", new TarEntry { Path = "a//b", Type = TarEntryType.File } },
        { "is not a path below the root", new TarEntry { Path = "a\0b", Type = TarEntryType.File } },
        { "has the mode 100644: a mode has 12 bits", new TarEntry { Path = "a", Type = TarEntryType.File, Mode = 0x81A4 } },
        { "the link 'a' has no target", new TarEntry { Path = "a", Type = TarEntryType.SymbolicLink } },
        { "the link 'a' has no target", new TarEntry { Path = "a", Type = TarEntryType.HardLink, LinkTarget = "" } },
        { "cannot have 5 bytes: it is a Directory", new TarEntry { Path = "a", Type = TarEntryType.Directory, Size = 5 } },
        { "cannot have -1 bytes", new TarEntry { Path = "a", Type = TarEntryType.File, Size = -1 } },
        { "has the owner -1:0", new TarEntry { Path = "a", Type = TarEntryType.File, UserId = -1 } },
        { "its name contains '='",
            new TarEntry { Path = "a", Type = TarEntryType.File, ExtendedAttributes = new() { ["user.a=b"] = [] } } },
        { "it contains a NUL", new TarEntry { Path = "a", Type = TarEntryType.SymbolicLink, LinkTarget = "a\0b" } },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public async Task AnImpossibleEntryIsRefused(string message, TarEntry entry)
    {
        await using var writer = new TarWriter(new MemoryStream());
        var e = await Assert.ThrowsAsync<ArgumentException>(() => writer.WriteAsync(entry));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Equal(0, writer.Position);
    }

    [Fact]
    public async Task ContentThatEndsTooEarlyIsNotPaddedOver()
    {
        await using var writer = new TarWriter(new MemoryStream());
        var e = await Assert.ThrowsAsync<IOException>(() =>
            writer.WriteAsync(new TarEntry { Path = "a", Type = TarEntryType.File, Size = 10 }, new MemoryStream(new byte[4])));
        Assert.Equal("'a' ended 6 bytes before its 10: it changed while it was read", e.Message);
    }

    [Fact]
    public async Task ContentIsReadNoFurtherThanItsSize()
    {
        var content = new MemoryStream(new byte[10]);
        await using var writer = new TarWriter(new MemoryStream());
        await writer.WriteAsync(new TarEntry { Path = "a", Type = TarEntryType.File, Size = 4 }, content);
        Assert.Equal(4, content.Position);
    }

    [Fact]
    public async Task NothingIsWrittenAfterTheEnd()
    {
        await using var writer = new TarWriter(new MemoryStream());
        await writer.CompleteAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => writer.WriteAsync(new TarEntry { Path = "a", Type = TarEntryType.File }));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => writer.CompleteAsync());
    }

    [Fact]
    public async Task AnAbandonedArchiveHasNoEndMark()
    {
        var output = new MemoryStream();
        await using (var writer = new TarWriter(output, leaveOpen: true))
            await writer.WriteAsync(new TarEntry { Path = "a", Type = TarEntryType.File });
        Assert.Equal(512, output.Length);
    }

    // A peer that has read archives for decades.
    [Fact]
    public async Task GnuTarListsWhatWeWrote()
    {
        using var directory = new TemporaryDirectory();
        byte[] archive = await WriteAsync(
        [
            (new TarEntry { Path = "etc", Type = TarEntryType.Directory, Mode = 0b111_101_101, ModifiedTime = s_time }, []),
            (
                new TarEntry { Path = "etc/passwd", Type = TarEntryType.File, Mode = 0b110_100_100, Size = 3, ModifiedTime = s_time },
                "abc"u8.ToArray()),
            (
                new TarEntry
                {
                    Path = "etc/link",
                    Type = TarEntryType.SymbolicLink,
                    Mode = 0b111_111_111,
                    LinkTarget = "passwd",
                    ModifiedTime = s_time,
                },
                []),
            (
                new TarEntry
                {
                    Path = "etc/hard",
                    Type = TarEntryType.HardLink,
                    Mode = 0b110_100_100,
                    LinkTarget = "etc/passwd",
                    ModifiedTime = s_time,
                },
                []),
            (
                new TarEntry
                {
                    Path = "bin/" + new string('s', 200),
                    Type = TarEntryType.File,
                    Mode = 0b100_111_101_101,
                    UserId = 3_000_000,
                    GroupId = 7,
                    ModifiedTime = s_time,
                },
                []),
            (
                new TarEntry
                {
                    Path = "dev/null",
                    Type = TarEntryType.CharacterDevice,
                    Mode = 0b110_110_110,
                    DeviceMajor = 1,
                    DeviceMinor = 3,
                    ModifiedTime = s_time,
                },
                []),
            (
                new TarEntry
                {
                    Path = "größe",
                    Type = TarEntryType.Fifo,
                    Mode = 0b110_000_000,
                    ModifiedTime = DateTimeOffset.UnixEpoch.AddSeconds(-1),
                },
                []),
        ]);
        await File.WriteAllBytesAsync(directory.At("a.tar"), archive);
        string listing = await RunAsync("tar", "--numeric-owner", "--full-time", "--utc", "--quoting-style=literal", "-tvf",
            directory.At("a.tar"));
        Assert.Equal(
            $"""
            drwxr-xr-x 0/0 0 2023-11-14 22:13:20 etc/
            -rw-r--r-- 0/0 3 2023-11-14 22:13:20 etc/passwd
            lrwxrwxrwx 0/0 0 2023-11-14 22:13:20 etc/link -> passwd
            hrw-r--r-- 0/0 0 2023-11-14 22:13:20 etc/hard link to etc/passwd
            -rwsr-xr-x 3000000/7 0 2023-11-14 22:13:20 bin/{new string('s', 200)}
            crw-rw-rw- 0/0 1,3 2023-11-14 22:13:20 dev/null
            prw------- 0/0 0 1969-12-31 23:59:59 größe
            """,
            string.Join('\n',
                listing.TrimEnd().Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))));
    }

    [Theory]
    [InlineData("--format=ustar")]
    [InlineData("--format=gnu")]
    [InlineData("--format=pax")]
    [InlineData("--format=v7")]
    [InlineData("--format=oldgnu")]
    public async Task WhatGnuTarWroteIsRead(string format)
    {
        using var directory = new TemporaryDirectory();
        string root = directory.Make("root");
        File.WriteAllText(Path.Combine(root, "file"), "content");
        Directory.CreateDirectory(Path.Combine(root, "dir"));
        File.CreateSymbolicLink(Path.Combine(root, "link"), "file");
        await RunAsync("ln", Path.Combine(root, "file"), Path.Combine(root, "second"));
        if (format is not "--format=v7" and not "--format=ustar")
            File.WriteAllText(Path.Combine(root, "dir", new string('l', 180)), "long");
        await RunAsync("tar", format, "--sort=name", "--numeric-owner", "--owner=5", "--group=6", "--mode=u=rwx,go=r", "--mtime=@1000",
            "-C", root, "-cf", directory.At("a.tar"), ".");

        string listing = await TarListing.OfAsync(await File.ReadAllBytesAsync(directory.At("a.tar")));
        Assert.StartsWith("directory 744 5:6 0 1000 (root)\ndirectory 744 5:6 0 1000 dir\n", listing, StringComparison.Ordinal);
        Assert.Contains(
            "\nfile 744 5:6 7 1000 file = content\nsymboliclink 744 5:6 0 1000 link -> file\nhardlink 744 5:6 0 1000 second -> file\n",
            listing,
            StringComparison.Ordinal);
        Assert.Equal(format is not "--format=v7" and not "--format=ustar",
            listing.Contains($"file 744 5:6 4 1000 dir/{new string('l', 180)} = long\n", StringComparison.Ordinal));
    }

    private static byte[] Pattern(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 31))];

    private static async Task<bool> RoundTripAsync(IReadOnlyList<(TarEntry Entry, byte[] Content)> entries)
    {
        byte[] archive = await WriteAsync(entries);
        Assert.Equal(0, archive.Length % 512);
        using var reader = new TarReader(new MemoryStream(archive));
        foreach (var (entry, content) in entries)
        {
            var read = await reader.NextAsync();
            Assert.NotNull(read);
            Assert.Equal(entry with { ExtendedAttributes = null }, read with { ExtendedAttributes = null });
            Assert.Equal(entry.ExtendedAttributes, read.ExtendedAttributes);
            var bytes = new MemoryStream();
            await reader.Content.CopyToAsync(bytes);
            Assert.Equal(content, bytes.ToArray());
        }

        Assert.Null(await reader.NextAsync());
        return true;
    }

    private static async Task<byte[]> WriteAsync(IReadOnlyList<(TarEntry Entry, byte[] Content)> entries)
    {
        var output = new MemoryStream();
        await using var writer = new TarWriter(output, leaveOpen: true);
        foreach (var (entry, content) in entries)
            await writer.WriteAsync(entry, content);
        await writer.CompleteAsync();
        Assert.Equal(output.Length, writer.Position);
        return output.ToArray();
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        start.Environment["LC_ALL"] = "C.UTF-8";
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, string.Create(CultureInfo.InvariantCulture, $"{program} ended with {process.ExitCode}"));
        return output;
    }
}
