using Ingot.Builds.Files;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Steps;

/// <summary>What a mount shows, as far as the mounts after it need to know. Paths are below the root of the container,
/// as layers name them.</summary>
/// <param name="Target">Where it is; empty for the root itself.</param>
/// <param name="TypeAt">What is at a path below it; null for nothing.</param>
/// <param name="LinkAt">The text of the symbolic link at a path below it; null when there is none.</param>
/// <param name="Points">The directory in which something to mount on can be made where nothing is, and which is seen below everything else;
/// null when the runtime makes it.</param>
internal sealed record MountView(string Target, Func<string, TarEntryType?> TypeAt, Func<string, string?> LinkAt, string? Points)
{
    /// <summary>A directory of a chain's tree; the root of it when <paramref name="path"/> is empty.</summary>
    public static MountView Of(string target, FileTree tree, string path, string points) => new(
        target,
        below => below.Length == 0 ? TarEntryType.Directory : tree.Find(TarPath.Join(path, below))?.Record.Type,
        below =>
            tree.Find(TarPath.Join(path, below)) is { Record: { Type: TarEntryType.SymbolicLink, LinkTarget: var link } } ? link : null,
        points);

    /// <summary>A directory of the host.</summary>
    public static MountView Of(string target, string directory) => new(
        target,
        below => Look(directory, files => files.Find(below)?.Type),
        below => Look(directory, files => files.Find(below) is { Type: TarEntryType.SymbolicLink } ? files.ReadLink(below) : null),
        Points: null);

    /// <summary>Something new: a filesystem of the kernel, or a file.</summary>
    public static MountView Empty(string target) => new(target, _ => null, _ => null, Points: null);

    /// <summary>Whether a path is the mount or below it.</summary>
    public bool Covers(string path) =>
        Target.Length == 0 || path == Target || (path.StartsWith(Target, StringComparison.Ordinal) && path[Target.Length] == '/');

    /// <summary>A path seen from the mount.</summary>
    public string Below(string path) => Target.Length == 0 ? path : path == Target ? "" : path[(Target.Length + 1)..];

    private static T Look<T>(string directory, Func<HostFiles, T> look)
    {
        using var files = new HostFiles(directory);
        return look(files);
    }
}

/// <summary>The mounts of a container so far, one over the other, and where the next will really be.</summary>
internal sealed class MountTable
{
    private const int MaxLinks = 40;
    private const int RootMode = 0b111_101_101;
    private const int FileMode = 0b110_100_100;

    private readonly List<MountView> _views = [];

    /// <summary>Puts a view over those that are there.</summary>
    public void Add(MountView view) => _views.Add(view);

    /// <summary>Where a path leads when the links of all that is mounted are followed, never out of the root;
    /// null for a symlink loop.</summary>
    public string? Resolve(string path) => LinkResolver.Resolve(path, LinkAt, MaxLinks);

    /// <summary>What is at a path; null for nothing.</summary>
    public TarEntryType? TypeAt(string path)
    {
        var view = ViewOf(path);
        return view.TypeAt(view.Below(path));
    }

    /// <summary>Makes what is missing to mount on. Nothing of it is in a layer.</summary>
    /// <returns>Why nothing can be mounted there, or null.</returns>
    public string? MakePoint(string path, bool isFile)
    {
        for (string parent = TarPath.Parent(path); parent.Length > 0; parent = TarPath.Parent(parent))
        {
            if (TypeAt(parent) is { } above and not TarEntryType.Directory)
                return $"'/{parent}' is a {above} and not a directory";
        }

        var there = TypeAt(path);
        if (there is not null && there == TarEntryType.Directory == isFile)
            return isFile
                ? $"'/{path}' is a directory, and what is mounted there is a file"
                : $"'/{path}' is a {there}, and what is mounted there is a directory";

        var view = ViewOf(path);
        if (view.Points is { } points)
            Make(points, view.Below(path), isFile);
        return null;
    }

    private static void Make(string points, string path, bool isFile)
    {
        string made = points;
        HostFiles.MakeDirectory(made, RootMode);
        foreach (var part in (isFile ? TarPath.Parent(path) : path).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            made = Path.Combine(made, part);
            HostFiles.MakeDirectory(made, RootMode);
        }

        if (!isFile)
            return;
        made = Path.Combine(made, TarPath.Name(path));
        File.WriteAllBytes(made, []);
        File.SetUnixFileMode(made, (UnixFileMode)FileMode);
    }

    private string? LinkAt(string path)
    {
        var view = ViewOf(path);
        // A mount hides the link that it is on.
        return path == view.Target ? null : view.LinkAt(view.Below(path));
    }

    private MountView ViewOf(string path) => _views.FindLast(v => v.Covers(path))!;
}
