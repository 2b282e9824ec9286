using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layouts;

/// <summary>Archives whose blobs are written at once, each to its place.</summary>
public sealed class BlobPlacementTests : IDisposable
{
    private const int Large = (3 << 19) + 17;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(1 << 19)]
    [InlineData((1 << 19) + 1)]
    [InlineData(Large)]
    public async Task AFileGetsTheBytesThatAStreamGets(int size)
    {
        var store = new DirectoryStore(_directory.At("store"));
        var image = await MakeAsync(store, size, 3, Large);
        var stream = new MemoryStream();
        await ImageArchive.WriteOciAsync(store, image, "a:1", stream);
        Assert.Equal(stream.ToArray(), await WriteFileAsync(store, image));
    }

    [Fact]
    public async Task AFileIsWrittenFromWhereItStands()
    {
        var store = new DirectoryStore(_directory.At("store"));
        var image = await MakeAsync(store, 1000, Large);
        byte[] alone = await WriteFileAsync(store, image);
        byte[] after = await WriteFileAsync(store, image, [1, 2, 3]);
        Assert.Equal([1, 2, 3, .. alone], after);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Large / 2)]
    [InlineData(Large - 1)]
    public async Task AChangedByteOfABlobIsFound(int at)
    {
        var store = new DirectoryStore(_directory.At("store"));
        var image = await MakeAsync(store, 10, Large);
        await ChangeAsync(file =>
        {
            file.Position = at;
            int value = file.ReadByte();
            file.Position = at;
            file.WriteByte((byte)(value ^ 1));
        });
        await Assert.ThrowsAsync<ContentMismatchException>(() => WriteFileAsync(store, image));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task ABlobOfAnotherLengthIsFound(int more)
    {
        var store = new DirectoryStore(_directory.At("store"));
        var image = await MakeAsync(store, 10, Large);
        await ChangeAsync(file => file.SetLength(Large + more));
        await Assert.ThrowsAsync<ContentMismatchException>(() => WriteFileAsync(store, image));
    }

    [Fact]
    public async Task AMissingBlobIsNamed()
    {
        var store = new DirectoryStore(_directory.At("store"));
        var image = await MakeAsync(store, 10, Large);
        string path = Blob();
        File.Delete(path);
        var error = await Assert.ThrowsAsync<ContentMismatchException>(() => WriteFileAsync(store, image));
        Assert.Contains(Path.GetFileName(path), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADamagedBlobGetsIntoNoLayout()
    {
        var store = new DirectoryStore(_directory.At("store"));
        var image = await MakeAsync(store, 10, Large);
        await ChangeAsync(file => file.WriteByte(0xFF));
        var layout = new OciLayout(_directory.At("layout"));
        await Assert.ThrowsAsync<ContentMismatchException>(() => ImageArchive.WriteLayoutAsync(store, image, "a:1", layout));
        Assert.Empty(await layout.NamesAsync(CancellationToken.None));
    }

    private async Task<byte[]> WriteFileAsync(DirectoryStore store, Descriptor image, byte[]? before = null)
    {
        string path = _directory.At("archive.tar");
        await using (var file = new FileStream(path, FileMode.Create, FileAccess.Write))
        {
            await file.WriteAsync(before ?? []);
            await ImageArchive.WriteOciAsync(store, image, "a:1", file);
        }

        return await File.ReadAllBytesAsync(path);
    }

    // Layers need not be archives to be copied.
    private static async Task<Descriptor> MakeAsync(DirectoryStore store, params int[] sizes)
    {
        var layers = new List<Descriptor>();
        foreach (int size in sizes)
        {
            byte[] bytes = RandomNumberGenerator.GetBytes(size);
            if (size > 0)
                bytes[0] = 0;
            layers.Add(await store.PutAsync(MediaType.Layer, bytes));
        }

        var rootFs = new RootFileSystem { DiffIds = [.. layers.Select(layer => layer.Digest)] };
        var config = await store.PutAsync(MediaType.Config,
            ImageJson.Write(new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = rootFs }));
        return await store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { MediaType = MediaType.Manifest, Config = config, Layers = layers }));
    }

    private string Blob() => Directory.EnumerateFiles(_directory.At("store"), "*", SearchOption.AllDirectories)
        .Single(path => new FileInfo(path).Length == Large);

    private async Task ChangeAsync(Action<FileStream> change)
    {
        File.SetUnixFileMode(Blob(), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var file = new FileStream(Blob(), FileMode.Open, FileAccess.ReadWrite);
        change(file);
    }
}
