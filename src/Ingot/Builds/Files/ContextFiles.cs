using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Linux;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Templates.Dockerfile;

namespace Ingot.Builds.Files;

/// <summary>A build context: a person's directory without what its ignore file leaves out. Nothing outside of it is ever read,
/// whatever links say.</summary>
/// <remarks>
/// Modes are those git knows: a file, or a pipe, is 0644, or 0755 when its owner may execute it, and a directory 0755. What else a checkout
/// has comes from the umask of who made it, and would give every host another image. Owners are root's and times the epoch's.
/// </remarks>
internal sealed class ContextFiles : ISelectable, IDisposable
{
    /// <summary>What records call the rule about modes.</summary>
    public const string ModesRule = "context-modes@2";

    private const int MaxLinks = 40;
    private const int OwnerExecutes = 0b001_000_000;
    private const int FileMode = 0b110_100_100;
    private const int ProgramMode = 0b111_101_101;
    private const int LinkMode = 0b111_111_111;

    private readonly HostFiles _files;
    private readonly IgnoreFile _ignore;
    private readonly DateTimeOffset _epoch;
    private readonly bool _keepsModes;
    private readonly string _name;
    private readonly string _ignoreName;
    private readonly ContentDigests? _digests;
    private readonly long _now;
    private bool _isSkipped;

    /// <param name="context">The context.</param>
    /// <param name="epoch">The time of everything in it.</param>
    /// <param name="kept">Where digests of files are kept from build to build: files are then only read when they must be. Null to read
    /// every file that is selected.</param>
    public ContextFiles(TreeSource.Context context, DateTimeOffset epoch, string? kept = null)
    {
        _name = $"the context '{context.Name}'";
        _epoch = epoch;
        _keepsModes = context.KeepsModes;
        _ignoreName = Path.GetFileName(context.IgnoreFile) ?? "";
        string ignore = context.IgnoreFile is null ? "" : ProjectDirectory.ReadResolved(context.IgnoreFile);
        _ignore = ReadIgnoreFile(context, ignore);
        _files = Reading("", () => Open(context.Directory));
        Definition = $"{(context.KeepsModes ? "" : ModesRule)} {epoch.ToUnixTimeSeconds()} {Digest.Of(Encoding.UTF8.GetBytes(ignore))}";
        if (kept is null)
            return;

        _now = ContentDigests.Now(kept);
        _digests = new ContentDigests(kept, context.Directory, _files.IsLocal(), _now);
    }

    /// <summary>What besides the files decides about a selection.</summary>
    public string Definition { get; }

    /// <summary>Closes the directory and keeps what was learned of files.</summary>
    public void Dispose()
    {
        _digests?.Save(isWhole: !_isSkipped);
        _files.Dispose();
    }

    /// <summary>What the trees look like that are selected from, without reading a file; null when that says too little.</summary>
    public Digest? StampOf(IReadOnlyList<string> patterns)
    {
        if (_digests is null || !_files.IsLocal())
            return null;

        // A link leads anywhere, and so does what a pattern matches.
        string[] paths = [.. patterns.Select(ImagePath.ToLayer)];
        if (patterns.Any(p => SourceSelector.IsWild(p) || p.Contains('\\', StringComparison.Ordinal)) || paths.Any(p => Resolve(p) != p))
            paths = [""];

        var stamps = new StringBuilder();
        foreach (string path in paths.Distinct())
        {
            if (TryStamp(path) is not { IsSettled: true } stamp)
                return null;
            stamps.Append(path).Append('\n').Append(stamp.Digest).Append('\n');
        }

        return Digest.Of(Encoding.UTF8.GetBytes(stamps.ToString()));
    }

    // Of what cannot be looked at nothing is known; who selects it says so.
    private TreeStamp? TryStamp(string path)
    {
        try
        {
            return _files.Stamp(path, _ignore == IgnoreFile.Empty ? null : IsLeftOut, _now);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Says that the files of a selection need not be looked at.</summary>
    public void Skip() => _isSkipped = true;

    /// <summary>Reads what was not read yet of a selection, several files at a time.</summary>
    public SourceSelection Read(SourceSelection selection, int parallelism)
    {
        var contents = new ConcurrentDictionary<FileOrigin, Digest>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, parallelism) };
        try
        {
            Parallel.ForEach(selection.Unread, options, file => contents[file.Origin] = DigestOf(file.Origin.Path));
        }
        catch (AggregateException e)
        {
            // One file is enough to say; the same files are unread the next time.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        return Learn(selection, contents);
    }

    /// <summary>A selection with contents that are known by now; they are remembered.</summary>
    public SourceSelection Learn(SourceSelection selection, IReadOnlyDictionary<FileOrigin, Digest> contents)
    {
        foreach (var file in selection.Unread)
        {
            if (contents.TryGetValue(file.Origin, out var content))
                _digests?.Add(file.Unread!.Value, content);
        }

        return selection.With(f => contents.TryGetValue(f.Origin, out var content) ? content : null);
    }

    // It was resolved when the build was planned: if a link is in it now, it is not what was meant.
    private static HostFiles Open(string directory)
    {
        using var found = RootedDirectory.FindResolved(directory, out var answer);
        return found is not null
            ? new HostFiles(found.HandlePath)
            : throw new InvalidInputException(
                "no-context",
                $"the context '{directory}' cannot be read: "
                    + $"{(answer == PathAnswer.Outside ? "a symbolic link is in its path" : "it is gone")}",
                "build again while nobody is changing it");
    }

    private bool IsLeftOut(string path, bool isDirectory) => _ignore.IsIgnored(path) && (!isDirectory || _ignore.CanPrune(path));

    /// <summary>The content of a file, owned by the caller.</summary>
    public Stream Open(FileOrigin origin) =>
        new PersonsFileStream(Reading(origin.Path, () => _files.OpenRead(origin.Path)), e => Unreadable(origin.Path, e));

    public SelectedFile? Find(string path) =>
        Look(path) is { } file && (path.Length == 0 || IsIncluded(path, file)) ? FileOf(path, path, file) : null;

    public IEnumerable<string> Children(string path) =>
        List(path).Where(c => IsIncluded(TarPath.Join(path, c.Name), c.File)).Select(c => c.Name);

    public string? Resolve(string path) =>
        LinkResolver.Resolve(path, p => Look(p) is { Type: TarEntryType.SymbolicLink } ? ReadLink(p) : null, MaxLinks);

    private HostFile? Look(string path) => Reading(path, () => _files.Find(path));

    private IReadOnlyList<(string Name, HostFile File)> List(string path) => Reading(path, () => _files.List(path));

    private string ReadLink(string path) => Reading(path, () => _files.ReadLink(path));

    // Whatever cannot be read of a person's files is said with its path, and is no fault of this program.
    private T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (IOException e)
        {
            throw Unreadable(path, e);
        }
    }

