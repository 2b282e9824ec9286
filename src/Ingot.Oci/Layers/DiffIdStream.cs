using System.Security.Cryptography;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers;

/// <summary>Reads an uncompressed layer and, at its end, checks its digest. Owns the inner stream.</summary>
internal sealed class DiffIdStream(Stream inner, Digest? expected) : ReadingStream
{
    private readonly IncrementalHash _hash = (expected ?? default).BeginHash();
    private bool _ended;

    /// <summary>The digest of everything, once read to the end.</summary>
    public Digest? DiffId { get; private set; }

    public override int Read(Span<byte> buffer) => buffer.IsEmpty ? 0 : Account(buffer, inner.Read(buffer));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;

        int read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        return Account(buffer.Span, read);
    }

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync().ConfigureAwait(false);
        _hash.Dispose();
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
            _hash.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Account(Span<byte> buffer, int read)
    {
        if (read > 0)
            _hash.AppendData(buffer[..read]);
        else if (!_ended)
            End();
        return read;
    }

    private void End()
    {
        _ended = true;
        var actual = Digest.FromHash(_hash.GetHashAndReset());
        if (expected is { } wanted && wanted != actual)
            throw new ContentMismatchException($"expected the layer with the diff id '{wanted}' and read '{actual}'");
        DiffId = actual;
    }
}
