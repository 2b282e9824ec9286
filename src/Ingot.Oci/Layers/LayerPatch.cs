using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Layers;

/// <summary>An entry of a layer to be written.</summary>
/// <param name="Entry">The entry.</param>
/// <param name="Content">The digest of its content; null when it has none, or none that is known.</param>
public readonly record struct LayerEntry(TarEntry Entry, Digest? Content);

/// <summary>A layer that is mostly the same as an earlier one, written from that: only what changed is read, and only frames that hold a
/// change are compressed.</summary>
/// <remarks>The result is byte for byte what <see cref="LayerWriter"/> makes of the entries. What the earlier layer left on disk is
/// believed: what was damaged there is damaged in the copy, whose digests then do not match it.</remarks>
public sealed class LayerPatch
{
    private const int CopyBytes = 1 << 20;

    // More changed than that, and writing it anew costs no more.
    private const int MaxChangedPart = 2;

    private readonly LayerTrace _trace;
    private readonly IReadOnlyList<LayerEntry> _entries;
    private readonly IReadOnlyList<bool> _isChanged;
    private readonly List<Part> _parts;

    private LayerPatch(LayerTrace trace, IReadOnlyList<LayerEntry> entries, IReadOnlyList<bool> isChanged, List<Part> parts)
    {
        _trace = trace;
        _entries = entries;
        _isChanged = isChanged;
        _parts = parts;
    }

    /// <summary>Compares. Null when too much changed, or the earlier layer is not one that can be written from.</summary>
    /// <param name="before">The index of the earlier layer.</param>
    /// <param name="trace">How it was written.</param>
    /// <param name="compression">How the new one is to be compressed.</param>
    /// <param name="entries">The new one's entries in the order of layers.</param>
    public static LayerPatch? Of(LayerIndex before, LayerTrace trace, LayerCompression compression, IReadOnlyList<LayerEntry> entries)
    {
        if (!ResumableSha256.IsResumable || trace.Codec != compression.Codec || compression != LayerCompression.Zstandard
            || before.Whiteouts.Count > 0 || entries.Any(e => Whiteout.IsWhiteout(e.Entry.Path)))
            return null;
        if (Starts(before, trace.TarSize) is not { } starts)
            return null;

        bool[] isChanged = new bool[entries.Count];
        var parts = new PartList();
        int old = 0;
        for (int i = 0; i < entries.Count; i++)
        {
            while (old < before.Files.Count && TarPath.Compare(before.Files[old].Path, entries[i].Entry.Path) < 0)
                old++;
            bool isSame = old < before.Files.Count && IsSame(before.Files[old], entries[i]);
            isChanged[i] = !isSame;
            if (isSame)
                parts.AddOld(starts[old], starts[old + 1]);
            else
                parts.AddNew(TarWriter.EntryBytes(entries[i].Entry));
            old += isSame ? 1 : 0;
        }

        // The end mark belongs to the last entry.
        if (old == before.Files.Count && isChanged.Length > 0 && !isChanged[^1])
            parts.AddOld(starts[^1], trace.TarSize);
        else
            parts.AddNew(TarWriter.EndBytes);
        return parts.NewBytes * MaxChangedPart > trace.TarSize ? null : new LayerPatch(trace, entries, isChanged, parts.Parts);
    }

