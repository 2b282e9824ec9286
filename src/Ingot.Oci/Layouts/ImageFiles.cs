using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Linux;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layouts;

/// <summary>The files of an image that somebody else wrote: a directory, or an archive. Only regular files are ever opened,
/// and none outside.</summary>
internal abstract class ImageFiles : IAsyncDisposable
{
    /// <summary>What the person named, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>A file by its path; null when there is none. The caller owns the stream, which is seekable.</summary>
    public abstract Stream? Open(string path);

    public virtual ValueTask DisposeAsync() => default;

    public bool Has(string path)
    {
        using var file = Open(path);
        return file is not null;
    }

    /// <summary>A small file whole; null when there is none.</summary>
    public async Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var stream = Open(path);
        if (stream is null)
            return null;

        await using (stream.ConfigureAwait(false))
        {
            if (stream.Length > ContentStoreExtensions.MaxDocumentBytes)
                throw new ImageException(
                    $"'{path}' in '{Name}' has {stream.Length} bytes: a document may have {ContentStoreExtensions.MaxDocumentBytes}");
            byte[] bytes = new byte[stream.Length];
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return bytes;
        }
    }

    /// <summary>As <see cref="ReadAsync"/>, but a missing file throws.</summary>
    public async Task<byte[]> ReadRequiredAsync(string path, CancellationToken cancellationToken) =>
        await ReadAsync(path, cancellationToken).ConfigureAwait(false) ?? throw Missing(path);

    public Stream OpenRequired(string path) => Open(path) ?? throw Missing(path);

    private ImageException Missing(string path) => new($"'{Name}' has no file '{path}': it is not complete");
}

/// <summary>Files in a directory. Links are not followed.</summary>
internal sealed class DirectoryFiles(string directory) : ImageFiles
{
    public override string Name => directory;

    public override Stream? Open(string path)
    {
        if (TarPath.Normalise(path) is not { } safe)
            throw new ImageException($"'{path}' leads out of '{directory}'");

        using var root = new RootedDirectory(directory);
        using var file = root.Find(safe, out var answer, followsLinks: false);
        if (answer == PathAnswer.Outside)
            throw new ImageException($"'{path}' in '{directory}' is a link: an image layout has files only");
        if (file is null || file.Status.Type == Kernel.S_IFDIR)
            return null;
        return file.Status.Type == Kernel.S_IFREG ? file.OpenRead() : throw new ImageException($"'{path}' in '{directory}' is not a file");
    }
}

/// <summary>Files in an archive, found by one pass over it.</summary>
internal sealed class ArchiveFiles : ImageFiles
{
    private const int MaxLinks = 16;

    private readonly string _name;
    private readonly FileStream _archive;
    private readonly Dictionary<string, TarEntry> _entries = [];
    private readonly Dictionary<string, long> _offsets = [];

    private ArchiveFiles(string name, FileStream archive)
    {
        _name = name;
        _archive = archive;
    }

    public override string Name => _name;

    /// <summary>The archive itself, from its start.</summary>
    public Stream Whole => new PartStream(_archive.SafeFileHandle, 0, _archive.Length);

    /// <summary>Opens an archive, compressed or not; a compressed one is unpacked into a file in <paramref name="temporary"/> that no one
    /// else sees and that goes away with this.</summary>
    public static async Task<ArchiveFiles> OpenAsync(string path, string temporary, CancellationToken cancellationToken)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            var compression = await LayerReader.DetectAsync(file, cancellationToken).ConfigureAwait(false);
            if (compression == LayerCompression.None)
                return new ArchiveFiles(path, file);

            var plain = await UnpackAsync(file, compression, temporary, cancellationToken).ConfigureAwait(false);
            return new ArchiveFiles(path, plain);
        }
        catch
        {
            await file.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Whether the archive has files of an image at its top, judged by its first entries;
    /// then it is read through and its files can be opened.</summary>
    public async Task<bool> FindAsync(IReadOnlyCollection<string> marks, CancellationToken cancellationToken)
    {
        using var reader = new TarReader(Whole, LayerReadLimits.Default.Tar);
        bool isFound = false;
        while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
        {
            if (entry.Type == TarEntryType.Directory)
                continue;
            if (isFound && entry.Type is (TarEntryType.CharacterDevice or TarEntryType.BlockDevice or TarEntryType.Fifo))
                throw new ImageException($"'{entry.Path}' in '{_name}' is a {entry.Type}: an archive of images has files and links only");

            isFound |= marks.Contains(entry.Path);
            if (!_entries.TryAdd(entry.Path, entry) && isFound)
                throw new ImageException($"'{entry.Path}' appears twice in '{_name}'");
            _offsets[entry.Path] = reader.Position;
        }

        return isFound;
    }

    public override Stream? Open(string path)
    {
        string? at = TarPath.Normalise(path) ?? throw new ImageException($"'{path}' leads out of '{_name}'");
        for (int links = 0; _entries.TryGetValue(at, out var entry); links++)
        {
            if (entry.Type == TarEntryType.File)
                return new PartStream(_archive.SafeFileHandle, _offsets[at], entry.Size);
            if (links == MaxLinks || Resolve(entry) is not { } next)
                throw new ImageException($"'{path}' in '{_name}' is a link that leads out of it or into a loop");
            at = next;
        }

        return null;
    }

    public override async ValueTask DisposeAsync()
    {
        await _archive.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    // Docker links a layer that two images share to the first one's: ../ID/layer.tar.
    private static string? Resolve(TarEntry link)
    {
        if (link.Type == TarEntryType.HardLink)
            return link.LinkTarget;
        if (link.Type != TarEntryType.SymbolicLink || link.LinkTarget!.StartsWith('/'))
            return null;

        var parts = new List<string>(TarPath.Parent(link.Path).Split('/', StringSplitOptions.RemoveEmptyEntries));
        foreach (string part in link.LinkTarget.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".." && parts.Count == 0)
                return null;
            if (part == "..")
                parts.RemoveAt(parts.Count - 1);
            else if (part != ".")
                parts.Add(part);
        }

        return string.Join('/', parts);
    }

    private static async Task<FileStream> UnpackAsync(
        FileStream packed, LayerCompression compression, string temporary, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(temporary);
        string path = Path.Combine(temporary,
            "archive-" + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8)));
        var plain = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            // Its bytes live as long as it is open: nothing is left, however this ends.
            File.Delete(path);
            var bytes = LayerReader.Decompress(packed, compression, packed.Length, $"'{packed.Name}'");
            await using (bytes.ConfigureAwait(false))
                await bytes.CopyToAsync(plain, cancellationToken).ConfigureAwait(false);
            await plain.FlushAsync(cancellationToken).ConfigureAwait(false);
            return plain;
        }
        catch
        {
            await plain.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
