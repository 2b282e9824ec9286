using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Oci.Registries;

/// <summary>One thing that a push or pull has dealt with.</summary>
/// <param name="Content">What it was.</param>
/// <param name="Moved">Whether its bytes were moved; otherwise the other side had it.</param>
public sealed record TransferProgress(Descriptor Content, bool Moved);

/// <summary>Moves images between a store and a registry, with everything they consist of.</summary>
public static class ImageTransfer
{
    private const int MaxParallel = 4;
    private const int MaxNesting = 8;

    /// <summary>Pushes a manifest or index, first what it consists of (four blobs at a time, and none that is there), then itself, under <paramref name="tag"/> when given; with <paramref name="referrers"/>, then what the store holds about it.</summary>
    public static async Task PushAsync(IContentStore store, RegistryClient client, string repository, Digest digest, string? tag = null, bool referrers = false, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var push = new Push(store, client, repository, referrers, progress);
        await push.ManifestAsync(digest, tag, depth: 0, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Pulls what a tag or digest names into the store, verified, and returns its descriptor. Of an index it takes the image for <paramref name="platform"/>, or all when null; with <paramref name="referrers"/>, also what the registry lists under each manifest.</summary>
    public static async Task<Descriptor> PullAsync(RegistryClient client, string repository, string tagOrDigest, IContentStore store, Platform? platform = null, bool referrers = false, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var pull = new Pull(store, client, repository, platform, referrers, progress);
        return await pull.ManifestAsync(tagOrDigest, depth: 0, cancellationToken).ConfigureAwait(false);
    }

    private static void CheckDepth(int depth, string repository, string what)
    {
        if (depth > MaxNesting)
            throw new ImageException($"'{what}' in '{repository}' lies {depth} manifests deep: {MaxNesting} are allowed");
    }

    private static (Manifest? Manifest, ImageIndex? Index) Read(string what, string mediaType, byte[] bytes)
    {
        try
        {
            return MediaType.IsIndex(mediaType) ? (null, ImageJson.ReadIndex(bytes)) : (ImageJson.ReadManifest(bytes), null);
        }
        catch (FormatException e)
        {
            throw new ImageException($"'{what}': {e.Message}", e);
        }
    }

    // Once each: an index of two images that share a base names its layers twice.
    private static IEnumerable<Descriptor> BlobsOf(Manifest manifest) => manifest.Layers.Append(manifest.Config)
        .Where(blob => !blob.MediaType.Contains(".nondistributable.", StringComparison.Ordinal) && !blob.MediaType.Contains(".foreign.", StringComparison.Ordinal))
        .DistinctBy(blob => blob.Digest);

    private static ParallelOptions Options(CancellationToken cancellationToken) => new() { MaxDegreeOfParallelism = MaxParallel, CancellationToken = cancellationToken };

    private sealed class Push(IContentStore store, RegistryClient client, string repository, bool referrers, IProgress<TransferProgress>? progress)
    {
        public async Task ManifestAsync(Digest digest, string? tag, int depth, CancellationToken cancellationToken)
        {
            CheckDepth(depth, repository, digest.ToString());
            byte[] bytes = await store.ReadRequiredAsync(digest, cancellationToken).ConfigureAwait(false);
            string mediaType = Image.MediaTypeOf(digest, bytes);
            var (manifest, index) = Read(digest.ToString(), mediaType, bytes);
            var descriptor = new Descriptor { MediaType = mediaType, Digest = digest, Size = bytes.Length };

            bool isThere = (await client.HeadManifestAsync(repository, digest.ToString(), cancellationToken).ConfigureAwait(false)) is not null;
            if (!isThere)
                await PartsAsync(manifest, index, depth, cancellationToken).ConfigureAwait(false);

            bool isCurrent = isThere && (tag is null || (await client.HeadManifestAsync(repository, tag, cancellationToken).ConfigureAwait(false))?.Digest == digest);
            if (!isCurrent)
                await PutAsync(descriptor, bytes, tag, (manifest?.Subject ?? index?.Subject)?.Digest, cancellationToken).ConfigureAwait(false);
            progress?.Report(new TransferProgress(descriptor, !isThere));

            if (referrers)
                await ReferrersAsync(digest, index, isThere, depth, cancellationToken).ConfigureAwait(false);
        }

        private async Task PartsAsync(Manifest? manifest, ImageIndex? index, int depth, CancellationToken cancellationToken)
        {
            // An index may name more images than we hold, if the registry has them.
            foreach (var part in index?.Manifests ?? [])
            {
                if (await store.SizeAsync(part.Digest, cancellationToken).ConfigureAwait(false) is not null
                    || await client.HeadManifestAsync(repository, part.Digest.ToString(), cancellationToken).ConfigureAwait(false) is null)
                    await ManifestAsync(part.Digest, tag: null, depth + 1, cancellationToken).ConfigureAwait(false);
            }

            if (manifest is not null)
                await Parallel.ForEachAsync(BlobsOf(manifest), Options(cancellationToken), BlobAsync).ConfigureAwait(false);
        }

        private async ValueTask BlobAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            bool moved = await client.PushBlobAsync(repository, blob, token => OpenAsync(blob, token), mountFrom: null, cancellationToken).ConfigureAwait(false);
            progress?.Report(new TransferProgress(blob, moved));
        }

        private async ValueTask<Stream> OpenAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            var stream = await store.OpenAsync(blob.Digest, cancellationToken).ConfigureAwait(false)
                ?? throw new ContentMismatchException($"'{blob.Digest}' cannot be pushed to '{repository}': it is not in the store");
            return new VerifyingStream(stream, blob.Digest, blob.Size);
        }

        private async Task PutAsync(Descriptor descriptor, byte[] bytes, string? tag, Digest? subject, CancellationToken cancellationToken)
        {
            bool isListed = await client.PutManifestAsync(repository, tag ?? descriptor.Digest.ToString(), descriptor.MediaType, bytes, cancellationToken).ConfigureAwait(false);
            if (subject is { } about && !isListed && Referrers.Describe(bytes, about) is { } referrer)
                await client.AddToFallbackTagAsync(repository, about, referrer, cancellationToken).ConfigureAwait(false);
        }

        private async Task ReferrersAsync(Digest digest, ImageIndex? index, bool isThere, int depth, CancellationToken cancellationToken)
        {
            await foreach (var referrer in Referrers.ListAsync(store, digest, cancellationToken).ConfigureAwait(false))
                await ManifestAsync(referrer.Digest, tag: null, depth + 1, cancellationToken).ConfigureAwait(false);

            // The parts of an index that was there were not visited: their referrers may be new all the same.
            foreach (var part in isThere ? index?.Manifests ?? [] : [])
            {
                if (await store.SizeAsync(part.Digest, cancellationToken).ConfigureAwait(false) is not null)
                    await ManifestAsync(part.Digest, tag: null, depth + 1, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private sealed class Pull(IContentStore store, RegistryClient client, string repository, Platform? platform, bool referrers, IProgress<TransferProgress>? progress)
    {
        public async Task<Descriptor> ManifestAsync(string tagOrDigest, int depth, CancellationToken cancellationToken)
        {
            CheckDepth(depth, repository, tagOrDigest);
            var received = await GetAsync(tagOrDigest, cancellationToken).ConfigureAwait(false)
                ?? throw new RegistryException(404, "MANIFEST_UNKNOWN", repository, $"could not pull '{tagOrDigest}' of '{repository}': the registry has no such manifest");
            string mediaType = Image.MediaTypeOf(received.Descriptor.Digest, received.Bytes);
            var (manifest, index) = Read(tagOrDigest, mediaType, received.Bytes);
            var descriptor = received.Descriptor with { MediaType = mediaType };

            foreach (var part in Wanted(tagOrDigest, index))
                await ManifestAsync(part.Digest.ToString(), depth + 1, cancellationToken).ConfigureAwait(false);
            if (manifest is not null)
                await Parallel.ForEachAsync(BlobsOf(manifest), Options(cancellationToken), BlobAsync).ConfigureAwait(false);

            // Last, so that a manifest in the store means its parts are there too.
            bool isNew = await store.SizeAsync(descriptor.Digest, cancellationToken).ConfigureAwait(false) is null;
            await store.PutAsync(mediaType, received.Bytes, cancellationToken).ConfigureAwait(false);
            progress?.Report(new TransferProgress(descriptor, isNew));
            if (referrers)
                await ReferrersAsync(descriptor.Digest, depth, cancellationToken).ConfigureAwait(false);
            return descriptor;
        }

        private async Task<RegistryManifest?> GetAsync(string tagOrDigest, CancellationToken cancellationToken)
        {
            if (Digest.TryParse(tagOrDigest, out var digest) && await store.ReadAsync(digest, cancellationToken).ConfigureAwait(false) is { } bytes)
                return new RegistryManifest(Descriptor.Of(MediaType.Manifest, bytes), bytes);
            return await client.GetManifestAsync(repository, tagOrDigest, cancellationToken).ConfigureAwait(false);
        }

        private IReadOnlyList<Descriptor> Wanted(string tagOrDigest, ImageIndex? index)
        {
            if (index is null)
                return [];
            if (platform is null)
                return index.Manifests;

            return Image.Select(index, platform) is { } image
                ? [image]
                : throw new ImageException($"'{tagOrDigest}' of '{repository}' has no image for {platform}");
        }

        private async ValueTask BlobAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            bool isThere = await store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) is not null;
            if (!isThere)
                await CopyAsync(blob, cancellationToken).ConfigureAwait(false);
            progress?.Report(new TransferProgress(blob, !isThere));
        }

        private async Task CopyAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            var stream = await client.OpenBlobAsync(repository, blob, cancellationToken).ConfigureAwait(false)
                ?? throw new RegistryException(404, "BLOB_UNKNOWN", repository, $"could not pull the blob '{blob.Digest}' of '{repository}': the registry has no such blob");
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

        private async Task ReferrersAsync(Digest digest, int depth, CancellationToken cancellationToken)
        {
            await foreach (var referrer in client.ListReferrersAsync(repository, digest, artifactType: null, cancellationToken).ConfigureAwait(false))
                await ManifestAsync(referrer.Digest.ToString(), depth + 1, cancellationToken).ConfigureAwait(false);
        }
    }
}
