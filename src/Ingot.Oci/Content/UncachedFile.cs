using System.Buffers;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>A new file that is written from start to end and not read soon. Unless it is small, its pages leave the kernel's cache when
/// they are on the disk, and the next ones take their place: the files in the cache that are needed stay there,
/// and no memory has to be found for these.</summary>
/// <remarks>On Linux 6.14 and later (<c>RWF_DONTCACHE</c> of
/// <see href="https://man7.org/linux/man-pages/man2/readv.2.html">pwritev2</see>); elsewhere a file like any other.</remarks>
public sealed class UncachedFile : Stream
{
    private const int BufferBytes = 256 << 10;

    // What is no longer than that is read soon, as manifests are.
    private const int SmallBytes = 1 << 20;

    private static volatile bool s_isSupported = OperatingSystem.IsLinux();

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _filled;
    private long _written;

    /// <summary>Makes the file; one that is there already throws <see cref="IOException"/>, a disk that does not take it
    /// <see cref="DiskException"/>.</summary>
    public UncachedFile(string path)
    {
        Name = path;
        try
        {
            Handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        }
        catch (Exception e) when (DiskException.Of(path, BufferBytes, e) is { } disk)
        {
            throw disk;
        }
    }

    /// <summary>The path that the file was made under.</summary>
    public string Name { get; }

    /// <summary>The file, owned by the stream; what was written is in it after <see cref="Flush"/>.</summary>
    public SafeFileHandle Handle { get; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => _written + _filled;

    /// <inheritdoc/>
    public override long Position { get => _written + _filled; set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int taken = Math.Min(buffer.Length, _buffer.Length - _filled);
            buffer[..taken].CopyTo(_buffer.AsSpan(_filled));
            _filled += taken;
            buffer = buffer[taken..];
            if (_filled == _buffer.Length)
                Flush();
        }
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    /// <summary>Reads a part of a file without leaving it in the cache; 0 at its end.</summary>
    public static int Read(SafeFileHandle file, Span<byte> buffer, long from)
    {
        int read = Transfer(Libc.PReadV2, file, buffer, from);
        return read > 0 ? read : RandomAccess.Read(file, buffer, from);
    }

    /// <summary>Writes to a place in a file, without leaving it in the cache when it is on the disk.</summary>
    public static void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long at)
    {
        while (!bytes.IsEmpty)
        {
            int written = Transfer(Libc.PWriteV2, file, bytes, at);
            if (written == 0)
            {
                RandomAccess.Write(file, bytes, at);
                return;
            }

            bytes = bytes[written..];
            at += written;
        }
    }

    /// <summary>Appends a part of another file; one that ends before throws <see cref="EndOfStreamException"/>.</summary>
    public void Append(SafeFileHandle source, long from, long length)
    {
        while (length > 0)
        {
            int read = Read(source, _buffer.AsSpan(_filled, (int)Math.Min(length, _buffer.Length - _filled)), from);
            if (read == 0)
                throw new EndOfStreamException($"a file ended {length} bytes early: it is damaged, or changed while it was copied");
            _filled += read;
            (from, length) = (from + read, length - read);
            if (_filled == _buffer.Length)
                Flush();
        }
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        var filled = _buffer.AsSpan(0, _filled);
        try
        {
            if (_written < SmallBytes)
                RandomAccess.Write(Handle, filled, _written);
            else
                Write(Handle, filled, _written);
        }
        catch (Exception e) when (DiskException.Of(Name, _filled, e) is { } disk)
        {
            throw disk;
        }

        _written += _filled;
        _filled = 0;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Closes the file. What was not flushed is lost: a file that was not finished is not wanted.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !Handle.IsClosed)
        {
            Handle.Dispose();
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
            _filled = 0;
        }

        base.Dispose(disposing);
    }

    // How many bytes; 0 when it cannot be done so, and then whoever does it otherwise is told why.
    private static unsafe int Transfer(PositionedCall call, SafeFileHandle file, ReadOnlySpan<byte> bytes, long at)
    {
        if (!s_isSupported)
            return 0;

        try
        {
            fixed (byte* start = bytes)
            {
                var vector = new IoVector((nint)start, (nuint)bytes.Length);
                nint moved = call(file, in vector, 1, at, Kernel.RWF_DONTCACHE);
                // A full disk says nothing of the kernel.
                s_isSupported = moved >= 0 || LinuxError.Last is Kernel.ENOSPC or Kernel.EDQUOT;
                return (int)Math.Max(0, moved);
            }
        }
        catch (EntryPointNotFoundException)
        {
            s_isSupported = false;
            return 0;
        }
    }

    private delegate nint PositionedCall(SafeFileHandle file, in IoVector vector, int count, long offset, int flags);
}
