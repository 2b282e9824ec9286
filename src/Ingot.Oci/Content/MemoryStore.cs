using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Ingot.Oci.Content;

/// <summary>Blobs in memory, for tests and for small artifacts.</summary>
public sealed class MemoryStore : IContentStore
{
    private readonly ConcurrentDictionary<Digest, byte[]> _blobs = new();

    /// <inheritdoc/>
    public ValueTask<long?> SizeAsync(Digest digest, CancellationToken cancellationToken = default) =>
        new(_blobs.TryGetValue(digest, out var bytes) ? bytes.Length : null);

    /// <inheritdoc/>
    public ValueTask<Stream?> OpenAsync(Digest digest, CancellationToken cancellationToken = default) =>
        new(_blobs.TryGetValue(digest, out var bytes) ? new MemoryStream(bytes, writable: false) : null);

    /// <inheritdoc/>
    public ValueTask<BlobWriter> BeginAsync(CancellationToken cancellationToken = default) => new(new MemoryBlobWriter(this));

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(Digest digest, CancellationToken cancellationToken = default) =>
        new(_blobs.TryRemove(digest, out _));

    /// <inheritdoc/>
    public async IAsyncEnumerable<Digest> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var digest in _blobs.Keys)
            yield return digest;

        await Task.CompletedTask.ConfigureAwait(false);
    }

    private sealed class MemoryBlobWriter(MemoryStore store) : BlobWriter
    {
        private readonly MemoryStream _bytes = new();

        public override long Written => _bytes.Length;

        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) => _bytes.Write(buffer, offset, count);

        public override ValueTask<Digest> CommitAsync(Digest? expected = null, CancellationToken cancellationToken = default)
        {
            var bytes = _bytes.ToArray();
            var digest = Digest.Of(bytes, expected ?? default);
            if (expected is { } wanted && wanted != digest)
                throw new ContentMismatchException($"expected '{wanted}' and received {bytes.Length} bytes of '{digest}'");

            store._blobs[digest] = bytes;
            return new(digest);
        }
    }
}
