using Ingot.Oci.Content;

namespace Ingot.Oci.Layers;

/// <summary>Reads another stream up to a number of bytes; more throws. Owns the inner stream.</summary>
internal sealed class LimitedStream(Stream inner, long limit, string what) : ReadingStream
{
    private long _read;

    public override long Position { get => _read; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer) => Account(inner.Read(buffer));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Account(await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false));

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    private int Account(int read)
    {
        _read += read;
        return _read <= limit
            ? read
            : throw new LayerException($"{what} has more than {limit} bytes when it is unpacked, which no honest one has for its size");
    }
}
