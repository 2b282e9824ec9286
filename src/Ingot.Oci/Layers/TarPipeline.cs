using System.Buffers;
using System.Threading.Channels;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers;

/// <summary>Takes the archive's bytes and hashes and compresses them on another thread than the one that reads the files.</summary>
internal sealed class TarPipeline : Stream
{
    private const int BufferBytes = 256 << 10;
    private const int Buffers = 4;

    private readonly Channel<ArraySegment<byte>> _full = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(Buffers) { SingleReader = true, SingleWriter = true });

    private readonly Task<Digest> _consumer;
    private byte[] _current = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _filled;

    /// <summary>Hashes, shows the bytes to <paramref name="observer"/>, and passes them on to <paramref name="encoder"/> and as they are to
    /// <paramref name="archive"/>; any may be null. The encoder is disposed, and so finished, at the end.</summary>
    public TarPipeline(Stream? encoder, ILayerObserver? observer = null, Stream? archive = null) =>
        _consumer = Task.Run(() => ConsumeAsync(encoder, observer, archive));

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int taken = Math.Min(buffer.Length, BufferBytes - _filled);
            buffer.Span[..taken].CopyTo(_current.AsSpan(_filled));
            _filled += taken;
            buffer = buffer[taken..];
            if (_filled == BufferBytes)
                await PassOnAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>How far the hash came; known when everything is complete.</summary>
    public IReadOnlyList<HashCheckpoint> Checkpoints { get; private set; } = [];

    /// <summary>Waits until every byte is hashed and compressed; returns the digest of them all.</summary>
    public async Task<Digest> CompleteAsync(CancellationToken cancellationToken)
    {
        await PassOnAsync(cancellationToken).ConfigureAwait(false);
        _full.Writer.Complete();
        return await _consumer.ConfigureAwait(false);
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write asynchronously");

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Stops the other thread; unless completed, what it made is to be discarded.</summary>
    public override async ValueTask DisposeAsync()
    {
        _full.Writer.TryComplete(new ObjectDisposedException(nameof(TarPipeline)));
        await ((Task)_consumer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask PassOnAsync(CancellationToken cancellationToken)
    {
        var full = new ArraySegment<byte>(_current, 0, _filled);
        _current = ArrayPool<byte>.Shared.Rent(BufferBytes);
        _filled = 0;
        try
        {
            await _full.Writer.WriteAsync(full, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            // The consumer failed: its exception is the one to tell.
            await _consumer.ConfigureAwait(false);
            throw;
        }
    }

    private async Task<Digest> ConsumeAsync(Stream? encoder, ILayerObserver? observer, Stream? archive)
    {
        try
        {
            using var hash = new ResumableSha256();
            await foreach (var bytes in _full.Reader.ReadAllAsync().ConfigureAwait(false))
            {
                hash.Append(bytes);
                observer?.Observe(bytes);
                archive?.Write(bytes);
                if (encoder is not null)
                    await encoder.WriteAsync(bytes).ConfigureAwait(false);
                ArrayPool<byte>.Shared.Return(bytes.Array!);
            }

            if (encoder is not null)
                await encoder.DisposeAsync().ConfigureAwait(false);
            Checkpoints = hash.Checkpoints;
            return hash.Finish();
        }
        catch (Exception e)
        {
            _full.Writer.TryComplete(e);
            throw;
        }
    }
}
