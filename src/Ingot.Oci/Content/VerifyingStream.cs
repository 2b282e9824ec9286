using System.Security.Cryptography;

namespace Ingot.Oci.Content;

/// <summary>Reads another stream and checks its size and digest on the way: it fails at the end,
/// before the last byte is believed.</summary>
/// <remarks>Owns the inner stream. Reading fewer bytes than <c>size</c> and stopping checks nothing.</remarks>
public sealed class VerifyingStream : Stream
{
    private readonly Stream _inner;
    private readonly Digest _expected;
    private readonly long _size;
    private readonly IncrementalHash _hash;
    private long _read;
    private bool _verified;

    /// <summary>Wraps <paramref name="inner"/>, whose bytes must be <paramref name="size"/> many and have the digest
    /// <paramref name="expected"/>.</summary>
    public VerifyingStream(Stream inner, Digest expected, long size)
    {
        _inner = inner;
        _expected = expected;
        _hash = expected.BeginHash();
        _size = size;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => _size;

    /// <inheritdoc/>
    public override long Position { get => _read; set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer) => buffer.IsEmpty ? 0 : Account(buffer, _inner.Read(buffer));

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;

        int read = await _inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        return Account(buffer.Span, read);
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _inner.Dispose();
            _hash.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Account(Span<byte> buffer, int read)
    {
        if (_verified)
            return read == 0 ? 0 : throw TooLong();

        if (read == 0 && _read < _size)
            throw new ContentMismatchException($"'{_expected}' ended after {_read} bytes of {_size}");

        _read += read;
        if (_read > _size)
            throw TooLong();

        _hash.AppendData(buffer[..read]);
        if (_read == _size)
            Verify();

        return read;
    }

    private void Verify()
    {
        var actual = Digest.FromHash(_hash.GetHashAndReset());
        if (actual != _expected)
            throw new ContentMismatchException($"expected '{_expected}' and read {_size} bytes of '{actual}'");

        _verified = true;
    }

    private ContentMismatchException TooLong() => new($"'{_expected}' is longer than its {_size} bytes");
}
