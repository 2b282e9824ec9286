using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

/// <summary>Uploads under way: a file each, and what its bytes hash to so far. The files outlive the process; the hash of one found again is computed again.</summary>
internal sealed partial class UploadStore
{
    private static readonly TimeSpan s_sweepInterval = TimeSpan.FromMinutes(10);

    private readonly string _directory;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Upload> _open = new(StringComparer.Ordinal);
    private long _lastSweep;

    public UploadStore(string directory, TimeSpan timeout, TimeProvider time)
    {
        _directory = directory;
        _timeout = timeout;
        _time = time;
        Directory.CreateDirectory(directory);
        Sweep();
    }

    /// <summary>Begins an upload to a repository of what will probably be named by an algorithm.</summary>
    public Upload Begin(string repository, string algorithm)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _lastSweep)) > s_sweepInterval)
            Sweep();

        string id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        string path = PathOf(repository, id);
        File.Create(path).Dispose();
        return _open.GetOrAdd(path, new Upload(id, path, IncrementalHash.CreateHash(algorithm == Digest.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256)));
    }

    /// <summary>An upload to a repository; null when there is none of that id.</summary>
    public Upload? Find(string repository, string id)
    {
        if (!UploadId().IsMatch(id))
            return null;

        string path = PathOf(repository, id);
        if (_open.TryGetValue(path, out var upload))
            return upload;

        return File.Exists(path) ? _open.GetOrAdd(path, new Upload(id, path, hash: null)) : null;
    }

    /// <summary>Forgets an upload, and its file when that is still there.</summary>
    public void Discard(Upload upload)
    {
        _open.TryRemove(upload.Path, out _);
        upload.IsGone = true;
        File.Delete(upload.Path);
        upload.Dispose();
    }

    /// <summary>Throws away what has not grown for the timeout.</summary>
    public void Sweep()
    {
        Volatile.Write(ref _lastSweep, _time.GetTimestamp());
        var oldest = _time.GetUtcNow().UtcDateTime - _timeout;
        foreach (string path in Directory.EnumerateFiles(_directory))
        {
            if (File.GetLastWriteTimeUtc(path) < oldest && (!_open.TryGetValue(path, out var upload) || upload.TryEnter()))
            {
                upload?.IsGone = true;
                _open.TryRemove(path, out _);
                File.Delete(path);
            }
        }
    }

    // The repository is part of the file's name, so that an upload is only found where it was begun.
    private string PathOf(string repository, string id) =>
        Path.Combine(_directory, $"{id}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(repository)).AsSpan(0, 8))}");

    [GeneratedRegex(@"\A[0-9a-f]{32}\z")]
    private static partial Regex UploadId();
}

/// <summary>One upload. Only one request at a time may write to it.</summary>
internal sealed class Upload(string id, string path, IncrementalHash? hash) : IDisposable
{
    private const int BufferSize = 128 << 10;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private IncrementalHash? _hash = hash;

    public string Id => id;

    public string Path => path;

    /// <summary>The bytes received so far.</summary>
    public long Received { get; private set; } = new FileInfo(path).Length;

    /// <summary>Whether it was finished, cancelled or thrown away while somebody still held it.</summary>
    public bool IsGone { get; set; }

    /// <summary>Takes the right to write; false when another request has it.</summary>
    public bool TryEnter() => _gate.Wait(0);

    public void Leave() => _gate.Release();

    /// <summary>Appends everything of <paramref name="body"/>, hashing it on the way. What arrived before a failure is kept, and counted.</summary>
    public async Task AppendAsync(Stream body, CancellationToken cancellationToken)
    {
        var hasher = _hash ??= await HashFileAsync(default, cancellationToken);
        await using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Write, BufferSize = 0 });
        // Bytes of a write that failed half-way were not hashed.
        file.SetLength(Received);
        file.Position = Received;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            int filled;
            while ((filled = await body.ReadAtLeastAsync(buffer, BufferSize, throwOnEndOfStream: false, cancellationToken)) > 0)
            {
                await file.WriteAsync(buffer.AsMemory(0, filled), CancellationToken.None);
                hasher.AppendData(buffer, 0, filled);
                Received += filled;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The digest of all received bytes by the algorithm of <paramref name="expected"/>; they are on disk when this returns.</summary>
    public async Task<Digest> SealAsync(Digest expected, CancellationToken cancellationToken)
    {
        // A client need not say beforehand by which algorithm it will name what it sends.
        if (_hash?.HashLengthInBytes != expected.ToHash().Length)
        {
            _hash?.Dispose();
            _hash = await HashFileAsync(expected, cancellationToken);
        }

        var hasher = _hash;
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
        RandomAccess.FlushToDisk(file);
        return Digest.FromHash(hasher.GetCurrentHash());
    }

    public void Dispose() => _hash?.Dispose();

    private async Task<IncrementalHash> HashFileAsync(Digest like, CancellationToken cancellationToken)
    {
        var hasher = like.BeginHash();
        await using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, BufferSize = 0, Options = FileOptions.SequentialScan });
        var buffer = new byte[BufferSize];
        int read;
        while ((read = await file.ReadAsync(buffer, cancellationToken)) > 0)
            hasher.AppendData(buffer, 0, read);
        return hasher;
    }
}
