using System.Text;
using Ingot.Builds;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds.Files;

/// <summary>Archives that ADD unpacks: what is one, what is in it, and what no archive may do.</summary>
public sealed class ArchiveFilesTests
{
    // One archive with the file d/a, in one stream and in two.
    private const string Bzip2 =
        "QlpoOTFBWSZTWTp5EKsAAC/bgPkQQADvgAACZkSeAAgIIABUQgmJtTJo9AJ6gkpogAPU0GgPcWfIkII0dngpIIBRuM5Tns0UVwEbshtHIKyNzzJYV2eU1sNIiEI/i7kinChIHTyIVYA=";
    private const string TwoBzip2 =
        "QlpoOTFBWSZTWe7NgngAACXbiPkQQADvgAACZkSeABAACAAgAFREAJgJkw0noJQiANGENBpLLBXALWLRVHgoVbiD5zkzkL1EKMg20dCkJsbaCAuP+yHgCRFAOi7kinChId2bBPBCWmg5MUFZJlNZUg14RQAAAsQAwAACAAAIIAAwzAiaSUA8XckU4UJBSDXhFA==";
    private const string Xz =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Af/AEZdADILyCAOUCcI/OcAo4BJssHEPiFnfy7EunuBZKkXhahvKWnTluayQ1HlHoUvsgafhPFw4smzcr2nCvi5nlReZQSvhKxyrwAAAAAq/lKXJPEKTgABYoAQAAAAgZ2WZ7HEZ/sCAAAAAARZWg==";
    private const string TwoXz =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AK7AD5dADILyCAOUCcI/OcAo4BJssHEPiFnfy7EunuBZKkXhahvKWnTluayQ1HlHoUvsgafhPFw4smzcr2nCqKO1j4AAAAA7b2HKF8fxhcAAVq8BQAAAGvqqYyxxGf7AgAAAAAEWVr9N3pYWgAABObWtEYCACEBFgAAAHQv5aPgBUMADV0AAG/9//+jt/9FReAUAAAAAADjIIDtFZ2H6gABKcQKAAAAXC7ekLHEZ/sCAAAAAARZWg==";
    private const string XzOfHugeDictionary =
        "/Td6WFoAAATm1rRGAgAhASQAAABeH8f54Af/AEVdADILyCAOUCcI/OcAo6/Rx5pznNBJcXP0A8yvdTd73o77zIcJgKzt9RoTE4HpdobBFqr6Qpk3AmQvWHJAF4W1gtLExpIYAAAAAAAq/lKXJPEKTgABYYAQAAAAL+8C4bHEZ/sCAAAAAARZWg==";

    private static readonly byte[] s_plain = TestArchive.Of(TestArchive.Entry("d/a", content: "hello\n", mode: 416, owner: "7"));

    public static TheoryData<string, byte[]> Compressed => new()
    {
        { "not at all", s_plain },
        { "gzip", TestArchive.Gzip(s_plain) },
        { "two gzip members", [.. TestArchive.Gzip(s_plain[..700]), .. TestArchive.Gzip(s_plain[700..])] },
        { "bzip2", Convert.FromBase64String(Bzip2) },
        { "two bzip2 streams", Convert.FromBase64String(TwoBzip2) },
        { "xz", Convert.FromBase64String(Xz) },
        { "two xz streams", Convert.FromBase64String(TwoXz) },
    };

    public static TheoryData<string, byte[]> NoArchives => new()
    {
        { "nothing", [] },
        { "a byte", [31] },
        { "text", Encoding.ASCII.GetBytes(new string('x', 2000)) },
        { "zeros", new byte[4096] },
        { "the end of an archive only", TestArchive.Of() },
        { "gzip of text", TestArchive.Gzip(Encoding.ASCII.GetBytes(new string('x', 2000))) },
        { "gzip of nothing", TestArchive.Gzip([]) },
        { "what begins like gzip", [0x1F, 0x8B, 0x08, .. new byte[600]] },
        { "what begins like bzip2", [.. "BZh9 is a word"u8, .. new byte[600]] },
        { "what begins like xz", [0xFD, .. "7zXZ"u8, 0, .. new byte[600]] },
        { "what begins like zstd", [0x28, 0xB5, 0x2F, 0xFD, .. new byte[600]] },
        { "half a header", s_plain[..300] },
        { "a header with another checksum", [(byte)'X', .. s_plain[1..]] },
        { "half of a compressed header", TestArchive.Gzip(s_plain)[..20] },
    };

