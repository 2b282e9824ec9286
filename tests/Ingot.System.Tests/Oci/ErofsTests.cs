using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Erofs;
using Ingot.Oci.Tar;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Oci;

/// <summary>Images of layers, mounted by the kernel, against the same layers unpacked.</summary>
public sealed class ErofsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose()
    {
        foreach (string mount in Mounts.Below(_directory.Root))
            Mounts.Detach(mount);
        _directory.Dispose();
    }

    [Fact]
    public async Task AMountedImageShowsWhatTheLayerHolds()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        string tar = _directory.At("layer.tar");
        await using (var output = File.Create(tar))
        {
            var writer = new TarWriter(output, leaveOpen: true);
            await writer.WriteAsync(new TarEntry { Path = "d", Type = TarEntryType.Directory, Mode = 493 }, ReadOnlyMemory<byte>.Empty);
            await writer.WriteAsync(new TarEntry { Path = "d/f", Type = TarEntryType.File, Mode = 420, Size = 6, UserId = 70000, ModifiedTime = DateTimeOffset.FromUnixTimeSeconds(77) }, "hello\n"u8.ToArray());
            await writer.WriteAsync(new TarEntry { Path = "l", Type = TarEntryType.SymbolicLink, LinkTarget = "d/f" }, ReadOnlyMemory<byte>.Empty);
            await writer.CompleteAsync();
        }

        LayerIndex index;
        await using (var input = File.OpenRead(tar))
            index = await LayerReader.IndexAsync(input);
        string image = _directory.At("layer.erofs");
        await using (var output = File.Create(image))
            ErofsImage.Write(output, index, [new ErofsDevice(new FileInfo(tar).Length)]);
        string at = _directory.Make("mounted");
        Mounts.Erofs(image, [tar], at);
        Assert.Equal("hello\n", await File.ReadAllTextAsync(Path.Combine(at, "l")));
        Assert.Equal("d d 755 0:0 0\nd/f f 644 70000:0 6 77\nl l 777 0:0 0 -> d/f", await LinuxTree.ListAsync(at));
    }
}
