using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

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
/// <param name="Unknown">What is odd and no fault of the store: its bytes are those that somebody wrote. By digest.</param>
public sealed record LayoutReport(
    int Names, int Blobs, long Bytes, IReadOnlyList<LayoutProblem> Problems, IReadOnlyList<LayoutProblem> Unknown)
{
    /// <summary>Whether the bytes of some blob are not those of its name: only such a file is worth removing.</summary>
    public bool IsDamaged { get; init; }
}

/// <summary>Reads everything in a layout again and holds it against its names: blobs against digests, manifests against what they consist
/// of, layers against diff ids. Changes nothing.</summary>
/// <remarks>
/// What is promised decides what is wrong. An image with a name is promised whole, and to be an image. What a registry published is
/// promised as it was pushed: every byte, whatever the bytes mean. Of any other document nothing is promised but its digest: it may only
/// look like a manifest. An artifact is no image, also when it has an image's configuration, as cosign's signatures and BuildKit's
/// attestations do: its layers are not archives.
/// </remarks>
public sealed class LayoutVerification
{
    private const int MaxNesting = 8;
    private const string Missing = "it is not in the store";

    private readonly OciLayout _layout;
    private readonly Dictionary<Digest, bool> _sound = [];
    private readonly HashSet<Digest> _followed = [];
    private readonly List<LayoutProblem> _problems = [];
    private readonly List<LayoutProblem> _unknown = [];
    private long _bytes;

    private LayoutVerification(OciLayout layout) => _layout = layout;

    private enum Promise
    {
        Nothing,
        Published,
        Named,
    }

    /// <summary>Verifies a layout.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="published">Manifests that a registry serves from it, with where it does.</param>
    /// <param name="progress">Is told each blob that was read.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<LayoutReport> VerifyAsync(
        OciLayout layout, IEnumerable<KeyValuePair<Digest, string>>? published = null, IProgress<Digest>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var verification = new LayoutVerification(layout);
        await verification.ReadBlobsAsync(progress, cancellationToken).ConfigureAwait(false);
        var index = await layout.ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        foreach (var named in index.Manifests)
        {
            string name = named.Annotations?.GetValueOrDefault("org.opencontainers.image.ref.name") ?? named.Digest.ToString();
            await verification.FollowAsync(named, new Context(Promise.Named, name, Depth: 0), cancellationToken).ConfigureAwait(false);
        }

