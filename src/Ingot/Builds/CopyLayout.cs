using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds;

/// <summary>A file of a copy's layer.</summary>
/// <param name="Entry">As it is written.</param>
/// <param name="Source">What it is a copy of; null for a directory that was missing.</param>
internal sealed record PlacedFile(TarEntry Entry, SelectedFile? Source);

/// <summary>How a copy treats what it places.</summary>
/// <param name="Destination">Where to, as paths in layers are written.</param>
/// <param name="DestinationIsDirectory">Whether the template asked for a directory.</param>
/// <param name="Owner">The owner of everything; null for that of each file, and root for directories that were missing.</param>
/// <param name="Mode">The mode of everything copied; null for that of each file.</param>
/// <param name="Epoch">The time of directories that were missing.</param>
internal sealed record CopyOptions(string Destination, bool DestinationIsDirectory, (uint UserId, uint GroupId)? Owner, ModeChange? Mode, DateTimeOffset Epoch);

/// <summary>A copy cannot be made: a sentence for the person who wrote it.</summary>
internal sealed class CopyConflictException(string message) : Exception(message);

/// <summary>Decides where files go that are copied into a tree. Says what to write, and writes nothing.</summary>
/// <remarks>
/// As Docker's builder: the contents of a directory are copied, not the directory; a file goes into a directory when the destination is written as one or is one;
/// links in the destination are followed; directories that are missing are made with mode 0755, those that are there stay as they are, and those within a copied
/// directory get its modes. Otherwise than Docker's builder, a directory copied onto a link to a directory goes where the link leads: roots with <c>/lib</c> linked to <c>usr/lib</c> are common.
/// </remarks>
internal sealed class CopyLayout
{
    private const int MissingMode = 0b111_101_101;

    private readonly FileTree _target;
    private readonly CopyOptions _options;
    private readonly Dictionary<string, PlacedFile> _placed = [];

    private CopyLayout(FileTree target, CopyOptions options)
    {
        _target = target;
        _options = options;
    }

    /// <summary>The layer's files in order, ready to be written.</summary>
    public static IReadOnlyList<PlacedFile> Of(FileTree target, IReadOnlyList<SelectedSource> sources, CopyOptions options)
    {
        var layout = new CopyLayout(target, options);
        string destination = layout.Resolve(options.Destination);
        if (sources.Count > 1 && !options.DestinationIsDirectory && layout.TypeAt(destination) != TarEntryType.Directory && sources.Any(s => !s.IsDirectory))
            throw new CopyConflictException($"several sources are copied to '/{destination}', which is no directory: write '/{destination}/'");

        foreach (var source in sources)
        {
            if (source.IsDirectory)
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
        MakeDirectories(TarPath.Parent(path));
        Place(source.Files[0], path);
    }

    private string PlaceDirectory(SelectedFile directory, string path)
    {
        if (TypeAt(path) == TarEntryType.SymbolicLink && TypeAt(Resolve(path)) == TarEntryType.Directory)
            return Resolve(path);
        if (TypeAt(path) is { } type and not TarEntryType.Directory)
            throw new CopyConflictException($"the directory '{directory.Origin.Path}' cannot replace '/{path}', which is a {type}");

        _placed[path] = new PlacedFile(Dressed(directory.Entry, path), directory);
        return path;
    }

    private void Place(SelectedFile file, string path)
    {
        if (TypeAt(path) == TarEntryType.Directory)
            throw new CopyConflictException($"'{file.Origin.Path}' cannot replace the directory '/{path}'");

        _placed[path] = new PlacedFile(Dressed(file.Entry, path), file);
    }

    private void MakeDirectories(string path)
    {
        if (path.Length == 0 || TypeAt(path) == TarEntryType.Directory)
            return;
        if (TypeAt(path) is { } type)
            throw new CopyConflictException($"'/{path}' is a {type}, and the copy needs a directory there");

        MakeDirectories(TarPath.Parent(path));
        var entry = new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = MissingMode, ModifiedTime = _options.Epoch };
        _placed[path] = new PlacedFile(Owned(entry), Source: null);
    }

    private TarEntry Dressed(TarEntry entry, string path)
    {
        var dressed = Owned(entry with { Path = path });
        return _options.Mode is { } mode && entry.Type != TarEntryType.SymbolicLink ? dressed with { Mode = mode.Apply(entry.Mode, entry.Type == TarEntryType.Directory) } : dressed;
    }

    private TarEntry Owned(TarEntry entry) => _options.Owner is { } owner ? entry with { UserId = owner.UserId, GroupId = owner.GroupId } : entry;

    private TarEntryType? TypeAt(string path)
    {
        if (_placed.TryGetValue(path, out var placed))
            return placed.Entry.Type;
        return path.Length == 0 ? TarEntryType.Directory : _target.Find(path)?.Record.Type;
    }

    private string Resolve(string path) =>
        LinkResolver.Resolve(path, p => TypeAt(p) == TarEntryType.SymbolicLink ? LinkAt(p) : null, limit: 40)
        ?? throw new CopyConflictException($"the links in '/{path}' go round in a circle");

    private string LinkAt(string path) => _placed.TryGetValue(path, out var placed) ? placed.Entry.LinkTarget! : _target.Find(path)!.Value.Record.LinkTarget!;

    // Of several names of one file the first in the layer is the file.
    private List<PlacedFile> Finish()
    {
        var first = new Dictionary<(string, Digest?), string>();
        var files = new List<PlacedFile>();
        foreach (var placed in _placed.Values.OrderBy(p => p.Entry.Path, Comparer<string>.Create(TarPath.Compare)))
        {
            if (placed.Source?.Links is not { } links || first.TryAdd((links, placed.Source.Content), placed.Entry.Path))
                files.Add(placed);
            else
                files.Add(new PlacedFile(LinkTo(placed.Entry, first[(links, placed.Source.Content)]), placed.Source));
        }

        return files;
    }

    private static TarEntry LinkTo(TarEntry entry, string file) =>
        entry with { Type = TarEntryType.HardLink, LinkTarget = file, Size = 0, ExtendedAttributes = null };
}
