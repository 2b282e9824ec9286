namespace Ingot.Oci.Layers;

/// <summary>Compresses into one zstd frame with a checksum. Input goes to the library in pieces of a fixed size, so that the sizes of the writes change no byte. Disposing finishes and leaves the output open.</summary>
internal sealed class ZstdEncoder : Stream
{
    private const int PieceBytes = 256 << 10;

    private readonly Stream _output;
    private readonly byte[] _input = new byte[PieceBytes];
    private readonly byte[] _encoded = new byte[PieceBytes];
    private readonly NativeState _encoder = new(Zstd.CreateEncoder(), encoder => Zstd.FreeEncoder(encoder));
    private int _filled;

    public ZstdEncoder(Stream output, int level)
    {
        _output = output;
        Zstd.Check(Zstd.SetEncoderParameter(_encoder.Pointer, Zstd.CompressionLevel, level));
        Zstd.Check(Zstd.SetEncoderParameter(_encoder.Pointer, Zstd.ChecksumFlag, 1));
    }

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
            if (_filled == PieceBytes)
                await EncodeAsync(Zstd.Continue, cancellationToken).ConfigureAwait(false);

            int taken = Math.Min(buffer.Length, PieceBytes - _filled);
            buffer.Span[..taken].CopyTo(_input.AsSpan(_filled));
            _filled += taken;
            buffer = buffer[taken..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write asynchronously");

    // Flushing would end a block where the caller happens to stop, and change the bytes.
    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        if (!_encoder.IsClosed)
            await EncodeAsync(Zstd.End, CancellationToken.None).ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _encoder.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask EncodeAsync(int directive, CancellationToken cancellationToken)
    {
        bool isDone = false;
        for (int read = 0; !isDone;)
        {
            int written = Step(directive, ref read, out isDone);
            await _output.WriteAsync(_encoded.AsMemory(0, written), cancellationToken).ConfigureAwait(false);
        }

        _filled = 0;
    }

    private unsafe int Step(int directive, ref int read, out bool isDone)
    {
        fixed (byte* source = _input, target = _encoded)
        {
            var input = new Zstd.Buffer { Start = source, Size = (nuint)_filled, Position = (nuint)read };
            var output = new Zstd.Buffer { Start = target, Size = (nuint)_encoded.Length };
            nuint left = Zstd.Check(Zstd.Compress(_encoder.Pointer, &output, &input, directive));
            read = (int)input.Position;
            isDone = directive == Zstd.End ? left == 0 : input.Position == input.Size;
            return (int)output.Position;
        }
    }
}