    private InvalidInputException Unreadable(string path, IOException e) => IsGone(path) ? Vanished(path) : new(
        "copy-unreadable",
        $"{(path.Length == 0 ? _name : $"'{path}' in {_name}")} cannot be read: {IngotException.ReasonOf(e)}",
        $"make it readable by the user who builds, or leave it out in '{(_ignoreName.Length == 0 ? ".dockerignore" : _ignoreName)}'");

    private bool IsGone(string path)
    {
        try
        {
            return path.Length > 0 && _files.Find(path) is null;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private InvalidInputException Vanished(string path) => new(
        "copy-vanished",
        $"{(path.Length == 0 ? _name : $"'{path}' in {_name}")} vanished while the image was being built",
        "build again while nothing is changing the files");

    public IEnumerable<SelectedFile> Below(string path, CopyFilter filter)
    {
        // What is below the top, seen from there.
        string Inner(string full) => path.Length == 0 ? full : full[(path.Length + 1)..];
        return Walk(path, full => filter.TakesNothingBelow(Inner(full)))
            .Where(f => f.File.Type == TarEntryType.Directory || filter.Takes(Inner(f.Path)))
            .Select(f => FileOf(path, f.Path, f.File))
            .OfType<SelectedFile>();
    }

    public string? ReasonForAbsence(string path)
    {
        if (path.Length > 0 && Look(path) is { } there)
            return there.Type == TarEntryType.SymbolicLink && !_ignore.IsIgnored(path)
                ? "it is a link to nothing in the context"
                : $"'{_ignoreName}' leaves it out";

        string parent = TarPath.Parent(path);
        return Look(parent)?.Type == TarEntryType.Directory
            ? Suggestion.For(path, Children(parent).Select(name => TarPath.Join(parent, name)))
            : null;
    }

    // A directory that is left out is there when something in it is taken back in.
    private IEnumerable<(string Path, HostFile File)> Walk(string directory, Func<string, bool> isClosed)
    {
        foreach (var (name, file) in List(directory))
        {
            string path = TarPath.Join(directory, name);
            bool isIgnored = _ignore.IsIgnored(path);
            if (file.Type != TarEntryType.Directory)
            {
                if (!isIgnored)
                    yield return (path, file);
                continue;
            }

            var below = isClosed(path) || (isIgnored && _ignore.CanPrune(path)) ? [] : Walk(path, isClosed).ToList();
            if (!isIgnored || below.Count > 0)
                yield return (path, file);
            foreach (var inner in below)
                yield return inner;
        }
    }

    private bool IsIncluded(string path, HostFile file) =>
        !_ignore.IsIgnored(path) || (file.Type == TarEntryType.Directory && !_ignore.CanPrune(path) && Walk(path, _ => false).Any());

    private SelectedFile? FileOf(string top, string path, HostFile file)
    {
        // Whoever listens on a socket is not in the image.
        if (file.Type is not { } type)
            return null;
        if (type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
            throw new InvalidInputException("copy-special-file", $"'{path}' in {_name} is a {type}, which cannot be copied",
                $"write '{path}' in its .dockerignore");

        var entry = new TarEntry
        {
            Path = top.Length == 0 ? path : path[Math.Min(path.Length, top.Length + 1)..],
            Type = type,
            Mode = type == TarEntryType.SymbolicLink ? LinkMode
                : _keepsModes ? file.Mode
                : type == TarEntryType.Directory || (file.Mode & OwnerExecutes) != 0 ? ProgramMode
                : FileMode,
            Size = type == TarEntryType.File ? file.Size : 0,
            LinkTarget = type == TarEntryType.SymbolicLink ? ReadLink(path) : null,
            ModifiedTime = _epoch,
        };
        var origin = new FileOrigin(0, path);
        if (type != TarEntryType.File || _digests is null)
            return new SelectedFile(entry, type == TarEntryType.File ? DigestOf(path) : null, origin);

        var content = _digests.Find(file.Stamp);
        return new SelectedFile(entry, content, origin) { Unread = content is null ? file.Stamp : null };
    }

    private Digest DigestOf(string path)
    {
        using var stream = Open(new FileOrigin(0, path));
        return Digest.FromHash(SHA256.HashData(stream));
    }

    private static IgnoreFile ReadIgnoreFile(TreeSource.Context context, string text)
    {
        if (context.IgnoreFile is null)
            return IgnoreFile.Empty;

        var diagnostics = new DiagnosticBag();
        var ignore = IgnoreFile.Parse(new SourceText(Path.GetFileName(context.IgnoreFile), text), diagnostics);
        diagnostics.ThrowIfErrors();
        return ignore;
    }
}