    public static TheoryData<byte[], string> Hostile => new()
    {
        { TestArchive.Entry("../../etc/passwd", content: "x"), "leads out of the archive" },
        { TestArchive.Entry("a/../../b", content: "x"), "the name 'a/../../b' leads out of the archive" },
        { TestArchive.Entry("h", '1', link: "../../etc/passwd"), "leads out of the archive" },
        { TestArchive.Entry("d/.wh.etc", content: "x"), "'d/.wh.etc' cannot be in a layer" },
        { TestArchive.Entry(".wh..wh..opq", content: ""), "means a deletion" },
        { TestArchive.Entry(".wh.d/a", content: ""), "means a deletion" },
        { TestArchive.Entry("null", '3'), "'null' is the device 0:0" },
        { TestArchive.Entry("s", 'S', content: "x"), "a sparse file" },
        { TestArchive.Entry("q", 'Q', content: "x"), "is not known" },
        { TestArchive.Entry("l", '2', link: ""), "a symbolic link's target of 0 bytes" },
        { TestArchive.Entry("", content: "x"), "the name is empty" },
        { TestArchive.Entry("f", content: "x", owner: "abc"), "is not a number" },
        { TestArchive.Entry("long", content: "x", size: 9999)[..700], "ends" },
    };

    [Theory]
    [MemberData(nameof(Compressed))]
    public async Task AnArchiveIsKnownByItsContentHoweverItIsCompressed(string how, byte[] archive)
    {
        Assert.True(await IsArchiveAsync(archive), how);
        var (file, content) = Assert.Single(await TestArchive.ReadAsync(archive));
        Assert.Equal("f d/a 640", Tree.Print(file.Entry)[..9]);
        Assert.Equal("hello\n", content);
        Assert.Equal(1000, how is "not at all" or "gzip" ? 1000 : file.Entry.ModifiedTime.ToUnixTimeSeconds());
    }

