using System.Globalization;
using Ingot.Oci.Content;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>A part of a layer's archive.</summary>
/// <param name="File">The number of the file that it lies in, from 0.</param>
/// <param name="Start">Where it begins there.</param>
/// <param name="Length">Its bytes.</param>
public readonly record struct ArchivePart(int File, long Start, long Length)
{
    /// <summary>Where it ends in its file.</summary>
    public long End => Start + Length;
}

/// <summary>A layer's archive as it lies on disk: in one file, or put together of parts of several, as of a layer that was written from an
/// earlier one. The files must not change.</summary>
public sealed class LayerArchive
{
    private readonly long[] _starts;

    /// <param name="files">The files.</param>
    /// <param name="parts">What the archive is put together of, in its order.</param>
    public LayerArchive(IReadOnlyList<string> files, IReadOnlyList<ArchivePart> parts)
    {
        Files = files;
        Parts = parts;
        _starts = new long[parts.Count];
        foreach (var (i, part) in parts.Index())
        {
            if (part.File < 0 || part.File >= files.Count || part.Start < 0 || part.Length <= 0)
                throw new ArgumentException(
                    $"a part of an archive has {part.Length} bytes at {part.Start} of file {part.File}, and there are {files.Count} files",
                    nameof(parts));
            _starts[i] = Size;
            Size += part.Length;
        }
    }

    /// <summary>An archive that is a file.</summary>
    public static LayerArchive Whole(string file) =>
        new([file], new FileInfo(file).Length is > 0 and var length ? [new ArchivePart(0, 0, length)] : []);

    /// <summary>The files that it lies in.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>What it is put together of.</summary>
    public IReadOnlyList<ArchivePart> Parts { get; }

    /// <summary>Its bytes.</summary>
    public long Size { get; }

    /// <summary>Where the bytes at a position lie: the number of the file, the place in it, and how many follow there.</summary>
    public (int File, long At, long Length) Find(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, Size);
        int found = Array.BinarySearch(_starts, position);
        int i = found >= 0 ? found : ~found - 1;
        long inner = position - _starts[i];
        return (Parts[i].File, Parts[i].Start + inner, Parts[i].Length - inner);
    }

    /// <summary>A stretch of the archive, as parts of its files.</summary>
    public IEnumerable<ArchivePart> Slice(long start, long length)
    {
        for (long end = start + length; start < end;)
        {
            var (file, at, more) = Find(start);
            var part = new ArchivePart(file, at, Math.Min(more, end - start));
            yield return part;
            start += part.Length;
        }
    }

    /// <summary>Writes it into one new file.</summary>
    public LayerArchive Gather(string file)
    {
        using var reader = Open();
        using (var output = new UncachedFile(file))
        {
            foreach (var part in Parts)
                output.Append(reader.Files[part.File], part.Start, part.Length);
            output.Flush();
        }

        return Whole(file);
    }

    /// <summary>Opens its files.</summary>
    public ArchiveReader Open() => new(this);

    /// <summary>The parts in text, a line each: the number of the file, the start and the length.</summary>
    public string WriteParts() =>
        string.Concat(Parts.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.File} {p.Start} {p.Length}\n")));

    /// <summary>Reads <see cref="WriteParts"/>; null when it is something else.</summary>
    public static IReadOnlyList<ArchivePart>? TryReadParts(string text)
    {
        var parts = new List<ArchivePart>();
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            if (words.Length != 3
                || !int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out int file)
                || !long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long start)
                || !long.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out long length) || length == 0)
                return null;
            parts.Add(new ArchivePart(file, start, length));
        }

        return text.EndsWith('\n') ? parts : null;
    }
}

/// <summary>Reads a layer's archive, by position. Several may read at once.</summary>
public sealed class ArchiveReader : IDisposable
{
    private readonly LayerArchive _archive;
    private readonly List<SafeFileHandle> _files = [];

    internal ArchiveReader(LayerArchive archive)
    {
        _archive = archive;
        try
        {
            foreach (string file in archive.Files)
                _files.Add(File.OpenHandle(file, share: FileShare.Read | FileShare.Delete));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal IReadOnlyList<SafeFileHandle> Files => _files;

    /// <summary>Reads what lies at a position, as much as is at hand; 0 at the end. A file that is shorter than it should be throws
    /// <see cref="EndOfStreamException"/>.</summary>
    public int Read(Span<byte> buffer, long position) => Read(buffer, position, isOnce: false);

    /// <summary>As <see cref="Read(Span{byte}, long)"/>, of bytes that nobody needs again soon:
    /// they are not left in the kernel's cache.</summary>
    public int ReadOnce(Span<byte> buffer, long position) => Read(buffer, position, isOnce: true);

    private int Read(Span<byte> buffer, long position, bool isOnce)
    {
        if (position >= _archive.Size || buffer.IsEmpty)
            return 0;

        var (file, at, length) = _archive.Find(position);
        buffer = buffer[..(int)Math.Min(length, buffer.Length)];
        int read = isOnce ? UncachedFile.Read(_files[file], buffer, at) : RandomAccess.Read(_files[file], buffer, at);
        return read > 0
            ? read
            : throw new EndOfStreamException($"the archive '{_archive.Files[file]}' ended {length} bytes early: it is damaged");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }
}

/// <summary>A stretch of a layer's archive, from start to end.</summary>
/// <param name="reader">What reads it; disposed with the stream when that owns it.</param>
/// <param name="start">Where the stretch begins.</param>
/// <param name="length">Its bytes.</param>
/// <param name="ownsReader">Whether the reader is this stream's.</param>
public sealed class ArchiveStream(ArchiveReader reader, long start, long length, bool ownsReader) : ReadingStream
{
    private long _at;

    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int read = reader.Read(buffer[..(int)Math.Min(buffer.Length, length - _at)], start + _at);
        _at += read;
        return read;
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Read(buffer.Span));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && ownsReader)
            reader.Dispose();
        base.Dispose(disposing);
    }
}
