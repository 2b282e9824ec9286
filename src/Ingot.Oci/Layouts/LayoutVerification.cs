using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;

namespace Ingot.Oci.Layouts;

/// <summary>Something wrong in a layout.</summary>
/// <param name="Digest">The blob that is wrong, or missing.</param>
/// <param name="Name">An image that needs it; null when no name leads to it.</param>
/// <param name="What">What is wrong with it.</param>
public sealed record LayoutProblem(Digest Digest, string? Name, string What);

/// <summary>What a verification looked at, and what it found.</summary>
/// <param name="Names">How many names were followed.</param>
/// <param name="Blobs">How many blobs were read.</param>
/// <param name="Bytes">How many bytes they have.</param>
/// <param name="Problems">What is wrong, by digest.</param>
public sealed record LayoutReport(int Names, int Blobs, long Bytes, IReadOnlyList<LayoutProblem> Problems);

/// <summary>Reads everything in a layout again and holds it against its names: blobs against digests, manifests against what they consist of, layers against diff ids. Changes nothing.</summary>
public sealed class LayoutVerification
{
    private const int MaxNesting = 8;

    private readonly OciLayout _layout;
    private readonly Dictionary<Digest, bool> _sound = [];
    private readonly HashSet<Digest> _followed = [];
    private readonly List<LayoutProblem> _problems = [];
    private long _bytes;

    private LayoutVerification(OciLayout layout) => _layout = layout;

    /// <summary>Verifies a layout; tells each blob that was read to <paramref name="progress"/>.</summary>
    public static async Task<LayoutReport> VerifyAsync(OciLayout layout, IProgress<Digest>? progress = null, CancellationToken cancellationToken = default)
    {
        var verification = new LayoutVerification(layout);
        await verification.ReadBlobsAsync(progress, cancellationToken).ConfigureAwait(false);
        var index = await layout.ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        foreach (var named in index.Manifests)
        {
            string name = named.Annotations?.GetValueOrDefault("org.opencontainers.image.ref.name") ?? named.Digest.ToString();
            await verification.FollowAsync(named, name, depth: 0, cancellationToken).ConfigureAwait(false);
        }

        // Manifests that no name leads to: what was built and is not named, evidence.
        foreach (var digest in verification._sound.Where(s => s.Value).Select(s => s.Key).Order().ToList())
            await verification.FollowUnnamedAsync(digest, cancellationToken).ConfigureAwait(false);
        return new LayoutReport(index.Manifests.Count, verification._sound.Count, verification._bytes, [.. verification._problems.Distinct().OrderBy(p => p.Digest).ThenBy(p => p.What, StringComparer.Ordinal)]);
    }

    private async Task ReadBlobsAsync(IProgress<Digest>? progress, CancellationToken cancellationToken)
    {
        var digests = new List<Digest>();
        await foreach (var digest in _layout.Store.ListAsync(cancellationToken).ConfigureAwait(false))
            digests.Add(digest);
        foreach (var digest in digests.Order())
        {
            var stream = await _layout.Store.OpenAsync(digest, cancellationToken).ConfigureAwait(false);
            if (stream is null)
                continue;
            await using (stream.ConfigureAwait(false))
            {
                long size = stream.Length;
                var actual = await Digest.OfAsync(stream, digest, cancellationToken).ConfigureAwait(false);
                _bytes += size;
                _sound[digest] = actual == digest;
                if (actual != digest)
                    _problems.Add(new LayoutProblem(digest, Name: null, $"its {size} bytes have the digest '{actual}'"));
            }

            progress?.Report(digest);
        }
    }

