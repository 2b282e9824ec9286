using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Ingot.Oci.Content;

namespace Ingot.Builds.Files;

/// <summary>Digests of files of the host by their stamps, kept from build to build, so that only what changed is read.</summary>
/// <remarks>
/// A file's digest is believed while device, inode, size, time of modification and time of change are the same. The time of change is the
/// kernel's: no program can set it back, as it can the time of modification, so a file of equal size and time with other content is
/// noticed. A file that was changed so shortly before it was looked at that another change might get the same time is not kept; nor is
/// anything on a filesystem whose times another machine or a program decides (NFS, FUSE).
/// </remarks>
internal sealed class ContentDigests
{
    private const int RecordBytes = 72;
    private const int DigestAt = 40;
    private const int MaxRecords = 2_000_000;

    private static readonly byte[] s_mark = "ingot stamps 1\n\n"u8.ToArray();

    private readonly string _file;
    private readonly bool _isLocal;
    private readonly long _now;
    private readonly ConcurrentDictionary<FileStamp, Digest> _seen = new();
    private readonly Lazy<Dictionary<FileStamp, Digest>> _known;
    private bool _hasNew;

    /// <summary>Of a directory.</summary>
    /// <param name="kept">Where digests are kept.</param>
    /// <param name="directory">The directory, absolute.</param>
    /// <param name="isLocal">Whether the times of its files can be believed.</param>
    /// <param name="now">What the clock of filesystems said before any of its files was looked at.</param>
    public ContentDigests(string kept, string directory, bool isLocal, long now)
    {
        _file = Path.Combine(kept, Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(directory))) + ".stamps");
        _isLocal = isLocal;
        _now = now;
        _known = new(Read);
    }

    /// <summary>Where digests of files are kept in a cache.</summary>
    public static string PlaceIn(string cacheDirectory) => Path.Combine(cacheDirectory, "stamps");

    /// <summary>What the clock of filesystems says, by a file that is written to a directory for that.</summary>
    public static long Now(string directory)
    {
        string clock = Path.Combine(directory, "clock");
        File.WriteAllBytes(clock, [(byte)'.']);
        return HostFiles.StampOf(clock)?.Changed ?? 0;
    }

    /// <summary>The digest of a file that looks like this; null when nothing is known.</summary>
    public Digest? Find(FileStamp stamp)
    {
        if (_seen.TryGetValue(stamp, out var seen))
            return seen;
        if (!_isLocal || !_known.Value.TryGetValue(stamp, out var known))
            return null;

        _seen[stamp] = known;
        return known;
    }

    /// <summary>Remembers what a file held that looked like this before it was read.</summary>
    public void Add(FileStamp stamp, Digest content)
    {
        if (!_isLocal || !stamp.IsSettled(_now))
            return;

        _seen[stamp] = content;
        _hasNew = true;
    }

    /// <summary>Keeps what this build learned for the next one.</summary>
    /// <param name="isWhole">Whether the build met every file: stamps that it did not meet are then forgotten.</param>
    public void Save(bool isWhole)
    {
        if (!_hasNew)
            return;
        if (!isWhole)
        {
            foreach (var (stamp, digest) in _known.Value)
                _seen.TryAdd(stamp, digest);
        }

        byte[] bytes = new byte[s_mark.Length + (Math.Min(_seen.Count, MaxRecords) * RecordBytes)];
        s_mark.CopyTo(bytes, 0);
        int at = s_mark.Length;
        foreach (var (stamp, digest) in _seen.Take(MaxRecords))
        {
            MemoryMarshal.Write(bytes.AsSpan(at), stamp);
            digest.ToHash().CopyTo(bytes.AsSpan(at + DigestAt));
            at += RecordBytes;
        }

        AtomicFile.Write(_file, bytes);
    }

    private Dictionary<FileStamp, Digest> Read()
    {
        byte[] bytes = File.Exists(_file) ? File.ReadAllBytes(_file) : [];
        if (!bytes.AsSpan().StartsWith(s_mark) || (bytes.Length - s_mark.Length) % RecordBytes != 0)
            return [];

        var known = new Dictionary<FileStamp, Digest>((bytes.Length - s_mark.Length) / RecordBytes);
        for (var rest = (ReadOnlySpan<byte>)bytes.AsSpan(s_mark.Length); !rest.IsEmpty; rest = rest[RecordBytes..])
            known[MemoryMarshal.Read<FileStamp>(rest)] = Digest.FromHash(rest[DigestAt..RecordBytes]);
        return known;
    }
}
