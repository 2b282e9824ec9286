using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Layouts;

/// <summary>Reads an OCI layout that somebody else wrote
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md">image layout</see>).</summary>
internal sealed class OciLayoutReader(ImageFiles files, IContentStore store)
{
    private const string NameAnnotation = "org.opencontainers.image.ref.name";
    private const string FullNameAnnotation = "io.containerd.image.name";
    private const int MaxNesting = 8;
    private const int MaxManifests = 1000;

    // In the order in which they are stored: a manifest after what it consists of.
    private readonly Dictionary<Digest, Descriptor> _wanted = [];
    private readonly Dictionary<Digest, byte[]> _documents = [];

    public async Task<ImportedImage> ImportAsync(string? tag, Platform? platform, CancellationToken cancellationToken)
    {
        var index = Parse("index.json", await files.ReadRequiredAsync("index.json", cancellationToken).ConfigureAwait(false),
            ImageJson.ReadIndex);
        var chosen = Choose(index, tag);
        await CollectAsync(chosen, platform, depth: 0, cancellationToken).ConfigureAwait(false);
        foreach (var blob in _wanted.Values)
            await CopyAsync(blob, cancellationToken).ConfigureAwait(false);

        byte[] document = _documents[chosen.Digest];
        return new ImportedImage(
            new Descriptor { MediaType = Image.MediaTypeOf(chosen.Digest, document), Digest = chosen.Digest, Size = document.Length },
            NameOf(chosen));
    }

    private static string? NameOf(Descriptor descriptor) =>
        descriptor.Annotations?.GetValueOrDefault(FullNameAnnotation) ?? descriptor.Annotations?.GetValueOrDefault(NameAnnotation);

    private static bool IsNamed(Descriptor descriptor, string tag) =>
        descriptor.Annotations is { } notes
            && (notes.GetValueOrDefault(NameAnnotation) == tag || notes.GetValueOrDefault(FullNameAnnotation) == tag);

    private Descriptor Choose(ImageIndex index, string? tag)
    {
        var found = index.Manifests.Where(m => tag is null || IsNamed(m, tag)).DistinctBy(m => m.Digest).ToList();
        string names = string.Join(", ", index.Manifests.Select(m => NameOf(m) ?? m.Digest.ToString()).Take(20));
        return found switch
        {
            [var one] => one,
            [] => throw new ImageException(tag is null
                ? $"'{files.Name}' holds no image"
                : $"'{files.Name}' has no image '{tag}', only: {names}"),
            _ => throw new ImageException($"'{files.Name}' has {found.Count} images: say which, of: {names}"),
        };
    }

    private async Task CollectAsync(Descriptor descriptor, Platform? platform, int depth, CancellationToken cancellationToken)
    {
        if (depth > MaxNesting || _documents.Count >= MaxManifests)
            throw new ImageException(
                $"'{files.Name}' has more than {MaxNesting} indexes in each other, or more than {MaxManifests} manifests");
        if (_documents.ContainsKey(descriptor.Digest))
            return;

        byte[] bytes = await DocumentAsync(descriptor, cancellationToken).ConfigureAwait(false);
        _documents[descriptor.Digest] = bytes;
        if (MediaType.IsIndex(Image.MediaTypeOf(descriptor.Digest, bytes, descriptor.MediaType)))
            await CollectIndexAsync(Parse(descriptor.Digest.ToString(), bytes, ImageJson.ReadIndex), platform, depth,
                cancellationToken).ConfigureAwait(false);
        else
            await CollectImageAsync(Parse(descriptor.Digest.ToString(), bytes, ImageJson.ReadManifest),
                cancellationToken).ConfigureAwait(false);
        _wanted[descriptor.Digest] = descriptor;
    }

