using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Builds.Files;

/// <summary>What an archive that is unpacked may cost.</summary>
/// <param name="MaxEntries">The most entries.</param>
/// <param name="MaxParts">The most components that the paths of all of them have.</param>
/// <param name="MaxBytes">The most bytes it may have when it is decompressed.</param>
internal sealed record ArchiveLimits(int MaxEntries, long MaxParts, long MaxBytes)
{
    /// <summary>What a layer may cost too.</summary>
    public static ArchiveLimits Default { get; } = new(1_000_000, 50_000_000, new ExtractOptions().MaxBytes);
}

/// <summary>An archive cannot be unpacked: a sentence for the person who wrote it.</summary>
internal sealed class ArchiveException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The files of a tar archive, in its order: what ADD unpacks. Their contents lie decompressed in one file until this is disposed;
/// memory is only what their names take.</summary>
internal sealed class ArchiveFiles : IDisposable
{
    private const int BlockBytes = 512;
    private const int ChecksumAt = 148;
    private const int ChecksumBytes = 8;
    private const int MaxNameBytes = 255;

    private readonly SafeFileHandle _contents;

    private ArchiveFiles(IReadOnlyList<SelectedFile> files, SafeFileHandle contents)
    {
        Files = files;
        _contents = contents;
    }

    /// <summary>The files.</summary>
    public IReadOnlyList<SelectedFile> Files { get; private set; }

    public void Dispose() => _contents.Dispose();

    /// <summary>Whether a file is a tar archive, compressed or not, whatever it is called: its first header is one.</summary>
    /// <param name="open">Opens the file at its beginning.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<bool> IsArchiveAsync(Func<Stream> open, CancellationToken cancellationToken)
    {
        byte[] magic = await MagicAsync(open, cancellationToken);
        var file = CompressedStream.Open(open(), magic);
        await using (file)
        {
            byte[] block = new byte[BlockBytes];
            try
            {
                return await file.ReadAtLeastAsync(block, BlockBytes, throwOnEndOfStream: false, cancellationToken) == BlockBytes
                    && IsHeader(block);
            }
            catch (LayerException)
            {
                // It begins like something compressed, and is not.
                return false;
            }
        }
    }

