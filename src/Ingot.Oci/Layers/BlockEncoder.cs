using System.Buffers;

namespace Ingot.Oci.Layers;

/// <summary>A compressed block, in a rented array, and the checksum and length of what it was.</summary>
internal readonly record struct EncodedBlock(ArraySegment<byte> Bytes, uint Checksum, int Length);

/// <summary>Cuts what is written into blocks of a fixed size, encodes them in parallel and writes them in order. Disposing finishes and leaves the output open.</summary>
internal abstract class BlockEncoder : Stream
{
    private static readonly int s_parallel = Math.Clamp(Environment.ProcessorCount, 2, 8);

    private readonly Stream _output;
    private readonly int _blockBytes;
    private readonly int _windowBytes;
    private readonly Queue<Task<EncodedBlock>> _pending = new();
    private byte[] _current;
    private int _dictionary;
    private int _filled;
    private bool _started;
    private bool _finished;

    protected BlockEncoder(Stream output, int blockBytes, int windowBytes)
    {
        _output = output;
        _blockBytes = blockBytes;
        _windowBytes = windowBytes;
        _current = ArrayPool<byte>.Shared.Rent(windowBytes + blockBytes);
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    protected abstract ReadOnlyMemory<byte> Header { get; }

    /// <summary>What follows the last block; asked for when every block has been joined.</summary>
    protected abstract ReadOnlyMemory<byte> Trailer { get; }

    /// <summary>Runs on any thread, several at once.</summary>
    protected abstract EncodedBlock Encode(ReadOnlySpan<byte> dictionary, ReadOnlySpan<byte> block, bool isLast);

    /// <summary>Called once a block, in order.</summary>
    protected abstract void Joined(EncodedBlock block);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            // Only when more comes: the last block, full or not, is marked as the last.
            if (_filled == _blockBytes)
                await CutAsync(isLast: false, cancellationToken).ConfigureAwait(false);

            int taken = Math.Min(buffer.Length, _blockBytes - _filled);
            buffer.Span[..taken].CopyTo(_current.AsSpan(_dictionary + _filled));
            _filled += taken;
            buffer = buffer[taken..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write asynchronously");

    // Flushing would cut a block where the caller happens to stop, and change the bytes.
    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        if (!_finished)
        {
            _finished = true;
            await CutAsync(isLast: true, CancellationToken.None).ConfigureAwait(false);
            while (_pending.Count > 0)
                await JoinAsync(CancellationToken.None).ConfigureAwait(false);
            await _output.WriteAsync(Trailer, CancellationToken.None).ConfigureAwait(false);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask CutAsync(bool isLast, CancellationToken cancellationToken)
    {
        if (!_started)
        {
            _started = true;
            await _output.WriteAsync(Header, cancellationToken).ConfigureAwait(false);
        }

        if (_pending.Count == s_parallel)
            await JoinAsync(cancellationToken).ConfigureAwait(false);

        var (block, dictionary, filled) = (_current, _dictionary, _filled);
        // Before the block is given away, and its array with it.
        StartBlock(block.AsSpan(0, dictionary + filled));
        _pending.Enqueue(Task.Run(() => EncodeAndReturn(block, dictionary, filled, isLast), CancellationToken.None));
    }

    private void StartBlock(ReadOnlySpan<byte> before)
    {
        var window = before[^Math.Min(before.Length, _windowBytes)..];
        _current = ArrayPool<byte>.Shared.Rent(_windowBytes + _blockBytes);
        window.CopyTo(_current);
        _dictionary = window.Length;
        _filled = 0;
    }

    private EncodedBlock EncodeAndReturn(byte[] block, int dictionary, int filled, bool isLast)
    {
        var encoded = Encode(block.AsSpan(0, dictionary), block.AsSpan(dictionary, filled), isLast);
        ArrayPool<byte>.Shared.Return(block);
        return encoded;
    }

    private async ValueTask JoinAsync(CancellationToken cancellationToken)
    {
        var block = await _pending.Dequeue().ConfigureAwait(false);
        Joined(block);
        await _output.WriteAsync(block.Bytes, cancellationToken).ConfigureAwait(false);
        ArrayPool<byte>.Shared.Return(block.Bytes.Array!);
    }
}