    private async Task CollectIndexAsync(ImageIndex index, Platform? platform, int depth, CancellationToken cancellationToken)
    {
        if (platform is not null)
        {
            var image = Image.Select(index, platform)
                ?? throw new ImageException($"'{files.Name}' has no image for {platform}, only for: {Image.Platforms(index)}");
            await CollectAsync(image, platform, depth + 1, cancellationToken).ConfigureAwait(false);
            return;
        }

        // Other programs write an index whole and of its images only the wanted ones.
        var here = index.Manifests.Where(part => files.Has(PathOf(part.Digest))).ToList();
        foreach (var part in here.Where(part => !MediaType.IsDocument(part.MediaType)))
            throw new ImageException($"the index in '{files.Name}' holds '{part.Digest}' of type '{part.MediaType}', "
                + "which is not an image: a build's cache is not imported");
        if (here.Count == 0)
            throw new ImageException($"'{files.Name}' has none of the {index.Manifests.Count} images of its index");
        foreach (var part in here)
            await CollectAsync(part, platform, depth + 1, cancellationToken).ConfigureAwait(false);
    }

    private async Task CollectImageAsync(Manifest manifest, CancellationToken cancellationToken)
    {
        byte[] config = await DocumentAsync(manifest.Config, cancellationToken).ConfigureAwait(false);
        _wanted[manifest.Config.Digest] = manifest.Config;
        bool isImage = manifest.IsImage;
        var diffIds = isImage ? Parse(manifest.Config.Digest.ToString(), config, ImageJson.ReadConfig).RootFs.DiffIds : [];
        if (isImage && diffIds.Count != manifest.Layers.Count)
            throw new ImageException(
                $"'{files.Name}': an image has {manifest.Layers.Count} layers, and its configuration lists {diffIds.Count}");

        for (int i = 0; i < manifest.Layers.Count; i++)
        {
            var layer = manifest.Layers[i];
            if (!_wanted.TryAdd(layer.Digest, layer))
                continue;
            var stream = Open(layer);
            await using (stream.ConfigureAwait(false))
            {
                if (isImage)
                    await LayerReader.CheckAsync(stream, LayerCompression.ForMediaType(layer.MediaType), layer.Size, diffIds[i],
                        limits: null, cancellationToken).ConfigureAwait(false);
                else
                    await stream.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<byte[]> DocumentAsync(Descriptor descriptor, CancellationToken cancellationToken)
    {
        byte[] bytes = await files.ReadRequiredAsync(PathOf(descriptor.Digest), cancellationToken).ConfigureAwait(false);
        var actual = Digest.Of(bytes, descriptor.Digest);
        return actual == descriptor.Digest && bytes.Length == descriptor.Size
            ? bytes
            : throw new ContentMismatchException(
                $"expected '{descriptor.Digest}' of {descriptor.Size} bytes in '{files.Name}' and read {bytes.Length} bytes of '{actual}'");
    }

    private VerifyingStream Open(Descriptor blob)
    {
        var stream = files.OpenRequired(PathOf(blob.Digest));
        if (stream.Length == blob.Size)
            return new VerifyingStream(stream, blob.Digest, blob.Size);

        stream.Dispose();
        throw new ContentMismatchException($"'{blob.Digest}' in '{files.Name}' has {stream.Length} bytes, and {blob.Size} were promised");
    }

    private async Task CopyAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        if (await store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) == blob.Size)
            return;

        var stream = Open(blob);
        await using (stream.ConfigureAwait(false))
        {
            var writer = await store.BeginAsync(cancellationToken).ConfigureAwait(false);
            await using (writer.ConfigureAwait(false))
            {
                await stream.CopyToAsync(writer, cancellationToken).ConfigureAwait(false);
                await writer.CommitAsync(blob.Digest, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static string PathOf(Digest digest) => $"blobs/{digest.Algorithm}/{digest.Hex}";

    private T Parse<T>(string what, byte[] bytes, Func<ReadOnlySpan<byte>, T> read)
    {
        try
        {
            return read(bytes);
        }
        catch (FormatException e)
        {
            throw new ImageException($"'{what}' in '{files.Name}': {e.Message}", e);
        }
    }
}
