using System.Text;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Tests.Layers.Erofs;

/// <summary>Layers as they come, and what each is in overlay form, said the simplest way.</summary>
internal static class LayerModel
{
    // Names before and around the two dots, names of several bytes a character, bytes that are no text, long names.
    private static readonly string[] s_names =
        ["a", "b", "ab", "!", "-", ".!", ".x", "..y", "...", "é", "\uDCFF", "\uDC80z", "ÿ", "漢字", "\uFFFD", "😀", new string('n', 255), new string('m', 120), "a b", "\n"];

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

    /// <summary>The layer's files as an unpacked directory would list them.</summary>
    public static string List(LayerIndex index)
    {
        var lines = new Dictionary<string, string>();
        var opaque = index.Whiteouts.Where(Whiteout.IsOpaque).Select(Whiteout.Hidden).ToHashSet();
        var used = index.Files.Select(file => file.Path).Concat(index.Whiteouts).SelectMany(Above).ToHashSet();
        var directories = used.Concat(index.Files.Where(file => file.Type == TarEntryType.Directory).Select(file => file.Path)).ToHashSet();
        var hidden = index.Whiteouts.Where(path => !Whiteout.IsOpaque(path)).Select(Whiteout.Hidden).ToHashSet();
        opaque.UnionWith(hidden.Where(directories.Contains));
        foreach (string path in directories.Where(path => index.Find(path) is null))
            lines[path] = $"d 755 0:0 0{(opaque.Contains(path) ? " opaque" : "")}";
        foreach (string path in hidden.Where(path => !directories.Contains(path) && index.Find(path) is null && !Above(path).Any(opaque.Contains)))
            lines[path] = "c 600 0:0 0 0,0";
        foreach (var file in index.Files)
            lines[file.Path] = Describe(index, file, opaque);

        var numbers = new Dictionary<string, int>();
        return string.Join('\n', lines.Select(line => (Path: Encoding.Latin1.GetString(TarPath.Encode(line.Key)), Text: line.Value))
            .OrderBy(line => line.Path + "\t", StringComparer.Ordinal)
            .Select(line => $"{line.Path} {Numbered(line.Text, numbers)}"));
    }

    private static TarEntry? NewEntry(Random random, Dictionary<string, TarEntryType> types)
    {
        string path = string.Join('/', Enumerable.Range(0, random.Next(1, 5)).Select(_ => s_names[random.Next(s_names.Length)]));
        if (Above(path).Any(above => types.GetValueOrDefault(above, TarEntryType.Directory) != TarEntryType.Directory) || types.ContainsKey(path))
            return null;

        int kind = random.Next(12);
        var files = types.Where(pair => pair.Value is TarEntryType.File or TarEntryType.SymbolicLink && !Whiteout.IsWhiteout(pair.Key)).Select(pair => pair.Key).ToList();
        if (kind is 8 or 9 && files.Count == 0)
            return null;

        string written = kind switch { 10 when TarPath.Encode(path.Split('/')[^1]).Length < 250 => Whiteout.For(path), 11 => $"{path}/{Whiteout.Opaque}", _ => path };
        foreach (string above in Above(written))
            types.TryAdd(above, TarEntryType.Directory);
        var type = kind switch { <= 3 or 10 or 11 => TarEntryType.File, 4 => TarEntryType.SymbolicLink, 5 => TarEntryType.Fifo, <= 7 => TarEntryType.Directory, _ => TarEntryType.HardLink };
        return !types.TryAdd(written, type) ? null : new TarEntry
        {
            Path = written,
            Type = type,
            Mode = random.Next(0x1000),
            UserId = random.Next(3) == 0 ? uint.MaxValue - 1 : random.Next(5),
            GroupId = random.Next(5),
            Size = type == TarEntryType.File && written == path ? random.Next(4) * random.Next(700) : 0,
            ModifiedTime = DateTimeOffset.FromUnixTimeSeconds(random.Next(-1000, 1000)),
            LinkTarget = type == TarEntryType.SymbolicLink ? new string('t', random.Next(1, 600)) : type == TarEntryType.HardLink ? files[random.Next(files.Count)] : null,
        };
    }

    private static string Describe(LayerIndex index, FileRecord file, HashSet<string> opaque)
    {
        string first = file.Type == TarEntryType.HardLink ? file.LinkTarget! : file.Path;
        var named = index.Find(first)!;
        bool isShared = index.Files.Any(other => other.Type == TarEntryType.HardLink && other.LinkTarget == first);
        char type = named.Type switch { TarEntryType.File => 'f', TarEntryType.SymbolicLink => 'l', TarEntryType.Fifo => 'p', _ => 'd' };
        string mode = type == 'l' ? "777" : Convert.ToString(named.Mode, 8);
        string size = type == 'f' ? $" {named.Size}" : "", link = type == 'l' ? " -> " + named.LinkTarget : "";
        return $"{type} {mode} {named.UserId}:{named.GroupId}{size} {named.ModifiedTime.ToUnixTimeSeconds()}{link}{(type == 'd' && opaque.Contains(file.Path) ? " opaque" : "")}{(isShared ? " #" + first : "")}";
    }

    private static string Numbered(string line, Dictionary<string, int> numbers)
    {
        int mark = line.IndexOf(" #", StringComparison.Ordinal);
        if (mark < 0)
            return line;

        string first = line[(mark + 2)..];
        if (!numbers.TryGetValue(first, out int number))
            numbers[first] = number = numbers.Count + 1;
        return $"{line[..mark]} #{number}";
    }

    private static IEnumerable<string> Above(string path)
    {
        for (string parent = TarPath.Parent(path); parent.Length > 0; parent = TarPath.Parent(parent))
            yield return parent;
    }
}
