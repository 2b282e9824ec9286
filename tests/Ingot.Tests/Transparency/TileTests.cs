using FsCheck;
using FsCheck.Fluent;
using Ingot.Testing;
using Ingot.Transparency;

namespace Ingot.Tests.Transparency;

public sealed class TileTests
{
    [Theory]
    [InlineData(0, 0, 256, "tile/0/000")]
    [InlineData(0, 273, 112, "tile/0/273.p/112")]
    [InlineData(1, 1, 17, "tile/1/001.p/17")]
    [InlineData(2, 0, 1, "tile/2/000.p/1")]
    [InlineData(0, 1234067, 256, "tile/0/x001/x234/067")]
    [InlineData(63, 1000, 256, "tile/63/x001/000")]
    [InlineData(Tile.Entries, 1000000, 255, "tile/entries/x001/x000/000.p/255")]
    public void ATileHasThePathOfTheSpecification(int level, long index, int width, string path)
    {
        var tile = new Tile(level, index, width);
        Assert.Equal(path, tile.Path);
        Assert.True(Tile.TryParse(path, out var parsed));
        Assert.Equal(tile, parsed);
    }

    [Fact]
    public void EveryPathReadsBack() => Prop.ForAll(
        Gen.Choose(-1, 63).ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), Gen.Choose(1, 256).ToArbitrary(),
        (level, index, width) =>
        {
            var tile = new Tile(level, index, width);
            return Tile.TryParse(tile.Path, out var parsed) && parsed == tile;
        }).Holds();

    [Theory]
    [InlineData("")]
    [InlineData("tile/")]
    [InlineData("tile/0")]
    [InlineData("tile/0/")]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/0000")]
    [InlineData("tile/0/x000/001")]
    [InlineData("tile/0/001/002")]
    [InlineData("tile/0/x001")]
    [InlineData("tile/0/xx01/001")]
    [InlineData("tile/64/000")]
    [InlineData("tile/-1/000")]
    [InlineData("tile/00/000")]
    [InlineData("tile/+1/000")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/007")]
    [InlineData("tile/0/000.p/1/")]
    [InlineData("tile/0/000.p/")]
    [InlineData("tile/entries")]
    [InlineData("tile/Entries/000")]
    [InlineData("/tile/0/000")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999")]
    [InlineData("tile/0/../000")]
    public void ATileHasOnePath(string path) => Assert.False(Tile.TryParse(path, out _));

    /// <summary>The worked example of tlog-tiles: 70,000 entries.</summary>
    [Theory]
    [InlineData(0, 272, 256, true)]
    [InlineData(0, 273, 112, true)]
    [InlineData(0, 273, 113, false)]
    [InlineData(0, 274, 1, false)]
    [InlineData(1, 0, 256, true)]
    [InlineData(1, 1, 17, true)]
    [InlineData(1, 1, 18, false)]
    [InlineData(2, 0, 1, true)]
    [InlineData(2, 0, 2, false)]
    [InlineData(3, 0, 1, false)]
    [InlineData(63, 0, 1, false)]
    [InlineData(Tile.Entries, 273, 112, true)]
    [InlineData(Tile.Entries, 273, 113, false)]
    public void ATreeHasTheTilesItHasGrownOver(int level, long index, int width, bool isThere) =>
        Assert.Equal(isThere, new Tile(level, index, width).IsWithin(70_000));

    [Fact]
    public void EntriesComeBackFromTheirBundle() => Prop.ForAll(ArbMap.Default.ArbFor<byte[][]>(), entries =>
    {
        byte[][] given = [.. (entries ?? []).Select(entry => entry ?? [])];
        var read = Tile.ReadEntries(Tile.WriteEntries(given));
        return read.Count == given.Length && read.Zip(given).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));
    }).Holds();

    [Fact]
    public void AnEntryTooLongForItsLengthIsRefused() => Assert.Throws<OverflowException>(() => Tile.WriteEntries([new byte[65536]]));

    [Theory]
    [InlineData("00")]
    [InlineData("0001")]
    [InlineData("000161000")]
    [InlineData("ffff6161")]
    public void ABundleThatEndsWithinAnEntryIsRefused(string hex) =>
        Assert.Throws<FormatException>(() => Tile.ReadEntries(Convert.FromHexString(hex.Length % 2 == 0 ? hex : hex[..^1])));

    [Fact]
    public void ATileIsItsHashesOneAfterAnother()
    {
        var hash = MerkleTree.EmptyRoot;
        Assert.Equal([.. hash.ToArray(), .. hash.ToArray()], Tile.Write([hash, hash]));
    }
}
