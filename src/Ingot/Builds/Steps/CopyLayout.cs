using Ingot.Builds.Files;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>A file of a copy's layer.</summary>
/// <param name="Entry">As it is written.</param>
/// <param name="Source">What it is a copy of; null for a directory that was missing.</param>
internal sealed record PlacedFile(TarEntry Entry, SelectedFile? Source)
{
    /// <summary>The same for all names of one file; null for a file of one name.</summary>
    public string? Group { get; init; }
}

/// <summary>How a copy treats what it places.</summary>
/// <param name="Destination">Where to, as paths in layers are written.</param>
/// <param name="DestinationIsDirectory">Whether the template asked for a directory.</param>
/// <param name="Owner">The owner of everything; null for that of each file, and root for directories that were missing.</param>
/// <param name="Mode">The mode of everything copied; null for that of each file.</param>
/// <param name="Epoch">The time of directories that were missing.</param>
internal sealed record CopyOptions(
    string Destination, bool DestinationIsDirectory, (uint UserId, uint GroupId)? Owner, ModeChange? Mode, DateTimeOffset Epoch);

/// <summary>A copy cannot be made: a sentence for the person who wrote it.</summary>
internal sealed class CopyConflictException(string message) : Exception(message);

/// <summary>Decides where files go that are copied into a tree. Says what to write, and writes nothing.</summary>
/// <remarks>
/// As Docker's builder: the contents of a directory are copied, not the directory; a file goes into a directory when the destination is
/// written as one or is one; links in the destination are followed; directories that are missing are made with mode 0755, those that are
/// there stay as they are, and those within a copied directory get its modes. Otherwise than Docker's builder, a directory copied onto a
/// link to a directory goes where the link leads: roots with <c>/lib</c> linked to <c>usr/lib</c> are common. Archives are unpacked as by
/// tar with the destination as its root: what they bring takes the place of what is there, whatever it is, and only directories are merged.
/// </remarks>
internal sealed class CopyLayout
{
    private const int MissingMode = 0b111_101_101;
    private const int MaxLinks = 40;
    private const int MaxFiles = 4_000_000;

    private readonly FileTree _target;
    private readonly CopyOptions _options;
    private readonly Dictionary<string, PlacedFile> _placed = [];

    // Paths whose files of lower layers are gone, with everything below.
    private readonly HashSet<string> _removed = [];

    // What is placed in each directory.
    private readonly Dictionary<string, HashSet<string>> _children = [];

    // Mode and owner of files with several names, by group.
    private readonly Dictionary<string, TarEntry> _said = [];
    private int _source;

    private CopyLayout(FileTree target, CopyOptions options)
    {
        _target = target;
        _options = options;
    }

    /// <summary>The layer's files in order, ready to be written.</summary>
    public static IReadOnlyList<PlacedFile> Of(FileTree target, IReadOnlyList<SelectedSource> sources, CopyOptions options)
    {
        var layout = new CopyLayout(target, options);
        foreach (var source in sources)
        {
            layout._source++;
            string destination = layout.Resolve(options.Destination);
            if (source.IsArchive)
                layout.Unpack(source, destination);
            else if (source.IsDirectory)
                layout.PlaceContents(source, destination);
            else
                layout.PlaceFile(source, destination);
        }

        return layout.Finish();
    }

    private void PlaceContents(SelectedSource source, string destination)
    {
        MakeDirectories(destination);
        // Directories that turned out to lie elsewhere, because a link leads there.
        var moved = new Dictionary<string, string> { [""] = destination };
        foreach (var file in source.Files.Skip(1))
        {
            string path = TarPath.Join(moved[TarPath.Parent(file.Entry.Path)], TarPath.Name(file.Entry.Path));
            if (file.Entry.Type == TarEntryType.Directory)
                moved[file.Entry.Path] = PlaceDirectory(file, path);
            else
                Place(file, path);
        }
    }

    private void PlaceFile(SelectedSource source, string destination)
    {
        bool intoDirectory = _options.DestinationIsDirectory || TypeAt(destination) == TarEntryType.Directory;
        string path = intoDirectory ? TarPath.Join(destination, source.Name) : destination;
        if (!intoDirectory && _placed.ContainsKey(path))
            throw new CopyConflictException($"several sources are copied to '/{path}', which is not a directory: write '/{path}/'");

        MakeDirectories(TarPath.Parent(path));
        Place(source.Files[0], path);
    }