    [Theory]
    [MemberData(nameof(NoArchives))]
    public async Task WhatIsNoArchiveIsCopied(string what, byte[] content) => Assert.False(await IsArchiveAsync(content), what);

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task WhatNoArchiveMayDoIsRefusedByName(byte[] entry, string expected)
    {
        var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(TestArchive.Of(entry)));
        Assert.StartsWith("'a.tar' cannot be unpacked: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsInAnArchiveKeepsItsModesOwnersAndKinds()
    {
        byte[] archive = TestArchive.Of(
            TestArchive.Entry("d/", '5', mode: 1023, owner: "5"), TestArchive.Entry("d/f", content: "one", mode: 2541, owner: "7"),
            TestArchive.Entry("/absolute", content: "two"),
            TestArchive.Entry("l", '2', link: "/etc/passwd"), TestArchive.Entry("h", '1', link: "d/f"), TestArchive.Entry("p", '6'),
            TestArchive.Entry("c", '3', minor: 5));
        var files = await TestArchive.ReadAsync(archive);
        Assert.Equal(
            ["d d 1777 5:5", "f d/f 4755 7:7", "f absolute 644", "l l /etc/passwd", "h h d/f", "Fifo p", "CharacterDevice c"],
            files.Select(f => f.File.Entry.Type is TarEntryType.Fifo or TarEntryType.CharacterDevice
                ? $"{f.File.Entry.Type} {f.File.Entry.Path}"
                : Tree.Print(f.File.Entry)));
        Assert.Equal(["one", "two"], files.Where(f => f.File.Entry.Type == TarEntryType.File).Select(f => f.Content));
    }

    [Fact]
    public async Task AGreatNumberOfEntriesIsRefused()
    {
        byte[] archive = TestArchive.Of([.. Enumerable.Range(0, 11).Select(i => TestArchive.Entry($"f{i}"))]);
        Assert.Equal(11, (await TestArchive.ReadAsync(archive, new ArchiveLimits(11, 11, 1 << 20))).Count);
        var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(archive, new ArchiveLimits(10, 100, 1 << 20)));
        Assert.Contains("more than 10 entries", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AGreatDepthIsRefused()
    {
        byte[] archive = TestArchive.Of(TestArchive.Entry("a/b/c/d"), TestArchive.Entry("e/f"));
        Assert.Equal(2, (await TestArchive.ReadAsync(archive, new ArchiveLimits(10, 6, 1 << 20))).Count);
        var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(archive, new ArchiveLimits(10, 5, 1 << 20)));
        Assert.EndsWith("its paths are too long, and too many", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASmallArchiveOfAGreatDealIsRefused()
    {
        byte[] bomb = TestArchive.Gzip(TestArchive.Of(TestArchive.Entry("zeros", content: new string('0', 8 << 20))));
        Assert.True(bomb.Length < 1 << 20);
        var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(bomb, new ArchiveLimits(10, 100, 1 << 20)));
        Assert.Contains("more than 1048576 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABombBehindTheEndOfAnArchiveIsRefusedToo()
    {
        byte[] bomb = TestArchive.Gzip([.. TestArchive.Of(TestArchive.Entry("a", content: "x")), .. new byte[8 << 20]]);
        var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(bomb, new ArchiveLimits(10, 100, 1 << 20)));
        Assert.Contains("more than 1048576 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADictionaryThatWouldTakeAllMemoryIsRefused()
    {
        var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(Convert.FromBase64String(XzOfHugeDictionary)));
        Assert.Contains("more than 256 MiB of memory", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    public async Task DamagedDataIsSaidToBeDamaged(string how)
    {
        byte[] whole = how == "gzip" ? TestArchive.Gzip(s_plain) : Convert.FromBase64String(how == "bzip2" ? Bzip2 : Xz);
        byte[] damaged = [.. whole];
        damaged[^20] ^= 0x55;
        foreach (byte[] bad in (byte[][])[whole[..^9], damaged])
        {
            var e = await Assert.ThrowsAsync<ArchiveException>(() => TestArchive.ReadAsync(bad));
            Assert.StartsWith("'a.tar' cannot be unpacked: ", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AnArchiveThatIsAnotherByNowIsNotUnpacked()
    {
        var selected = new SelectedFile(new TarEntry { Path = "", Type = TarEntryType.File, Size = s_plain.Length },
            Digest.Of("before"u8), default);
        var e = await Assert.ThrowsAsync<BuildCacheException>(() => TestArchive.ReadAsync(s_plain, selected: selected));
        Assert.Equal("'a.tar' changed while it was unpacked: build again", e.Message);
    }

    [Fact]
    public async Task NoFileIsYoungerThanTheEpoch()
    {
        byte[] archive = TestArchive.Of(TestArchive.Entry("a"));
        // The time is at 136: the year 2242.
        Encoding.ASCII.GetBytes("77777777777").CopyTo(archive, 136);
        Encoding.ASCII.GetBytes("        ").CopyTo(archive, 148);
        Encoding.ASCII.GetBytes(Convert.ToString(archive.Take(512).Sum(b => (long)b), 8).PadLeft(6, '0') + "\0 ").CopyTo(archive, 148);
        Assert.Equal(Tree.Epoch, Assert.Single(await TestArchive.ReadAsync(archive)).File.Entry.ModifiedTime);
    }

    private static Task<bool> IsArchiveAsync(byte[] content) =>
        ArchiveFiles.IsArchiveAsync(() => new MemoryStream(content), CancellationToken.None);
}
