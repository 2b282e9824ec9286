using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Images;

/// <summary>A file that a container of an image sees, whatever names it has.</summary>
/// <param name="Record">The file as the layer that brought it describes it.</param>
/// <param name="Layer">Which layer that is, the lowest 0.</param>
public sealed record MergedFile(FileRecord Record, int Layer);

/// <summary>The files that a container of an image sees, without unpacking anything: the layers' indexes, one over the other,
/// deletions applied.</summary>
public sealed class MergedTree
{
    private const int ImpliedMode = 0b111_101_101;

    private static readonly Comparer<string> s_order = Comparer<string>.Create(TarPath.Compare);

    private readonly Node _root = new(Implied(""));

    private MergedTree()
    {
    }

    /// <summary>Reads every layer of an image, verified. Memory is bounded by the number of files.</summary>
    /// <exception cref="LayerException">A layer is hostile, or at odds with the ones below it.</exception>
    public static async Task<MergedTree> ReadAsync(IContentStore store, Image image, CancellationToken cancellationToken = default)
    {
        var tree = new MergedTree();
        for (int i = 0; i < image.Manifest.Layers.Count; i++)
            tree.Apply(
                await LayerReader.IndexAsync(store, image.Manifest.Layers[i], image.Config.RootFs.DiffIds[i], limits: null,
                    cancellationToken).ConfigureAwait(false),
                i);
        return tree;
    }

    /// <summary>The tree of layers that are read already, lowest first.</summary>
    public static MergedTree Of(params IReadOnlyList<LayerIndex> layers)
    {
        var tree = new MergedTree();
        for (int i = 0; i < layers.Count; i++)
            tree.Apply(layers[i], i);
        return tree;
    }

    /// <summary>Every path with its file, in the order of <see cref="TarPath.Compare"/>; names of one file share the value. The root is
    /// left out when no layer describes it.</summary>
    public IEnumerable<(string Path, MergedFile File)> Walk()
    {
        if (_root.File.Layer >= 0)
            yield return ("", _root.File);
        foreach (var item in Walk(_root, ""))
            yield return item;
    }

    /// <summary>The file at a path, links not followed; null when there is none.</summary>
    public MergedFile? Find(string path) => FindNode(path)?.File;

    private static MergedFile Implied(string path) =>
        new(
            new FileRecord(new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = ImpliedMode }, Digest: null,
                Size: 0, Offset: 0),
            Layer: -1);

    private static IEnumerable<(string Path, MergedFile File)> Walk(Node directory, string path)
    {
        foreach (var (name, child) in (directory.Children ?? []).OrderBy(c => c.Key, s_order))
        {
            string childPath = TarPath.Join(path, name);
            yield return (childPath, child.File);
            if (child.Children is not null)
            {
                foreach (var item in Walk(child, childPath))
                    yield return item;
            }
        }
    }

    private void Apply(LayerIndex layer, int number)
    {
        // Whiteouts are about lower layers only, wherever they stand.
        foreach (string whiteout in layer.Whiteouts)
            Hide(whiteout);
        foreach (var file in layer.Files)
        {
            if (file.Type != TarEntryType.HardLink)
                Place(file, new MergedFile(file, number), number);
        }

        foreach (var file in layer.Files)
        {
            if (file.Type == TarEntryType.HardLink)
                Place(file, TargetOf(file, layer), number);
        }
    }

    private void Hide(string whiteout)
    {
        string hidden = Whiteout.Hidden(whiteout);
        if (Whiteout.IsOpaque(whiteout))
            FindNode(hidden)?.Children?.Clear();
        else
            FindNode(TarPath.Parent(hidden))?.Children?.Remove(TarPath.Name(hidden));
    }

    private void Place(FileRecord file, MergedFile merged, int number)
    {
        if (file.Path.Length == 0)
        {
            _root.File = merged;
            return;
        }

        var parent = DirectoryAt(TarPath.Parent(file.Path), number).Children!;
        string name = TarPath.Name(file.Path);
        if (file.Type == TarEntryType.Directory && parent.TryGetValue(name, out var existing) && existing.Children is not null)
            existing.File = merged;
        else
            parent[name] = new Node(merged);
    }

    // A directory that a layer uses without describing it is as below, or root's; what is no directory gives way to one.
    private Node DirectoryAt(string path, int number)
    {
        var node = _root;
        string walked = "";
        foreach (string name in path.Length == 0 ? [] : path.Split('/'))
        {
            walked = TarPath.Join(walked, name);
            if (!node.Children!.TryGetValue(name, out var child) || child.Children is null)
            {
                if (child is not null && child.File.Layer == number)
                    throw new LayerException($"something lies below '{walked}', which the same layer made a {child.File.Record.Type}");
                node.Children[name] = child = new Node(Implied(walked));
            }

            node = child;
        }

        return node;
    }

    private MergedFile TargetOf(FileRecord link, LayerIndex layer)
    {
        string target = link.LinkTarget!;
        var seen = new HashSet<string> { link.Path };
        while (layer.Find(target) is { Type: TarEntryType.HardLink } next)
        {
            if (!seen.Add(target))
                throw new LayerException($"the hard link '{link.Path}' is part of a loop");
            target = next.LinkTarget!;
        }

        return FindNode(target) is { Children: null } node
            ? node.File
            : throw new LayerException($"the hard link '{link.Path}' names '{link.LinkTarget}', where there is no file");
    }

    private Node? FindNode(string path)
    {
        var node = _root;
        foreach (string name in path.Length == 0 ? [] : path.Split('/'))
        {
            if (node.Children is null || !node.Children.TryGetValue(name, out node!))
                return null;
        }

        return node;
    }

    private sealed class Node(MergedFile file)
    {
        public MergedFile File { get; set; } = file;

        /// <summary>Null for what is no directory.</summary>
        public Dictionary<string, Node>? Children { get; } = file.Record.Type == TarEntryType.Directory ? [] : null;
    }
}
