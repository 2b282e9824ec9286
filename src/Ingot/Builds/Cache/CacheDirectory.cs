using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Cache;

/// <summary>A directory that stays from build to build, held by a step of one of perhaps several builds. The kernel gives it up with the
/// process that holds it.</summary>
/// <remarks>
/// Each cache has places, numbered from 0, each with a lock beside it. Who shares takes the first place that nobody has alone; who wants
/// its own takes the first that nobody has; who waits, waits for place 0. So a cache is mostly one directory,
/// and more only while builds disagree.
/// </remarks>
internal sealed class CacheDirectory : IDisposable
{
    private readonly FileLock _lock;

    private CacheDirectory(string path, FileLock taken)
    {
        Path = path;
        _lock = taken;
    }

    /// <summary>The directory.</summary>
    public string Path { get; }

    /// <summary>Where the places of a cache are.</summary>
    /// <param name="root">Where all caches are.</param>
    /// <param name="id">What the template calls it.</param>
    /// <param name="initial">The digest of what it holds at first; null for nothing. Another begin is another cache.</param>
    public static string Of(string root, string id, Digest? initial) =>
        System.IO.Path.Combine(root, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{id}\n{initial}")))[..32]);

    /// <summary>Holds the first place of a cache to read it; null when it is not there, has nothing in it,
    /// or somebody has it alone.</summary>
    /// <param name="places">Of <see cref="Of"/>.</param>
    public static CacheDirectory? TryRead(string places)
    {
        string path = PlaceOf(places, 0);
        return Directory.Exists(path)
            && Directory.EnumerateFileSystemEntries(path).Any()
            && FileLock.TryTake(path + ".lock", shared: true) is { } taken
            ? new CacheDirectory(path, taken)
            : null;
    }

    /// <summary>Takes the first place away when there is nothing in it and nobody has it: then it is made anew.</summary>
    /// <param name="places">Of <see cref="Of"/>.</param>
    public static void RemoveEmpty(string places)
    {
        string path = PlaceOf(places, 0);
        if (!Directory.Exists(path)
            || Directory.EnumerateFileSystemEntries(path).Any()
            || FileLock.TryTake(path + ".lock", shared: false) is not { } alone)
            return;

        using (alone)
            Directory.Delete(path);
    }

    /// <summary>Takes a place, and makes the directory when it is new.</summary>
    /// <param name="places">Of <see cref="Of"/>.</param>
    /// <param name="sharing">What happens when others hold it.</param>
    /// <param name="make">Makes a directory, which is then moved to its place.</param>
    /// <param name="time">The clock.</param>
    /// <param name="waiting">Is called when there is somebody to wait for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<CacheDirectory> TakeAsync(
        string places, CacheSharing sharing, Func<Task<string>> make, TimeProvider time, Action waiting,
        CancellationToken cancellationToken)
    {
        HostFiles.MakeDirectory(places, 0b111_000_000);
        var (path, taken) = sharing == CacheSharing.Locked
            ? (PlaceOf(places, 0), await FileLock.TakeAsync(PlaceOf(places, 0) + ".lock", shared: false, time, waiting, cancellationToken))
            : FirstFree(places, sharing == CacheSharing.Shared);
        try
        {
            // Who prunes goes by it: the times of what is in the directory are the step's.
            File.SetLastWriteTimeUtc(path + ".lock", time.GetUtcNow().UtcDateTime);
            if (!Directory.Exists(path))
                MoveUnlessThere(await make(), path);
            return new CacheDirectory(path, taken);
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    public void Dispose() => _lock.Dispose();

    private static (string Path, FileLock Taken) FirstFree(string places, bool shared)
    {
        for (int place = 0; ; place++)
        {
            if (FileLock.TryTake(PlaceOf(places, place) + ".lock", shared) is { } taken)
                return (PlaceOf(places, place), taken);
        }
    }

    private static string PlaceOf(string places, int number) =>
        System.IO.Path.Combine(places, number.ToString(CultureInfo.InvariantCulture));

    private static void MoveUnlessThere(string made, string path)
    {
        try
        {
            Directory.Move(made, path);
        }
        catch (IOException) when (Directory.Exists(path))
        {
            // Another that shares it was first.
        }
    }
}
