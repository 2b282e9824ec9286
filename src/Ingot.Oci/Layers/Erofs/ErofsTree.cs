using System.Buffers;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers.Erofs;

/// <summary>The names of a layer as a tree in overlay form: directories that the layer does not mention,
/// deletions and links included.</summary>
internal sealed class ErofsTree
{
    private const int MaxNameBytes = 255;

    private readonly List<ErofsNode> _nodes;
    private readonly Stack<ErofsNode> _open = new();
    private byte[] _names;
    private int _namesLength;

    private ErofsTree(int files)
    {
        _nodes = new List<ErofsNode>(files + 1);
        // The two dots that every directory has are names too.
        _names = [.. ".."u8, .. new byte[16 * files]];
        _namesLength = 2;
    }

    /// <summary>Every node, the root first, directories before what is in them, names in a directory in the order of their bytes.</summary>
    public IReadOnlyList<ErofsNode> Nodes => _nodes;

    /// <summary>The bytes of a name; of all those in the tree, <c>..</c> stands first.</summary>
    public ReadOnlySpan<byte> Name(int start, int length) => _names.AsSpan(start, length);

    /// <summary>Builds the tree, or throws <see cref="LayerException"/> for a layer that <see cref="LayerExtractor"/> would
    /// refuse.</summary>
    public static ErofsTree Of(LayerIndex index)
    {
        var tree = new ErofsTree(index.Files.Count);
        var marks = Marks(index);
        tree.AddRoot(index);
        int next = 0;
        foreach (var file in index.Files)
        {
            for (; next < marks.Count && TarPath.Compare(marks[next].Path, file.Path) < 0; next++)
                tree.AddMark(marks[next]);
            if (file.Path.Length > 0)
                tree.Add(file);
        }

        foreach (var mark in marks.Skip(next))
            tree.AddMark(mark);
        tree.ResolveLinks();
        return tree;
    }

    // What whiteouts name, in the order of the files.
    private static List<Mark> Marks(LayerIndex index)
    {
        var marks = new List<Mark>(index.Whiteouts.Count);
        foreach (string whiteout in index.Whiteouts)
        {
            string hidden = Whiteout.Hidden(whiteout);
            bool isOpaque = Whiteout.IsOpaque(whiteout);
            if (isOpaque && hidden.Length == 0)
                throw new LayerException("the layer hides the whole root, which an overlay file system cannot say");
            if (!isOpaque && (TarPath.Name(hidden) is "" or "." or ".." || Whiteout.IsWhiteout(hidden)))
                throw new LayerException($"'{whiteout}' is not a whiteout of anything");
            marks.Add(new Mark(hidden, isOpaque));
        }

        marks.Sort(static (left, right) => TarPath.Compare(left.Path, right.Path));
        return marks;
    }

    private void AddRoot(LayerIndex index)
    {
        var root = new ErofsNode { Path = "", Parent = null, Record = index.Find(""), Kind = ErofsNodeKind.Entry };
        if (root.Record is { Type: not TarEntryType.Directory })
            throw new LayerException($"the root is a {root.Record.Type}");
        if (root.Record is null)
            root.Kind = ErofsNodeKind.ImpliedDirectory;
        _nodes.Add(root);
        _open.Push(root);
    }

    private void Add(FileRecord file)
    {
        var parent = Enter(ParentOf(file.Path));
        if (parent.LastChild?.Path == file.Path)
            throw new LayerException($"'{file.Path}' is in the layer twice");
        var node = New(parent, file.Path, ErofsNodeKind.Entry, file);
        if (file.Type == TarEntryType.Directory)
            _open.Push(node);
    }

    // After the file of the same path, and before what lies below it.
    private void AddMark(Mark mark)
    {
        var parent = Enter(ParentOf(mark.Path));
        var node = parent.LastChild is { } last && last.Path == mark.Path ? last : null;
        if (mark.IsOpaque)
        {
            node = EnterChild(parent, mark.Path);
            node.IsOpaque = true;
            return;
        }

        node ??= New(parent, mark.Path, ErofsNodeKind.Whiteout, record: null);
        node.IsHidden = true;
        node.IsOpaque = IsDirectory(node);
    }

    private static ReadOnlySpan<char> ParentOf(ReadOnlySpan<char> path) => path[..Math.Max(path.LastIndexOf('/'), 0)];