    private string PlaceDirectory(SelectedFile directory, string path)
    {
        var there = TypeAt(path);
        if (there == TarEntryType.SymbolicLink && TypeAt(Resolve(path)) == TarEntryType.Directory)
            return Resolve(path);
        if (there is { } type and not TarEntryType.Directory)
            throw new CopyConflictException($"the directory '{directory.Origin.Path}' cannot replace '/{path}', which is a {type}");

        var entry = Dressed(directory.Entry, path);
        // One that is only on the way to what is copied keeps its owner.
        if (directory.IsOnTheWay && there is not null)
            entry = EntryAt(path) with { Mode = directory.Entry.Mode };
        Put(new PlacedFile(entry, directory));
        return path;
    }

    private void Place(SelectedFile file, string path)
    {
        if (TypeAt(path) == TarEntryType.Directory)
            throw new CopyConflictException($"'{file.Origin.Path}' cannot replace the directory '/{path}'");

        Put(new PlacedFile(Dressed(file.Entry, path), file) { Group = file.Links is null ? null : $"{_source} {file.Links}" });
    }

    private void MakeDirectories(string path)
    {
        if (path.Length == 0 || TypeAt(path) == TarEntryType.Directory)
            return;
        if (TypeAt(path) is { } type)
            throw new CopyConflictException($"'/{path}' is a {type}, and the copy needs a directory there");

        MakeDirectories(TarPath.Parent(path));
        Put(new PlacedFile(Owned(Missing(path)), Source: null));
    }

    private TarEntry Missing(string path) =>
        new() { Path = path, Type = TarEntryType.Directory, Mode = MissingMode, ModifiedTime = _options.Epoch };

    private TarEntry Dressed(TarEntry entry, string path)
    {
        var dressed = Owned(entry with { Path = path, ExtendedAttributes = CopiedAttributes.Kept(entry) });
        return _options.Mode is { } mode && entry.Type != TarEntryType.SymbolicLink
            ? dressed with { Mode = mode.Apply(entry.Mode, entry.Type == TarEntryType.Directory) }
            : dressed;
    }

    private TarEntry Owned(TarEntry entry) =>
        _options.Owner is { } owner ? entry with { UserId = owner.UserId, GroupId = owner.GroupId } : entry;

    private void Unpack(SelectedSource archive, string destination)
    {
        MakeDirectories(destination);
        foreach (var file in archive.Files)
        {
            // The root of the archive is the destination, which is there.
            if (file.Entry.Path.Length > 0)
                Unpack(archive, file, destination);
        }
    }

    private void Unpack(SelectedSource archive, SelectedFile file, string destination)
    {
        string path = TarPath.Join(ParentOf(archive, file.Entry.Path, destination), TarPath.Name(file.Entry.Path));
        bool isDirectory = file.Entry.Type == TarEntryType.Directory;
        var link = file.Entry.Type == TarEntryType.HardLink ? LinkedFile(archive, file, destination) : null;
        if (TypeAt(path) is { } there && link?.Entry.Path != path && !(isDirectory && there == TarEntryType.Directory))
            Remove(path);

        if (link is null)
        {
            Put(new PlacedFile(Owned(file.Entry with { Path = path }), file));
            return;
        }

        // What an archive says of one name of a file, it says of the file. Only what has content shares it.
        var said = Owned(file.Entry);
        bool isLink = link.Entry.Type == TarEntryType.SymbolicLink;
        string? group = link.Entry.Type == TarEntryType.File ? link.Group ?? $"{_source} {link.Entry.Path} {_placed.Count}" : null;
        if (group is not null)
            _said[group] = said;
        Put(link with { Group = group });
        Put(link with
        {
            Entry =
                link.Entry with { Path = path, Mode = isLink ? link.Entry.Mode : said.Mode, UserId = said.UserId, GroupId = said.GroupId },
            Group = group,
        });
    }

    private PlacedFile LinkedFile(SelectedSource archive, SelectedFile file, string destination)
    {
        string target = file.Entry.LinkTarget!;
        string path = target.Length == 0 ? "" : TarPath.Join(ParentOf(archive, target, destination), TarPath.Name(target));
        return _placed.TryGetValue(path, out var placed) && placed.Entry.Type != TarEntryType.Directory
            ? placed
            : throw new CopyConflictException($"the hard link '{file.Entry.Path}' in '{archive.Name}' names '{target}', "
                + "which is not a file that the archive brought before");
    }