    private async Task FollowUnnamedAsync(Digest digest, CancellationToken cancellationToken)
    {
        var stream = await _layout.Store.OpenAsync(digest, cancellationToken).ConfigureAwait(false);
        if (stream is null)
            return;
        byte[] first = new byte[1];
        long size;
        await using (stream.ConfigureAwait(false))
        {
            size = stream.Length;
            if (size > ContentStoreExtensions.MaxDocumentBytes || await stream.ReadAsync(first, cancellationToken).ConfigureAwait(false) == 0 || first[0] != '{')
                return;
        }

        byte[] bytes = await _layout.Store.ReadRequiredAsync(digest, cancellationToken).ConfigureAwait(false);
        try
        {
            string mediaType = Image.MediaTypeOf(digest, bytes);
            await FollowAsync(new Descriptor { MediaType = mediaType, Digest = digest, Size = size }, name: null, depth: 0, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageException)
        {
            // Another document: a configuration, a statement.
        }
    }

    private async Task FollowAsync(Descriptor descriptor, string? name, int depth, CancellationToken cancellationToken)
    {
        if (depth > MaxNesting || !_followed.Add(descriptor.Digest) || !IsSound(descriptor, name))
            return;

        byte[] bytes = await _layout.Store.ReadRequiredAsync(descriptor.Digest, cancellationToken).ConfigureAwait(false);
        try
        {
            if (MediaType.IsIndex(Image.MediaTypeOf(descriptor.Digest, bytes)))
                await FollowIndexAsync(descriptor, ImageJson.ReadIndex(bytes), name, depth, cancellationToken).ConfigureAwait(false);
            else
                await FollowImageAsync(ImageJson.ReadManifest(bytes), name, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FormatException or ImageException)
        {
            _problems.Add(new LayoutProblem(descriptor.Digest, name, e.Message));
        }
    }

    // Of an index that was pulled for one platform the others are not here: that is no damage as long as one is.
    private async Task FollowIndexAsync(Descriptor descriptor, ImageIndex index, string? name, int depth, CancellationToken cancellationToken)
    {
        var here = index.Manifests.Where(part => _sound.ContainsKey(part.Digest)).ToList();
        if (here.Count == 0 && index.Manifests.Count > 0)
            _problems.Add(new LayoutProblem(descriptor.Digest, name, $"none of the {index.Manifests.Count} images of this index is in the store"));
        foreach (var part in here)
            await FollowAsync(part, name, depth + 1, cancellationToken).ConfigureAwait(false);
    }

    private async Task FollowImageAsync(Manifest manifest, string? name, CancellationToken cancellationToken)
    {
        bool isImage = manifest.Config.MediaType is MediaType.Config or MediaType.DockerConfig;
        bool hasConfig = IsSound(manifest.Config, name);
        var parts = manifest.Layers.Select(layer => IsSound(layer, name)).ToList();
        if (!isImage || !hasConfig)
            return;

        byte[] bytes = await _layout.Store.ReadRequiredAsync(manifest.Config.Digest, cancellationToken).ConfigureAwait(false);
        var diffIds = ImageJson.ReadConfig(bytes).RootFs.DiffIds;
        if (diffIds.Count != manifest.Layers.Count)
        {
            _problems.Add(new LayoutProblem(manifest.Config.Digest, name, $"it speaks of {diffIds.Count} layers, and the manifest has {manifest.Layers.Count}"));
            return;
        }

        for (int i = 0; i < diffIds.Count; i++)
        {
            if (parts[i] && _followed.Add(manifest.Layers[i].Digest))
                await CheckLayerAsync(manifest.Layers[i], diffIds[i], name, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CheckLayerAsync(Descriptor layer, Digest diffId, string? name, CancellationToken cancellationToken)
    {
        try
        {
            var stream = await _layout.Store.OpenAsync(layer.Digest, cancellationToken).ConfigureAwait(false);
            if (stream is not null)
                await LayerReader.CheckAsync(stream, LayerCompression.ForMediaType(layer.MediaType), layer.Size, diffId, limits: null, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is LayerException or ContentMismatchException or Tar.TarFormatException)
        {
            _problems.Add(new LayoutProblem(layer.Digest, name, e.Message));
        }
    }

    private bool IsSound(Descriptor part, string? name)
    {
        if (!_sound.TryGetValue(part.Digest, out bool isSound))
        {
            _problems.Add(new LayoutProblem(part.Digest, name, "it is not in the store"));
            return false;
        }

        if (!isSound && name is not null)
            _problems.Add(new LayoutProblem(part.Digest, name, "its bytes have another digest"));
        long size = new FileInfo(_layout.Store.PathOf(part.Digest)).Length;
        if (isSound && size != part.Size)
            _problems.Add(new LayoutProblem(part.Digest, name, $"it has {size} bytes, and {part.Size} were promised"));
        return isSound && size == part.Size;
    }
}
