using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>Reads an open file from its start, without a buffer of its own. Leaves the file open.</summary>
/// <remarks>Reading is synchronous: a local file's pages are mostly in memory,
/// and Linux has no other way that the base library would use.</remarks>
internal sealed class FileContent(SafeFileHandle file) : Stream
{
    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => LinuxFiles.Read(file, buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer) => LinuxFiles.Read(file, buffer);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<int>(cancellationToken)
            : new(LinuxFiles.Read(file, buffer.Span));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