    /// <summary>Writes the layer.</summary>
    /// <param name="store">The store that has the earlier layer's blob, and gets the new one's.</param>
    /// <param name="before">The earlier layer's archive.</param>
    /// <param name="changed">A file to be made, for what is in the new archive and not in the earlier one.</param>
    /// <param name="open">Opens the content of a changed entry, by its number; the stream is disposed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The layer, and its archive: the earlier one's files and the new one.</returns>
    public async Task<(Layer Layer, LayerArchive Archive)> WriteAsync(
        DirectoryStore store, LayerArchive before, string changed, Func<int, Task<Stream>> open,
        CancellationToken cancellationToken = default)
    {
        if (before.Size != _trace.TarSize)
            throw new IOException($"the archive '{before.Files[0]}' has {before.Size} bytes, and should have {_trace.TarSize}");

        var digests = await WriteChangedAsync(changed, open, cancellationToken).ConfigureAwait(false);
        using var old = before.Open();
        using var added = LayerArchive.Whole(changed).Open();
        ArchiveReader ReaderOf(Part part) => part.IsOld ? old : added;

        var hashing = Task.Run(() => Hash(ReaderOf), cancellationToken);
        var compressing = Task.Run(() => CompressAsync(store, ReaderOf, cancellationToken), cancellationToken);
        await Task.WhenAll(hashing, compressing).ConfigureAwait(false);

        var (diffId, checkpoints) = await hashing.ConfigureAwait(false);
        var (blob, frames, compressed) = await compressing.ConfigureAwait(false);
        long size = _parts.Sum(p => p.Length);
        var layer = new Layer(diffId, size, IndexOf(digests), blob)
        {
            Trace = new LayerTrace(_trace.Codec, size, blob, frames, checkpoints, compressed),
        };
        var parts =
            _parts.SelectMany(p => p.IsOld ? before.Slice(p.Start, p.Length) : [new ArchivePart(before.Files.Count, p.Start, p.Length)]);
        return (layer, new LayerArchive([.. before.Files, changed], [.. parts]));
    }

    // Where each entry of a layer begins, and where the last one ends; null for one that was not written here.
    private static long[]? Starts(LayerIndex index, long size)
    {
        long[] starts = new long[index.Files.Count + 1];
        for (int i = 0; i < index.Files.Count; i++)
        {
            var file = index.Files[i];
            starts[i + 1] = starts[i] + TarWriter.EntryBytes(file.Entry);
            if (file.Type == TarEntryType.File && file.Offset != starts[i] + TarWriter.HeaderBytes(file.Entry))
                return null;
        }

        return starts[^1] + TarWriter.EndBytes == size ? starts : null;
    }

    private static bool IsSame(FileRecord before, LayerEntry now) =>
        before.Entry == now.Entry && (now.Entry.Type != TarEntryType.File || (now.Content is { } content && content == before.Digest));

    private async Task<Dictionary<int, Digest>> WriteChangedAsync(
        string path, Func<int, Task<Stream>> open, CancellationToken cancellationToken)
    {
        using var output = new UncachedFile(path);
        var digests = new Dictionary<int, Digest>();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var tar = new TarWriter(output, leaveOpen: true);
        for (int i = 0; i < _entries.Count; i++)
        {
            if (!_isChanged[i])
                continue;
            if (_entries[i].Entry.Type != TarEntryType.File)
            {
                await tar.WriteAsync(_entries[i].Entry, cancellationToken).ConfigureAwait(false);
                continue;
            }

            var content = await open(i).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
                await tar.WriteAsync(_entries[i].Entry, new HashingStream(content, hash), cancellationToken).ConfigureAwait(false);
            digests[i] = Digest.FromHash(hash.GetHashAndReset());
        }

        // Writes the end mark, and what is still in the buffer.
        await tar.CompleteAsync(cancellationToken).ConfigureAwait(false);
        output.Flush();
        return digests;
    }

    private LayerIndex IndexOf(Dictionary<int, Digest> changed)
    {
        var files = new Dictionary<string, FileRecord>(_entries.Count);
        long start = 0;
        for (int i = 0; i < _entries.Count; i++)
        {
            var entry = _entries[i].Entry;
            var target = entry.Type == TarEntryType.HardLink ? files.GetValueOrDefault(entry.LinkTarget!) : null;
            files[entry.Path] = target is not null ? new FileRecord(entry, target.Digest, target.Size, target.Offset)
                : entry.Type == TarEntryType.File ? new FileRecord(entry, _isChanged[i] ? changed[i] : _entries[i].Content, entry.Size,
                    start + TarWriter.HeaderBytes(entry))
                : new FileRecord(entry, Digest: null, entry.Size, Offset: 0);
            start += TarWriter.EntryBytes(entry);
        }

        return new LayerIndex(files.Values, []);
    }

