using Ingot.Diagnostics;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Files;

/// <summary>The files of a chain of layers, as a copy from another stage selects them: with their modes, owners and times.</summary>
internal sealed class TreeFiles : ISelectable
{
    private const int RootMode = 0b111_101_101;

    private readonly FileTree _tree;
    private readonly HashSet<FileOrigin> _linked;

    public TreeFiles(FileTree tree)
    {
        _tree = tree;
        _linked =
            [.. tree.Files.Where(f => f.Record.Type == TarEntryType.HardLink).Select(f => new FileOrigin(f.Layer, f.Record.LinkTarget!))];
    }

    public SelectedFile? Find(string path) =>
        _tree.Find(path) is { } file ? FileOf(path, file)
        : path.Length == 0 ? new SelectedFile(new TarEntry { Path = "", Type = TarEntryType.Directory, Mode = RootMode }, Content: null,
            new FileOrigin(0, ""))
        : null;

    public IEnumerable<string> Children(string path) => _tree.Children(path).Select(f => TarPath.Name(f.Record.Path));

    public string? Resolve(string path) => _tree.Resolve(path);

    public IEnumerable<SelectedFile> Below(string path, CopyFilter filter) => _tree.Below(path).Select(f => FileOf(path, f));

    public string? ReasonForAbsence(string path) =>
        Suggestion.For(path, Children(TarPath.Parent(path)).Select(name => TarPath.Join(TarPath.Parent(path), name)));

    private SelectedFile FileOf(string top, TreeFile file)
    {
        var record = file.Record;
        string path = record.Path;
        var entry = record.Entry with
        {
            Path = top.Length == 0 ? path : path[Math.Min(path.Length, top.Length + 1)..],
            Type = record.Type == TarEntryType.HardLink ? TarEntryType.File : record.Type,
            Size = record.Type == TarEntryType.HardLink ? record.Size : record.Entry.Size,
            LinkTarget = record.Type == TarEntryType.HardLink ? null : record.LinkTarget,
        };
        return new SelectedFile(entry, record.Digest ?? TargetOf(record.LinkTarget, record.Type), new FileOrigin(file.Layer, path))
        {
            Links = LinksOf(file),
        };
    }

    // An image from elsewhere may link to a file of a lower layer.
    private Oci.Content.Digest? TargetOf(string? target, TarEntryType type) =>
        type == TarEntryType.HardLink ? _tree.Find(target!)?.Record.Digest : null;

    private string? LinksOf(TreeFile file)
    {
        if (file.Record.Type == TarEntryType.HardLink)
            return $"{file.Layer} {file.Record.LinkTarget}";
        return _linked.Contains(new FileOrigin(file.Layer, file.Record.Path)) ? $"{file.Layer} {file.Record.Path}" : null;
    }
}
