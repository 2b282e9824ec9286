using System.Globalization;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Tools;

namespace Ingot.Builds.Cache;

/// <summary>Something of the cache that is taken away as a whole.</summary>
/// <param name="Name">What it is called in the cache: mostly the hex digits of a digest.</param>
/// <param name="Kind">What it is, for people.</param>
internal sealed record CacheItem(string Name, string Kind)
{
    /// <summary>Its files and directories.</summary>
    public List<string> Paths { get; } = [];

    /// <summary>Its blobs in the store of images that no image needs.</summary>
    public List<string> Blobs { get; } = [];

    /// <summary>What it takes on the disk, in bytes.</summary>
    public long Bytes { get; set; }

    /// <summary>When it was last used or made.</summary>
    public DateTimeOffset LastUse { get; set; }

    /// <summary>A lock that is held by whoever uses it; null when uses are marked.</summary>
    public string? Lock { get; init; }
}

/// <summary>Everything in a cache, with its size and its last use.</summary>
/// <remarks>Files that are called after one digest belong together: the index, the facts, the snapshot and the blob of a layer. Snapshots
/// do not change, so each is measured once.</remarks>
internal sealed class CacheInventory
{
    /// <summary>The kind of blobs in the store of images that nothing names, and no layer of the cache owns.</summary>
    public const string Blobs = "blobs";

    private static readonly (string Directory, string Kind)[] s_parts =
    [
        ("steps", "steps"), ("layers", "layers"), ("archives", "layers"), ("snapshots", "snapshots"),
        (Path.Combine("store", "blobs", "sha256"), "downloads"), ("downloads", "downloads"),
        ("selections", "records"), ("last", "records"), ("stamps", "records"), ("copied", "records"), ("logs", "logs"),
        ("exports", "records"), ("unchanged", "records"),
    ];

    // Of several kinds the one that says most.
    private static readonly string[] s_order = ["layers", "snapshots", "downloads", "steps", "records", "logs"];

    private readonly string _cache;
    private readonly bool _keepSizes;
    private readonly Dictionary<string, CacheItem> _items = [];
    private readonly List<(CacheItem Item, string Path)> _unmeasured = [];

    private CacheInventory(string cache, bool keepSizes)
    {
        _cache = cache;
        _keepSizes = keepSizes;
    }

