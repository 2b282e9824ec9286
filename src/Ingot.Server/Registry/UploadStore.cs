using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

/// <summary>Uploads under way: a file each, and what its bytes hash to so far. The files outlive the process;
/// the hash of one found again is computed again.</summary>
/// <remarks>Their number is bounded, for each user and in total; at a bound those that stand still make room. The owner is part of an
/// upload's id, so that a restart forgets nothing.</remarks>
internal sealed partial class UploadStore
{
    private const int RandomBytes = 12;
    private const int OwnerBytes = 4;

    private static readonly TimeSpan s_sweepInterval = TimeSpan.FromMinutes(10);
    // A client that lives sends something more often than that.
    private static readonly TimeSpan s_stalled = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromSeconds(30);

    private readonly string _directory;
    private readonly TimeSpan _timeout;
    private readonly int _max;
    private readonly int _maxOfUser;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Upload> _open = new(StringComparer.Ordinal);
    private readonly HashSet<string> _files = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private long _lastSweep;

    public UploadStore(RegistryOptions options)
    {
        _directory = options.Uploads;
        _timeout = options.UploadTimeout;
        (_max, _maxOfUser) = (options.MaxUploads, options.MaxUploadsOfUser);
        _time = options.Time;
        Directory.CreateDirectory(_directory);
        Sweep();
    }

    /// <summary>Begins an upload of a user to a repository, of what will probably be named by an algorithm,
    /// or refuses it when there are too many.</summary>
    public Upload Begin(string repository, string algorithm, string user)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _lastSweep)) > s_sweepInterval)
            Sweep();

        string owner = Hash(user, OwnerBytes);
        string id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes)) + owner;
        string path = PathOf(repository, id);
        Reserve(path, owner, user);
        try
        {
            File.Create(path).Dispose();
        }
        catch
        {
            Forget(path);
            throw;
        }

        return _open.GetOrAdd(path, new Upload(id, path, HashOf(algorithm)));
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
        Forget(upload.Path);
    }

    /// <summary>Throws away what has not grown for the timeout.</summary>
    public void Sweep()
    {
        Volatile.Write(ref _lastSweep, _time.GetTimestamp());
        Sweep(_timeout, owner: null);
        // Others may have taken files away, or left them from an earlier life.
        lock (_gate)
        {
            _files.RemoveWhere(path => !File.Exists(path));
            _files.UnionWith(Directory.EnumerateFiles(_directory));
        }
    }

    private void Sweep(TimeSpan timeout, string? owner)
    {
        var oldest = _time.GetUtcNow().UtcDateTime - timeout;
        foreach (string path in Directory.EnumerateFiles(_directory).Where(path => owner is null || OwnerOf(path) == owner))
        {
            if (File.GetLastWriteTimeUtc(path) >= oldest || (_open.TryGetValue(path, out var upload) && !upload.TryEnter()))
                continue;

            upload?.IsGone = true;
            _open.TryRemove(path, out _);
            File.Delete(path);
            Forget(path);
        }
    }

    private void Reserve(string path, string owner, string user)
    {
        if (TryReserve(path, owner))
            return;

        Sweep(s_stalled, owner);
        if (Count(owner) < _maxOfUser)
            Sweep(s_stalled, owner: null);
        if (!TryReserve(path, owner))
            throw TooMany(owner, user);
    }

    private bool TryReserve(string path, string owner)
    {
        lock (_gate)
            return _files.Count < _max && Count(owner) < _maxOfUser && _files.Add(path);
    }

    private int Count(string owner)
    {
        lock (_gate)
            return _files.Count(path => OwnerOf(path) == owner);
    }

    private void Forget(string path)
    {
        lock (_gate)
            _files.Remove(path);
    }

    private RegistryRefusal TooMany(string owner, string user)
    {
        string who = Count(owner) < _maxOfUser
            ? $"{_max} uploads are open, and there may be no more"
            : $"'{user}' has {_maxOfUser} uploads open, and may have no more";
        var refusal = new RegistryRefusal(429, ErrorCode.TooManyRequests,
            $"no upload was begun: {who}; finish or cancel some, or wait until idle ones are discarded");
        refusal.Headers["Retry-After"] = ((int)s_retryAfter.TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return refusal;
    }

    private static IncrementalHash HashOf(string algorithm) =>
        IncrementalHash.CreateHash(algorithm == Digest.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);

    // The repository is part of the file's name, so that an upload is only found where it was begun.
    private string PathOf(string repository, string id) => Path.Combine(_directory, $"{id}-{Hash(repository, 8)}");

    private static string OwnerOf(string path) =>
        Path.GetFileName(path) is { Length: > 2 * (RandomBytes + OwnerBytes) } name ? name.Substring(2 * RandomBytes, 2 * OwnerBytes) : "";

    private static string Hash(string text, int bytes) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, bytes));

    [GeneratedRegex(@"\A[0-9a-f]{32}\z")]
    private static partial Regex UploadId();
}
