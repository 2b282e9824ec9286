using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Oci.Tests.Layers.Compression;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layers;

public sealed class LayerWriterTests
{
    private static readonly TarEntry s_file = new() { Path = "file", Type = TarEntryType.File, Size = 5 };

    [Fact]
    public async Task ALayerHasOneIdentityWhateverItsCompression()
    {
        var store = new MemoryStore();
        await using var hashOnly = LayerWriter.HashOnly();
        var expected = await FillAsync(hashOnly);
        Assert.Null(expected.Blob);
        foreach (var compression in (LayerCompression[])[LayerCompression.None, LayerCompression.Gzip, LayerCompression.Zstandard])
        {
            await using var writer = await LayerWriter.BeginAsync(store, compression);
            var layer = await FillAsync(writer);
            Assert.Equal((expected.DiffId, expected.TarSize), (layer.DiffId, layer.TarSize));
            Assert.Equal(expected.Index.Write(), layer.Index.Write());
            Assert.Equal(compression.MediaType, layer.Blob!.MediaType);
            Assert.Equal(await store.SizeAsync(layer.Blob.Digest), layer.Blob.Size);

            await using var tar = await LayerBlob.OpenAsync(store, layer.Blob, layer.DiffId);
            Assert.Equal(layer.DiffId, await Digest.OfAsync(tar));
        }
    }

    [Fact]
    public async Task AnAbandonedLayerLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        var store = new DirectoryStore(directory.Root);
        foreach (var compression in (LayerCompression[])[LayerCompression.None, LayerCompression.Gzip, LayerCompression.Zstandard])
        {
            await using var writer = await LayerWriter.BeginAsync(store, compression);
            await writer.WriteAsync(s_file, "hello"u8.ToArray());
        }

        await foreach (var digest in store.ListAsync())
            Assert.Fail($"'{digest}' is in the store");
        Assert.Empty(Directory.EnumerateFileSystemEntries(directory.At("tmp")));
    }

    [Fact]
    public async Task APathIsWrittenOnce()
    {
        await using var writer = LayerWriter.HashOnly();
        await writer.WriteAsync(s_file, "hello"u8.ToArray());
        await writer.WriteAsync(new TarEntry { Path = ".wh.gone", Type = TarEntryType.File });
        await Assert.ThrowsAsync<ArgumentException>(() => writer.WriteAsync(s_file, "hello"u8.ToArray()));
        await Assert.ThrowsAsync<ArgumentException>(() => writer.WriteAsync(new TarEntry { Path = ".wh.gone", Type = TarEntryType.File }));
    }

    [Fact]
    public async Task ContentOfAnotherSizeIsRefused()
    {
        await using var writer = LayerWriter.HashOnly();
        await Assert.ThrowsAsync<ArgumentException>(() => writer.WriteAsync(s_file, "hell"u8.ToArray()));
        await Assert.ThrowsAsync<IOException>(() => writer.WriteAsync(s_file, new MemoryStream("hell"u8.ToArray())));
    }

    [Fact]
    public async Task AStoreThatFailsIsToldByTheWriter()
    {
        await using var writer = await LayerWriter.BeginAsync(new FullStore(), LayerCompression.None);
        var e = await Assert.ThrowsAsync<IOException>(async () =>
        {
            for (int i = 0; i < 1000; i++)
                await writer.WriteAsync(new TarEntry { Path = $"file{i}", Type = TarEntryType.File, Size = 100_000 }, new byte[100_000]);
            await writer.FinishAsync();
        });
        Assert.Equal("no space left", e.Message);
    }

    [Fact]
    public async Task ABlobThatIsNotWhatItsDescriptorSaysIsRefused()
    {
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Gzip);
        var layer = await FillAsync(writer);
        var blob = layer.Blob!;
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadAsync(store, blob, Digest.Of([])));
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadAsync(store, blob with { Size = blob.Size + 1 }, layer.DiffId));
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadAsync(store, blob with { Size = blob.Size - 1 }, layer.DiffId));
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadAsync(store, blob with { Digest = Digest.Of([]) }, layer.DiffId));
        await Assert.ThrowsAsync<LayerException>(() => ReadAsync(store, blob with { MediaType = MediaType.LayerZstd }, layer.DiffId));
        await Assert.ThrowsAsync<LayerException>(() => ReadAsync(store, blob with { MediaType = MediaType.Config }, layer.DiffId));
    }

    [Fact]
    public async Task ALayerReadHalfwayIsDisposedQuietly()
    {
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Gzip);
        await writer.WriteAsync(new TarEntry { Path = "big", Type = TarEntryType.File, Size = 8 << 20 }, new byte[8 << 20]);
        var layer = await writer.FinishAsync();
        await using (var tar = await LayerBlob.OpenAsync(store, layer.Blob!, layer.DiffId))
            await tar.ReadExactlyAsync(new byte[100]);
        using (var tar = await LayerBlob.OpenAsync(store, layer.Blob!, layer.DiffId))
            tar.ReadExactly(new byte[100]);
    }

    private static async Task ReadAsync(MemoryStore store, Descriptor blob, Digest diffId)
    {
        await using var tar = await LayerBlob.OpenAsync(store, blob, diffId);
        await tar.CopyToAsync(Stream.Null);
    }

    private static async Task<Layer> FillAsync(LayerWriter writer)
    {
        await writer.WriteAsync(new TarEntry { Path = "dir", Type = TarEntryType.Directory, Mode = 0b111_101_101 });
        await writer.WriteAsync(s_file, "hello"u8.ToArray());
        byte[] text = LayerCompressionTests.Text(3_000_000);
        await writer.WriteAsync(new TarEntry { Path = "text", Type = TarEntryType.File, Size = text.Length }, new MemoryStream(text));
        return await writer.FinishAsync();
    }

    private sealed class FullStore : IContentStore
    {
        public ValueTask<BlobWriter> BeginAsync(CancellationToken cancellationToken = default) => new(new FullWriter());

        public ValueTask<bool> DeleteAsync(Digest digest, CancellationToken cancellationToken = default) => new(false);

        public IAsyncEnumerable<Digest> ListAsync(CancellationToken cancellationToken = default) => AsyncEnumerable.Empty<Digest>();

        public ValueTask<Stream?> OpenAsync(Digest digest, CancellationToken cancellationToken = default) => new((Stream?)null);

        public ValueTask<long?> SizeAsync(Digest digest, CancellationToken cancellationToken = default) => new((long?)null);
    }

    private sealed class FullWriter : BlobWriter
    {
        public override long Written => 0;

        public override ValueTask<Digest> CommitAsync(Digest? expected = null, CancellationToken cancellationToken = default) =>
            throw new IOException("no space left");

        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("no space left");
    }
}
