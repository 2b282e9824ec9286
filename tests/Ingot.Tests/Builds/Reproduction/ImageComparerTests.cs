using System.Text;
using Ingot.Builds.Reproduction;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
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
        Assert.True(difference.Cure is null || Cure.All.Any(c => c.Text == difference.Cure), difference.Cure);
    }

    [Theory]
    [InlineData("srv/tls.pem", "-----BEGIN PRIVATE KEY-----\nMIIE1\n", "-----BEGIN PRIVATE KEY-----\nMIIE2\n", "a private key", "start")]
    [InlineData("srv/tls.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIE1\n", "-----BEGIN RSA PRIVATE KEY-----\nMIIE2\n",
        "a private key", "start")]
    [InlineData("srv/tls.pem", "-----BEGIN CERTIFICATE-----\nMIIE1\n", "-----BEGIN CERTIFICATE-----\nMIIE2\n", "a certificate", "start")]
    [InlineData("opt/app/id_ed25519.pub", "ssh-ed25519 AAAAC3a me\n", "ssh-ed25519 AAAAC3b me\n", "a public key", "start")]
    [InlineData("etc/shadow", "root:*:3652:0:99999:7:::\nweb:$6$abc$defghi:3652::::::\n",
        "root:*:3652:0:99999:7:::\nweb:$6$xyz$jklmno:3652::::::\n", "another salt", "password")]
    [InlineData("etc/shadow", "web:$y$j9T$abc$defghi:3652::::::\n", "web:$y$j9T$xyz$jklmno:3652::::::\n", "another salt", "password")]
    [InlineData("var/lib/postgresql/15/main/global/pg_control", "\u0001a", "\u0001b", "a database", "start")]
    [InlineData("var/lib/mysql/auto.cnf", "server-uuid=1\n", "server-uuid=2\n", "a database", "start")]
    [InlineData("srv/a.tar.xz", "\u00FD7zXZ1", "\u00FD7zXZ2", "an archive", "archive")]
    [InlineData("srv/a.tar.zst", "(\u00B5/\u00FD1", "(\u00B5/\u00FD2", "an archive", "archive")]
    [InlineData("run/app.pid", "12\n", "17\n", "the number of a process", "delete")]
    [InlineData("var/lib/rpm/rpmdb.sqlite", "SQLite1", "SQLite2", "RPM's database", null)]
    public async Task AFileIsNamedAsWhatItIs(string path, string before, string after, string reason, string? cure)
    {
        var difference = Assert.Single(await CompareAsync([(path, before)], [(path, after)]));
        Assert.Contains(reason, difference.Reason, StringComparison.Ordinal);
        Assert.Equal(cure is null ? null : Cure.All.Single(c => c.Name == cure).Text, difference.Cure);
    }

    // Their members' times are what the rule sees to: setting them helps nothing when it is on.
    [Theory]
    [InlineData("srv/a.jar")]
    [InlineData("srv/a.zip")]
    [InlineData("srv/a.tar.gz")]
    [InlineData("srv/a.tar")]
    public async Task AnArchiveThatARuleIsForIsNotCuredByTheTimesOfItsMembers(string path)
    {
        var difference = Assert.Single(await CompareAsync([(path, "PK\u0003\u0004one\u0001")], [(path, "PK\u0003\u0004two\u0002")]));
        Assert.Contains("is for it: this is not what it changes", difference.Reason, StringComparison.Ordinal);
        Assert.Null(difference.Cure);
    }

    // An account that came or went is no salt.
    [Fact]
    public async Task AShadowFileWithAnotherAccountIsNotAboutPasswords()
    {
        var difference = Assert.Single(await CompareAsync([("etc/shadow", "web:$6$abc$defghi:3652::::::\n")],
            [("etc/shadow", "web:$6$xyz$jklmno:3652::::::\nmail:*:3652::::::\n")]));
        Assert.StartsWith("the rule 'shadow-last-change@1' is for it: this is not what it changes", difference.Reason);
        Assert.Null(difference.Cure);
    }

    [Theory]
    [InlineData("srv/shadow", "web:x\n", "web:y\n")]
    [InlineData("srv/data.bin", "\u0001\u0002\u0003", "\u0001\u0002\u0004")]
    public async Task WhatIsNotKnownHasNoCure(string path, string before, string after)
    {
        var difference = Assert.Single(await CompareAsync([(path, before)], [(path, after)]));
        Assert.Equal((DifferenceCause.Unknown, null, null), (difference.Cause, difference.Reason, difference.Cure));
    }

    [Fact]
    public async Task ATimeInTheMiddleOfAFormatHasNoCureThatWouldBeAGuess()
    {
        string Bytes(uint time) => Encoding.Latin1.GetString([1, 2, 0, .. BitConverter.GetBytes(time), 0, 9]);
        var difference = Assert.Single(await CompareAsync([("db", Bytes(1_732_204_898))], [("db", Bytes(1_732_209_999))]));
        Assert.Equal((DifferenceCause.Timestamp, null), (difference.Cause, difference.Cure));
    }

    [Theory]
    [InlineData("ADD https://example.org/tool /usr/bin/tool", DifferenceCause.Network, "fetched", "download")]
    [InlineData("ADD --chown=web https://example.org/tool /usr/bin/tool", DifferenceCause.Network, "fetched", "download")]
    [InlineData("ADD https://example.org/tool.git#main /src", DifferenceCause.Network, "another commit", null)]
    [InlineData("ADD git@example.org:tool.git /src", DifferenceCause.Network, "another commit", null)]
    [InlineData("COPY a /a", DifferenceCause.Unknown, "from a stage that made it anew", null)]
    [InlineData("ADD a /a", DifferenceCause.Unknown, "from a stage that made it anew", null)]
    public async Task WhatACopyBroughtIsNotTheCommandsDoing(string instruction, DifferenceCause cause, string reason, string? cure)
    {
        var difference = Assert.Single(await CompareAsync([("a", "one")], [("a", "two")], instruction));
        Assert.Equal(cause, difference.Cause);
        Assert.Contains(reason, difference.Reason, StringComparison.Ordinal);
        Assert.Equal(cure is null ? null : Cure.All.Single(c => c.Name == cure).Text, difference.Cure);
    }

    [Fact]
    public async Task EveryLayerThatDiffersIsNamed()
    {
        var comparison = await ComparisonAsync(
            [("RUN one", [("a", "1")]), ("RUN same", [("b", "1")]), ("RUN three", [("c", "1"), ("d", "1")])],
            [("RUN one", [("a", "2")]), ("RUN same", [("b", "1")]), ("RUN three", [("c", "2"), ("d", "2")])]);
        Assert.Equal(["RUN one a", "RUN three c", "RUN three d"], comparison.Differences.Select(d => $"{d.Instruction} {d.Path}"));
        Assert.Equal(0, comparison.More);
    }

    [Fact]
    public async Task AnInstructionThatMadeALayerOnceAndNotAgainIsNamedAndTheOthersAreStillCompared()
    {
        var comparison = await ComparisonAsync(
            [("RUN maybe", [("a", "1")]), ("RUN same", [("b", "1")]), ("RUN other", [("c", "1")])],
            [("RUN maybe", null), ("RUN same", [("b", "1")]), ("RUN other", [("c", "2")])]);
        Assert.Equal(["RUN maybe: layer", "RUN other: content"], comparison.Differences.Select(d => $"{d.Instruction}: {d.What}"));
    }

    [Fact]
    public async Task LayersAndConfigurationAreBothSaid()
    {
        var comparison = await ComparisonAsync([("RUN one", [("a", "1")]), ("ENV a=1", null)],
            [("RUN one", [("a", "2")]), ("ENV a=2", null)]);
        Assert.Equal(["content", "configuration"], comparison.Differences.Select(d => d.What));
    }

    [Fact]
    public async Task OfEachLayerTwentyAndInAllAHundredAreNamedAndTheOthersCounted()
    {
        (string, (string, string)[]?)[] Layers(string content) =>
            [.. Enumerable.Range(0, 8)
                .Select(l => ($"RUN {l}", ((string, string)[]?)[.. Enumerable.Range(0, 50).Select(i => ($"f{i:D2}", content + l))]))];
        var comparison = await ComparisonAsync(Layers("a"), Layers("b"));
        Assert.Equal((100, 300), (comparison.Differences.Count, comparison.More));
        Assert.All(comparison.Differences.GroupBy(d => d.Instruction), layer => Assert.Equal(20, layer.Count()));
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
        Assert.Contains("dpkg-logs@1", difference.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARuleThatIsOffIsTheCure()
    {
        var before = await ImageAsync([Entry("root/.cache/pip/x", "a")], "RUN make");
        var after = await ImageAsync([Entry("root/.cache/pip/x", "b")], "RUN make");
        var difference = Assert.Single((await ImageComparer.CompareAsync(_store, before, _store, after, ["pip-cache"])).Differences);
        Assert.Equal(("the rule 'pip-cache@2' is for it, and is switched off", "switch the rule 'pip-cache' on"),
            (difference.Reason, difference.Cure));
    }

    [Fact]
    public async Task AFileOnOneSideIsNamed()
    {
        var differences = await CompareAsync([("a", "x"), ("only-before", "y")], [("a", "x"), ("only-now", "z")]);
        Assert.Equal([("only-before", "missing", "a File", "is not there"), ("only-now", "missing", "is not there", "a File")],
            differences.Select(d => (d.Path, d.What, d.Before, d.After)));
    }

    [Fact]
    public async Task OtherMetadataIsNamed()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync(
            [Entry("a", "x") with { Entry = Entry("a", "x").Entry with { Mode = 0b111_101_101, UserId = 7 } }], "RUN make");
        var difference = Assert.Single((await ImageComparer.CompareAsync(_store, before, _store, after)).Differences);
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
        var difference = Assert.Single((await ImageComparer.CompareAsync(_store, before, _store, after)).Differences);
        Assert.Equal(("", "configuration", DifferenceCause.Input), (difference.Path, difference.What, difference.Cause));
        Assert.Contains("make all", difference.After, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherCompressionIsSaidLast()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync([Entry("a", "x")], "RUN make", LayerCompression.Zstandard);
        var difference = Assert.Single((await ImageComparer.CompareAsync(_store, before, _store, after)).Differences);
        Assert.Equal(("compressed bytes", DifferenceCause.Codec), (difference.What, difference.Cause));
    }

    [Fact]
    public async Task ADamagedLayerIsNotCompared()
    {
        var before = await ImageAsync([Entry("a", "x")], "RUN make");
        var after = await ImageAsync([Entry("a", "y")], "RUN make");
        await Assert.ThrowsAnyAsync<IngotException>(() => ImageComparer.CompareAsync(_store, before, new MemoryStore(), after));
    }

    private async Task<IReadOnlyList<Difference>> CompareAsync(
        (string Path, string Content)[] before, (string Path, string Content)[] after, string instruction = "RUN make") =>
        (await ComparisonAsync([(instruction, before)], [(instruction, after)])).Differences;

    private async Task<ImageComparison> ComparisonAsync(
        (string Instruction, (string Path, string Content)[]? Files)[] before,
        (string Instruction, (string Path, string Content)[]? Files)[] after) =>
        await ImageComparer.CompareAsync(_store, await LayersAsync(before), _store, await LayersAsync(after));

    private async Task<Image> LayersAsync((string Instruction, (string Path, string Content)[]? Files)[] layers)
    {
        var made = new List<Layer>();
        foreach (var (_, files) in layers.Where(l => l.Files is not null))
            made.Add(await LayerAsync([.. files!.Select(f => Entry(f.Path, f.Content))], LayerCompression.Gzip));
        return await ImageOfAsync(made,
            layers.Select(l => new HistoryEntry { CreatedBy = l.Instruction, EmptyLayer = l.Files is null ? true : null }));
    }

    private static (TarEntry Entry, byte[] Content) Entry(string path, string content)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(content);
        return (new TarEntry { Path = path, Type = TarEntryType.File, Mode = 0b110_100_100, Size = bytes.Length }, bytes);
    }

    private async Task<Image> ImageAsync(
        IReadOnlyList<(TarEntry Entry, byte[] Content)> files, string instruction, LayerCompression? compression = null) =>
        await ImageOfAsync([await LayerAsync(files, compression ?? LayerCompression.Gzip)],
            [new HistoryEntry { CreatedBy = "ENV a=b", EmptyLayer = true }, new HistoryEntry { CreatedBy = instruction }]);

    private async Task<Layer> LayerAsync(IReadOnlyList<(TarEntry Entry, byte[] Content)> files, LayerCompression compression)
    {
        await using var writer = await LayerWriter.BeginAsync(_store, compression);
        foreach (var (entry, content) in files)
            await writer.WriteAsync(entry, content);
        return await writer.FinishAsync();
    }

    private async Task<Image> ImageOfAsync(IReadOnlyList<Layer> layers, IEnumerable<HistoryEntry> history)
    {
        var config = new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [.. layers.Select(l => l.DiffId)] },
            History = [.. history],
        };
        var configBlob = await _store.PutAsync(MediaType.Config, ImageJson.Write(config));
        var manifest = await _store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { Config = configBlob, Layers = [.. layers.Select(l => l.Blob!)] }));
        return await Image.LoadAsync(_store, manifest.Digest);
    }
}