    /// <summary>Reads an archive from start to end. What cannot be unpacked safely throws <see cref="ArchiveException"/>, a file that is
    /// another by now <see cref="BuildCacheException"/>.</summary>
    /// <param name="name">What the archive is called, for people.</param>
    /// <param name="open">Opens the archive at its beginning.</param>
    /// <param name="file">What the archive was when it was selected.</param>
    /// <param name="spool">A file to be made for the contents.</param>
    /// <param name="epoch">No file is younger.</param>
    /// <param name="limits">What it may cost.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<ArchiveFiles> ReadAsync(
        string name, Func<Stream> open, SelectedFile file, string spool, DateTimeOffset epoch, ArchiveLimits limits,
        CancellationToken cancellationToken)
    {
        byte[] magic = await MagicAsync(open, cancellationToken);
        var contents = File.OpenHandle(spool, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose);
        try
        {
            var archive = new ArchiveFiles([], contents);
            var stream = open();
            var verified = file.Content is { } digest ? new VerifyingStream(stream, digest, file.Entry.Size) : stream;
            using var reader = new TarReader(new LimitedStream(CompressedStream.Open(verified, magic), limits.MaxBytes),
                new TarLimits { MaxEntries = limits.MaxEntries });
            archive.Files = await archive.ReadAsync(reader, epoch, limits.MaxParts, cancellationToken);
            return archive;
        }
        catch (ContentMismatchException e)
        {
            contents.Dispose();
            throw new BuildCacheException($"'{name}' changed while it was unpacked: build again", e);
        }
        catch (Exception e) when (e is IngotException or ArchiveException)
        {
            contents.Dispose();
            throw new ArchiveException($"'{name}' cannot be unpacked: {e.Message}", e);
        }
        catch
        {
            contents.Dispose();
            throw;
        }
    }

    private async Task<List<SelectedFile>> ReadAsync(
        TarReader reader, DateTimeOffset epoch, long parts, CancellationToken cancellationToken)
    {
        var files = new List<SelectedFile>();
        long offset = 0;
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            Check(entry);
            parts -= entry.Path.AsSpan().Count('/') + 1;
            if (parts < 0)
                throw new ArchiveException("its paths are too long, and too many");
            await SpoolAsync(reader.Content, offset, cancellationToken);
            files.Add(FileOf(entry, offset, epoch));
            offset += entry.Size;
        }

        return files;
    }

    private SelectedFile FileOf(TarEntry entry, long offset, DateTimeOffset epoch)
    {
        var kept = entry with { ModifiedTime = Clamp(entry.ModifiedTime, epoch), ExtendedAttributes = CopiedAttributes.Kept(entry) };
        return new SelectedFile(kept, Content: null, new FileOrigin(0, entry.Path))
        {
            Open = () => new SliceStream(_contents, offset, entry.Size),
        };
    }

    private async Task SpoolAsync(Stream content, long offset, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[128 << 10];
        int read;
        while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
        {
            await RandomAccess.WriteAsync(_contents, buffer.AsMemory(0, read), offset, cancellationToken);
            offset += read;
        }
    }

    private static void Check(TarEntry entry)
    {
        if (entry.Path.Split('/').FirstOrDefault(Whiteout.IsWhiteout) is { } whiteout)
            throw new ArchiveException($"'{entry.Path}' cannot be in a layer: a name that begins with '{Whiteout.Prefix}', "
                + $"as '{whiteout}' does, there means a deletion");
        if (entry.Path.Split('/').Any(part => TarPath.Encode(part).Length > MaxNameBytes))
            throw new ArchiveException($"'{entry.Path}' has a name of more than {MaxNameBytes} bytes, which Linux does not support");
        if (entry.UserId >= uint.MaxValue || entry.GroupId >= uint.MaxValue)
            throw new ArchiveException($"'{entry.Path}' has the owner {entry.UserId}:{entry.GroupId}, which Linux does not support");
        if (entry is { Type: TarEntryType.CharacterDevice, DeviceMajor: 0, DeviceMinor: 0 })
            throw new ArchiveException($"'{entry.Path}' is the device 0:0, which an overlay file system takes for a deletion");
    }

    private static DateTimeOffset Clamp(DateTimeOffset time, DateTimeOffset epoch)
    {
        var whole = DateTimeOffset.FromUnixTimeSeconds(Math.Max(0, time.ToUnixTimeSeconds()));
        return whole > epoch ? epoch : whole;
    }

    private static async Task<byte[]> MagicAsync(Func<Stream> open, CancellationToken cancellationToken)
    {
        var file = open();
        await using (file)
        {
            byte[] magic = new byte[CompressedStream.MagicBytes];
            int read = await file.ReadAtLeastAsync(magic, magic.Length, throwOnEndOfStream: false, cancellationToken);
            return magic[..read];
        }
    }

    // The checksum of a header counts itself as blanks, and its bytes as signed or not.
    private static bool IsHeader(ReadOnlySpan<byte> block)
    {
        long stated = 0;
        foreach (byte b in block.Slice(ChecksumAt, ChecksumBytes))
        {
            if (b is >= (byte)'0' and <= (byte)'7')
                stated = (stated * 8) + (b - '0');
            else if (b is not ((byte)' ' or 0))
                return false;
        }

        long sum = 0, signed = 0;
        for (int i = 0; i < block.Length; i++)
        {
            byte b = i is >= ChecksumAt and < ChecksumAt + ChecksumBytes ? (byte)' ' : block[i];
            sum += b;
            signed += (sbyte)b;
        }

        // A block of zeros is the end of an archive, and has no checksum.
        return stated != 0 && (stated == sum || stated == signed);
    }

    /// <summary>Reads another stream up to a number of bytes, and throws where it has more. Owns that stream.</summary>
    private sealed class LimitedStream(Stream input, long limit) : ReadingStream
    {
        private long _read;

        public override int Read(Span<byte> buffer) => Account(input.Read(buffer));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Account(await input.ReadAsync(buffer, cancellationToken));

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                input.Dispose();
            base.Dispose(disposing);
        }

        private int Account(int read)
        {
            _read += read;
            return _read <= limit ? read : throw new ArchiveException($"it has more than {limit} bytes when it is decompressed");
        }
    }
}
