using Ingot.Oci.Content;

namespace Ingot.Oci.Registries;

/// <summary>Reads a blob from a registry; when the connection breaks or stands still, goes on from there. Owns the connection.</summary>
internal sealed class ResumingStream(
    Stream first, Descriptor blob, string repository, Func<long, CancellationToken, Task<Stream?>> reopen, TimeProvider time) : Stream
{
    // In a row without a byte between them.
    private const int Failures = 4;
    private static readonly TimeSpan s_standstill = TimeSpan.FromMinutes(1);

    private Stream? _inner = first;
    private long _position;
    private int _failures;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => blob.Size;
    public override long Position { get => _position; set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) =>
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                int read = await ReadOnceAsync(buffer, cancellationToken).ConfigureAwait(false);
                if (read > 0 || _position >= blob.Size || buffer.IsEmpty)
                    return read;
                await BrokeAsync("the answer ended", cause: null, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or HttpRequestException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                await BrokeAsync(e is OperationCanceledException
                    ? $"nothing came for {s_standstill.TotalSeconds:0} seconds"
                    : IngotException.ReasonOf(e),
                    e, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _inner?.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadOnceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var clock = new CancellationTokenSource(s_standstill, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, clock.Token);
        _inner ??= await reopen(_position, either.Token).ConfigureAwait(false)
            ?? throw new RegistryException(404, "BLOB_UNKNOWN", repository,
                $"could not go on with the blob '{blob.Digest}' of '{repository}': the registry no longer has it");
        int read = await _inner.ReadAsync(buffer, either.Token).ConfigureAwait(false);
        _position += read;
        _failures = read > 0 ? 0 : _failures;
        return read;
    }

    private async Task BrokeAsync(string how, Exception? cause, CancellationToken cancellationToken)
    {
        _inner?.Dispose();
        _inner = null;
        if (++_failures >= Failures)
            throw new RegistryException(0, code: null, repository, $"could not get the blob '{blob.Digest}' of '{repository}': "
                + $"{how} after {_position} bytes of {blob.Size}, {Failures} times in a row", cause);
        await Task.Delay(TimeSpan.FromMilliseconds(100 << _failures), time, cancellationToken).ConfigureAwait(false);
    }
}
