using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layers;

public sealed class LayerIndexTests
{
    [Fact]
    public async Task AnIndexComesBack()
    {
        var index = await MakeAsync();
        var read = LayerIndex.Read(index.Write());
        Assert.Equal(index.Write(), read.Write());
        Assert.Equal(index.Whiteouts, read.Whiteouts);
        foreach (var (expected, actual) in index.Files.Zip(read.Files))
        {
            Assert.Equal(expected.Entry.ExtendedAttributes, actual.Entry.ExtendedAttributes);
            Assert.Equal(expected with { Entry = expected.Entry with { ExtendedAttributes = null } },
                actual with { Entry = actual.Entry with { ExtendedAttributes = null } });
        }
    }

    [Fact]
    public async Task FilesAreInOrderWithWhatTheirContentIs()
    {
        var index = await MakeAsync();
        Assert.Equal(["a", "a/z", "a-b", "b\uDCFF", "hard", "sym"], index.Files.Select(file => file.Path));
        Assert.Equal(["a/.wh.gone", "a/.wh..wh..opq"], index.Whiteouts.OrderDescending(StringComparer.Ordinal));
        var file = index.Find("a/z")!;
        Assert.Equal((Digest.Of("zzz"u8), 3L), (file.Digest!.Value, file.Size));
        var hard = index.Find("hard")!;
        Assert.Equal((file.Digest, file.Size, file.Offset), (hard.Digest, hard.Size, hard.Offset));
        Assert.Null(index.Find("sym")!.Digest);
        Assert.Equal(Digest.Of([]), index.Find("b\uDCFF")!.Digest);
        Assert.Null(index.Find("a/y"));
        Assert.Null(index.Find(""));
    }

    [Fact]
    public async Task TheOffsetIsWhereTheContentBegins()
    {
        var store = new MemoryStore();
        var layer = await MakeLayerAsync(store);
        byte[] tar = (await store.ReadAsync(layer.Blob!.Digest))!;
        Assert.Equal("zzz"u8.ToArray(), tar.AsSpan((int)layer.Index.Find("a/z")!.Offset, 3).ToArray());
    }

    [Theory]
    [InlineData("")]
    [InlineData("ingot layer index 2\n")]
    [InlineData("ingot layer index 1\n")]
    [InlineData("ingot layer index 1\n\u0001")]
    public void WhatIsNoIndexIsRefused(string text) =>
        Assert.Throws<FormatException>(() => LayerIndex.Read(System.Text.Encoding.Latin1.GetBytes(text)));

    [Fact]
    public async Task DamagedBytesAreRefusedOrRead()
    {
        byte[] bytes = (await MakeAsync()).Write();
        var damage = from at in Gen.Choose(20, bytes.Length - 1)
                     from value in Gen.Choose(0, 255)
                     from length in Gen.Choose(20, bytes.Length)
                     select (at, value, length);
        Prop.ForAll(Arb.From(damage), change =>
        {
            byte[] damaged = [.. bytes];
            damaged[change.at] = (byte)change.value;
            try
            {
                LayerIndex.Read(damaged[..change.length]);
            }
            catch (FormatException)
            {
            }
        }).Holds(3000);
    }

    private static async Task<LayerIndex> MakeAsync() => (await MakeLayerAsync(new MemoryStore())).Index;

    private static async Task<Layer> MakeLayerAsync(MemoryStore store)
    {
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.None);
        await writer.WriteAsync(new TarEntry { Path = "sym", Type = TarEntryType.SymbolicLink, LinkTarget = "a" });
        await writer.WriteAsync(new TarEntry { Path = "b\uDCFF", Type = TarEntryType.File, Mode = 0xFFF });
        await writer.WriteAsync(new TarEntry
        {
            Path = "a-b",
            Type = TarEntryType.CharacterDevice,
            DeviceMajor = 5,
            DeviceMinor = 1,
            UserId = uint.MaxValue - 1,
        });
        await writer.WriteAsync(new TarEntry { Path = "a", Type = TarEntryType.Directory, ModifiedTime = DateTimeOffset.MaxValue });
        await writer.WriteAsync(new TarEntry { Path = "a/.wh..wh..opq", Type = TarEntryType.File });
        await writer.WriteAsync(new TarEntry { Path = "a/.wh.gone", Type = TarEntryType.File });
        await writer.WriteAsync(
            new TarEntry
            {
                Path = "a/z",
                Type = TarEntryType.File,
                Size = 3,
                ExtendedAttributes = new() { ["security.capability"] = [1, 2] },
            },
            "zzz"u8.ToArray());
        await writer.WriteAsync(new TarEntry { Path = "hard", Type = TarEntryType.HardLink, LinkTarget = "a/z" });
        return await writer.FinishAsync();
    }
}
