using System.Text;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Tests.Layers.Erofs;

/// <summary>What a layer is in overlay form, said the simplest way.</summary>
internal static class LayerModel
{
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
        foreach (string path in hidden
            .Where(path => !directories.Contains(path) && index.Find(path) is null && !Above(path).Any(opaque.Contains)))
            lines[path] = "c 600 0:0 0 0,0";
        foreach (var file in index.Files)
            lines[file.Path] = Describe(index, file, opaque);

        var numbers = new Dictionary<string, int>();
        return string.Join('\n', lines.Select(line => (Path: Encoding.Latin1.GetString(TarPath.Encode(line.Key)), Text: line.Value))
            .OrderBy(line => line.Path + "\t", StringComparer.Ordinal)
            .Select(line => $"{line.Path} {Numbered(line.Text, numbers)}"));
    }

    private static string Describe(LayerIndex index, FileRecord file, HashSet<string> opaque)
    {
        string first = file.Type == TarEntryType.HardLink ? file.LinkTarget! : file.Path;
        var named = index.Find(first)!;
        bool isShared = index.Files.Any(other => other.Type == TarEntryType.HardLink && other.LinkTarget == first);
        char type = named.Type switch { TarEntryType.File => 'f', TarEntryType.SymbolicLink => 'l', TarEntryType.Fifo => 'p', _ => 'd' };
        string mode = type == 'l' ? "777" : Convert.ToString(named.Mode, 8);
        string size = type == 'f' ? $" {named.Size}" : "", link = type == 'l' ? " -> " + named.LinkTarget : "";
        string capability = type == 'f' && named.Entry.ExtendedAttributes is not null ? " capability" : "";
        return $"{type} {mode} {named.UserId}:{named.GroupId}{size} "
            + $"{named.ModifiedTime.ToUnixTimeSeconds()}{link}{(type == 'd' && opaque.Contains(file.Path) ? " opaque" : "")}{capability}"
            + $"{(isShared ? " #" + first : "")}";
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
