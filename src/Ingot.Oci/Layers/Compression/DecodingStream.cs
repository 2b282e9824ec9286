using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>Reads what another stream decodes to. Owns that stream; memory is bounded by the decoder's window.</summary>
internal abstract class DecodingStream : Stream
{
    private readonly Stream _input;
    private readonly byte[] _buffer = new byte[128 << 10];
    private int _start;
    private int _end;
    private bool _inputEnded;

    protected DecodingStream(Stream input) => _input = input;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Decodes some of <paramref name="input"/> into <paramref name="output"/>; says how many bytes of each were used.</summary>
    protected abstract (int Read, int Written) Decode(ReadOnlySpan<byte> input, Span<byte> output);

    /// <summary>Called when the input has ended; throws when it ended too early.</summary>
    protected abstract void CheckEnded();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            int written = Step(buffer);
            if (written > 0 || buffer.IsEmpty || _inputEnded)
                return written;
            Refilled(_input.Read(_buffer));
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            int written = Step(buffer.Span);
            if (written > 0 || buffer.IsEmpty || _inputEnded)
                return written;
            Refilled(await _input.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false));
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
            _input.Dispose();
        base.Dispose(disposing);
    }

    // Decodes what is buffered until something comes out, or nothing goes in.
    private int Step(Span<byte> output)
    {
        while (true)
        {
            var (read, written) = Decode(_buffer.AsSpan(_start, _end - _start), output);
            _start += read;
            if (written > 0 || read == 0)
                return written;
        }
    }

    private void Refilled(int read)
    {
        // The decoder may leave bytes only when it is out of room, never when it is out of input.
        if (_start != _end)
            throw new LayerException("a decoder stopped before the end of its input");

        _start = 0;
        _end = read;
        if (read == 0)
        {
            _inputEnded = true;
            CheckEnded();
        }
    }
}