    private (Digest DiffId, IReadOnlyList<HashCheckpoint> Checkpoints) Hash(Func<Part, ArchiveReader> readerOf)
    {
        // What is before the first change was hashed when the earlier layer was written.
        long same = _parts[0] is { IsOld: true, Start: 0 } first ? first.Length : 0;
        var from = ResumableSha256.Before(_trace.Archive, same);
        using var hash = new ResumableSha256(_trace.Archive, from);
        long skipped = from.Length;
        foreach (var part in _parts)
        {
            Read(readerOf(part), part.Start + skipped, part.Length - skipped, bytes => hash.Append(bytes));
            skipped = 0;
        }

        return (hash.Finish(), hash.Checkpoints);
    }

    private async Task<(Descriptor Blob, IReadOnlyList<LayerFrame> Frames, IReadOnlyList<HashCheckpoint> Checkpoints)> CompressAsync(
        DirectoryStore store, Func<Part, ArchiveReader> readerOf, CancellationToken cancellationToken)
    {
        using var earlier = File.OpenHandle(store.PathOf(_trace.Blob.Digest), share: FileShare.Read | FileShare.Delete);
        var compressor = new Compressor(_trace, store, earlier);
        await using (compressor.ConfigureAwait(false))
        {
            for (int i = 0; i < _parts.Count; i++)
                await compressor.AddAsync(_parts[i], readerOf(_parts[i]), isLast: i == _parts.Count - 1,
                    cancellationToken).ConfigureAwait(false);
            return await compressor.FinishAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static void Read(ArchiveReader archive, long from, long length, Action<ReadOnlySpan<byte>> take)
    {
        byte[] buffer = new byte[(int)Math.Min(CopyBytes, Math.Max(length, 1))];
        while (length > 0)
        {
            int read = archive.ReadOnce(buffer.AsSpan(0, (int)Math.Min(length, buffer.Length)), from);
            if (read == 0)
                throw new EndOfStreamException($"an archive ended {length} bytes early: it is damaged");
            take(buffer.AsSpan(0, read));
            (from, length) = (from + read, length - read);
        }
    }

    /// <summary>A part of the new archive: where it is in the earlier one, or among what changed.</summary>
    private readonly record struct Part(bool IsOld, long Start, long Length)
    {
        public long End => Start + Length;
    }

    private sealed class PartList
    {
        public List<Part> Parts { get; } = [];

        public long NewBytes { get; private set; }

        public void AddOld(long start, long end) => Add(new Part(IsOld: true, start, end - start));

        public void AddNew(long length)
        {
            Add(new Part(IsOld: false, NewBytes, length));
            NewBytes += length;
        }

        private void Add(Part part)
        {
            if (Parts.Count > 0 && Parts[^1] is var last && last.IsOld == part.IsOld && last.End == part.Start)
                Parts[^1] = last with { Length = last.Length + part.Length };
            else
                Parts.Add(part);
        }
    }

    /// <summary>Makes the compressed archive: frames that are the same are copied, the others made.</summary>
    private sealed class Compressor(LayerTrace trace, DirectoryStore store, SafeFileHandle earlier) : IAsyncDisposable
    {
        private readonly List<LayerFrame> _frames = [];
        private readonly Dictionary<long, int> _byStart = trace.Frames
            .Select((frame, i) => (frame.Start, i))
            .ToDictionary(f => f.Start, f => f.i);
        private BlobWriter? _blob;
        private ZstdEncoder? _encoder;

        // Where the encoder began, in the new archive and in the new blob.
        private long _encoderStart;
        private long _encoderAt;

        // The bytes of the new archive before the part.
        private long _position;

        public async Task AddAsync(Part part, ArchiveReader archive, bool isLast, CancellationToken cancellationToken)
        {
            long from = part.Start;
            while (from < part.End)
            {
                if (_encoder is null && part.IsOld)
                    from = await CopyFramesAsync(part, from, isLast, cancellationToken).ConfigureAwait(false);
                if (from < part.End)
                    from = await EncodeAsync(part, from, archive, cancellationToken).ConfigureAwait(false);
            }

            _position += part.Length;
        }

        public async Task<(Descriptor Blob, IReadOnlyList<LayerFrame> Frames, IReadOnlyList<HashCheckpoint> Checkpoints)> FinishAsync(
            CancellationToken cancellationToken)
        {
            await EndEncoderAsync().ConfigureAwait(false);
            long size = _blob!.Written;
            var checkpoints = _blob.Checkpoints;
            var digest = await _blob.CommitAsync(expected: null, cancellationToken).ConfigureAwait(false);
            return (trace.Blob with { Digest = digest, Size = size }, _frames, checkpoints);
        }

        public async ValueTask DisposeAsync()
        {
            _encoder?.Dispose();
            if (_blob is not null)
                await _blob.DisposeAsync().ConfigureAwait(false);
        }

        // From the start of a frame of the earlier archive as many frames as end in the part for the same reason; returns where they end.
        private async Task<long> CopyFramesAsync(Part part, long from, bool isLast, CancellationToken cancellationToken)
        {
            if (!_byStart.TryGetValue(from, out int first))
                return from;

            int end = first;
            while (end < trace.Frames.Count
                && EndOf(end) <= (EndOf(end) == trace.TarSize && isLast ? part.End : part.End - ZstdEncoder.Lookahead))
                end++;
            if (end == first)
                return from;

            long at = trace.Frames[first].At, to = end < trace.Frames.Count ? trace.Frames[end].At : trace.Blob.Size;
            long moved = (_blob?.Written ?? 0) - at;
            if (_blob is null && at == 0)
                _blob = store.BeginFrom(trace.Blob.Digest, to, trace.Compressed);
            else
                await CopyBlobAsync(at, to - at, cancellationToken).ConfigureAwait(false);
            _frames.AddRange(trace.Frames.Skip(first).Take(end - first)
                .Select(f => new LayerFrame(f.Start - part.Start + _position, f.At + moved)));
            return end < trace.Frames.Count ? trace.Frames[end].Start : trace.TarSize;
        }

        private long EndOf(int frame) => frame + 1 < trace.Frames.Count ? trace.Frames[frame + 1].Start : trace.TarSize;

        // Until the encoder comes to where a frame of the earlier archive begins.
        private async Task<long> EncodeAsync(Part part, long from, ArchiveReader archive, CancellationToken cancellationToken)
        {
            var encoder = _encoder ??= await NewEncoderAsync(part.IsOld ? from - part.Start + _position : _position,
                cancellationToken).ConfigureAwait(false);
            long partAt = _position, encoderStart = _encoderStart;
            long OldPlace(long cut) => encoderStart + cut - partAt + part.Start;
            encoder.StopsAt = part.IsOld ? cut => OldPlace(cut) is var place && place >= part.Start && _byStart.ContainsKey(place) : null;
            byte[] buffer = new byte[CopyBytes / 4];
            while (from < part.End && !encoder.IsStopped)
            {
                int read = archive.Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, part.End - from)), from);
                if (read == 0)
                    throw new EndOfStreamException($"an archive ended {part.End - from} bytes early: it is damaged");
                await encoder.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                from += read;
            }

            if (!encoder.IsStopped)
                return from;

            long stopped = OldPlace(encoder.Cut);
            await EndEncoderAsync().ConfigureAwait(false);
            return stopped;
        }

        private async Task<ZstdEncoder> NewEncoderAsync(long start, CancellationToken cancellationToken)
        {
            _blob ??= await store.BeginAsync(cancellationToken).ConfigureAwait(false);
            _encoderStart = start;
            _encoderAt = _blob.Written;
            return LayerCompression.NewZstandard(_blob);
        }

        private async Task EndEncoderAsync()
        {
            if (_encoder is null)
                return;

            await _encoder.DisposeAsync().ConfigureAwait(false);
            _frames.AddRange(_encoder.Frames.Select(f => new LayerFrame(f.Start + _encoderStart, f.At + _encoderAt)));
            _encoder = null;
        }

        private async Task CopyBlobAsync(long at, long length, CancellationToken cancellationToken)
        {
            _blob ??= await store.BeginAsync(cancellationToken).ConfigureAwait(false);
            byte[] buffer = new byte[CopyBytes];
            while (length > 0)
            {
                int read = UncachedFile.Read(earlier, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length)), at);
                if (read == 0)
                    throw new EndOfStreamException($"the blob '{trace.Blob.Digest}' ended {length} bytes early: it is damaged");
                await _blob.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                (at, length) = (at + read, length - read);
            }
        }
    }
}
