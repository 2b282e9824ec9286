using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Oci.Content;

/// <summary>Blobs in an OCI image layout's directory: <c>blobs/sha256/HEX</c>, and <c>blobs/sha512/HEX</c> for what others name so
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md">image layout</see>).</summary>
/// <remarks>A blob is written under <c>tmp/</c>, synced, and renamed, so that a killed writer leaves only a file in <c>tmp/</c>. Several
/// processes may share one directory.</remarks>
public sealed class DirectoryStore : IContentStore
{
    private const string AsidePrefix = "aside-";

    // Writing a time costs more than reading it. Far below what collectors leave alone.
    private static readonly TimeSpan s_fresh = TimeSpan.FromMinutes(10);

    private readonly string _blobs;
    private readonly string _others;
    private readonly string _temporary;

    /// <summary>Opens or makes the store in <paramref name="directory"/>.</summary>
    public DirectoryStore(string directory)
    {
        Root = Path.GetFullPath(directory);
        _blobs = Path.Combine(Root, "blobs", Digest.Sha256);
        _others = Path.Combine(Root, "blobs", Digest.Sha512);
        _temporary = Path.Combine(Root, "tmp");
        Directory.CreateDirectory(_blobs);
        Directory.CreateDirectory(_temporary);
        var marker = Path.Combine(Root, "oci-layout");
        if (!File.Exists(marker))
            File.WriteAllBytes(marker, """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray());
    }

    /// <summary>The directory of the layout.</summary>
    public string Root { get; }

    /// <summary>Refuses to begin a blob of so many bytes when they have no room.</summary>
    /// <exception cref="DiskException">They have none.</exception>
    public void RequireSpace(Digest digest, long bytes) => DiskException.Require(Root, bytes, $"'{digest}' of {bytes} bytes");

    /// <summary>Where the blob's file is, or would be.</summary>
    public string PathOf(Digest digest) => Path.Combine(digest.IsSha512 ? _others : _blobs, digest.Hex);

    /// <inheritdoc/>
    public ValueTask<long?> SizeAsync(Digest digest, CancellationToken cancellationToken = default)
    {
        var file = new FileInfo(PathOf(digest));
        return new(file.Exists ? file.Length : null);
    }

    /// <inheritdoc/>
    public ValueTask<Stream?> OpenAsync(Digest digest, CancellationToken cancellationToken = default)
    {
        try
        {
            return new(new FileStream(PathOf(digest), new FileStreamOptions
            {
                Mode = FileMode.Open,
                Access = FileAccess.Read,
                Share = FileShare.Read | FileShare.Delete,
                BufferSize = 128 << 10,
                Options = FileOptions.SequentialScan,
            }));
        }
        catch (Exception e) when (IsMissing(digest, e))
        {
            return new((Stream?)null);
        }
    }

    /// <inheritdoc/>
    public ValueTask<BlobWriter> BeginAsync(CancellationToken cancellationToken = default)
    {
        return new(new FileBlobWriter(this, NewPath(), new ResumableSha256()));
    }

    /// <summary>Begins a blob that starts as another one does. Those bytes are not read again, beyond what lies after the last checkpoint:
    /// a blob that was damaged on disk passes its damage on, and reading either then fails.</summary>
    /// <param name="blob">A blob of this store.</param>
    /// <param name="length">How many of its bytes.</param>
    /// <param name="checkpoints">How far its hash came while it was written.</param>
    public BlobWriter BeginFrom(Digest blob, long length, IReadOnlyList<HashCheckpoint> checkpoints)
    {
        var last = ResumableSha256.Before(checkpoints, length);
        using var source = File.OpenHandle(PathOf(blob), share: FileShare.Read | FileShare.Delete);
        var writer = new FileBlobWriter(this, NewPath(), new ResumableSha256(checkpoints, last));
        try
        {
            writer.Begin(source, last.Length, length);
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    private string NewPath() => Path.Combine(_temporary, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));

    /// <summary>Takes over a finished file as the blob <paramref name="digest"/>, by renaming it. The caller has hashed every byte and
    /// synced the file, which must be on the store's file system.</summary>
    public void Adopt(string file, Digest digest)
    {
        Rename(file, digest);
        SyncNames();
    }

    /// <summary>Removes what killed writers left: unfinished blobs that nobody has written to since <paramref name="olderThan"/>. What a
    /// killed collector had laid aside is put back.</summary>
    public void RemoveAbandoned(DateTimeOffset olderThan)
    {
        foreach (string path in Directory.EnumerateFiles(_temporary))
        {
            if (Path.GetFileName(path) is var name && name.StartsWith(AsidePrefix, StringComparison.Ordinal))
                PutBack(path, Digest.FromHash(Convert.FromHexString(name[AsidePrefix.Length..])));
            else if (File.GetLastWriteTimeUtc(path) < olderThan.UtcDateTime)
                File.Delete(path);
        }
    }

    /// <summary>Removes a blob that nobody has written or asked for after <paramref name="lastUse"/> (<see cref="KeepAlive"/>); false when
    /// somebody did, or when it is not there.</summary>
    /// <remarks>It is laid aside before it is looked at: whoever asks for it in this moment either was early enough to be seen,
    /// or does not find it.</remarks>
    public bool RemoveUnused(Digest digest, DateTimeOffset lastUse)
    {
        string path = PathOf(digest);
        string aside = Path.Combine(_temporary, AsidePrefix + digest.Hex);
        try
        {
            File.Move(path, aside, overwrite: true);
        }
        catch (Exception e) when (IsMissing(digest, e))
        {
            return false;
        }

        if (File.GetLastWriteTimeUtc(aside) <= lastUse.UtcDateTime)
        {
            File.Delete(aside);
            return true;
        }

        PutBack(aside, digest);
        return false;
    }

    private void PutBack(string aside, Digest digest)
    {
        try
        {
            Rename(aside, digest);
        }
        catch (FileNotFoundException)
        {
            // Another collector did.
        }
    }

    /// <summary>Says that a blob was needed at <paramref name="now"/>: who collects garbage keeps what is young.
    /// Nothing happens when it is not there.</summary>
    public void KeepAlive(Digest digest, DateTimeOffset now)
    {
        try
        {
            File.SetLastWriteTimeUtc(PathOf(digest), now.UtcDateTime);
        }
        catch (Exception e) when (IsMissing(digest, e))
        {
        }
    }

    /// <summary>The size of a blob that somebody is about to rely on, which is noted as in <see cref="KeepAlive"/> unless that was done
    /// within the last minutes; null when it is not there.</summary>
    public long? Ask(Digest digest, DateTimeOffset now)
    {
        var file = new FileInfo(PathOf(digest));
        if (file.Exists && now.UtcDateTime - file.LastWriteTimeUtc > s_fresh)
        {
            KeepAlive(digest, now);
            // It may have been collected before it was noted.
            file.Refresh();
        }

        return file.Exists ? file.Length : null;
    }

    /// <summary>Makes the names of all blobs durable: without it a power cut may forget the renames of the last seconds,
    /// though not the bytes.</summary>
    public void SyncNames()
    {
        LinuxDirectory.Sync(_blobs);
        if (Directory.Exists(_others))
            LinuxDirectory.Sync(_others);
    }

    // The directory of the other algorithm is made with its first blob: nearly no store has one.
    private void Rename(string file, Digest digest)
    {
        if (digest.IsSha512)
            Directory.CreateDirectory(_others);
        File.Move(file, PathOf(digest), overwrite: true);
    }

    private static bool IsMissing(Digest digest, Exception e) =>
        e is FileNotFoundException || (e is DirectoryNotFoundException && digest.IsSha512);

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(Digest digest, CancellationToken cancellationToken = default)
    {
        var path = PathOf(digest);
        if (!File.Exists(path))
            return new(false);

        File.Delete(path);
        return new(true);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Digest> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var file in Directory.EnumerateFiles(_blobs).Concat(Directory.Exists(_others) ? Directory.EnumerateFiles(_others) : []))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Digest.TryParse($"{Path.GetFileName(Path.GetDirectoryName(file))}:{Path.GetFileName(file)}", out var digest))
                yield return digest;
        }

        await Task.CompletedTask.ConfigureAwait(false);
    }

    private sealed class FileBlobWriter : BlobWriter
    {
        private readonly DirectoryStore _store;
        private readonly string _path;
        private readonly UncachedFile _file;
        private readonly ResumableSha256 _hash;
        private long _written;
        private bool _committed;

        public FileBlobWriter(DirectoryStore store, string path, ResumableSha256 hash)
        {
            _store = store;
            _path = path;
            _hash = hash;
            _file = new UncachedFile(path);
        }

        public override long Written => _written;

        public override IReadOnlyList<HashCheckpoint> Checkpoints => _hash.Checkpoints;

        /// <summary>Takes the first bytes of another file, of which so many are hashed.</summary>
        public void Begin(SafeFileHandle source, long hashed, long length)
        {
            byte[] rest = new byte[length - hashed];
            for (int read = 0, more; read < rest.Length; read += more)
            {
                more = RandomAccess.Read(source, rest.AsSpan(read), hashed + read);
                if (more == 0)
                    throw new EndOfStreamException($"a blob of {hashed + read} bytes should have {length} at least: it is damaged");
            }

            _hash.Append(rest);
            _file.Append(source, 0, length);
            _written = length;
        }

        public override void Flush() => _file.Flush();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _hash.Append(buffer);
            _file.Write(buffer);
            _written += buffer.Length;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Write(buffer.Span);
            return ValueTask.CompletedTask;
        }

        public override ValueTask<Digest> CommitAsync(Digest? expected = null, CancellationToken cancellationToken = default)
        {
            var digest = _hash.Finish();
            if (expected is { IsSha512: true } other)
                digest = ReadAgain(other);
            if (expected is { } wanted && wanted != digest)
                throw new ContentMismatchException($"expected '{wanted}' and received {_written} bytes of '{digest}'");

            _file.Flush();
            // The data must be on disk before the name is: a blob that is listed is complete.
            FlushToDisk();
            _file.Dispose();
            _store.Rename(_path, digest);
            _committed = true;
            LinuxDirectory.Sync(Path.GetDirectoryName(_store.PathOf(digest))!);
            return new(digest);
        }

        // Some file systems find room only now.
        private void FlushToDisk()
        {
            try
            {
                RandomAccess.FlushToDisk(_file.Handle);
            }
            catch (Exception e) when (DiskException.Of(_path, _written, e) is { } disk)
            {
                throw disk;
            }
        }

        // Only the writer's caller knows the algorithm, and only at the end; it is nearly always the usual one.
        private Digest ReadAgain(Digest like)
        {
            _file.Flush();
            using var file = File.OpenRead(_path);
            using var hash = like.BeginHash();
            var buffer = new byte[128 << 10];
            int read;
            while ((read = file.Read(buffer)) > 0)
                hash.AppendData(buffer, 0, read);
            return Digest.FromHash(hash.GetHashAndReset());
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _file.Dispose();
                _hash.Dispose();
                if (!_committed)
                    File.Delete(_path);
            }

            base.Dispose(disposing);
        }
    }
}