    // Links on the way are followed, as if the destination were the root: nothing leads out of it.
    private string ParentOf(SelectedSource archive, string path, string destination)
    {
        string parent = TarPath.Parent(path);
        string resolved = LinkResolver.Resolve(parent, p => LinkAt(TarPath.Join(destination, p)), MaxLinks)
            ?? throw new CopyConflictException($"'{path}' in '{archive.Name}' cannot be unpacked: '{parent}' contains a symlink loop");

        string at = destination;
        foreach (string part in resolved.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            at = TarPath.Join(at, part);
            if (TypeAt(at) is { } type and not TarEntryType.Directory)
                throw new CopyConflictException($"'{path}' in '{archive.Name}' cannot be unpacked: '/{at}' is a {type}");
            if (TypeAt(at) is null)
                Put(new PlacedFile(Missing(at), Source: null));
        }

        return at;
    }

    private void Put(PlacedFile file)
    {
        string path = file.Entry.Path;
        _placed[path] = file;
        if (_placed.Count > MaxFiles)
            throw new CopyConflictException($"more than {MaxFiles} files and directories would be copied, which is the limit");
        if (!_children.TryGetValue(TarPath.Parent(path), out var children))
            _children[TarPath.Parent(path)] = children = [];
        children.Add(path);
    }

    private void Remove(string path)
    {
        if (_target.Find(path) is not null)
            _removed.Add(path);
        var gone = new Stack<string>([path]);
        while (gone.TryPop(out string? next))
        {
            _placed.Remove(next);
            if (!_children.Remove(next, out var children))
                continue;
            foreach (string child in children)
                gone.Push(child);
        }
    }

    private TarEntryType? TypeAt(string path)
    {
        if (_placed.TryGetValue(path, out var placed))
            return placed.Entry.Type;
        return path.Length == 0 ? TarEntryType.Directory : BelowAt(path)?.Record.Type;
    }

    private TarEntry EntryAt(string path) => _placed.TryGetValue(path, out var placed) ? placed.Entry : BelowAt(path)!.Value.Record.Entry;

    private string? LinkAt(string path) => path.Length > 0 && TypeAt(path) == TarEntryType.SymbolicLink ? EntryAt(path).LinkTarget : null;

    // What the layers below have there, unless this one took it away.
    private TreeFile? BelowAt(string path)
    {
        for (string at = path; _removed.Count > 0 && at.Length > 0; at = TarPath.Parent(at))
        {
            if (_removed.Contains(at))
                return null;
        }

        return _target.Find(path);
    }

    private string Resolve(string path) =>
        LinkResolver.Resolve(path, LinkAt, MaxLinks) ?? throw new CopyConflictException($"'/{path}' contains a symlink loop");

    // Of several names of one file the first in the layer is the file.
    private List<PlacedFile> Finish()
    {
        var first = new Dictionary<string, string>();
        var files = new List<PlacedFile>();
        foreach (var placed in _placed.Values.Select(AsSaid).OrderBy(p => p.Entry.Path, Comparer<string>.Create(TarPath.Compare)))
        {
            if (Whiteout.IsWhiteout(placed.Entry.Path))
                throw new CopyConflictException(
                    $"'/{placed.Entry.Path}' cannot be in a layer: a name that begins with '{Whiteout.Prefix}' there means a deletion");

            if (placed.Group is not { } group || first.TryAdd(group, placed.Entry.Path))
                files.Add(placed);
            else
                files.Add(placed with { Entry = LinkTo(placed.Entry, first[group]) });
            if (HidesWhatIsBelow(placed.Entry))
                files.Add(new PlacedFile(
                    new TarEntry
                    {
                        Path = TarPath.Join(placed.Entry.Path, Whiteout.Opaque),
                        Type = TarEntryType.File,
                        ModifiedTime = _options.Epoch,
                    },
                    Source: null));
        }

        return files;
    }

    private PlacedFile AsSaid(PlacedFile file) => file.Group is { } group && _said.TryGetValue(group, out var said)
        ? file with { Entry = file.Entry with { Mode = said.Mode, UserId = said.UserId, GroupId = said.GroupId } }
        : file;

    // A directory where another was taken away in between.
    private bool HidesWhatIsBelow(TarEntry entry) =>
        entry.Type == TarEntryType.Directory && _removed.Contains(entry.Path) && _target.IsDirectory(entry.Path);

    private static TarEntry LinkTo(TarEntry entry, string file) =>
        entry with { Type = TarEntryType.HardLink, LinkTarget = file, Size = 0, ExtendedAttributes = null };
}
