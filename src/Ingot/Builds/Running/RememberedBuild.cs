using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Oci.Content;

namespace Ingot.Builds.Running;

/// <summary>A build with everything that it depended on, so that the same one is known to have the same result while nothing of that
/// changed: it need not be planned then, nor its steps be looked up.</summary>
/// <remarks>What is believed of files is what <see cref="ContentDigests"/> believes. It holds for an hour: what a build used is marked as
/// used by building, so that it is not pruned.</remarks>
public sealed record RememberedBuild
{
    private const string Part = "unchanged";
    private const int Form = 2;

    private static readonly TimeSpan s_validity = TimeSpan.FromHours(1);

    /// <summary>What it said.</summary>
    public IReadOnlyList<string> Said { get; init; } = [];

    /// <summary>Files that it read, or would have read had they been there; absolute.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Files that programs only ever replace as a whole, so that they may be younger than the build's beginning.</summary>
    public IReadOnlyList<string> Replaced { get; init; } = [];

    /// <summary>Files and directories that must be there, whatever is in them: blobs bear the name of their content.</summary>
    public IReadOnlyList<string> Needed { get; init; } = [];

    /// <summary>What its contexts looked like.</summary>
    public IReadOnlyList<ContextLook> Looks { get; init; } = [];

    /// <summary>What the clock of filesystems says. To be asked before anything is read that <see cref="Keep"/> is told of. 0 where nothing
    /// was built yet, and then nothing is remembered.</summary>
    public static long Now(string cacheDirectory)
    {
        try
        {
            return ContentDigests.Now(ContentDigests.PlaceIn(cacheDirectory));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>What the build under <paramref name="key"/> said, when nothing changed since; null when something did, or there was none. A
    /// remembered build that cannot be read is none.</summary>
    public static IReadOnlyList<string>? Find(string cacheDirectory, Digest key, TimeProvider time)
    {
        try
        {
            string file = FileOf(cacheDirectory, key);
            if (!File.Exists(file))
                return null;

            using var reader = new BinaryReader(new MemoryStream(File.ReadAllBytes(file), writable: false));
            // What was not on the disk when the machine stopped may be there in name only.
            if (reader.ReadInt32() != Form || reader.ReadString() != CacheDurability.Boot)
                return null;
            if (!IsValid(time.GetUtcNow().UtcTicks - reader.ReadInt64()))
                return null;
            for (int left = reader.ReadInt32(); left > 0; left--)
            {
                if (HostFiles.StampOf(reader.ReadString()) != ReadStamp(reader))
                    return null;
            }

            return ReadStrings(reader).TrueForAll(Path.Exists) && LooksAreStill(reader, cacheDirectory) ? ReadStrings(reader) : null;
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or FormatException or ArgumentException or OverflowException)
        {
            return null;
        }
    }

    /// <summary>Remembers the build under <paramref name="key"/>, unless some file changed too lately to say whether the build read it
    /// before or after, or the cache cannot be written.</summary>
    /// <param name="cacheDirectory">The cache.</param>
    /// <param name="key">Everything that decided about the build beside files: what was asked for, where, by which program.</param>
    /// <param name="time">The clock.</param>
    /// <param name="began">What <see cref="Now"/> said before the build read anything.</param>
    public void Keep(string cacheDirectory, Digest key, TimeProvider time, long began)
    {
        try
        {
            if (Write(time, began) is not { } bytes)
                return;
            Directory.CreateDirectory(Path.Combine(cacheDirectory, Part));
            AtomicFile.Write(FileOf(cacheDirectory, key), bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The build was done: that the next one takes longer is no reason to say that it failed.
        }
    }

    private byte[]? Write(TimeProvider time, long began)
    {
        var stamps = Files.Concat(Replaced).Select(path => (Path: path, Stamp: HostFiles.StampOf(path))).ToList();
        if (stamps.Take(Files.Count).Any(s => s.Stamp is { } stamp && !stamp.IsSettled(began))
            || !Files.Select(Path.GetDirectoryName).Distinct().All(IsLocal))
            return null;

        using var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes))
        {
            writer.Write(Form);
            writer.Write(CacheDurability.Boot);
            writer.Write(time.GetUtcNow().UtcTicks);
            writer.Write(stamps.Count);
            foreach (var (path, stamp) in stamps)
            {
                writer.Write(path);
                Write(writer, stamp);
            }

            Write(writer, Needed);
            writer.Write(Looks.Count);
            foreach (var look in Looks)
            {
                writer.Write(look.Directory);
                writer.Write(look.IgnoreFile ?? "");
                Write(writer, look.Patterns);
                writer.Write(look.Stamp.ToString());
            }

            Write(writer, Said);
        }

        return bytes.ToArray();
    }

    private static bool IsValid(long age) => age >= 0 && age <= s_validity.Ticks;

    private static bool IsLocal(string? directory)
    {
        using var files = new HostFiles(directory!);
        return files.IsLocal();
    }

    private static bool LooksAreStill(BinaryReader reader, string cacheDirectory)
    {
        for (int left = reader.ReadInt32(); left > 0; left--)
        {
            string directory = reader.ReadString(), ignore = reader.ReadString();
            var look = new ContextLook(directory, ignore.Length == 0 ? null : ignore, ReadStrings(reader),
                Digest.Parse(reader.ReadString()));
            if (!look.IsStill(cacheDirectory))
                return false;
        }

        return true;
    }

    private static void Write(BinaryWriter writer, IReadOnlyList<string> texts)
    {
        writer.Write(texts.Count);
        foreach (string text in texts)
            writer.Write(text);
    }

    private static List<string> ReadStrings(BinaryReader reader)
    {
        var texts = new List<string>();
        for (int left = reader.ReadInt32(); left > 0; left--)
            texts.Add(reader.ReadString());
        return texts;
    }

    private static void Write(BinaryWriter writer, FileStamp? stamp)
    {
        writer.Write(stamp is not null);
        if (stamp is not { } there)
            return;
        writer.Write(there.Device);
        writer.Write(there.Inode);
        writer.Write(there.Size);
        writer.Write(there.Modified);
        writer.Write(there.Changed);
    }

    private static FileStamp? ReadStamp(BinaryReader reader) =>
        reader.ReadBoolean()
            ? new FileStamp(reader.ReadUInt64(), reader.ReadUInt64(), reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt64())
            : null;

    private static string FileOf(string cacheDirectory, Digest key) => Path.Combine(cacheDirectory, Part, key.Hex);
}
