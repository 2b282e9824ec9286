namespace Ingot.Oci.Content;

/// <summary>Bytes by digest. Everything in it is complete and matches its name.</summary>
public interface IContentStore
{
    /// <summary>The size of a blob in bytes; null only when it is known not to be there.</summary>
    ValueTask<long?> SizeAsync(Digest digest, CancellationToken cancellationToken = default);

    /// <summary>A seekable stream over a blob, owned by the caller; null only when it is known not to be there.</summary>
    ValueTask<Stream?> OpenAsync(Digest digest, CancellationToken cancellationToken = default);

    /// <summary>Begins a new blob. Nothing is visible until <see cref="BlobWriter.CommitAsync"/>;
    /// disposing before that discards it.</summary>
    ValueTask<BlobWriter> BeginAsync(CancellationToken cancellationToken = default);

    /// <summary>Removes a blob; false when it was not there.</summary>
    ValueTask<bool> DeleteAsync(Digest digest, CancellationToken cancellationToken = default);

    /// <summary>Every blob, in no order.</summary>
    IAsyncEnumerable<Digest> ListAsync(CancellationToken cancellationToken = default);
}

/// <summary>A blob being written: a stream that hashes what passes.</summary>
/// <remarks>Implementations MUST make the bytes durable before <see cref="CommitAsync"/> returns, and MUST leave nothing behind when
/// disposed uncommitted.</remarks>
public abstract class BlobWriter : Stream
{
    /// <summary>Bytes written so far.</summary>
    public abstract long Written { get; }

    /// <summary>How far its hash has come; empty when that is not known.</summary>
    public virtual IReadOnlyList<HashCheckpoint> Checkpoints => [];

    /// <summary>Makes the blob visible under its digest and returns that; with <paramref name="expected"/> given, another digest throws
    /// <see cref="ContentMismatchException"/> and nothing is kept.</summary>
    public abstract ValueTask<Digest> CommitAsync(Digest? expected = null, CancellationToken cancellationToken = default);

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => Written;

    /// <inheritdoc/>
    public override long Position { get => Written; set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
