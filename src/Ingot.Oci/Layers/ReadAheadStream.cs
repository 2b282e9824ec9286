using System.Buffers;
using System.Threading.Channels;

namespace Ingot.Oci.Layers;

/// <summary>Reads another stream on another thread, a few buffers ahead:
/// decompression then overlaps with what is done with its output. Owns that stream.</summary>
internal sealed class ReadAheadStream : Stream
{
    private const int BufferBytes = 256 << 10;
    private const int Buffers = 4;

    private readonly Stream _input;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<ArraySegment<byte>> _full = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(Buffers) { SingleReader = true, SingleWriter = true });

    private readonly Task _producer;
    private ArraySegment<byte> _current;

    public ReadAheadStream(Stream input)
    {
        _input = input;
        _producer = Task.Run(() => ProduceAsync(_stop.Token));
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        // Mostly there already; where not, this thread has nothing else to do.
        if (_current.Count == 0 && !WaitAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult())
            return 0;
        return Take(buffer);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_current.Count == 0 && !await WaitAsync(cancellationToken).ConfigureAwait(false))
            return 0;
        return Take(buffer.Span);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _producer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        // The producer disposes the input when it has stopped using it.
        if (disposing && !_producer.IsCompleted)
            _stop.Cancel();
        base.Dispose(disposing);
    }

    private async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        while (await _full.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_full.Reader.TryRead(out _current))
                return true;
        }

        return false;
    }

    private int Take(Span<byte> buffer)
    {
        int taken = Math.Min(buffer.Length, _current.Count);
        _current.AsSpan(0, taken).CopyTo(buffer);
        var used = _current.Array!;
        _current = _current[taken..];
        if (_current.Count == 0)
            ArrayPool<byte>.Shared.Return(used);
        return taken;
    }

    private async Task ProduceAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
                int read = await _input.ReadAtLeastAsync(buffer, BufferBytes, throwOnEndOfStream: false,
                    cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    break;
                await _full.Writer.WriteAsync(new ArraySegment<byte>(buffer, 0, read), cancellationToken).ConfigureAwait(false);
            }

            _full.Writer.TryComplete();
        }
        catch (Exception e)
        {
            _full.Writer.TryComplete(e);
        }
        finally
        {
            await _input.DisposeAsync().ConfigureAwait(false);
        }
    }
}
