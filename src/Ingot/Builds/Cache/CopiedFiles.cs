using System.Security.Cryptography;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Cache;

/// <summary>What copies selected, kept in the cache under its digest, so that a later build can name the files that changed. Nothing
/// depends on it: it may be missing.</summary>
internal sealed class CopiedFiles
{
    /// <summary>Of larger copies nothing is kept.</summary>
    public const int MaxFiles = 100_000;

    // The digit is the version of the form.
    private static readonly byte[] s_mark = "ingot copied files 1\n"u8.ToArray();

    private readonly string _directory;

    /// <summary>Keeps in the cache at <paramref name="cache"/>.</summary>
    public CopiedFiles(string cache) => _directory = Path.Combine(cache, "copied");

    /// <summary>Keeps what a copy selected, and returns the digest to find it by; null when it is nothing, or too much.</summary>
    /// <param name="selection">The files.</param>
    /// <param name="read">The contents of files that had not been read when they were selected.</param>
    public Digest? Keep(SourceSelection selection, IReadOnlyDictionary<FileOrigin, Digest>? read = null)
    {
        var files = selection.Sources.SelectMany(s => s.Files).Where(f => !f.IsOnTheWay).Take(MaxFiles + 1).ToList();
        if (files.Count is 0 or > MaxFiles)
            return null;

        byte[] bytes = Write(files, read);
        var digest = Digest.Of(bytes);
        Directory.CreateDirectory(_directory);
        if (!File.Exists(PathOf(digest)))
            AtomicFile.Write(PathOf(digest), bytes);
        return digest;
    }

    /// <summary>What of each path can matter to a result; null when it is not there any more, or is not what was kept.</summary>
    public IReadOnlyDictionary<string, string>? Find(Digest digest)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(PathOf(digest));
            return Digest.Of(bytes) == digest ? Read(bytes) : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or EndOfStreamException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The files that two selections do not share, in the order of their paths.</summary>
    public static IReadOnlyList<InputChange> Compare(IReadOnlyDictionary<string, string> before, IReadOnlyDictionary<string, string> after)
    {
        var paths = before.Keys.Union(after.Keys).Order(StringComparer.Ordinal);
        return
        [
            .. paths.Where(path => before.GetValueOrDefault(path) != after.GetValueOrDefault(path))
                .Select(path =>
                    new InputChange("file", path.Length == 0 ? "." : path, before.GetValueOrDefault(path), after.GetValueOrDefault(path))),
        ];
    }

    // What a file is beside its content, in words: its kind or target first, then what is not as usual.
    private static string Describe(SelectedFile file, bool hasContent)
    {
        var entry = file.Entry;
        var words = new List<string>
        {
            hasContent ? ""
                : entry.Type == TarEntryType.SymbolicLink ? $"link to '{entry.LinkTarget}'"
                : entry.Type.ToString().ToLowerInvariant(),
            "mode " + Convert.ToString(entry.Mode, 8).PadLeft(4, '0'),
        };
        if ((entry.UserId, entry.GroupId) != (0, 0))
            words.Add($"owner {entry.UserId}:{entry.GroupId}");
        if (entry.Type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
            words.Add($"device {entry.DeviceMajor}:{entry.DeviceMinor}");
        words.Add($"time {entry.ModifiedTime.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'}");
        if (file.Links is { } links)
            words.Add($"same file as '{links}'");
        if (entry.ExtendedAttributes is { Count: > 0 } attributes)
            words.Add("attributes " + Convert.ToHexStringLower(
                SHA256.HashData([.. attributes.SelectMany(a => (byte[])[.. Encoding.UTF8.GetBytes(a.Key), 0, .. a.Value, 0])]))[..12]);
        return string.Join(", ", words);
    }

    // In the order of the selection. A path is what it shares with the one before, and the rest; a digest is its bytes; other words stand
    // in a table, because they are few.
    private static byte[] Write(IReadOnlyList<SelectedFile> files, IReadOnlyDictionary<FileOrigin, Digest>? read)
    {
        using var bytes = new MemoryStream(files.Count * 64);
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(s_mark);
        writer.Write7BitEncodedInt(files.Count);
        var table = new WordTable();
        string previous = "";
        foreach (var file in files)
        {
            string path = file.Origin.Path;
            WritePath(writer, path, previous);
            previous = path;

            var content = file.Content ?? (read is not null && read.TryGetValue(file.Origin, out var found) ? found : null);
            writer.Write(content is not null);
            if (content is { } digest)
                writer.Write(digest.ToHash());
            int count = table.Count;
            int index = table.IndexOf(file, content is not null, out string words);
            writer.Write7BitEncodedInt(index);
            if (index == count)
                WriteText(writer, words);
        }

        writer.Flush();
        return bytes.ToArray();
    }

    private static void WritePath(BinaryWriter writer, string path, string previous)
    {
        int shared = path.AsSpan().CommonPrefixLength(previous);
        if (shared > 0 && char.IsHighSurrogate(path[shared - 1]))
            shared--;
        writer.Write7BitEncodedInt(shared);
        WriteText(writer, path[shared..]);
    }

    private static Dictionary<string, string> Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        if (!reader.ReadBytes(s_mark.Length).AsSpan().SequenceEqual(s_mark))
            throw new FormatException("the bytes are not files that were copied");

        var files = new Dictionary<string, string>();
        var table = new List<string>();
        string previous = "";
        for (int left = reader.Read7BitEncodedInt(); left > 0; left--)
        {
            int shared = reader.Read7BitEncodedInt();
            if (shared > previous.Length)
                throw new FormatException("a path shares more with the one before than that has");
            string path = previous[..shared] + ReadText(reader);
            string digest = reader.ReadBoolean() ? Digest.FromHash(reader.ReadBytes(SHA256.HashSizeInBytes)).ToString() : "";
            int index = reader.Read7BitEncodedInt();
            if (index == table.Count)
                table.Add(ReadText(reader));
            files.TryAdd(path, digest + table[index]);
            previous = path;
        }

        return files;
    }

    // Names that are no text keep their bytes.
    private static void WriteText(BinaryWriter writer, string text)
    {
        byte[] bytes = TarPath.Encode(text);
        writer.Write7BitEncodedInt(bytes.Length);
        writer.Write(bytes);
    }

    private static string ReadText(BinaryReader reader) => TarPath.Decode(reader.ReadBytes(reader.Read7BitEncodedInt()));

    private string PathOf(Digest digest) => Path.Combine(_directory, digest.Hex);

    /// <summary>Words by number. Most files of a copy have the same, which are then put together once.</summary>
    private sealed class WordTable
    {
        private readonly Dictionary<string, int> _numbers = [];
        private readonly Dictionary<(TarEntryType, int, long, long, DateTimeOffset, bool), int> _ordinary = [];

        public int Count => _numbers.Count;

        public int IndexOf(SelectedFile file, bool hasContent, out string words)
        {
            words = "";
            var entry = file.Entry;
            bool isOrdinary = file.Links is null
                && entry is { Type: TarEntryType.File or TarEntryType.Directory, ExtendedAttributes: null or { Count: 0 } };
            var key = (entry.Type, entry.Mode, entry.UserId, entry.GroupId, entry.ModifiedTime, hasContent);
            if (isOrdinary && _ordinary.TryGetValue(key, out int known))
                return known;

            words = Describe(file, hasContent);
            if (!_numbers.TryGetValue(words, out int number))
                _numbers[words] = number = _numbers.Count;
            if (isOrdinary)
                _ordinary[key] = number;
            return number;
        }
    }
}
