using Ingot.Oci.Content;
using Ingot.Oci.Layers;

namespace Ingot.Oci.Tests.Layers;

public sealed class LayerArchiveTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-archive-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void WhateverItIsPutTogetherOfItReadsAsIfItWereWhole(int seed)
    {
        var random = new Random(seed);
        byte[][] contents = [.. Enumerable.Range(0, 4).Select(_ => Bytes(random, random.Next(1, 90_000)))];
        string[] files = [.. contents.Select((content, i) => NewFile($"f{i}", content))];
        var parts = Enumerable.Range(0, 40).Select(_ => PartOf(random, contents)).ToList();
        byte[] expected = [.. parts.SelectMany(p => contents[p.File].AsSpan((int)p.Start, (int)p.Length).ToArray())];
        var archive = new LayerArchive(files, LayerArchive.TryReadParts(new LayerArchive(files, parts).WriteParts())!);

        Assert.Equal(expected.Length, archive.Size);
        Assert.Equal(expected, Read(archive, 0, archive.Size));
        for (int i = 0; i < 50; i++)
        {
            long start = random.NextInt64(archive.Size), length = random.NextInt64(1, archive.Size - start + 1);
            Assert.Equal(expected.AsSpan((int)start, (int)length).ToArray(), Read(archive, start, length));
            Assert.Equal(length, archive.Slice(start, length).Sum(p => p.Length));
            Assert.Equal(Read(archive, start, length), Read(new LayerArchive(files, [.. archive.Slice(start, length)]), 0, length));
        }

        Assert.Equal(expected, File.ReadAllBytes(archive.Gather(Path.Combine(_directory, "whole")).Files[0]));
    }

    [Theory]
    [InlineData("0 0")]
    [InlineData("0 0 5")]
    [InlineData("0 0 0\n")]
    [InlineData("0 0 -5\n")]
    [InlineData("0 -1 5\n")]
    [InlineData("-1 0 5\n")]
    [InlineData("0 0 99999999999999999999\n")]
    [InlineData("0 0 5 6\n")]
    [InlineData("0  0 5\n")]
    [InlineData("x\n")]
    [InlineData("0 0 5\n0 5\n")]
    public void PartsThatAreNoneAreRefused(string text) => Assert.Null(LayerArchive.TryReadParts(text));

    [Fact]
    public void APartOfAFileThatIsNotThereOrOfNothingIsRefused()
    {
        string file = NewFile("f", [1, 2, 3]);
        Assert.Throws<ArgumentException>(() => new LayerArchive([file], [new ArchivePart(1, 0, 1)]));
        Assert.Throws<ArgumentException>(() => new LayerArchive([file], [new ArchivePart(-1, 0, 1)]));
        Assert.Throws<ArgumentException>(() => new LayerArchive([file], [new ArchivePart(0, -1, 1)]));
        Assert.Throws<ArgumentException>(() => new LayerArchive([file], [new ArchivePart(0, 0, 0)]));
        var archive = LayerArchive.Whole(file);
        Assert.Throws<ArgumentOutOfRangeException>(() => archive.Find(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => archive.Find(-1));
        Assert.Equal(0, LayerArchive.Whole(NewFile("empty", [])).Size);
    }

    [Fact]
    public void AFileThatIsShorterThanItsPartIsDamaged()
    {
        string file = NewFile("f", new byte[100]);
        var archive = new LayerArchive([file], [new ArchivePart(0, 50, 100)]);
        Assert.Throws<EndOfStreamException>(() => Read(archive, 0, 100));
        Assert.Throws<EndOfStreamException>(() => archive.Gather(Path.Combine(_directory, "whole")));
        Assert.Throws<FileNotFoundException>(() => new LayerArchive([file, file + "x"], [new ArchivePart(0, 0, 1)]).Open());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(262_144)]
    [InlineData(1_048_575)]
    [InlineData(5_000_000)]
    public void AnUncachedFileHoldsWhatWasWritten(int length)
    {
        var random = new Random(length);
        byte[] bytes = Bytes(random, length);
        string path = Path.Combine(_directory, "uncached");
        using (var file = new UncachedFile(path))
        {
            for (int at = 0; at < length;)
            {
                int piece = Math.Min(length - at, random.Next(1, 400_000));
                file.Write(bytes.AsSpan(at, piece));
                at += piece;
                Assert.Equal(at, file.Position);
            }

            file.Flush();
            Assert.Throws<IOException>(() => new UncachedFile(path));
        }

        Assert.Equal(bytes, File.ReadAllBytes(path));
        using var back = File.OpenHandle(path);
        byte[] read = new byte[length + 1];
        int got = 0;
        for (int more; (more = UncachedFile.Read(back, read.AsSpan(got), got)) > 0;)
            got += more;
        Assert.Equal(bytes, read[..got]);
    }

    [Fact]
    public void WhatWasNotFlushedOfAnUncachedFileIsNotWritten()
    {
        string path = Path.Combine(_directory, "abandoned");
        using (var file = new UncachedFile(path))
            file.Write(new byte[1000]);
        Assert.Equal(0, new FileInfo(path).Length);
    }

    private static ArchivePart PartOf(Random random, byte[][] contents)
    {
        int file = random.Next(contents.Length), start = random.Next(contents[file].Length);
        return new ArchivePart(file, start, random.Next(1, contents[file].Length - start + 1));
    }

    private static byte[] Read(LayerArchive archive, long start, long length)
    {
        using var stream = new ArchiveStream(archive.Open(), start, length, ownsReader: true);
        byte[] bytes = new byte[length];
        stream.ReadExactly(bytes);
        Assert.Equal(-1, stream.ReadByte());
        return bytes;
    }

    private static byte[] Bytes(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private string NewFile(string name, byte[] content)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
