using System.Collections.Concurrent;
using System.Security.Cryptography;
using Ingot.Builds.Files;
using Ingot.Oci.Content;

namespace Ingot.Builds.Cache;

/// <summary>One build's claim on what it uses of the cache: nothing that it marks is pruned as long as it lives.</summary>
/// <remarks>
/// A build is known by a file under <c>users</c> that it holds locked, and whose time is that of its begin. What it uses it marks before it
/// relies on it, by the time of an empty file under <c>used</c>: the things themselves must keep their times. Marking and taking away
/// exclude each other through one lock that is held for moments; so whatever is marked after a build began is either gone when the build
/// looks for it, or stays as long as the build. Losing marks loses only the order in which things are pruned.
/// </remarks>
internal sealed class CacheUse : IDisposable
{
    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly string _userFile;
    private readonly FileLock _user;
    private readonly ConcurrentDictionary<string, Lazy<Task>> _marked = new();
    private readonly ConcurrentDictionary<string, bool> _noted = new();

    private CacheUse(string directory, TimeProvider time, string userFile, FileLock user)
    {
        _directory = directory;
        _time = time;
        _userFile = userFile;
        _user = user;
    }

    /// <summary>Where builds that live are known.</summary>
    public static string UsersOf(string cache) => Path.Combine(cache, "users");

    /// <summary>Where uses are marked.</summary>
    public static string MarksOf(string cache) => Path.Combine(cache, "used");

    /// <summary>What is held shared while something is marked, and alone while things are taken away.</summary>
    public static string GateOf(string cache) => Path.Combine(cache, "gate.lock");

    /// <summary>Begins to use a cache.</summary>
    public static async Task<CacheUse> BeginAsync(string cache, TimeProvider time, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(UsersOf(cache));
        Directory.CreateDirectory(MarksOf(cache));
        string file = Path.Combine(UsersOf(cache), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
        // Who prunes must see a new build before the build sees anything.
        using var gate = await FileLock.TakeAsync(GateOf(cache), shared: true, time, waiting: null, cancellationToken);
        var user = FileLock.TryTake(file, shared: false)
            ?? throw new BuildCacheException($"could not lock '{file}', which nobody else should know");
        File.SetLastWriteTimeUtc(file, time.GetUtcNow().UtcDateTime);
        return new CacheUse(cache, time, file, user);
    }

    /// <summary>When the first of the builds began that still live; null when none does.
    /// What dead ones left is taken away if asked.</summary>
    /// <remarks>The caller holds the gate alone.</remarks>
    public static DateTimeOffset? OldestUser(string cache, bool sweep)
    {
        DateTimeOffset? oldest = null;
        foreach (var file in Directory.Exists(UsersOf(cache)) ? Directory.EnumerateFiles(UsersOf(cache)) : [])
        {
            if (FileLock.TryTake(file, shared: false) is { } dead)
            {
                if (sweep)
                    dead.Remove(file);
                dead.Dispose();
            }
            else if (HostFiles.Times(file)?.Modified is { } began && !(began > oldest))
                oldest = began;
        }

        return oldest;
    }

    /// <summary>Marks a thing of the cache as used, before it is looked for. When this returns the mark is there, whoever of several made
    /// it.</summary>
    public async ValueTask MarkAsync(string name, CancellationToken cancellationToken)
    {
        var mark = _marked.GetOrAdd(name, _ => new(() => MarkInGateAsync(name)));
        try
        {
            await mark.Value.WaitAsync(cancellationToken);
        }
        catch when (mark.Value.IsFaulted)
        {
            // The next one tries again.
            _marked.TryRemove(KeyValuePair.Create(name, mark));
            throw;
        }
    }

    // Whoever gives up waiting for it leaves it to the others that wait.
    private async Task MarkInGateAsync(string name)
    {
        string file = GateOf(_directory);
        using var gate = await FileLock.TakeAsync(file, shared: true, _time, waiting: null, CancellationToken.None);
        Mark(name);
    }

    /// <summary>As the other, for what is called after a digest.</summary>
    public ValueTask MarkAsync(Digest digest, CancellationToken cancellationToken) => MarkAsync(digest.Hex, cancellationToken);

    /// <summary>Says that a thing was used of which nothing is needed any more.</summary>
    public void Note(string name)
    {
        if (_noted.TryAdd(name, true))
            Mark(name);
    }

    /// <summary>Ends the claim.</summary>
    public void Dispose() => _user.Remove(_userFile);

    private void Mark(string name)
    {
        string path = Path.Combine(MarksOf(_directory), name);
        if (!File.Exists(path))
            File.WriteAllBytes(path, []);
        File.SetLastWriteTimeUtc(path, _time.GetUtcNow().UtcDateTime);
    }
}
