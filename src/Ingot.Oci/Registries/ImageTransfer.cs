using System.Collections.Concurrent;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Oci.Registries;

/// <summary>One thing that a push or pull has dealt with.</summary>
/// <param name="Content">What it was.</param>
/// <param name="Moved">Whether its bytes were moved; otherwise the other side had it.</param>
public sealed record TransferProgress(Descriptor Content, bool Moved);

/// <summary>How images are moved.</summary>
public sealed record TransferOptions
{
    /// <summary>The platform whose image is taken of an index; null for all of them.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Whether what is said about each manifest goes along: evidence, signatures.</summary>
    public bool Referrers { get; init; }

    /// <summary>Told of each blob and manifest that was dealt with, from any thread.</summary>
    public IProgress<TransferProgress>? Progress { get; init; }

    /// <summary>Told of bytes that went over the network, as they go, from any thread.</summary>
    public IProgress<int>? Bytes { get; init; }

    /// <summary>A repository of the target registry that may have a blob, to link it from there; null when none is known.</summary>
    public Func<Digest, string?> MountFrom { get; init; } = _ => null;
}

/// <summary>Moves images between a store and a registry, or between two registries, with everything they consist of.</summary>
public static class ImageTransfer
{
    private const int MaxParallel = 4;
    private const int MaxNesting = 8;

    /// <summary>Pushes a manifest or index, first what it consists of (four blobs at a time, and none that is there), then itself, under
    /// <paramref name="tag"/> when given; with <paramref name="referrers"/>, then what the store holds about it.</summary>
    public static Task PushAsync(
        IContentStore store, RegistryClient client, string repository, Digest digest, string? tag = null, bool referrers = false,
        IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default) =>
        PushAsync(
            store, client, repository, digest, tag, new TransferOptions { Referrers = referrers, Progress = progress }, cancellationToken);

    /// <summary>As the other, with all options; the platform has no meaning here.</summary>
    public static async Task PushAsync(
        IContentStore store, RegistryClient client, string repository, Digest digest, string? tag, TransferOptions options,
        CancellationToken cancellationToken = default) =>
        await new Push(new StoreSource(store), client, repository, options).ManifestAsync(digest, said: null, tag, depth: 0,
            cancellationToken).ConfigureAwait(false);

    /// <summary>Pulls what a tag or digest names into the store, verified, and returns its descriptor. Of an index it takes the image for
    /// <paramref name="platform"/>, or all when null; with <paramref name="referrers"/>,
    /// also what the registry lists under each manifest.</summary>
    public static Task<Descriptor> PullAsync(
        RegistryClient client, string repository, string tagOrDigest, IContentStore store, Platform? platform = null,
        bool referrers = false, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default) =>
        PullAsync(client, repository, tagOrDigest, store,
            new TransferOptions { Platform = platform, Referrers = referrers, Progress = progress }, cancellationToken);

    /// <summary>As the other, with all options.</summary>
    public static async Task<Descriptor> PullAsync(
        RegistryClient client, string repository, string tagOrDigest, IContentStore store, TransferOptions options,
        CancellationToken cancellationToken = default) =>
        await new Pull(store, client, repository, options).ManifestAsync(tagOrDigest, said: null, depth: 0,
            cancellationToken).ConfigureAwait(false);

