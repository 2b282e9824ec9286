using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>What is in a layer: its files in the order of <see cref="TarPath.Compare"/>, and what it hides of lower layers.</summary>
public sealed class LayerIndex
{
    // Digits are the version of the form.
    private static readonly byte[] s_mark = "ingot layer index 1\n"u8.ToArray();

    /// <summary>The index of a layer of these files and whiteout entries, in any order; each path once.</summary>
    public LayerIndex(IEnumerable<FileRecord> files, IEnumerable<string> whiteouts)
    {
        Files = Sorted([.. files], static file => file.Path);
        Whiteouts = Sorted([.. whiteouts], static path => path);
    }

    private static readonly Comparer<string> s_order = Comparer<string>.Create(TarPath.Compare);

    /// <summary>The files, each path once, without whiteouts.</summary>
    public IReadOnlyList<FileRecord> Files { get; }

    /// <summary>The paths of the whiteout entries; <see cref="Whiteout.Hidden"/> says what each hides.</summary>
    public IReadOnlyList<string> Whiteouts { get; }

    /// <summary>The file at <paramref name="path"/>; null when the layer has none.</summary>
    public FileRecord? Find(string path)
    {
        int low = 0, high = Files.Count - 1;
        while (low <= high)
        {
            int middle = low + ((high - low) / 2);
            int order = TarPath.Compare(Files[middle].Path, path);
            if (order == 0)
                return Files[middle];
            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return null;
    }

    /// <summary>The directories that the layer has something in and does not describe, each after its parent;
    /// the root is none of them.</summary>
    public IReadOnlyList<string> ImpliedDirectories()
    {
        var known = Files.Where(f => f.Type == TarEntryType.Directory).Select(f => f.Path).Append("").ToHashSet();
        var implied = new SortedSet<string>(s_order);
        foreach (string path in Files.Select(f => f.Path).Concat(Whiteouts))
        {
            for (string parent = TarPath.Parent(path); known.Add(parent); parent = TarPath.Parent(parent))
                implied.Add(parent);
        }

        return [.. implied];
    }

    /// <summary>The index with more directories.</summary>
    public LayerIndex With(IEnumerable<TarEntry> directories) =>
        new(Files.Concat(directories.Select(d => new FileRecord(d, Digest: null, Size: 0, Offset: 0))), Whiteouts);

    /// <summary>The index as bytes: compact, and equal for equal indexes.</summary>
    public byte[] Write()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(s_mark);
        writer.Write7BitEncodedInt(Files.Count);
        byte[] previous = [];
        foreach (var file in Files)
        {
            byte[] path = TarPath.Encode(file.Path);
            WriteFile(writer, file, path, previous);
            previous = path;
        }

        writer.Write7BitEncodedInt(Whiteouts.Count);
        foreach (string whiteout in Whiteouts)
            WriteBytes(writer, TarPath.Encode(whiteout));
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Reads what <see cref="Write"/> wrote, or throws <see cref="FormatException"/>.</summary>
    public static LayerIndex Read(byte[] bytes)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes, writable: false), Encoding.UTF8);
            return Read(reader);
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException or OverflowException)
        {
            throw new FormatException($"the bytes are not an index of a layer: {IngotException.ReasonOf(e)}", e);
        }
    }

    // An index is read more often than made, and was written in order.
    private static T[] Sorted<T>(T[] values, Func<T, string> path)
    {
        for (int i = 1; i < values.Length; i++)
        {
            if (TarPath.Compare(path(values[i - 1]), path(values[i])) > 0)
                return [.. values.OrderBy(path, s_order)];
        }

        return values;
    }

    private static LayerIndex Read(BinaryReader reader)
    {
        if (!reader.ReadBytes(s_mark.Length).AsSpan().SequenceEqual(s_mark))
            throw new FormatException("the bytes are not an index of a layer, or one of another version");

        var files = new List<FileRecord>();
        byte[] path = [];
        for (int left = reader.Read7BitEncodedInt(); left > 0; left--)
        {
            path = [.. path.AsSpan(0, reader.Read7BitEncodedInt()), .. ReadBytes(reader)];
            files.Add(ReadFile(reader, TarPath.Decode(path)));
        }

        var whiteouts = new List<string>();
        for (int left = reader.Read7BitEncodedInt(); left > 0; left--)
            whiteouts.Add(ReadWhiteout(reader));
        return new LayerIndex(files, whiteouts);
    }

    private static string ReadWhiteout(BinaryReader reader)
    {
        string path = TarPath.Decode(ReadBytes(reader));
        return Whiteout.IsWhiteout(path)
            ? path
            : throw new FormatException($"the bytes are not an index of a layer: '{path}' is no whiteout");
    }

    // A path is what it shares with the one before, and the rest: most of an index is paths.
    private static void WriteFile(BinaryWriter writer, FileRecord file, byte[] path, byte[] previous)
    {
        int shared = path.AsSpan().CommonPrefixLength(previous);
        writer.Write7BitEncodedInt(shared);
        WriteBytes(writer, path.AsSpan(shared));

        var entry = file.Entry;
        writer.Write((byte)entry.Type);
        writer.Write7BitEncodedInt(entry.Mode);
        writer.Write7BitEncodedInt64(entry.UserId);
        writer.Write7BitEncodedInt64(entry.GroupId);
        writer.Write7BitEncodedInt64(entry.Size);
        writer.Write7BitEncodedInt64(entry.ModifiedTime.UtcTicks);
        writer.Write7BitEncodedInt(entry.DeviceMajor);
        writer.Write7BitEncodedInt(entry.DeviceMinor);
        WriteBytes(writer, TarPath.Encode(entry.LinkTarget ?? ""));
        WriteAttributes(writer, entry.ExtendedAttributes ?? []);
        WriteBytes(writer, file.Digest?.ToHash());
        writer.Write7BitEncodedInt64(file.Size);
        writer.Write7BitEncodedInt64(file.Offset);
    }

    private static FileRecord ReadFile(BinaryReader reader, string path)
    {
        var entry = new TarEntry
        {
            Path = path,
            Type = (TarEntryType)reader.ReadByte(),
            Mode = reader.Read7BitEncodedInt(),
            UserId = reader.Read7BitEncodedInt64(),
            GroupId = reader.Read7BitEncodedInt64(),
            Size = reader.Read7BitEncodedInt64(),
            ModifiedTime = new DateTimeOffset(reader.Read7BitEncodedInt64(), TimeSpan.Zero),
            DeviceMajor = reader.Read7BitEncodedInt(),
            DeviceMinor = reader.Read7BitEncodedInt(),
            LinkTarget = ReadBytes(reader) is { Length: > 0 } target ? TarPath.Decode(target) : null,
            ExtendedAttributes = ReadAttributes(reader),
        };
        if (entry is { Type: TarEntryType.HardLink or TarEntryType.SymbolicLink, LinkTarget: null })
            throw new FormatException($"the bytes are not an index of a layer: the link '{path}' names nothing");

        Digest? digest = ReadBytes(reader) is { Length: > 0 } hash ? Content.Digest.FromHash(hash) : null;
        return new FileRecord(entry, digest, reader.Read7BitEncodedInt64(), reader.Read7BitEncodedInt64());
    }

    private static void WriteAttributes(BinaryWriter writer, SortedDictionary<string, byte[]> attributes)
    {
        writer.Write7BitEncodedInt(attributes.Count);
        foreach (var (name, value) in attributes)
        {
            WriteBytes(writer, TarPath.Encode(name));
            WriteBytes(writer, value);
        }
    }

    private static SortedDictionary<string, byte[]>? ReadAttributes(BinaryReader reader)
    {
        int count = reader.Read7BitEncodedInt();
        if (count == 0)
            return null;

        var attributes = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            string name = TarPath.Decode(ReadBytes(reader));
            attributes[name] = ReadBytes(reader);
        }

        return attributes;
    }

    private static void WriteBytes(BinaryWriter writer, ReadOnlySpan<byte> bytes)
    {
        writer.Write7BitEncodedInt(bytes.Length);
        writer.Write(bytes);
    }

    private static byte[] ReadBytes(BinaryReader reader)
    {
        int length = reader.Read7BitEncodedInt();
        if (length < 0 || length > reader.BaseStream.Length - reader.BaseStream.Position)
            throw new EndOfStreamException($"a field of {length} bytes does not fit");
        return reader.ReadBytes(length);
    }
}
