using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Testing;

/// <summary>Layers with what a layer may have: odd names, every kind of file but devices, deletions,
/// directories that are not described.</summary>
public static class RandomLayer
{
    // Names before and around the two dots, names of several bytes a character, bytes that are no text, long names.
    private static readonly string[] s_names =
        ["a", "b", "ab", "!", "-", ".!", ".x", "..y", "...", "é", "\uDCFF", "\uDC80z", "ÿ", "漢字", "\uFFFD", "😀", new string('n', 255),
            new string('m', 120), "a b", "\u0001"];

    // cap_net_bind_service=ep
    private static readonly byte[] s_capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>An archive and its index; the same for the same numbers.</summary>
    public static (byte[] Tar, LayerIndex Index) Make(Random random)
    {
        var output = new MemoryStream();
        var writer = new TarWriter(output, leaveOpen: true);
        var types = new Dictionary<string, TarEntryType>();
        for (int i = random.Next(60); i > 0; i--)
        {
            if (NewEntry(random, types) is not { } entry)
                continue;

            byte[] content = new byte[entry.Size];
            random.NextBytes(content);
            writer.WriteAsync(entry, content).GetAwaiter().GetResult();
        }

        writer.CompleteAsync().GetAwaiter().GetResult();
        byte[] tar = output.ToArray();
        return (tar, LayerReader.IndexAsync(new MemoryStream(tar)).GetAwaiter().GetResult());
    }

    private static TarEntry? NewEntry(Random random, Dictionary<string, TarEntryType> types)
    {
        string path = string.Join('/', Enumerable.Range(0, random.Next(1, 5)).Select(_ => s_names[random.Next(s_names.Length)]));
        if (Above(path).Any(above => types.GetValueOrDefault(above, TarEntryType.Directory) != TarEntryType.Directory)
            || types.ContainsKey(path))
            return null;

        int kind = random.Next(12);
        var files = types.Where(pair => pair.Value is TarEntryType.File or TarEntryType.SymbolicLink && !Whiteout.IsWhiteout(pair.Key))
            .Select(pair => pair.Key).ToList();
        if (kind is 8 or 9 && files.Count == 0)
            return null;

        string written = kind switch
        {
            10 when TarPath.Encode(path.Split('/')[^1]).Length < 250 => Whiteout.For(path),
            11 => $"{path}/{Whiteout.Opaque}",
            _ => path,
        };
        foreach (string above in Above(written))
            types.TryAdd(above, TarEntryType.Directory);
        var type = kind switch
        {
            <= 3 or 10 or 11 => TarEntryType.File,
            4 => TarEntryType.SymbolicLink,
            5 => TarEntryType.Fifo,
            <= 7 => TarEntryType.Directory,
            _ => TarEntryType.HardLink,
        };
        return !types.TryAdd(written, type) ? null : new TarEntry
        {
            Path = written,
            Type = type,
            Mode = random.Next(0x1000),
            UserId = random.Next(3) == 0 ? uint.MaxValue - 1 : random.Next(5),
            GroupId = random.Next(5),
            Size = type == TarEntryType.File && written == path ? random.Next(4) * random.Next(700) : 0,
            // An index does not know the time of a whiteout.
            ModifiedTime = written == path ? DateTimeOffset.FromUnixTimeSeconds(random.Next(-1000, 1000)) : DateTimeOffset.UnixEpoch,
            ExtendedAttributes = random.Next(4) == 0
                ? new(StringComparer.Ordinal) { ["user.a"] = new byte[random.Next(2000)], ["security.capability"] = s_capability }
                : null,
            LinkTarget = type == TarEntryType.SymbolicLink ? new string('t', random.Next(1, 600))
                : type == TarEntryType.HardLink ? files[random.Next(files.Count)]
                : null,
        };
    }

    private static IEnumerable<string> Above(string path)
    {
        for (string parent = TarPath.Parent(path); parent.Length > 0; parent = TarPath.Parent(parent))
            yield return parent;
    }
}
