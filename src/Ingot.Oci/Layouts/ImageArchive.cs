using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layouts;

/// <summary>Writes images for other programs. The same image under the same name gives the same bytes.</summary>
public static class ImageArchive
{
    private const string NameAnnotation = "org.opencontainers.image.ref.name";
    private const int FileMode = 0b110_100_100;
    private const int DirectoryMode = 0b111_101_101;
    private const int MaxNesting = 8;

    private static readonly DockerArchiveJson s_json =
        new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Writes an archive of an OCI layout: what <c>skopeo copy oci-archive:</c> and <c>podman load</c> read. Blobs go in as they
    /// are, sorted by digest; into a file several at a time.</summary>
    public static async Task WriteOciAsync(
        IContentStore store, Descriptor image, string name, Stream output, CancellationToken cancellationToken = default)
    {
        var blobs = await CollectAsync(store, image, cancellationToken).ConfigureAwait(false);
        var tar = new TarWriter(output, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            await WriteDirectoryAsync(tar, "blobs", cancellationToken).ConfigureAwait(false);
            foreach (string algorithm in blobs.Select(b => b.Digest.Algorithm).Append(Digest.Sha256).Distinct()
                .Order(StringComparer.Ordinal))
                await WriteDirectoryAsync(tar, $"blobs/{algorithm}", cancellationToken).ConfigureAwait(false);
            if (output is FileStream { CanSeek: true } file)
                await PlaceBlobsAsync(tar, store, blobs, file, cancellationToken).ConfigureAwait(false);
            else
                await WriteBlobsAsync(tar, store, blobs, cancellationToken).ConfigureAwait(false);
            await WriteFileAsync(tar, "index.json", ImageJson.Write(IndexOf(image, name)), cancellationToken).ConfigureAwait(false);
            await WriteFileAsync(tar, "oci-layout", """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray(),
                cancellationToken).ConfigureAwait(false);
            await tar.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // Where each blob goes is known before any is read.
    private static async Task PlaceBlobsAsync(
        TarWriter tar, IContentStore store, IReadOnlyList<Descriptor> blobs, FileStream file, CancellationToken cancellationToken)
    {
        long start = file.Position - tar.Position;
        var places = new List<PlacedBlob>();
        foreach (var blob in blobs)
        {
            await tar.WriteHeaderAsync(BlobFile(blob), cancellationToken).ConfigureAwait(false);
            places.Add(new PlacedBlob(blob, start + tar.Position));
            await tar.SkipContentAsync(blob.Size, cancellationToken).ConfigureAwait(false);
        }

        await file.FlushAsync(cancellationToken).ConfigureAwait(false);
        await new BlobPlacement(store, file.SafeFileHandle).CopyAsync(places, cancellationToken).ConfigureAwait(false);
    }

    private static async Task WriteBlobsAsync(
        TarWriter tar, IContentStore store, IReadOnlyList<Descriptor> blobs, CancellationToken cancellationToken)
    {
        foreach (var blob in blobs)
        {
            var content = await OpenAsync(store, blob, cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
                await tar.WriteAsync(BlobFile(blob), content, cancellationToken).ConfigureAwait(false);
        }
    }

    private static TarEntry BlobFile(Descriptor blob) => File($"blobs/{blob.Digest.Algorithm}/{blob.Digest.Hex}", blob.Size);

    /// <summary>Adds an image to the layout in a directory under a name, which the layout may have for another image.</summary>
    public static async Task WriteLayoutAsync(
        IContentStore store, Descriptor image, string name, OciLayout layout, CancellationToken cancellationToken = default)
    {
        foreach (var blob in await CollectAsync(store, image, cancellationToken).ConfigureAwait(false))
        {
            if (await layout.Store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) == blob.Size)
                continue;
            // Verified by the store it goes to.
            var content = await OpenUnverifiedAsync(store, blob, cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
            {
                var writer = await layout.Store.BeginAsync(cancellationToken).ConfigureAwait(false);
                await using (writer.ConfigureAwait(false))
                {
                    await content.CopyToAsync(writer, cancellationToken).ConfigureAwait(false);
                    await writer.CommitAsync(blob.Digest, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        await layout.SetAsync(name, image with { Annotations = null }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes what <c>docker load</c>, <c>podman load</c> and <c>skopeo copy docker-archive:</c> read: the configuration, each
    /// layer uncompressed, and a <c>manifest.json</c> (<see href="https://github.com/moby/docker-image-spec/blob/v1.2/v1.2.md">combined
    /// image JSON and filesystem changeset format</see>). Layers are read twice: their size stands before them.</summary>
    /// <param name="store">Where the image is.</param>
    /// <param name="image">The image.</param>
    /// <param name="repoTag">The name it gets when it is loaded, <c>REPOSITORY:TAG</c>; null for none.</param>
    /// <param name="output">Where the archive goes; stays open.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task WriteDockerAsync(
        IContentStore store, Image image, string? repoTag, Stream output, CancellationToken cancellationToken = default)
    {
        var layers = image.Manifest.Layers.Zip(image.Config.RootFs.DiffIds).ToList();
        var tar = new TarWriter(output, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            byte[] config = await store.ReadRequiredAsync(image.Manifest.Config.Digest, cancellationToken).ConfigureAwait(false);
            await WriteFileAsync(tar, ConfigName(image), config, cancellationToken).ConfigureAwait(false);
            foreach (var (layer, diffId) in layers.DistinctBy(l => l.Second))
            {
                long size = await SizeAsync(store, layer, diffId, cancellationToken).ConfigureAwait(false);
                var content = await LayerBlob.OpenAsync(store, layer, diffId, cancellationToken).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                    await tar.WriteAsync(File(LayerName(diffId), size), content, cancellationToken).ConfigureAwait(false);
            }

            await WriteFileAsync(tar, "manifest.json", DockerManifest(image, repoTag), cancellationToken).ConfigureAwait(false);
            await tar.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static string ConfigName(Image image) => $"{image.Manifest.Config.Digest.Hex}.json";

    private static string LayerName(Digest diffId) => $"{diffId.Hex}.tar";

    private static byte[] DockerManifest(Image image, string? repoTag)
    {
        DockerArchiveImage[] images =
        [
            new()
            {
                Config = ConfigName(image),
                RepoTags = repoTag is null ? null : [repoTag],
                Layers = [.. image.Config.RootFs.DiffIds.Select(LayerName)],
            },
        ];
        return JsonSerializer.SerializeToUtf8Bytes(images, s_json.IReadOnlyListDockerArchiveImage);
    }

    private static ImageIndex IndexOf(Descriptor image, string name) =>
        new()
        {
            Manifests =
                [image with { Annotations = new SortedDictionary<string, string>(StringComparer.Ordinal) { [NameAnnotation] = name } }],
        };

    private static async Task<long> SizeAsync(IContentStore store, Descriptor layer, Digest diffId, CancellationToken cancellationToken)
    {
        var content = await LayerBlob.OpenAsync(store, layer, diffId, cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            long size = 0;
            byte[] buffer = new byte[256 << 10];
            int read;
            while ((read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                size += read;
            return size;
        }
    }

    private static async Task<IReadOnlyList<Descriptor>> CollectAsync(
        IContentStore store, Descriptor image, CancellationToken cancellationToken)
    {
        var blobs = new SortedDictionary<Digest, Descriptor>();
        await CollectAsync(store, image, blobs, depth: 0, cancellationToken).ConfigureAwait(false);
        return [.. blobs.Values];
    }

    private static async Task CollectAsync(
        IContentStore store, Descriptor image, SortedDictionary<Digest, Descriptor> blobs, int depth, CancellationToken cancellationToken)
    {
        if (depth > MaxNesting)
            throw new ImageException($"'{image.Digest}' lies {depth} manifests deep: {MaxNesting} are allowed");
        if (!blobs.TryAdd(image.Digest, image))
            return;

        byte[] bytes = await store.ReadRequiredAsync(image.Digest, cancellationToken).ConfigureAwait(false);
        if (!MediaType.IsIndex(Image.MediaTypeOf(image.Digest, bytes, image.MediaType)))
        {
            var manifest = ImageJson.ReadManifest(bytes);
            if (manifest.IsImage)
                await Image.LoadAsync(store, image.Digest, platform: null, cancellationToken).ConfigureAwait(false);
            foreach (var part in manifest.Layers.Append(manifest.Config))
                blobs.TryAdd(part.Digest, part);
            return;
        }

        foreach (var part in ImageJson.ReadIndex(bytes).Manifests)
        {
            // Of an index that was pulled for one platform the others are not here.
            if (await store.SizeAsync(part.Digest, cancellationToken).ConfigureAwait(false) is not null)
                await CollectAsync(store, part, blobs, depth + 1, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<Stream> OpenAsync(IContentStore store, Descriptor blob, CancellationToken cancellationToken) =>
        new VerifyingStream(await OpenUnverifiedAsync(store, blob, cancellationToken).ConfigureAwait(false), blob.Digest, blob.Size);

    private static async Task<Stream> OpenUnverifiedAsync(IContentStore store, Descriptor blob, CancellationToken cancellationToken) =>
        await store.OpenAsync(blob.Digest, cancellationToken).ConfigureAwait(false)
            ?? throw new ContentMismatchException($"'{blob.Digest}' is not in the store");

    private static TarEntry File(string path, long size) => new() { Path = path, Type = TarEntryType.File, Mode = FileMode, Size = size };

    private static Task WriteDirectoryAsync(TarWriter tar, string path, CancellationToken cancellationToken) =>
        tar.WriteAsync(new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = DirectoryMode }, cancellationToken);

    private static Task WriteFileAsync(TarWriter tar, string path, byte[] bytes, CancellationToken cancellationToken) =>
        tar.WriteAsync(File(path, bytes.Length), bytes, cancellationToken);
}
