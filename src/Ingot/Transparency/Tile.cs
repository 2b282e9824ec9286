using System.Buffers.Binary;
using System.Globalization;

namespace Ingot.Transparency;

/// <summary>The name of a tile: up to 256 hashes of one level, or the bundle of the entries below
/// (<see href="https://c2sp.org/tlog-tiles">C2SP tlog-tiles</see>).</summary>
/// <param name="Level">0 for leaf hashes; each level above holds the roots of full tiles of the one below;
/// <see cref="Entries"/> for a bundle.</param>
/// <param name="Index">The number of the tile in its level.</param>
/// <param name="Width">Hashes or entries in it, 1 to 256; fewer than 256 make it a partial tile.</param>
public readonly record struct Tile(int Level, long Index, int Width)
{
    /// <summary>Hashes in a full tile.</summary>
    public const int FullWidth = 256;

    /// <summary>The levels of the tree a tile covers.</summary>
    public const int Height = 8;

    /// <summary>The level that stands for entry bundles.</summary>
    public const int Entries = -1;

    /// <summary>The largest level a path may name.</summary>
    public const int MaxLevel = 63;

    private const string Prefix = "tile/";

    /// <summary>The position of its first hash in its level.</summary>
    public long Start => Index * FullWidth;

    /// <summary>The hashes (or entries) a tree of <paramref name="size"/> leaves has in the given level.</summary>
    public static long CountAt(int level, long size)
    {
        int shift = Math.Max(level, 0) * Height;
        return shift > 62 ? 0 : size >> shift;
    }

    /// <summary>Whether a tree of <paramref name="size"/> leaves has all of it.</summary>
    public bool IsWithin(long size) => Start + Width <= CountAt(Level, size);

    /// <summary>The path below the log's prefix, such as <c>tile/0/x001/x234/067.p/8</c>.</summary>
    public string Path
    {
        get
        {
            string level = Level == Entries ? "entries" : Level.ToString(CultureInfo.InvariantCulture);
            string partial = Width == FullWidth ? "" : $".p/{Width}";
            return $"{Prefix}{level}/{Group(Index)}{partial}";
        }
    }

    /// <summary>Reads a path; false when it is not exactly as <see cref="Path"/> writes it.</summary>
    public static bool TryParse(string path, out Tile tile)
    {
        tile = default;
        var rest = path.AsSpan();
        if (!rest.StartsWith(Prefix, StringComparison.Ordinal))
            return false;

        rest = rest[Prefix.Length..];
        int slash = rest.IndexOf('/');
        if (slash < 0 || !TryLevel(rest[..slash], out int level))
            return false;

        rest = rest[(slash + 1)..];
        int width = FullWidth;
        int partial = rest.IndexOf(".p/", StringComparison.Ordinal);
        if (partial >= 0 && !int.TryParse(rest[(partial + 3)..], NumberStyles.None, CultureInfo.InvariantCulture, out width))
            return false;

        if (!TryUngroup(partial >= 0 ? rest[..partial] : rest, out long index) || width is < 1 or > FullWidth)
            return false;

        tile = new Tile(level, index, width);
        // One tile has one path: leading zeros, '.p/256' and the like fail here.
        return tile.Path == path;
    }

    /// <summary>The bytes of a tile.</summary>
    public static byte[] Write(IReadOnlyList<MerkleHash> hashes)
    {
        var bytes = new byte[hashes.Count * MerkleHash.Size];
        for (int i = 0; i < hashes.Count; i++)
            hashes[i].CopyTo(bytes.AsSpan(i * MerkleHash.Size));
        return bytes;
    }

    /// <summary>The bytes of an entry bundle: each entry after its length, two bytes, big endian.</summary>
    public static byte[] WriteEntries(IReadOnlyList<byte[]> entries)
    {
        var bytes = new byte[entries.Sum(entry => 2 + entry.Length)];
        int at = 0;
        foreach (var entry in entries)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), checked((ushort)entry.Length));
            entry.CopyTo(bytes, at + 2);
            at += 2 + entry.Length;
        }

        return bytes;
    }

    /// <summary>The entries of a bundle, or throws <see cref="FormatException"/> when it ends within one.</summary>
    public static IReadOnlyList<byte[]> ReadEntries(ReadOnlySpan<byte> bundle)
    {
        var entries = new List<byte[]>();
        while (!bundle.IsEmpty)
        {
            if (bundle.Length < 2 || bundle.Length - 2 < BinaryPrimitives.ReadUInt16BigEndian(bundle))
                throw new FormatException($"the entry bundle ends within its entry {entries.Count}");

            int length = BinaryPrimitives.ReadUInt16BigEndian(bundle);
            entries.Add(bundle.Slice(2, length).ToArray());
            bundle = bundle[(2 + length)..];
        }

        return entries;
    }

    private static bool TryLevel(ReadOnlySpan<char> text, out int level)
    {
        level = Entries;
        return text is "entries"
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out level) && level <= MaxLevel);
    }

    private static string Group(long index)
    {
        string last = (index % 1000).ToString("000", CultureInfo.InvariantCulture);
        string path = last;
        for (long rest = index / 1000; rest > 0; rest /= 1000)
            path = $"x{(rest % 1000).ToString("000", CultureInfo.InvariantCulture)}/{path}";
        return path;
    }

    private static bool TryUngroup(ReadOnlySpan<char> text, out long index)
    {
        index = 0;
        foreach (var range in text.Split('/'))
        {
            var group = text[range].TrimStart('x');
            if (group.Length != 3
                || !int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
                || index > long.MaxValue / (1000L * FullWidth))
                return false;

            index = (index * 1000) + value;
        }

        return true;
    }
}
