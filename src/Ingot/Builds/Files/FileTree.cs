using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Files;

/// <summary>A file as a chain of layers shows it.</summary>
/// <param name="Record">The file.</param>
/// <param name="Layer">Which layer of the chain it comes from, the lowest being 0.</param>
internal readonly record struct TreeFile(FileRecord Record, int Layer);

/// <summary>What a chain of layers shows, one over the other: their files, without their content. Immutable.</summary>
internal sealed class FileTree
{
    // As the kernel has it.
    private const int MaxLinks = 40;

    private static readonly Comparer<string> s_order = Comparer<string>.Create(TarPath.Compare);

    private readonly TreeFile[] _files;
    private readonly Dictionary<string, int> _byPath;

    private FileTree(List<TreeFile> files, int layers)
    {
        _files = [.. files];
        Layers = layers;
        _byPath = new Dictionary<string, int>(files.Count);
        for (int i = 0; i < _files.Length; i++)
            _byPath[_files[i].Record.Path] = i;
    }

    /// <summary>Nothing but a root.</summary>
    public static FileTree Empty { get; } = new([], 0);

    /// <summary>The number of layers.</summary>
    public int Layers { get; }

    /// <summary>The files in the order of layers; the root itself only when a layer says something of it.</summary>
    public IReadOnlyList<TreeFile> Files => _files;

    /// <summary>The file at a path, links not followed.</summary>
    public TreeFile? Find(string path) => _byPath.TryGetValue(path, out int index) ? _files[index] : null;

    /// <summary>Whether there is a directory at a path, links not followed.</summary>
    public bool IsDirectory(string path) => path.Length == 0 || Find(path)?.Record.Type == TarEntryType.Directory;

    /// <summary>Everything below a directory, in order, without the directory.</summary>
    public IEnumerable<TreeFile> Below(string directory)
    {
        int index = directory.Length == 0 ? 0 : _byPath.TryGetValue(directory, out int found) ? found + 1 : _files.Length;
        for (; index < _files.Length && IsBelow(_files[index].Record.Path, directory); index++)
        {
            if (_files[index].Record.Path.Length > 0)
                yield return _files[index];
        }
    }

    /// <summary>What is in a directory, in order, and not what is below that.</summary>
    public IEnumerable<TreeFile> Children(string directory) => Below(directory).Where(f => TarPath.Parent(f.Record.Path) == directory);

    /// <summary>Where a path leads when links are followed, never above the root; what does not exist stays as it is written.
    /// Null for a symlink loop.</summary>
    /// <param name="path">A path below the root, without <c>.</c>.</param>
    public string? Resolve(string path) => LinkResolver.Resolve(path,
        p => Find(p) is { Record.Type: TarEntryType.SymbolicLink } link ? link.Record.LinkTarget : null, MaxLinks);

    /// <summary>The tree with another layer over it.</summary>
    public FileTree With(LayerIndex layer)
    {
        var upper = new UpperLayer(layer);
        var files = new List<TreeFile>(_files.Length + upper.Files.Count);
        string? hidden = null;
        int next = 0;
        foreach (var file in _files)
        {
            string path = file.Record.Path;
            if (hidden is not null && IsBelow(path, hidden))
                continue;

            for (; next < upper.Files.Count && TarPath.Compare(upper.Files[next].Path, path) < 0; next++)
                files.Add(new TreeFile(upper.Files[next], Layers));

            bool isInBoth = next < upper.Files.Count && upper.Files[next].Path == path;
            bool keeps = !upper.Deletes(path) && (!isInBoth || (upper.IsImplied(path) && file.Record.Type == TarEntryType.Directory));
            if (keeps)
                files.Add(file);
            else if (isInBoth)
                files.Add(new TreeFile(upper.Files[next], Layers));
            if (isInBoth)
                next++;
            hidden = upper.HidesBelow(path) ? path : null;
        }

        for (; next < upper.Files.Count; next++)
            files.Add(new TreeFile(upper.Files[next], Layers));
        return new FileTree(files, Layers + 1);
    }

    private static bool IsBelow(string path, string directory) =>
        directory.Length == 0
            || (path.Length > directory.Length && path[directory.Length] == '/' && path.StartsWith(directory, StringComparison.Ordinal));

    /// <summary>A layer, asked what it does to the files below it.</summary>
    private sealed class UpperLayer
    {
        private const int ImpliedMode = 0b111_101_101;

        private readonly Dictionary<string, bool> _isDirectory = [];
        private readonly HashSet<string> _implied = [];
        private readonly HashSet<string> _deleted;
        private readonly HashSet<string> _opaque;

        public UpperLayer(LayerIndex layer)
        {
            _deleted = [.. layer.Whiteouts.Where(w => !Whiteout.IsOpaque(w)).Select(Whiteout.Hidden)];
            _opaque = [.. layer.Whiteouts.Where(Whiteout.IsOpaque).Select(Whiteout.Hidden)];
            foreach (var file in layer.Files)
                _isDirectory[file.Path] = file.Type == TarEntryType.Directory;

            // A directory that is not described is there all the same when something is in it.
            foreach (var file in layer.Files)
            {
                for (string parent =
                    TarPath.Parent(file.Path); parent.Length > 0 && _isDirectory.TryAdd(parent, true); parent = TarPath.Parent(parent))
                    _implied.Add(parent);
            }

            Files = _implied.Count == 0 ? layer.Files : [.. layer.Files.Concat(_implied.Select(Implied)).OrderBy(f => f.Path, s_order)];
        }

        /// <summary>The layer's files, in order, with the directories that it implies.</summary>
        public IReadOnlyList<FileRecord> Files { get; }

        public bool IsImplied(string path) => _implied.Contains(path);

        public bool Deletes(string path) => _deleted.Contains(path);

        public bool HidesBelow(string path) =>
            _deleted.Contains(path) || _opaque.Contains(path) || (_isDirectory.TryGetValue(path, out bool isDirectory) && !isDirectory);

        private static FileRecord Implied(string path) =>
            new(new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = ImpliedMode }, Digest: null, Size: 0, Offset: 0);
    }
}

/// <summary>Follows symbolic links in a path within a root.</summary>
internal static class LinkResolver
{
    /// <summary>Where <paramref name="path"/> leads; null after more than <paramref name="limit"/> links.</summary>
    /// <param name="path">A path below the root; <c>..</c> never leads above it.</param>
    /// <param name="readLink">The text of the link at a path; null when there is none.</param>
    /// <param name="limit">How many links may be followed.</param>
    public static string? Resolve(string path, Func<string, string?> readLink, int limit)
    {
        var rest = new Stack<string>(path.Split('/').Reverse());
        string resolved = "";
        while (rest.TryPop(out string? part))
        {
            if (part is "" or ".")
                continue;
            if (part == "..")
            {
                resolved = TarPath.Parent(resolved);
                continue;
            }

            string next = TarPath.Join(resolved, part);
            if (readLink(next) is not { } target)
            {
                resolved = next;
                continue;
            }

            if (limit-- == 0)
                return null;
            if (target.StartsWith('/'))
                resolved = "";
            foreach (var component in target.Split('/').Reverse())
                rest.Push(component);
        }

        return resolved;
    }
}
