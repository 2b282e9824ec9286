using Ingot.Oci.Content;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Builds.Files;

/// <summary>Reads a part of a file.</summary>
internal sealed class SliceStream(SafeFileHandle file, long offset, long length) : ReadingStream
{
    private long _at;

    public override int Read(Span<byte> buffer)
    {
        int read = RandomAccess.Read(file, buffer[..(int)Math.Min(buffer.Length, length - _at)], offset + _at);
        _at += read;
        return read;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Read(buffer.Span));
}
