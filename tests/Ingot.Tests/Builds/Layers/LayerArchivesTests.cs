using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;

namespace Ingot.Tests.Builds.Layers;

public sealed class LayerArchivesTests : IDisposable
{
    private static readonly Digest s_first = Digest.Of("first"u8), s_second = Digest.Of("second"u8), s_third = Digest.Of("third"u8);

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-archives-").FullName;
    private readonly LayerArchives _archives;

    public LayerArchivesTests()
    {
        _archives = new LayerArchives(Path.Combine(_directory, "archives"));
        _archives.Add(s_first, LayerArchive.Whole(NewFile("made", "0123456789")));
        var first = _archives.Find(s_first)!;
        _archives.Add(s_second, new LayerArchive([.. first.Files, NewFile("changed", "abc")],
            [new ArchivePart(0, 0, 3), new ArchivePart(1, 0, 3), new ArchivePart(0, 6, 4)]));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void AnArchiveOfPartsStaysWhenTheOneGoesThatItWasMadeFrom()
    {
        Assert.Equal("012abc6789", Text(s_second));
        foreach (string file in Directory.GetFiles(Path.Combine(_directory, "archives"), s_first.Hex + "*"))
            File.Delete(file);
        Assert.Null(_archives.Find(s_first));
        Assert.Equal("012abc6789", Text(s_second));
        Assert.False(File.Exists(Path.Combine(_directory, "changed")));
    }

    [Fact]
    public void OnlyFilesThatHavePartsInItAreKept()
    {
        var second = _archives.Find(s_second)!;
        _archives.Add(s_third,
            new LayerArchive([.. second.Files, NewFile("changed", "xyz")], [new ArchivePart(1, 0, 3), new ArchivePart(2, 0, 3)]));
        Assert.Equal("abcxyz", Text(s_third));
        Assert.Equal(2, _archives.Find(s_third)!.Files.Count);
        Assert.NotEqual(_archives.ImagePath(s_third, _archives.Find(s_third)!), _archives.ImagePath(s_third, second));
    }

    [Fact]
    public void WhicheverOfTwoThatWereMadeAtOnceStaysIsWhole()
    {
        string list = Path.Combine(_directory, "archives", s_second.Hex + ".parts");
        string one = File.ReadAllText(list);
        File.Delete(list);
        _archives.Add(s_second, new LayerArchive([NewFile("other", "012abc"), NewFile("changed", "6789")],
            [new ArchivePart(0, 0, 6), new ArchivePart(1, 0, 4)]));
        string other = File.ReadAllText(list);
        Assert.Equal("012abc6789", Text(s_second));
        File.WriteAllText(list, one);
        Assert.Equal("012abc6789", Text(s_second));
        Assert.NotEqual(one, other);
    }

    [Fact]
    public void ALayerThatIsHereAlreadyIsNotKeptTwice()
    {
        var first = _archives.Find(s_first)!;
        _archives.Add(s_first, new LayerArchive([.. first.Files, NewFile("changed", "abc")], [new ArchivePart(1, 0, 3)]));
        Assert.Equal("0123456789", Text(s_first));
        _archives.Add(s_second, new LayerArchive([.. first.Files, NewFile("changed", "abc")], [new ArchivePart(1, 0, 3)]));
        Assert.Equal("012abc6789", Text(s_second));
        Assert.Empty(Directory.GetFiles(_directory));
        _archives.Add(s_second, LayerArchive.Whole(NewFile("made", "012abc6789")));
        Assert.Single(_archives.Find(s_second)!.Files);
    }

    [Theory]
    [InlineData(".0", "")]
    [InlineData(".0", "012345678")]
    [InlineData(".1", "ab")]
    [InlineData(".1", null)]
    [InlineData(".parts", "")]
    [InlineData(".parts", "MARK")]
    [InlineData(".parts", "MARK\n")]
    [InlineData(".parts", "MARK\n0 0 3\n1 0 3")]
    [InlineData(".parts", "MARK\n9 0 3\n")]
    [InlineData(".parts", "other\n0 0 3\n1 0 3\n")]
    [InlineData(".parts", "../x\n0 0 3\n")]
    [InlineData(".parts", null)]
    public void AnArchiveOfWhichSomethingIsMissingIsNotHere(string end, string? left)
    {
        string file = Assert.Single(Directory.GetFiles(Path.Combine(_directory, "archives"), s_second.Hex + "*" + end));
        string mark = File.ReadAllLines(Path.Combine(_directory, "archives", s_second.Hex + ".parts"))[0];
        File.Delete(file);
        if (left is not null)
            File.WriteAllText(file, left.Replace("MARK", mark, StringComparison.Ordinal));
        Assert.Null(_archives.Find(s_second));
    }

    [Fact]
    public void WhatHoldsOnToTooMuchIsPutTogether()
    {
        Assert.False(LayerArchives.IsScattered(_archives.Find(s_first)!));
        Assert.False(LayerArchives.IsScattered(_archives.Find(s_second)!));
        Assert.True(LayerArchives.IsScattered(new LayerArchive(_archives.Find(s_first)!.Files, [new ArchivePart(0, 0, 4)])));
        string[] files = [.. Enumerable.Range(0, 20).Select(i => NewFile($"f{i}", "0123456789"))];
        Assert.True(LayerArchives.IsScattered(new LayerArchive(files, [.. files.Select((_, i) => new ArchivePart(i, 0, 10))])));
    }

    [Fact]
    public void AFileOfSeveralLayersCountsOnceForAllOfThem()
    {
        string[] paths = Directory.GetFiles(Path.Combine(_directory, "archives"));
        long shared = paths
            .Where(p => p.EndsWith(".tar", StringComparison.Ordinal) || p.EndsWith(".0", StringComparison.Ordinal))
            .Sum(p => HostFiles.DiskUsage(p)!.Value.Bytes);
        Assert.Equal(HostFiles.DiskUsage(Assert.Single(paths, p => p.EndsWith(".1", StringComparison.Ordinal)))!.Value.Bytes, shared);
    }

    private string Text(Digest diffId)
    {
        var archive = _archives.Find(diffId)!;
        using var reader = new StreamReader(new ArchiveStream(archive.Open(), 0, archive.Size, ownsReader: true));
        return reader.ReadToEnd();
    }

    private string NewFile(string name, string content)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllText(path, content);
        return path;
    }
}