    /// <summary>Copies what a tag or digest names from one registry to another without a store between: blobs are linked where both are one
    /// registry, else streamed. Returns the descriptor of what was copied: with a platform, the image for it.</summary>
    public static async Task<Descriptor> CopyAsync(
        RegistryClient from, string repository, string tagOrDigest, RegistryClient to, string target, string? tag, TransferOptions options,
        CancellationToken cancellationToken = default)
    {
        var source = new RegistrySource(from, repository);
        var descriptor = await source.ResolveAsync(tagOrDigest, options.Platform, cancellationToken).ConfigureAwait(false);
        await new Push(source, to, target, options).ManifestAsync(descriptor.Digest, descriptor.MediaType, tag, depth: 0,
            cancellationToken).ConfigureAwait(false);
        return descriptor;
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

    private static void CheckConfig(Manifest manifest, byte[] config)
    {
        try
        {
            ImageJson.ReadConfig(config, manifest);
        }
        catch (FormatException e)
        {
            throw new ImageException($"the image with the configuration '{manifest.Config.Digest}' was not accepted: {e.Message}", e);
        }
    }

    private static void CheckConfigSize(Descriptor config)
    {
        if (config.Size > ContentStoreExtensions.MaxDocumentBytes)
            throw new ImageException(
                $"the configuration '{config.Digest}' has {config.Size} bytes: {ContentStoreExtensions.MaxDocumentBytes} are read");
    }

    // Once each: an index of two images that share a base names its layers twice.
    private static IEnumerable<Descriptor> BlobsOf(Manifest manifest) => manifest.Layers.Append(manifest.Config)
        .Where(blob => !blob.MediaType.Contains(".nondistributable.", StringComparison.Ordinal)
            && !blob.MediaType.Contains(".foreign.", StringComparison.Ordinal))
        .DistinctBy(blob => blob.Digest);

    private static ParallelOptions Options(CancellationToken cancellationToken) =>
        new() { MaxDegreeOfParallelism = MaxParallel, CancellationToken = cancellationToken };

    /// <summary>Where a push takes things from.</summary>
    private interface ISource
    {
        /// <summary>A manifest or index, verified.</summary>
        Task<byte[]> ManifestAsync(Digest digest, CancellationToken cancellationToken);

        ValueTask<bool> HasManifestAsync(Digest digest, CancellationToken cancellationToken);

        ValueTask<Stream> OpenAsync(Descriptor blob, string target, CancellationToken cancellationToken);

        IAsyncEnumerable<Descriptor> ReferrersAsync(Digest digest, CancellationToken cancellationToken);
    }

    private sealed class StoreSource(IContentStore store) : ISource
    {
        public Task<byte[]> ManifestAsync(Digest digest, CancellationToken cancellationToken) =>
            store.ReadRequiredAsync(digest, cancellationToken);

        public async ValueTask<bool> HasManifestAsync(Digest digest, CancellationToken cancellationToken) =>
            await store.SizeAsync(digest, cancellationToken).ConfigureAwait(false) is not null;

        public async ValueTask<Stream> OpenAsync(Descriptor blob, string target, CancellationToken cancellationToken)
        {
            var stream = await store.OpenAsync(blob.Digest, cancellationToken).ConfigureAwait(false)
                ?? throw new ContentMismatchException($"'{blob.Digest}' cannot be pushed to '{target}': it is not in the store");
            return new VerifyingStream(stream, blob.Digest, blob.Size);
        }

        public IAsyncEnumerable<Descriptor> ReferrersAsync(Digest digest, CancellationToken cancellationToken) =>
            Referrers.ListAsync(store, digest, cancellationToken);
    }

    private sealed class RegistrySource(RegistryClient client, string repository) : ISource
    {
        private readonly ConcurrentDictionary<Digest, byte[]> _manifests = new();

        public async Task<Descriptor> ResolveAsync(string tagOrDigest, Platform? platform, CancellationToken cancellationToken)
        {
            for (int depth = 0; ; depth++)
            {
                CheckDepth(depth, repository, tagOrDigest);
                var received = await client.GetManifestAsync(repository, tagOrDigest, cancellationToken).ConfigureAwait(false)
                    ?? throw Unknown(repository, tagOrDigest);
                string mediaType = Image.MediaTypeOf(received.Descriptor.Digest, received.Bytes, received.Descriptor.MediaType);
                _manifests[received.Descriptor.Digest] = received.Bytes;
                if (platform is null || !MediaType.IsIndex(mediaType))
                    return received.Descriptor with { MediaType = mediaType };
                tagOrDigest =
                    Wanted(repository, tagOrDigest, Read(tagOrDigest, mediaType, received.Bytes).Index, platform)[0].Digest.ToString();
            }
        }

        public async Task<byte[]> ManifestAsync(Digest digest, CancellationToken cancellationToken) => _manifests.TryGetValue(
            digest, out byte[]? known)
            ? known
            : (await client.GetManifestAsync(repository, digest.ToString(), cancellationToken).ConfigureAwait(false)
                ?? throw Unknown(repository, digest.ToString())).Bytes;

        public async ValueTask<bool> HasManifestAsync(Digest digest, CancellationToken cancellationToken) =>
            await client.HeadManifestAsync(repository, digest.ToString(), cancellationToken).ConfigureAwait(false) is not null;

        public async ValueTask<Stream> OpenAsync(Descriptor blob, string target, CancellationToken cancellationToken) =>
            await client.OpenBlobAsync(repository, blob, cancellationToken).ConfigureAwait(false) ?? throw UnknownBlob(repository, blob);

        public IAsyncEnumerable<Descriptor> ReferrersAsync(Digest digest, CancellationToken cancellationToken) =>
            client.ListReferrersAsync(repository, digest, artifactType: null, cancellationToken);
    }

    private static RegistryException Unknown(string repository, string what) =>
        new(404, "MANIFEST_UNKNOWN", repository, $"could not pull '{what}' of '{repository}': the registry has no such manifest");

    private static RegistryException UnknownBlob(string repository, Descriptor blob) =>
        new(404, "BLOB_UNKNOWN", repository, $"could not pull the blob '{blob.Digest}' of '{repository}': the registry has no such blob");

    private static IReadOnlyList<Descriptor> Wanted(string repository, string tagOrDigest, ImageIndex? index, Platform? platform)
    {
        if (index is null || platform is null)
            return index?.Manifests ?? [];

        return Image.Select(index, platform) is { } image
            ? [image]
            : throw new ImageException(
                $"'{tagOrDigest}' of '{repository}' has no image for {platform}, only for: {Image.Platforms(index)}");
    }

    private sealed class Push(ISource source, RegistryClient client, string repository, TransferOptions options)
    {
        public async Task ManifestAsync(Digest digest, string? said, string? tag, int depth, CancellationToken cancellationToken)
        {
            CheckDepth(depth, repository, digest.ToString());
            byte[] bytes = await source.ManifestAsync(digest, cancellationToken).ConfigureAwait(false);
            string mediaType = Image.MediaTypeOf(digest, bytes, said);
            var (manifest, index) = Read(digest.ToString(), mediaType, bytes);
            var descriptor = new Descriptor { MediaType = mediaType, Digest = digest, Size = bytes.Length };

            bool isThere =
                (await client.HeadManifestAsync(repository, digest.ToString(), cancellationToken).ConfigureAwait(false)) is not null;
            if (!isThere)
                await PartsAsync(manifest, index, depth, cancellationToken).ConfigureAwait(false);

            bool isCurrent = isThere && (tag is null
                || (await client.HeadManifestAsync(repository, tag, cancellationToken).ConfigureAwait(false))?.Digest == digest);
            if (!isCurrent)
                await PutAsync(descriptor, bytes, tag, (manifest?.Subject ?? index?.Subject)?.Digest,
                    cancellationToken).ConfigureAwait(false);
            options.Progress?.Report(new TransferProgress(descriptor, !isThere));

            if (options.Referrers)
                await ReferrersAsync(digest, index, isThere, depth, cancellationToken).ConfigureAwait(false);
        }

        private async Task PartsAsync(Manifest? manifest, ImageIndex? index, int depth, CancellationToken cancellationToken)
        {
            // An index may name more images than we hold, if the registry has them.
            foreach (var part in index?.Manifests ?? [])
            {
                if (!MediaType.IsDocument(part.MediaType))
                    await BlobAsync(part, cancellationToken).ConfigureAwait(false);
                else if (await source.HasManifestAsync(part.Digest, cancellationToken).ConfigureAwait(false)
                    || await client.HeadManifestAsync(repository, part.Digest.ToString(), cancellationToken).ConfigureAwait(false) is null)
                    await ManifestAsync(part.Digest, part.MediaType, tag: null, depth + 1, cancellationToken).ConfigureAwait(false);
            }

            if (manifest is null)
                return;
            if (manifest.IsImage)
                CheckConfig(manifest, await ConfigAsync(manifest.Config, cancellationToken).ConfigureAwait(false));
            await Parallel.ForEachAsync(BlobsOf(manifest), Options(cancellationToken), BlobAsync).ConfigureAwait(false);
        }

        private async Task<byte[]> ConfigAsync(Descriptor config, CancellationToken cancellationToken)
        {
            CheckConfigSize(config);
            byte[] bytes = new byte[config.Size];
            var stream = await source.OpenAsync(config, repository, cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
                await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return bytes;
        }

        private async ValueTask BlobAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            bool moved = await client.PushBlobAsync(repository, blob, token => OpenAsync(blob, token), options.MountFrom(blob.Digest),
                cancellationToken).ConfigureAwait(false);
            options.Progress?.Report(new TransferProgress(blob, moved));
        }

        private async ValueTask<Stream> OpenAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            var stream = await source.OpenAsync(blob, repository, cancellationToken).ConfigureAwait(false);
            return options.Bytes is { } bytes ? new CountingStream(stream, bytes) : stream;
        }

        private async Task PutAsync(Descriptor descriptor, byte[] bytes, string? tag, Digest? subject, CancellationToken cancellationToken)
        {
            bool isListed = await client.PutManifestAsync(repository, tag ?? descriptor.Digest.ToString(), descriptor.MediaType, bytes,
                cancellationToken).ConfigureAwait(false);
            if (subject is { } about && !isListed && Referrers.Describe(bytes, about) is { } referrer)
                await client.AddToFallbackTagAsync(repository, about, referrer, cancellationToken).ConfigureAwait(false);
        }

        private async Task ReferrersAsync(Digest digest, ImageIndex? index, bool isThere, int depth, CancellationToken cancellationToken)
        {
            await foreach (var referrer in source.ReferrersAsync(digest, cancellationToken).ConfigureAwait(false))
                await ManifestAsync(referrer.Digest, said: null, tag: null, depth + 1, cancellationToken).ConfigureAwait(false);

            // The parts of an index that was there were not visited: their referrers may be new all the same.
            foreach (var part in isThere ? index?.Manifests ?? [] : [])
            {
                if (MediaType.IsDocument(part.MediaType)
                    && await source.HasManifestAsync(part.Digest, cancellationToken).ConfigureAwait(false))
                    await ManifestAsync(part.Digest, part.MediaType, tag: null, depth + 1, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private sealed class Pull(IContentStore store, RegistryClient client, string repository, TransferOptions options)
    {
        public async Task<Descriptor> ManifestAsync(string tagOrDigest, string? said, int depth, CancellationToken cancellationToken)
        {
            CheckDepth(depth, repository, tagOrDigest);
            var received = await GetAsync(tagOrDigest, cancellationToken).ConfigureAwait(false)
                ?? throw Unknown(repository, tagOrDigest);
            string mediaType = Image.MediaTypeOf(received.Descriptor.Digest, received.Bytes, received.Descriptor.MediaType);
            Image.MediaTypeOf(received.Descriptor.Digest, received.Bytes, said);
            var (manifest, index) = Read(tagOrDigest, mediaType, received.Bytes);
            var descriptor = received.Descriptor with { MediaType = mediaType };

            foreach (var part in Wanted(repository, tagOrDigest, index, options.Platform))
            {
                if (MediaType.IsDocument(part.MediaType))
                    await ManifestAsync(part.Digest.ToString(), part.MediaType, depth + 1, cancellationToken).ConfigureAwait(false);
                else
                    await BlobAsync(part, cancellationToken).ConfigureAwait(false);
            }

            if (manifest is { IsImage: true })
                await ConfigAsync(manifest, cancellationToken).ConfigureAwait(false);
            if (manifest is not null)
                await Parallel.ForEachAsync(BlobsOf(manifest), Options(cancellationToken), BlobAsync).ConfigureAwait(false);

            // Last, so that a manifest in the store means its parts are there too.
            bool isNew = await store.SizeAsync(descriptor.Digest, cancellationToken).ConfigureAwait(false) is null;
            await store.PutAsync(descriptor.Digest, received.Bytes, cancellationToken).ConfigureAwait(false);
            options.Progress?.Report(new TransferProgress(descriptor, isNew));
            if (options.Referrers)
                await ReferrersAsync(descriptor.Digest, depth, cancellationToken).ConfigureAwait(false);
            return descriptor;
        }

        private async Task<RegistryManifest?> GetAsync(string tagOrDigest, CancellationToken cancellationToken)
        {
            if (Digest.TryParse(tagOrDigest, out var digest)
                && await store.ReadAsync(digest, cancellationToken).ConfigureAwait(false) is { } bytes)
                return new RegistryManifest(Descriptor.Of("", bytes) with { Digest = digest }, bytes);
            return await client.GetManifestAsync(repository, tagOrDigest, cancellationToken).ConfigureAwait(false);
        }

        // First of all blobs: layers are large, and those of an image that would be read differently by others are not wanted.
        private async Task ConfigAsync(Manifest manifest, CancellationToken cancellationToken)
        {
            CheckConfigSize(manifest.Config);
            await BlobAsync(manifest.Config, cancellationToken).ConfigureAwait(false);
            CheckConfig(manifest, await store.ReadRequiredAsync(manifest.Config.Digest, cancellationToken).ConfigureAwait(false));
        }

        private async ValueTask BlobAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            bool isThere = await store.SizeAsync(blob.Digest, cancellationToken).ConfigureAwait(false) is not null;
            if (!isThere)
                await CopyAsync(blob, cancellationToken).ConfigureAwait(false);
            options.Progress?.Report(new TransferProgress(blob, !isThere));
        }

        private async Task CopyAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            (store as DirectoryStore)?.RequireSpace(blob.Digest, blob.Size);
            var stream = await client.OpenBlobAsync(repository, blob, cancellationToken).ConfigureAwait(false)
                ?? throw UnknownBlob(repository, blob);
            stream = options.Bytes is { } bytes ? new CountingStream(stream, bytes) : stream;
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
            await foreach (var referrer in client.ListReferrersAsync(repository, digest, artifactType: null,
                cancellationToken).ConfigureAwait(false))
                await ManifestAsync(referrer.Digest.ToString(), said: null, depth + 1, cancellationToken).ConfigureAwait(false);
        }
    }
}