        foreach (var (digest, name) in published ?? [])
            await verification.FollowPublishedAsync(digest, name, cancellationToken).ConfigureAwait(false);
        // Manifests that nothing leads to: what was built and is not named, evidence of such.
        foreach (var digest in verification._sound.Where(s => s.Value).Select(s => s.Key).Order().ToList())
            await verification.FollowUnnamedAsync(digest, cancellationToken).ConfigureAwait(false);
        return verification.Report(index.Manifests.Count);
    }

    private LayoutReport Report(int names) =>
        new(names, _sound.Count, _bytes, InOrder(_problems), InOrder(_unknown)) { IsDamaged = _sound.ContainsValue(false) };

    private static IReadOnlyList<LayoutProblem> InOrder(List<LayoutProblem> problems) =>
        [.. problems.Distinct().OrderBy(p => p.Digest).ThenBy(p => p.What, StringComparer.Ordinal)];

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

    private async Task FollowPublishedAsync(Digest digest, string name, CancellationToken cancellationToken)
    {
        var context = new Context(Promise.Published, name, Depth: 0);
        if (!_sound.ContainsKey(digest))
            _problems.Add(new LayoutProblem(digest, name, Missing));
        else
            await FollowAsync(new Descriptor { MediaType = "", Digest = digest, Size = SizeOf(digest) }, context,
                cancellationToken).ConfigureAwait(false);
    }

    private async Task FollowUnnamedAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (_followed.Contains(digest) || !await LooksLikeDocumentAsync(digest, cancellationToken).ConfigureAwait(false))
            return;

        try
        {
            string mediaType = Image.MediaTypeOf(digest,
                await _layout.Store.ReadRequiredAsync(digest, cancellationToken).ConfigureAwait(false));
            var descriptor = new Descriptor { MediaType = mediaType, Digest = digest, Size = SizeOf(digest) };
            await FollowAsync(descriptor, new Context(Promise.Nothing, Name: null, Depth: 0), cancellationToken).ConfigureAwait(false);
        }
        catch (ImageException)
        {
            // Another document: a configuration, a statement.
        }
    }

    private async Task<bool> LooksLikeDocumentAsync(Digest digest, CancellationToken cancellationToken)
    {
        var stream = await _layout.Store.OpenAsync(digest, cancellationToken).ConfigureAwait(false);
        if (stream is null)
            return false;

        await using (stream.ConfigureAwait(false))
        {
            byte[] first = new byte[1];
            return stream.Length <= ContentStoreExtensions.MaxDocumentBytes
                && await stream.ReadAsync(first, cancellationToken).ConfigureAwait(false) == 1
                && first[0] == '{';
        }
    }

    private async Task FollowAsync(Descriptor descriptor, Context context, CancellationToken cancellationToken)
    {
        if (context.Depth > MaxNesting || !_followed.Add(descriptor.Digest) || !IsSound(descriptor, context))
            return;

        byte[] bytes = await _layout.Store.ReadRequiredAsync(descriptor.Digest, cancellationToken).ConfigureAwait(false);
        try
        {
            if (MediaType.IsIndex(Image.MediaTypeOf(descriptor.Digest, bytes)))
                await FollowIndexAsync(descriptor, ImageJson.ReadIndex(bytes), context, cancellationToken).ConfigureAwait(false);
            else
                await FollowManifestAsync(ImageJson.ReadManifest(bytes), context, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FormatException or ImageException)
        {
            Doubt(descriptor.Digest, context, IngotException.ReasonOf(e));
        }
    }

    // Of an index that was pulled for one platform the others are not here: that is no damage as long as one is.
    private async Task FollowIndexAsync(Descriptor descriptor, ImageIndex index, Context context, CancellationToken cancellationToken)
    {
        var here = index.Manifests.Where(part => _sound.ContainsKey(part.Digest)).ToList();
        if (here.Count == 0 && index.Manifests.Count > 0)
            Doubt(descriptor.Digest, context, $"none of the {index.Manifests.Count} images of this index is in the store");
        foreach (var part in here)
        {
            // BuildKit lists the layers of a cache as if they were images.
            if (MediaType.IsManifest(part.MediaType) || MediaType.IsIndex(part.MediaType))
                await FollowAsync(part, context with { Depth = context.Depth + 1 }, cancellationToken).ConfigureAwait(false);
            else
                IsSound(part, context);
        }
    }

    private async Task FollowManifestAsync(Manifest manifest, Context context, CancellationToken cancellationToken)
    {
        bool hasConfig = IsSound(manifest.Config, context);
        var parts = manifest.Layers.Select(layer => IsForeign(layer) || IsSound(layer, context)).ToList();
        if (!hasConfig || !IsImage(manifest))
            return;

        byte[] bytes = await _layout.Store.ReadRequiredAsync(manifest.Config.Digest, cancellationToken).ConfigureAwait(false);
        var diffIds = ImageJson.ReadConfig(bytes).RootFs.DiffIds;
        if (diffIds.Count != manifest.Layers.Count)
        {
            Doubt(manifest.Config.Digest, context, $"it lists {diffIds.Count} layers, and the manifest has {manifest.Layers.Count}");
            return;
        }

        for (int i = 0; i < diffIds.Count; i++)
        {
            if (parts[i] && _sound.ContainsKey(manifest.Layers[i].Digest) && _followed.Add(manifest.Layers[i].Digest))
                await CheckLayerAsync(manifest.Layers[i], diffIds[i], context, cancellationToken).ConfigureAwait(false);
        }
    }

    // The configuration's type proves nothing: tools without one of their own borrow the image's.
    private static bool IsImage(Manifest manifest) =>
        manifest.IsImage
        && manifest.Layers.All(layer => LayerCompression.FindMediaType(layer.MediaType) is not null || IsForeign(layer))
        && (manifest.Layers.Count > 0 || manifest.ArtifactType is null);

    // Layers that may not be distributed are fetched from elsewhere, and need not be here.
    private static bool IsForeign(Descriptor layer) =>
        layer.MediaType.Contains(".nondistributable.", StringComparison.Ordinal)
            || layer.MediaType.Contains(".rootfs.foreign.", StringComparison.Ordinal);

    private async Task CheckLayerAsync(Descriptor layer, Digest diffId, Context context, CancellationToken cancellationToken)
    {
        if (LayerCompression.FindMediaType(layer.MediaType) is not { } compression)
            return;

        try
        {
            var stream = await _layout.Store.OpenAsync(layer.Digest, cancellationToken).ConfigureAwait(false);
            if (stream is not null)
                await LayerReader.CheckAsync(stream, compression, layer.Size, diffId, limits: null,
                    cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is LayerException or ContentMismatchException or Tar.TarFormatException)
        {
            Doubt(layer.Digest, context, e.Message);
        }
    }

    private bool IsSound(Descriptor part, Context context)
    {
        if (!_sound.TryGetValue(part.Digest, out bool isSound))
        {
            (context.Promise == Promise.Nothing ? _unknown : _problems).Add(new LayoutProblem(part.Digest, context.Name, Missing));
            return false;
        }

        if (!isSound && context.Name is not null)
            _problems.Add(new LayoutProblem(part.Digest, context.Name, "its bytes have another digest"));
        long size = SizeOf(part.Digest);
        if (isSound && size != part.Size)
            Doubt(part.Digest, context, $"it has {size} bytes, and {part.Size} were promised");
        return isSound && size == part.Size;
    }

    private long SizeOf(Digest digest) => new FileInfo(_layout.Store.PathOf(digest)).Length;

    // Bytes that are as they were written, and do not fit together.
    private void Doubt(Digest digest, Context context, string what) =>
        (context.Promise == Promise.Named ? _problems : _unknown).Add(new LayoutProblem(digest, context.Name, what));

    private sealed record Context(Promise Promise, string? Name, int Depth);
}
