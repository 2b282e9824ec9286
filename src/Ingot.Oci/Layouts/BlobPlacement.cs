using System.Buffers;
using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layouts;

/// <summary>A blob, and where in a file its bytes begin.</summary>
internal sealed record PlacedBlob(Descriptor Blob, long Offset);

/// <summary>Copies blobs of a store to their places in a file, as many at a time as there are processors; the largest first, for the last
/// decides. Each is hashed while it is written.</summary>
internal sealed class BlobPlacement(IContentStore store, SafeFileHandle file)
{
    private const int ChunkBytes = 1 << 20;

    /// <summary>Copies all of them; a blob that is missing or is not what its digest says throws <see cref="ContentMismatchException"/>,
    /// and then nothing of the file counts.</summary>
    public Task CopyAsync(IEnumerable<PlacedBlob> blobs, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        blobs.OrderByDescending(b => b.Blob.Size),
        new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken },
        CopyAsync);

    private async ValueTask CopyAsync(PlacedBlob placed, CancellationToken cancellationToken)
    {
        var content = await store.OpenAsync(placed.Blob.Digest, cancellationToken).ConfigureAwait(false)
            ?? throw new ContentMismatchException($"'{placed.Blob.Digest}' is not in the store");
        await using (content.ConfigureAwait(false))
        {
            if (content.Length != placed.Blob.Size)
                throw new ContentMismatchException(
                    $"'{placed.Blob.Digest}' has {content.Length} bytes in the store: {placed.Blob.Size} were expected");

            var actual = await CopyAsync(content, placed.Offset, placed.Blob.Digest, cancellationToken).ConfigureAwait(false);
            if (actual != placed.Blob.Digest)
                throw new ContentMismatchException($"expected '{placed.Blob.Digest}' and read {placed.Blob.Size} bytes of '{actual}'");
        }
    }

    // While one buffer is hashed and written, the other is filled.
    private async Task<Digest> CopyAsync(Stream content, long offset, Digest like, CancellationToken cancellationToken)
    {
        using var hash = like.BeginHash();
        byte[] current = ArrayPool<byte>.Shared.Rent(ChunkBytes), next = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        long from = 0;
        var reading = ReadAsync(content, current, from, cancellationToken);
        try
        {
            for (int read; (read = await reading.ConfigureAwait(false)) > 0; offset += read)
            {
                reading = ReadAsync(content, next, from += read, cancellationToken);
                byte[] full = current;
                var hashing = Task.Run(() => hash.AppendData(full, 0, read), CancellationToken.None);
                try
                {
                    UncachedFile.Write(file, full.AsSpan(0, read), offset);
                }
                finally
                {
                    await hashing.ConfigureAwait(false);
                }

                (current, next) = (next, current);
            }
        }
        finally
        {
            // Nobody writes into a buffer that was given back.
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(current);
            ArrayPool<byte>.Shared.Return(next);
        }

        return Digest.FromHash(hash.GetHashAndReset());
    }

    private static Task<int> ReadAsync(Stream content, byte[] buffer, long from, CancellationToken cancellationToken) => content
        is FileStream source
        ? Task.Run(() => UncachedFile.Read(source.SafeFileHandle, buffer.AsSpan(0, ChunkBytes), from), cancellationToken)
        : content.ReadAtLeastAsync(buffer.AsMemory(0, ChunkBytes), ChunkBytes, throwOnEndOfStream: false, cancellationToken).AsTask();
}
