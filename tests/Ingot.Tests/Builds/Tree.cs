using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds;

/// <summary>Layers and trees as lines of text: <c>d PATH [MODE [OWNER]]</c>, <c>f PATH [MODE [OWNER]]</c>, <c>l PATH TARGET</c>,
/// <c>h PATH FILE</c>, <c>w PATH</c> for a deletion and <c>o PATH</c> for an opaque directory. A file's content is its path.</summary>
internal static class Tree
{
    public static readonly DateTimeOffset Epoch = DateTimeOffset.FromUnixTimeSeconds(315532800);

    public static async Task<LayerIndex> LayerAsync(string text)
    {
        await using var writer = LayerWriter.HashOnly();
        foreach (var (entry, content) in Entries(text))
            await writer.WriteAsync(entry, content);
        return (await writer.FinishAsync()).Index;
    }

    public static async Task<FileTree> OfAsync(params string[] layers)
    {
        var tree = FileTree.Empty;
        foreach (var layer in layers)
            tree = tree.With(await LayerAsync(layer));
        return tree;
    }

    public static string Print(FileTree tree) => string.Concat(tree.Files.Select(f => $"{Print(f.Record.Entry)} @{f.Layer}\n"));

    public static string Print(TarEntry entry)
    {
        string mode = Convert.ToString(entry.Mode, 8);
        string owner = entry is { UserId: 0, GroupId: 0 } ? "" : $" {entry.UserId}:{entry.GroupId}";
        return entry.Type switch
        {
            TarEntryType.Directory => $"d {entry.Path} {mode}{owner}",
            TarEntryType.SymbolicLink => $"l {entry.Path} {entry.LinkTarget}{owner}",
            TarEntryType.HardLink => $"h {entry.Path} {entry.LinkTarget}{owner}",
            _ => $"f {entry.Path} {mode}{owner}",
        };
    }

    public static IEnumerable<(TarEntry Entry, byte[] Content)> Entries(string text)
    {
        foreach (var line in text.Split(['\n', ';'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ');
            byte[] content = words[0] == "f" ? Encoding.UTF8.GetBytes(words[1]) : [];
            yield return (Entry(words, content.Length), content);
        }
    }

    private static TarEntry Entry(string[] words, int size)
    {
        var owner = words.Length > 3 ? words[3].Split(':') : ["0", "0"];
        var entry = new TarEntry
        {
            Path = words[1],
            Type = TarEntryType.File,
            ModifiedTime = Epoch,
            UserId = int.Parse(owner[0], null),
            GroupId = int.Parse(owner[1], null),
        };
        return words[0] switch
        {
            "d" => entry with { Type = TarEntryType.Directory, Mode = Mode(words, "755") },
            "f" => entry with { Mode = Mode(words, "644"), Size = size },
            "l" => entry with { Type = TarEntryType.SymbolicLink, Mode = 511, LinkTarget = words[2] },
            "h" => entry with { Type = TarEntryType.HardLink, Mode = 420, LinkTarget = words[2] },
            "w" => entry with { Path = Whiteout.For(words[1]) },
            "o" => entry with { Path = TarPath.Join(words[1], Whiteout.Opaque) },
            _ => throw new ArgumentException(words[0]),
        };
    }

    private static int Mode(string[] words, string otherwise) => Convert.ToInt32(words.Length > 2 ? words[2] : otherwise, 8);
}