    // Files come in the order of the tree: what is open is the way to the file before.
    private ErofsNode Enter(ReadOnlySpan<char> path)
    {
        while (!IsAtOrAbove(_open.Peek().Path, path))
            _open.Pop();

        var at = _open.Peek();
        while (at.Path.Length < path.Length)
        {
            int start = at.Path.Length == 0 ? 0 : at.Path.Length + 1;
            int length = path[start..].IndexOf('/');
            at = EnterChild(at, path[..(length < 0 ? path.Length : start + length)]);
        }

        return at;
    }

    private static bool IsAtOrAbove(string directory, ReadOnlySpan<char> path) =>
        directory.Length == 0
            || (path.StartsWith(directory, StringComparison.Ordinal) && (path.Length == directory.Length || path[directory.Length] == '/'));

    // The child is there as the last one, or not at all.
    private ErofsNode EnterChild(ErofsNode parent, ReadOnlySpan<char> path)
    {
        var child = parent.LastChild is { } last && path.SequenceEqual(last.Path)
            ? last
            : New(parent, path.ToString(), ErofsNodeKind.ImpliedDirectory, record: null);
        if (child.Kind == ErofsNodeKind.Whiteout)
        {
            child.Kind = ErofsNodeKind.ImpliedDirectory;
            child.IsOpaque = true;
        }

        if (!IsDirectory(child))
            throw new LayerException($"something lies below '{child.Path}', which the same layer made a {child.Record!.Type}");
        if (_open.Peek() != child)
            _open.Push(child);
        return child;
    }

    private static bool IsDirectory(ErofsNode node) =>
        node.Kind == ErofsNodeKind.ImpliedDirectory || node.Record?.Type == TarEntryType.Directory;

    private ErofsNode New(ErofsNode parent, string path, ErofsNodeKind kind, FileRecord? record)
    {
        int start = _namesLength;
        AppendName(path);
        var node = new ErofsNode
        {
            Path = path,
            Parent = parent,
            Kind = kind,
            Record = record,
            NameStart = start,
            NameLength = _namesLength - start,
        };
        parent.Append(node);
        _nodes.Add(node);
        return node;
    }

    private void AppendName(string path)
    {
        var name = path.AsSpan(path.LastIndexOf('/') + 1);
        Reserve(Math.Max(name.Length, MaxNameBytes));
        if (Ascii.FromUtf16(name, _names.AsSpan(_namesLength), out int written) != OperationStatus.Done)
        {
            byte[] encoded = TarPath.Encode(name.ToString());
            written = encoded.Length;
            Reserve(written);
            encoded.CopyTo(_names.AsSpan(_namesLength));
        }

        if (written is 0 or > MaxNameBytes)
            throw new LayerException($"'{path}' has a name of {written} bytes, which Linux does not support");
        if (name is "." or ".." || name.Contains('\0') || path.StartsWith('/'))
            throw new LayerException($"'{path.Replace("\0", "\\0", StringComparison.Ordinal)}' is not the path of a file");
        _namesLength += written;
    }

    private void Reserve(int bytes)
    {
        if (_names.Length - _namesLength < bytes)
            Array.Resize(ref _names, Math.Max(_names.Length * 2, _namesLength + bytes));
    }

    private void ResolveLinks()
    {
        if (!_nodes.Exists(IsLink))
            return;

        var nodes = _nodes.Where(node => node.Record is not null).ToDictionary(node => node.Path);
        foreach (var link in _nodes.Where(IsLink))
        {
            link.Target = TargetOf(link, nodes);
            link.Target.Links++;
        }
    }

    private static bool IsLink(ErofsNode node) => node.Record?.Type == TarEntryType.HardLink;

    private static ErofsNode TargetOf(ErofsNode link, Dictionary<string, ErofsNode> nodes)
    {
        var at = link;
        for (int left = nodes.Count; IsLink(at) && left > 0; left--)
        {
            if (!nodes.TryGetValue(at.Record!.LinkTarget!, out var target) || IsDirectory(target) || target == at)
                throw new LayerException(
                    $"the hard link '{at.Path}' names '{at.Record.LinkTarget}', which is not a file that the layer brought before");
            at = target;
        }

        var (own, found) = (link.Record!, at.Record!);
        if (IsLink(at) || (own.Digest, own.Size, own.Offset) != (found.Digest, found.Size, found.Offset))
            throw new LayerException($"the hard link '{link.Path}' names a file that the layer replaced afterwards");
        return at;
    }

    private readonly record struct Mark(string Path, bool IsOpaque);
}
