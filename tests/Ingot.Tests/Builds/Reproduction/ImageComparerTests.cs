using System.Text;
using Ingot.Builds.Reproduction;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds.Reproduction;

public sealed class ImageComparerTests
{
    private readonly MemoryStore _store = new();

    [Fact]
    public async Task EqualImagesDifferInNothing() =>
        Assert.Empty(await CompareAsync([("a", "x")], [("a", "x")]));

    [Theory]
    [InlineData("etc/built", "built on 2026-11-21 16:01:38\n", "built on 2026-11-22 09:00:00\n", DifferenceCause.Timestamp)]
    [InlineData("etc/built", "at Sat Nov 21 16:01:38 UTC 2026\n", "at Sun Nov 22 09:10:00 UTC 2026\n", DifferenceCause.Timestamp)]
    [InlineData("etc/seconds", "time=1732204898\n", "time=1732205998\n", DifferenceCause.Timestamp)]
    [InlineData("etc/list", "one\ntwo\nthree\n", "three\none\ntwo\n", DifferenceCause.Order)]
    [InlineData("etc/id", "6f9619ff-8b86-d011-b42d-00c04fc964ff\n", "550e8400-e29b-41d4-a716-446655440000\n", DifferenceCause.Random)]
    [InlineData("etc/bytes", " 06 8f 06 31 02 63 11 34 28\n", " 90 fd 82 c3 5f e0 d9 c8 62\n", DifferenceCause.Random)]
    [InlineData("etc/path", "made in /tmp/build-one/x\n", "made in /tmp/build-two/x\n", DifferenceCause.Path)]
    [InlineData("var/log/my.log", "a\n", "b\n", DifferenceCause.Leftover)]
    [InlineData("var/lib/apt/lists/deb_Packages", "a\n", "b\n", DifferenceCause.Network)]
    [InlineData("etc/word", "a\n", "b\n", DifferenceCause.Unknown)]
    public async Task AFileWithOtherContentIsNamedWithItsCause(string path, string before, string after, DifferenceCause cause)
    {
        var difference = Assert.Single(await CompareAsync([(path, before), ("same", "s")], [(path, after), ("same", "s")]));
        Assert.Equal((path, "content", cause, "RUN make"), (difference.Path, difference.What, difference.Cause, difference.Instruction));
        Assert.Equal(cause == DifferenceCause.Unknown, difference.Cure is null);
    }

    [Fact]
    public async Task ATimeInBytesIsFound()
    {
        string Bytes(uint time) => Encoding.Latin1.GetString([1, 2, 0, .. BitConverter.GetBytes(time), 0, 9]);
        var difference = Assert.Single(await CompareAsync([("db", Bytes(1_732_204_898))], [("db", Bytes(1_732_209_999))]));
        Assert.Equal(DifferenceCause.Timestamp, difference.Cause);
        Assert.StartsWith("at 3: ", difference.Before);
    }

