using System.Buffers;

namespace Ingot.Oci.Layers.Compression;

/// <summary>A compressed block, in a rented array, and the checksum and length of what it was.</summary>
internal readonly record struct EncodedBlock(ArraySegment<byte> Bytes, uint Checksum, int Length);

/// <summary>Cuts what is written into blocks of a fixed size, encodes them in parallel and writes them in order. Disposing finishes and
/// leaves the output open.</summary>
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
    private int _looked;
    private long _position;
    private bool _started;
    private bool _stopped;
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

    /// <summary>Where a block ends before it is full, by what is in it; -1 when nowhere as far as can be seen.</summary>
    /// <param name="block">What the block and perhaps the next one hold.</param>
    /// <param name="looked">How far was looked before; becomes how far was looked.</param>
    protected virtual int FindEnd(ReadOnlySpan<byte> block, ref int looked) => -1;

    /// <summary>Whether everything after a block's end, so many bytes from the start, is to be left out: asked after each block.</summary>
    public Func<long, bool>? StopsAt { get; set; }

    /// <summary>Whether it was stopped, by <see cref="StopsAt"/>.</summary>
    public bool IsStopped => _stopped;

    /// <summary>How many bytes the blocks hold that were cut.</summary>
    public long Cut => _position;

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty && !_stopped)
        {
            // Only when more comes: the last block, full or not, is marked as the last.
            if (_filled == _blockBytes)
                await CutAsync(_filled, isLast: false, cancellationToken).ConfigureAwait(false);
            if (_stopped)
                return;

            int taken = Math.Min(buffer.Length, _blockBytes - _filled);
            buffer.Span[..taken].CopyTo(_current.AsSpan(_dictionary + _filled));
            _filled += taken;
            buffer = buffer[taken..];
            while (!_stopped && FindEnd(_current.AsSpan(_dictionary, _filled), ref _looked) is >= 0 and var end)
                await CutAsync(end, isLast: false, cancellationToken).ConfigureAwait(false);
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
            if (!_stopped)
                await CutAsync(_filled, isLast: true, CancellationToken.None).ConfigureAwait(false);
            while (_pending.Count > 0)
                await JoinAsync(CancellationToken.None).ConfigureAwait(false);
            await _output.WriteAsync(Trailer, CancellationToken.None).ConfigureAwait(false);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask CutAsync(int length, bool isLast, CancellationToken cancellationToken)
    {
        if (!_started)
        {
            _started = true;
            await _output.WriteAsync(Header, cancellationToken).ConfigureAwait(false);
        }

        if (_pending.Count == s_parallel)
            await JoinAsync(cancellationToken).ConfigureAwait(false);

        var (block, dictionary) = (_current, _dictionary);
        // Before the block is given away, and its array with it.
        StartBlock(block.AsSpan(0, dictionary + length), block.AsSpan(dictionary + length, _filled - length));
        _pending.Enqueue(Task.Run(() => EncodeAndReturn(block, dictionary, length, isLast), CancellationToken.None));
        _position += length;
        _stopped = StopsAt?.Invoke(_position) == true;
    }

    private void StartBlock(ReadOnlySpan<byte> before, ReadOnlySpan<byte> rest)
    {
        var window = before[^Math.Min(before.Length, _windowBytes)..];
        _current = ArrayPool<byte>.Shared.Rent(_windowBytes + _blockBytes);
        window.CopyTo(_current);
        _dictionary = window.Length;
        rest.CopyTo(_current.AsSpan(_dictionary));
        _filled = rest.Length;
        _looked = 0;
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
