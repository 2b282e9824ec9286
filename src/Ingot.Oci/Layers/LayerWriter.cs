using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>Writes one layer in one pass: archive, diff id, compression, digest and index together.</summary>
/// <remarks>Entries are written in the order they come; <see cref="DirectoryLayer"/> brings them in <see cref="TarPath.Compare"/>'s.
/// Disposing an unfinished writer leaves nothing in the store.</remarks>
public sealed class LayerWriter : IAsyncDisposable
{
    private readonly BlobWriter? _blob;
    private readonly LayerCompression _compression;
    private readonly Stream? _encoder;
    private readonly TarPipeline _pipeline;
    private readonly TarWriter _tar;
    private readonly IncrementalHash _contentHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Dictionary<string, FileRecord> _files = [];
    private readonly HashSet<string> _whiteouts = [];

    private readonly ILayerObserver? _observer;
    private readonly UncachedFile? _archive;

    private LayerWriter(BlobWriter? blob, LayerCompression compression, ILayerObserver? observer, string? archive = null)
    {
        _blob = blob;
        _compression = compression;
        _observer = observer;
        _encoder = blob is null ? null : compression.Compress(blob);
        _archive = archive is null ? null : new UncachedFile(archive);
        _pipeline = new TarPipeline(_encoder, observer, _archive);
        _tar = new TarWriter(_pipeline);
    }

    /// <summary>Begins a layer whose compressed archive goes into <paramref name="store"/>.</summary>
    public static async Task<LayerWriter> BeginAsync(
        IContentStore store, LayerCompression compression, CancellationToken cancellationToken = default) =>
        await BeginAsync(store, compression, observer: null, cancellationToken).ConfigureAwait(false);

    /// <summary>Begins a layer whose compressed archive goes into <paramref name="store"/>, unless <paramref name="observer"/>,
    /// who sees all of it, throws.</summary>
    public static async Task<LayerWriter> BeginAsync(
        IContentStore store, LayerCompression compression, ILayerObserver? observer, CancellationToken cancellationToken = default) =>
        new(await store.BeginAsync(cancellationToken).ConfigureAwait(false), compression, observer);

    /// <summary>Begins a layer whose compressed archive goes into <paramref name="store"/>,
    /// and the archive as it is into a new file.</summary>
    /// <param name="store">The store; null for none.</param>
    /// <param name="compression">How the archive there is compressed.</param>
    /// <param name="observer">Sees all of it; null for nobody.</param>
    /// <param name="archive">The file, which the caller owns and nothing makes durable; null for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<LayerWriter> BeginAsync(
        IContentStore? store, LayerCompression compression, ILayerObserver? observer, string? archive,
        CancellationToken cancellationToken = default) =>
        new(store is null ? null : await store.BeginAsync(cancellationToken).ConfigureAwait(false), compression, observer, archive);

    /// <summary>Begins a layer that is only hashed, indexed and observed: what layers between the steps of a build need.</summary>
    public static LayerWriter HashOnly(ILayerObserver? observer = null) => new(blob: null, LayerCompression.None, observer);

    /// <summary>The file with the archive as it is, whole when the layer is finished; null when none was asked for.</summary>
    public string? Archive => _archive?.Name;

    /// <summary>Writes an entry. <paramref name="content"/> must give exactly <see cref="TarEntry.Size"/> bytes, and may be null when that
    /// is 0; it stays open. A path may be written once.</summary>
    public async Task WriteAsync(TarEntry entry, Stream? content, CancellationToken cancellationToken = default)
    {
        CheckNew(entry);
        await _tar.WriteHeaderAsync(entry, cancellationToken).ConfigureAwait(false);
        long offset = _tar.Position;
        await _tar.WriteContentAsync(entry, content is null ? null : new HashingStream(content, _contentHash),
            cancellationToken).ConfigureAwait(false);
        Record(entry, offset);
    }

    /// <summary>Writes an entry without content.</summary>
    public Task WriteAsync(TarEntry entry, CancellationToken cancellationToken = default) =>
        WriteAsync(entry, content: (Stream?)null, cancellationToken);

    /// <summary>Writes an entry whose content is in memory: exactly <see cref="TarEntry.Size"/> bytes.</summary>
    public Task WriteAsync(TarEntry entry, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default) =>
        content.Length == entry.Size
            ? WriteAsync(entry, new MemoryStream(content.ToArray(), writable: false), cancellationToken)
            : throw new ArgumentException($"'{entry.Path}' has {entry.Size} bytes, and {content.Length} were given", nameof(content));

    /// <summary>Ends the archive and waits for the hash and, if there is one, the blob, which is durable when this returns.
    /// Nothing may be written after it.</summary>
    public async Task<Layer> FinishAsync(CancellationToken cancellationToken = default)
    {
        await _tar.CompleteAsync(cancellationToken).ConfigureAwait(false);
        var diffId = await _pipeline.CompleteAsync(cancellationToken).ConfigureAwait(false);
        _archive?.Flush();
        _archive?.Dispose();
        var index = new LayerIndex(_files.Values, _whiteouts);
        _observer?.Complete(index);
        if (_blob is null)
            return new Layer(diffId, _tar.Position, index, Blob: null);

        long size = _blob.Written;
        var checkpoints = _blob.Checkpoints;
        var digest = await _blob.CommitAsync(expected: null, cancellationToken).ConfigureAwait(false);
        var blob = new Descriptor { MediaType = _compression.MediaType, Digest = digest, Size = size };
        return new Layer(diffId, _tar.Position, index, blob)
        {
            Trace = _encoder is ZstdEncoder zstd
                ? new LayerTrace(_compression.Codec, _tar.Position, blob, zstd.Frames, _pipeline.Checkpoints, checkpoints)
                : null,
        };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _pipeline.DisposeAsync().ConfigureAwait(false);
        // Not asynchronously, which would finish the data of an abandoned layer.
        _encoder?.Dispose();
        if (_blob is not null)
            await _blob.DisposeAsync().ConfigureAwait(false);
        _archive?.Dispose();
        _contentHash.Dispose();
    }

    private void CheckNew(TarEntry entry)
    {
        if (_files.ContainsKey(entry.Path) || _whiteouts.Contains(entry.Path))
            throw new ArgumentException($"'{entry.Path}' is in the layer already", nameof(entry));
    }

    private void Record(TarEntry entry, long offset)
    {
        // Also resets the hash for the next file.
        var hash = entry.Type == TarEntryType.File ? _contentHash.GetHashAndReset() : null;
        if (Whiteout.IsWhiteout(entry.Path))
            _whiteouts.Add(entry.Path);
        else
            _files[entry.Path] = RecordOf(entry, hash, offset);
    }

    private FileRecord RecordOf(TarEntry entry, byte[]? hash, long offset)
    {
        var target = entry.Type == TarEntryType.HardLink ? _files.GetValueOrDefault(entry.LinkTarget!) : null;
        return target is null
            ? new FileRecord(entry, hash is null ? null : Digest.FromHash(hash), entry.Size, hash is null ? 0 : offset)
            : new FileRecord(entry, target.Digest, target.Size, target.Offset);
    }
}
