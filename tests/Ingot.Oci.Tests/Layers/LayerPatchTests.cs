using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Tests.Layers;

public sealed class LayerPatchTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-patch-").FullName;
    private readonly DirectoryStore _store;
    private int _archives;

    public LayerPatchTests() => _store = new DirectoryStore(Path.Combine(_directory, "store"));

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task AfterAnyChangesTheLayerIsTheOneThatIsWrittenAnew(int seed)
    {
        var random = new Random(seed);
        var files = Enumerable.Range(0, 300).Select(i => NewFile(random, $"d{i % 7}/f{i:D4}")).ToDictionary(f => f.Entry.Path);
        files["big"] = NewFile(random, "big", 6 << 20);
        foreach (int i in Enumerable.Range(0, 7))
            files[$"d{i}"] = new(new TarEntry { Path = $"d{i}", Type = TarEntryType.Directory, Mode = 0b111_101_101 }, []);
        files["d0/link"] = new(
            new TarEntry { Path = "d0/link", Type = TarEntryType.SymbolicLink, Mode = 0b111_111_111, LinkTarget = "f0000" }, []);
        files["z-hard"] = new(
            new TarEntry { Path = "z-hard", Type = TarEntryType.HardLink, Mode = files["big"].Entry.Mode, LinkTarget = "big" }, []);

        var before = await WriteAsync(files);
        for (int round = 0; round < 4; round++)
        {
            Change(random, files);
            var whole = await WriteAsync(files);
            var patched = await PatchAsync(before, files);
            AssertSame(whole, patched);
            before = patched;
        }
    }

    [Fact]
    public async Task NothingChangedIsTheSameLayer()
    {
        var files = Some();
        var before = await WriteAsync(files);
        AssertSame(before, await PatchAsync(before, files));
    }

    [Theory]
    [InlineData("a/first")]
    [InlineData("f0099z")]
    [InlineData("f0050z")]
    public async Task AFileMoreAtAnyPlace(string path)
    {
        var files = Some();
        var before = await WriteAsync(files);
        files[path] = NewFile(new Random(9), path, 12345);
        AssertSame(await WriteAsync(files), await PatchAsync(before, files));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(98, 2)]
    [InlineData(40, 20)]
    public async Task FilesLess(int from, int count)
    {
        var files = Some();
        var before = await WriteAsync(files);
        foreach (int i in Enumerable.Range(from, count))
            files.Remove($"f{i:D4}");
        AssertSame(await WriteAsync(files), await PatchAsync(before, files));
    }

    [Fact]
    public async Task AModeAndALongNameAreChanges()
    {
        var files = Some();
        var before = await WriteAsync(files);
        files["f0003"] = files["f0003"] with { Entry = files["f0003"].Entry with { Mode = 0b111_101_101 } };
        string name = "f0004" + new string('n', 220);
        files[name] = NewFile(new Random(1), name, 100);
        var patched = await PatchAsync(before, files);
        AssertSame(await WriteAsync(files), patched);
        files["f0003"] = NewFile(new Random(2), "f0003", 5);
        AssertSame(await WriteAsync(files), await PatchAsync(patched, files));
    }

    [Fact]
    public async Task WhenMostChangedItIsWrittenAnew()
    {
        var files = Some();
        var before = await WriteAsync(files);
        foreach (int i in Enumerable.Range(0, 60))
            files[$"f{i:D4}"] = NewFile(new Random(i), $"f{i:D4}", 90_000);
        Assert.Null(PatchOf(before, files, LayerCompression.Zstandard));
    }

    [Fact]
    public async Task AnotherCodecWhiteoutsAndADamagedTraceAreNoBase()
    {
        var files = Some();
        var before = await WriteAsync(files);
        Assert.Null(PatchOf(before, files, LayerCompression.Gzip));
        Assert.Null(PatchOf(before with { Trace = before.Trace with { Codec = "zstd of another day" } }, files,
            LayerCompression.Zstandard));
        Assert.Null(PatchOf(before with { Trace = before.Trace with { TarSize = before.Trace.TarSize - 512 } }, files,
            LayerCompression.Zstandard));
        files[".wh.gone"] = new(new TarEntry { Path = ".wh.gone", Type = TarEntryType.File }, []);
        Assert.Null(PatchOf(before, files, LayerCompression.Zstandard));
        byte[] trace = before.Trace.Write();
        Assert.NotNull(LayerTrace.TryRead(trace));
        Assert.Null(LayerTrace.TryRead(trace[..^1]));
        Assert.Null(LayerTrace.TryRead([]));
    }

    [Fact]
    public async Task AnArchiveOrBlobCutShortIsAnErrorAndLeavesNothingInTheStore()
    {
        var files = Some();
        var before = await WriteAsync(files);
        files["f0098"] = NewFile(new Random(3), "f0098", 100);
        int blobs = Directory.GetFiles(Path.Combine(_directory, "store/blobs/sha256")).Length;
        string blob = _store.PathOf(before.Trace.Blob.Digest);
        byte[] whole = File.ReadAllBytes(blob);
        File.WriteAllBytes(blob, whole[..(whole.Length / 3)]);
        await Assert.ThrowsAnyAsync<IOException>(() => PatchAsync(before, files));
        File.WriteAllBytes(blob, whole);
        File.WriteAllBytes(before.Archive.Files[0], File.ReadAllBytes(before.Archive.Files[0])[..^512]);
        await Assert.ThrowsAnyAsync<IOException>(() => PatchAsync(before, files));
        Assert.Equal(blobs, Directory.GetFiles(Path.Combine(_directory, "store/blobs/sha256")).Length);
        Assert.Empty(Directory.GetFiles(Path.Combine(_directory, "store/tmp")));
    }

    [Fact]
    public async Task WhereFramesEndDependsOnTheBytesAndNotOnTheWrites()
    {
        byte[] bytes = new byte[20 << 20];
        new Random(4).NextBytes(bytes);
        Array.Clear(bytes, 3 << 20, 6 << 20);
        byte[] whole = await CompressAsync(bytes, bytes.Length);
        Assert.Equal(whole, await CompressAsync(bytes, 1000));
        Assert.Equal(whole, await CompressAsync(bytes, 512));
        using var back = new MemoryStream();
        await using (var decoded = LayerCompression.Zstandard.Decompress(new MemoryStream(whole)))
            await decoded.CopyToAsync(back, TestContext.Current.CancellationToken);
        Assert.True(back.ToArray().AsSpan().SequenceEqual(bytes));
    }

    private static async Task<byte[]> CompressAsync(byte[] bytes, int write)
    {
        using var output = new MemoryStream();
        await using (var encoder = LayerCompression.Zstandard.Compress(output))
        {
            for (int at = 0; at < bytes.Length; at += write)
                await encoder.WriteAsync(bytes.AsMemory(at, Math.Min(write, bytes.Length - at)));
        }

        return output.ToArray();
    }

    private static Dictionary<string, Given> Some() =>
        Enumerable.Range(0, 100).Select(i => NewFile(new Random(1000 + i), $"f{i:D4}", 90_000)).ToDictionary(f => f.Entry.Path);

    private static void Change(Random random, Dictionary<string, Given> files)
    {
        string Any() => files.Keys.Where(k => files[k].Entry.Type == TarEntryType.File && k != "big").Order(StringComparer.Ordinal)
            .ElementAt(random.Next(200));
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            string path = Any();
            switch (random.Next(6))
            {
                case 0:
                    files.Remove(path);
                    break;
                case 1:
                    files[path + "+"] = NewFile(random, path + "+");
                    break;
                case 2:
                    // As long as before.
                    files[path] = NewFile(random, path, (int)files[path].Entry.Size);
                    break;
                case 3:
                    byte[] big = [.. files["big"].Content];
                    big[random.Next(big.Length)] ^= 1;
                    files["big"] = files["big"] with { Content = big };
                    break;
                default:
                    files[path] = NewFile(random, path);
                    break;
            }
        }
    }

    private static Given NewFile(Random random, string path, int? size = null)
    {
        byte[] content = new byte[size
            ?? random.Next(5) switch { 0 => 0, 1 => random.Next(512), 2 => 512 * random.Next(1, 9), _ => random.Next(120_000) }];
        random.NextBytes(content.AsSpan(0, content.Length / 2));
        return new(
            new TarEntry
            {
                Path = path,
                Type = TarEntryType.File,
                Mode = 0b110_100_100,
                Size = content.Length,
                ModifiedTime = DateTimeOffset.FromUnixTimeSeconds(315532800),
            },
            content);
    }

    private static List<Given> Sorted(Dictionary<string, Given> files) =>
        [.. files.Values.OrderBy(f => f.Entry.Path, Comparer<string>.Create(TarPath.Compare))];

    private async Task<Written> WriteAsync(Dictionary<string, Given> files)
    {
        string archive = Path.Combine(_directory, $"{_archives++}.tar");
        await using var writer = await LayerWriter.BeginAsync(_store, LayerCompression.Zstandard, observer: null, archive,
            TestContext.Current.CancellationToken);
        foreach (var file in Sorted(files))
            await writer.WriteAsync(file.Entry, file.Content, TestContext.Current.CancellationToken);
        var layer = await writer.FinishAsync(TestContext.Current.CancellationToken);
        return new(LayerTrace.TryRead(layer.Trace!.Write())!, layer, LayerArchive.Whole(archive));
    }

    private static LayerPatch? PatchOf(Written before, Dictionary<string, Given> files, LayerCompression compression) => LayerPatch.Of(
        LayerIndex.Read(before.Layer.Index.Write()), before.Trace, compression,
        [.. Sorted(files).Select(f => new LayerEntry(f.Entry, f.Entry.Type == TarEntryType.File ? Digest.Of(f.Content) : null))]);

    private async Task<Written> PatchAsync(Written before, Dictionary<string, Given> files)
    {
        var patch = PatchOf(before, files, LayerCompression.Zstandard);
        Assert.NotNull(patch);
        string archive = Path.Combine(_directory, $"{_archives++}.tar");
        var (layer, parts) = await patch.WriteAsync(_store, before.Archive, archive,
            i => Task.FromResult<Stream>(new MemoryStream(Sorted(files)[i].Content)), TestContext.Current.CancellationToken);
        Assert.Equal(archive, parts.Files[^1]);
        return new(LayerTrace.TryRead(layer.Trace!.Write())!, layer,
            new LayerArchive(parts.Files, LayerArchive.TryReadParts(parts.WriteParts())!));
    }

    private static void AssertSame(Written expected, Written actual)
    {
        Assert.Equal(expected.Layer.DiffId, actual.Layer.DiffId);
        Assert.Equal(expected.Layer.TarSize, actual.Layer.TarSize);
        Assert.Equal(expected.Layer.Blob, actual.Layer.Blob);
        Assert.Equal(expected.Layer.Index.Write(), actual.Layer.Index.Write());
        Assert.Equal(expected.Trace.Write(), actual.Trace.Write());
        Assert.True(Bytes(expected.Archive).AsSpan().SequenceEqual(Bytes(actual.Archive)));
    }

    private static byte[] Bytes(LayerArchive archive)
    {
        using var stream = new ArchiveStream(archive.Open(), 0, archive.Size, ownsReader: true);
        byte[] bytes = new byte[archive.Size];
        stream.ReadExactly(bytes);
        Assert.Equal(-1, stream.ReadByte());
        return bytes;
    }

    private sealed record Given(TarEntry Entry, byte[] Content);

    private sealed record Written(LayerTrace Trace, Layer Layer, LayerArchive Archive);
}