    /// <summary>Reads a cache.</summary>
    /// <param name="cache">Its directory.</param>
    /// <param name="store">Where images are.</param>
    /// <param name="live">The blobs there that images need; null when that is not known, and none may be taken.</param>
    /// <param name="keepSizes">Whether what was measured is remembered in the cache.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<IReadOnlyList<CacheItem>> ReadAsync(
        string cache, DirectoryStore store, IReadOnlySet<Digest>? live, bool keepSizes, CancellationToken cancellationToken)
    {
        var inventory = new CacheInventory(cache, keepSizes);
        foreach (var (directory, kind) in s_parts)
            inventory.AddPart(directory, kind);
        inventory.AddMounts();
        if (live is not null)
            await inventory.AddBlobsAsync(store, live, cancellationToken);
        await inventory.MeasureAsync(cancellationToken);
        return [.. inventory._items.Values];
    }

    /// <summary>When a thing was last used, as the disk says now; null when nothing of it is there.</summary>
    public static DateTimeOffset? LastUse(string cache, CacheItem item)
    {
        DateTimeOffset? last = null;
        var times = item.Paths.Concat(item.Blobs).Where(p => !IsSnapshot(cache, p)).Append(Path.Combine(CacheUse.MarksOf(cache), item.Name))
            .Append(item.Lock ?? "");
        foreach (var time in times.Where(p => p.Length > 0).Select(p => HostFiles.Times(p)?.Modified).OfType<DateTimeOffset>())
            last = last > time ? last : time;
        return last;
    }

    // The time of a snapshot is that of a directory in an image; when it was made its last change says, if nothing better is known.
    private static bool IsSnapshot(string cache, string path) =>
        path.StartsWith(Path.Combine(cache, "snapshots") + "/", StringComparison.Ordinal);

    private void AddPart(string directory, string kind)
    {
        string part = Path.Combine(_cache, directory);
        foreach (var path in Directory.Exists(part) ? Directory.EnumerateFileSystemEntries(part) : [])
            Add(NameOf(path), kind, path);
    }

    private CacheItem Add(string name, string kind, string path)
    {
        if (!_items.TryGetValue(name, out var item) || Array.IndexOf(s_order, kind) < Array.IndexOf(s_order, item.Kind))
        {
            var better = new CacheItem(name, kind);
            if (item is not null)
            {
                better.Paths.AddRange(item.Paths);
                better.Blobs.AddRange(item.Blobs);
                (better.Bytes, better.LastUse) = (item.Bytes, item.LastUse);
                for (int i = 0; i < _unmeasured.Count; i++)
                    _unmeasured[i] = ReferenceEquals(_unmeasured[i].Item, item) ? (better, _unmeasured[i].Path) : _unmeasured[i];
            }

            _items[name] = item = better;
        }

        if (HostFiles.DiskUsage(path) is not { } usage)
            return item;
        item.Paths.Add(path);
        var times = HostFiles.Times(path);
        var time = (!IsSnapshot(_cache, path) ? times?.Modified : item.LastUse == default ? times?.Changed : null) ?? default;
        item.LastUse =
            new[] { item.LastUse, time, HostFiles.Times(Path.Combine(CacheUse.MarksOf(_cache), name))?.Modified ?? default }.Max();
        if (usage.IsDirectory)
            AddDirectory(item, path);
        else
            item.Bytes += usage.Bytes;
        return item;
    }

    private void AddDirectory(CacheItem item, string path)
    {
        if (IsSnapshot(_cache, path) && KnownSize(path) is { } known)
            item.Bytes += known;
        else
            _unmeasured.Add((item, path));
    }

    private void AddMounts()
    {
        string mounts = Path.Combine(_cache, "mounts");
        foreach (var place in Directory.Exists(mounts)
            ? Directory.EnumerateDirectories(mounts).SelectMany(Directory.EnumerateDirectories)
            : [])
        {
            var item = new CacheItem(Path.GetRelativePath(mounts, place), "mounts") { Lock = place + ".lock" };
            item.Paths.Add(place);
            item.LastUse = HostFiles.Times(item.Lock)?.Modified ?? DateTimeOffset.MinValue;
            _items["mounts/" + item.Name] = item;
            _unmeasured.Add((item, place));
        }
    }

    // What no image needs: blobs of layers belong to these, everything else is for itself.
    private async Task AddBlobsAsync(DirectoryStore store, IReadOnlySet<Digest> live, CancellationToken cancellationToken)
    {
        var owners = Owners();
        await foreach (var digest in store.ListAsync(cancellationToken))
        {
            if (live.Contains(digest) || HostFiles.DiskUsage(store.PathOf(digest)) is not { } usage)
                continue;

            var item = owners.GetValueOrDefault(digest);
            if (item is null && !_items.TryGetValue(digest.Hex, out item))
                _items[digest.Hex] = item = new CacheItem(digest.Hex, Blobs);
            item.Blobs.Add(store.PathOf(digest));
            item.Bytes += usage.Bytes;
            var time = HostFiles.Times(store.PathOf(digest))?.Modified ?? DateTimeOffset.MinValue;
            item.LastUse = item.LastUse > time ? item.LastUse : time;
        }
    }

    private Dictionary<Digest, CacheItem> Owners()
    {
        var owners = new Dictionary<Digest, CacheItem>();
        foreach (var item in _items.Values)
        {
            foreach (var facts in item.Paths.Where(p => p.StartsWith(Path.Combine(_cache, "layers") + "/", StringComparison.Ordinal)
                && p.EndsWith(".json", StringComparison.Ordinal)))
            {
                foreach (var blob in LayerFacts.BlobsOf(facts))
                    owners[blob] = item;
            }
        }

        return owners;
    }

    private async Task MeasureAsync(CancellationToken cancellationToken)
    {
        if (_unmeasured.Count == 0)
            return;

        var command = new Command("du", "-s", "-x", "-l", "-0", "--block-size=1", "--files0-from=-")
        {
            Input = Encoding.UTF8.GetBytes(string.Concat(_unmeasured.Select(u => u.Path + "\0"))),
        };
        var answer = await CommandRunner.CaptureAsync(command, 64 << 20, cancellationToken);
        // What goes away meanwhile it complains of, and goes on.
        var sizes = new Dictionary<string, long>();
        foreach (var line in Encoding.UTF8.GetString(answer.Output).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            int tab = line.IndexOf('\t', StringComparison.Ordinal);
            if (tab > 0 && long.TryParse(line.AsSpan(0, tab), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
                sizes[line[(tab + 1)..]] = bytes;
        }

        if (_keepSizes)
            Directory.CreateDirectory(Path.Combine(_cache, "sizes"));
        foreach (var (item, path) in _unmeasured)
        {
            long bytes = sizes.GetValueOrDefault(path);
            item.Bytes += bytes;
            if (_keepSizes && IsSnapshot(_cache, path) && bytes > 0)
                AtomicFile.Write(SizeFile(path), Encoding.ASCII.GetBytes(bytes.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private long? KnownSize(string snapshot)
    {
        try
        {
            return long.TryParse(File.ReadAllText(SizeFile(snapshot)), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes)
                ? bytes
                : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private string SizeFile(string snapshot) => Path.Combine(_cache, "sizes", Path.GetFileName(snapshot));

    // The digits of the digest; the whole name of what is called otherwise.
    private static string NameOf(string path)
    {
        string name = Path.GetFileName(path);
        int end = name.IndexOf('.', StringComparison.Ordinal);
        return end == 64 ? name[..end] : name;
    }
}