    [Fact]
    public async Task WhatARuleIsForIsSaidWithTheRule()
    {
        var difference = Assert.Single(await CompareAsync([("var/log/dpkg.log", "a")], [("var/log/dpkg.log", "b")]));
        Assert.Contains("dpkg-logs@1", difference.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARuleThatIsOffIsTheCure()
    {
        var before = await ImageAsync([Entry("root/.cache/pip/x", "a")], "RUN make");
        var after = await ImageAsync([Entry("root/.cache/pip/x", "b")], "RUN make");
        var difference = Assert.Single(await ImageComparer.CompareAsync(_store, before, _store, after, ["pip-cache"]));
        Assert.Equal("the rule 'pip-cache@2' is for it, and is switched off", difference.Cure);
    }

    [Fact]
    public async Task AFileOnOneSideIsNamed()
    {
        var differences = await CompareAsync([("a", "x"), ("only-before", "y")], [("a", "x"), ("only-now", "z")]);
        Assert.Equal([("only-before", "missing", "a File", "is not there"), ("only-now", "missing", "is not there", "a File")], differences.Select(d => (d.Path, d.What, d.Before, d.After)));
    }

    [Fact]
    public async Task OtherMetadataIsNamed()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync([Entry("a", "x") with { Entry = Entry("a", "x").Entry with { Mode = 0b111_101_101, UserId = 7 } }], "RUN make");
        var difference = Assert.Single(await ImageComparer.CompareAsync(_store, before, _store, after));
        Assert.Equal("metadata", difference.What);
        Assert.Contains("644 0:0", difference.Before, StringComparison.Ordinal);
        Assert.Contains("755 7:0", difference.After, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheSameFilesInAnotherOrderAreSaidSo()
    {
        var difference = Assert.Single(await CompareAsync([("a", "x"), ("b", "y")], [("b", "y"), ("a", "x")]));
        Assert.Equal(("order of entries", DifferenceCause.Order), (difference.What, difference.Cause));
    }

    [Fact]
    public async Task AnotherConfigurationIsSaidAfterTheLayersAreEqual()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync([Entry("a", "x")], "RUN make all");
        var difference = Assert.Single(await ImageComparer.CompareAsync(_store, before, _store, after));
        Assert.Equal(("", "configuration", DifferenceCause.Input), (difference.Path, difference.What, difference.Cause));
        Assert.Contains("make all", difference.After, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherCompressionIsSaidLast()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync([Entry("a", "x")], "RUN make", LayerCompression.Zstandard);
        var difference = Assert.Single(await ImageComparer.CompareAsync(_store, before, _store, after));
        Assert.Equal(("compressed bytes", DifferenceCause.Codec), (difference.What, difference.Cause));
    }

    [Fact]
    public async Task NoMoreThanTwentyAreNamed()
    {
        var before = Enumerable.Range(0, 50).Select(i => ($"f{i:D2}", "a"));
        var after = Enumerable.Range(0, 50).Select(i => ($"f{i:D2}", "b"));
        Assert.Equal(20, (await CompareAsync([.. before], [.. after])).Count);
    }

    [Fact]
    public async Task ADamagedLayerIsNotCompared()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync([Entry("a", "y")], "RUN make");
        await Assert.ThrowsAnyAsync<IngotException>(() => ImageComparer.CompareAsync(_store, before, new MemoryStore(), after));
    }

    private async Task<IReadOnlyList<Difference>> CompareAsync((string Path, string Content)[] before, (string Path, string Content)[] after) => await ImageComparer.CompareAsync(
        _store, await ImageAsync([.. before.Select(f => Entry(f.Path, f.Content))], "RUN make"), _store, await ImageAsync([.. after.Select(f => Entry(f.Path, f.Content))], "RUN make"));

    private static (TarEntry Entry, byte[] Content) Entry(string path, string content)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(content);
        return (new TarEntry { Path = path, Type = TarEntryType.File, Mode = 0b110_100_100, Size = bytes.Length }, bytes);
    }

    private async Task<Image> ImageAsync(IReadOnlyList<(TarEntry Entry, byte[] Content)> files, string instruction, LayerCompression? compression = null)
    {
        await using var writer = await LayerWriter.BeginAsync(_store, compression ?? LayerCompression.Gzip);
        foreach (var (entry, content) in files)
            await writer.WriteAsync(entry, content);
        var layer = await writer.FinishAsync();
        var config = new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [layer.DiffId] },
            History = [new HistoryEntry { CreatedBy = "ENV a=b", EmptyLayer = true }, new HistoryEntry { CreatedBy = instruction }],
        };
        var configBlob = await _store.PutAsync(MediaType.Config, ImageJson.Write(config));
        var manifest = await _store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = configBlob, Layers = [layer.Blob!] }));
        return await Image.LoadAsync(_store, manifest.Digest);
    }
}
