using System.Buffers;
using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layouts;

/// <summary>A blob, and where in a file its bytes begin.</summary>
internal sealed record PlacedBlob(Descriptor Blob, long Offset);

/// <summary>Copies blobs of a store to their places in a file, as many at a time as there are processors; the largest first, for the last decides. Each is hashed while it is written.</summary>
internal sealed class BlobPlacement(IContentStore store, SafeFileHandle file)
{
    private const int ChunkBytes = 512 << 10;

    /// <summary>Copies all of them; a blob that is missing or is not what its digest says throws <see cref="ContentMismatchException"/>, and then nothing of the file counts.</summary>
    public Task CopyAsync(IEnumerable<PlacedBlob> blobs, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        blobs.OrderByDescending(b => b.Blob.Size),
        new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken },
        CopyAsync);

    private async ValueTask CopyAsync(PlacedBlob placed, CancellationToken cancellationToken)
    {
        var content = await store.OpenAsync(placed.Blob.Digest, cancellationToken).ConfigureAwait(false) ?? throw new ContentMismatchException($"'{placed.Blob.Digest}' is not in the store");
        await using (content.ConfigureAwait(false))
        {
            if (content.Length != placed.Blob.Size)
                throw new ContentMismatchException($"'{placed.Blob.Digest}' has {content.Length} bytes in the store: {placed.Blob.Size} were expected");

            var actual = (content is FileStream source ? await CopyFileAsync(source, placed.Offset, cancellationToken).ConfigureAwait(false) : null)
                ?? await CopyAsync(content, placed.Offset, cancellationToken).ConfigureAwait(false);
            if (actual != placed.Blob.Digest)
                throw new ContentMismatchException($"expected '{placed.Blob.Digest}' and read {placed.Blob.Size} bytes of '{actual}'");
        }
    }

    // The kernel copies while the bytes are hashed here. Nobody writes into a blob of a store: its name came when it was whole. Null when the kernel does not copy.
    private async Task<Digest?> CopyFileAsync(FileStream source, long offset, CancellationToken cancellationToken)
    {
        long length = source.Length;
        var copying = Task.Run(() => FileRange.TryCopy(source.SafeFileHandle, 0, file, offset, length, cancellationToken), cancellationToken);
        try
        {
            var digest = await Task.Run(() => Hash(source.SafeFileHandle, cancellationToken), cancellationToken).ConfigureAwait(false);
            return await copying.ConfigureAwait(false) ? digest : null;
        }
        finally
        {
            // The files stay open until nobody uses them.
            await ((Task)copying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static Digest Hash(SafeFileHandle source, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        long at = 0;
        for (int read; (read = RandomAccess.Read(source, buffer, at)) > 0; at += read)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return Digest.FromHash(hash.GetHashAndReset());
    }

    // Two buffers: what is in one is hashed while it is written and while the other is filled.
    private async Task<Digest> CopyAsync(Stream content, long offset, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] current = ArrayPool<byte>.Shared.Rent(ChunkBytes), other = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        var hashing = Task.CompletedTask;
        try
        {
            int read;
            while ((read = await content.ReadAtLeastAsync(current.AsMemory(0, ChunkBytes), ChunkBytes, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)) > 0)
            {
                await hashing.ConfigureAwait(false);
                var chunk = current.AsMemory(0, read);
                hashing = Task.Run(() => hash.AppendData(chunk.Span), CancellationToken.None);
                RandomAccess.Write(file, chunk.Span, offset);
                offset += read;
                (current, other) = (other, current);
            }
        }
        finally
        {
            await hashing.ConfigureAwait(false);
            ArrayPool<byte>.Shared.Return(current);
            ArrayPool<byte>.Shared.Return(other);
        }

        return Digest.FromHash(hash.GetHashAndReset());
    }
}
