using System.IO.Enumeration;
using System.Text;
using Ingot.Oci.Linux;

namespace Ingot.Tools;

/// <summary>The repository of a working tree, found by looking and read as files. Its configuration is not obeyed: of it only the address
/// of its remote and a few plain values are read.</summary>
/// <remarks>What is asked of git itself, a <see cref="GitView"/> asks.
/// <see href="https://git-scm.com/docs/gitrepository-layout"/>.</remarks>
public sealed record GitRepository
{
    private const string Entry = ".git";
    private const string Pointer = "gitdir: ";
    private const int MaxText = 1 << 20;
    private const int MaxReferences = 256 << 20;
    private const int MaxSymbolicReferences = 5;

    // What decides how a file in the working tree compares with the one in the repository, and can name no program and no file.
    private static readonly string[] s_plain =
        ["core.autocrlf", "core.checkstat", "core.eol", "core.filemode", "core.ignorecase", "core.precomposeunicode",
            "core.symlinks", "core.trustctime"];

    private static readonly string[] s_plainValues =
        ["true", "false", "yes", "no", "on", "off", "1", "0", "input", "lf", "crlf", "native", "default", "minimal"];

    private static readonly string[] s_extensions =
        ["noop", "objectformat", "partialclone", "preciousobjects", "relativeworktrees", "worktreeconfig"];

    private static readonly string[] s_alternates = ["objects/info/alternates", "objects/info/http-alternates"];

    private GitRepository(string directory, string top, (string Own, string Common) places, (uint UserId, uint GroupId)? owner)
    {
        (Directory, Top, GitDirectory, CommonDirectory, Owner) = (directory, top, places.Own, places.Common, owner);
    }

    /// <summary>The directory that was asked about, without links.</summary>
    public string Directory { get; }

    /// <summary>The top of its working tree.</summary>
    public string Top { get; }

    /// <summary>Where the directory is in its working tree, with a slash at the end, or empty for the top.</summary>
    public string Prefix => Directory == Top ? "" : Path.GetRelativePath(Top, Directory) + "/";

    /// <summary>The commit that is checked out; null before the first.</summary>
    public string? Commit { get; private init; }

    /// <summary>The address of the remote repository; null for none.</summary>
    public string? Remote { get; private init; }

    /// <summary>The commits at which its history was cut off; empty for a whole one.</summary>
    public IReadOnlyList<string> Shallow { get; private init; } = [];

    /// <summary>The file that grows whenever another commit is checked out.</summary>
    public string HeadLog => Path.Combine(GitDirectory, "logs", "HEAD");

    /// <summary>What is of this working tree: its index, its HEAD.</summary>
    internal string GitDirectory { get; }

    /// <summary>What all working trees of the repository share.</summary>
    internal string CommonDirectory { get; }

    /// <summary>Who owns it; null for who runs Ingot, as whom git may read it.</summary>
    internal (uint UserId, uint GroupId)? Owner { get; }

    internal string ObjectFormat { get; private init; } = "sha1";

    internal IReadOnlyDictionary<string, string> Settings { get; private init; } = new Dictionary<string, string>();

    /// <summary>Patterns of files that are not looked at, beside those of the working tree.</summary>
    internal string Ignored { get; private init; } = "";

    internal string Attributes { get; private init; } = "";

    /// <summary>The repository in whose working tree a directory is; null for none. A bare repository is none: whoever adds files to a
    /// working tree can put one there. One that leads elsewhere, is another user's, or is of a form that is not known throws
    /// <see cref="ToolException"/>.</summary>
    public static GitRepository? Find(string directory)
    {
        using var asked = new RootedDirectory(directory);
        string physical = asked.Path;
        for (string? top = physical; top is not null; top = Path.GetDirectoryName(top))
        {
            if (TryAt(top, physical) is { } found)
                return found;
        }

        return null;
    }

    private static GitRepository? TryAt(string top, string directory)
    {
        string path = Path.Combine(top, Entry);
        using var entry = RootedDirectory.FindResolved(path, out var answer);
        if (answer == PathAnswer.Outside)
            throw Refused(path, "is a symbolic link", "replace it with the directory that it leads to");
        if (entry is null || entry.Status.Type is not (Kernel.S_IFDIR or Kernel.S_IFREG))
            return null;

        (string Own, string Common) places = entry.Status.Type == Kernel.S_IFDIR ? (path, path) : Linked(top, path);
        using var own = new RootedDirectory(places.Own);
        if (!Exists(own, "HEAD"))
            return null;
        using var common = new RootedDirectory(places.Common);
        var owner = OwnerOf([path, places.Own, places.Common, Path.Combine(places.Common, "objects")], directory);
        return Read(new GitRepository(directory, top, places, owner), own, common);
    }

    // A further working tree, or one of a submodule: what the file leads to must say that it belongs to it,
    // else any file could lead to anybody's repository.
    private static (string Own, string Common) Linked(string top, string path)
    {
        using var parent = new RootedDirectory(top);
        string text = Text(parent, Entry, path)!.TrimEnd('\r', '\n');
        if (!text.StartsWith(Pointer, StringComparison.Ordinal))
            throw Refused(path, "is not a git file", "remove it");
        string place = Path.GetFullPath(text[Pointer.Length..], top);
        using var own = Open(place, path);
        place = own.Path;
        if (Text(own, "commondir", place)?.Trim() is not { } common)
        {
            var config = GitConfig.Parse(Text(own, "config", place) ?? "");
            return config.TryGetValue("core.worktree", out var tree) && IsSame(Path.GetFullPath(tree, place), top)
                ? (place, place)
                : throw Foreign(path, place);
        }

        common = Path.GetFullPath(common, place);
        string? back = Text(own, "gitdir", place)?.Trim();
        bool isMutual = back is not null
            && Path.GetFileName(back) == Entry
            && IsSame(Path.GetDirectoryName(Path.GetFullPath(back, place))!, top)
            && IsSame(Path.GetDirectoryName(Path.GetDirectoryName(place)!)!, common);
        return isMutual ? (place, Path.GetDirectoryName(Path.GetDirectoryName(place)!)!) : throw Foreign(path, place);
    }

    private static ToolException Foreign(string path, string place) =>
        Refused(path, $"leads to '{place}', which does not say that it belongs to it",
            "'git worktree repair' in the repository makes it say so");

    private static RootedDirectory Open(string place, string from)
    {
        try
        {
            return new RootedDirectory(place);
        }
        catch (IOException)
        {
            throw Refused(from, $"leads to '{place}', where there is no repository", "remove it, or clone again");
        }
    }

    private static bool IsSame(string path, string physical)
    {
        try
        {
            using var directory = new RootedDirectory(path);
            return directory.Path == physical;
        }
        catch (IOException)
        {
            return false;
        }
    }

    // Who may be root builds what others own; what they own is read with their rights, so that it cannot lead where they may not look.
    private static (uint UserId, uint GroupId)? OwnerOf(string[] parts, string directory)
    {
        uint self = StatusOf("/proc/self").UserId;
        uint asker = StatusOf(directory).UserId;
        List<(uint UserId, uint GroupId)> others =
            [.. parts.Select(StatusOf).Where(s => s.UserId != self).Select(s => (s.UserId, s.GroupId)).DistinctBy(s => s.UserId)];
        if (others.FirstOrDefault(o => o.UserId != 0 && o.UserId != asker) is { UserId: > 0 } stranger)
            throw Refused(parts[0], $"is of the user {stranger.UserId}, and '{directory}' of {asker}", "give both to one user");
        if (others.Count > 1)
            throw Refused(parts[0], "has parts of several users", "give all of it to one with 'chown -R'");
        return others.Count == 0 || !Environment.IsPrivilegedProcess
            ? null
            : (others[0].UserId, others[0].GroupId == 0 ? NoGroup : others[0].GroupId);
    }

    private const uint NoGroup = 65534;

    private static StatX StatusOf(string path) =>
        Libc.StatX(Kernel.AT_FDCWD, LinuxPath.Terminated(path), 0, Kernel.STATX_BASIC_STATS, out var status) == 0
            ? status
            : throw LinuxError.Failed("look at", path);

    private static GitRepository Read(GitRepository found, RootedDirectory own, RootedDirectory common)
    {
        var config = GitConfig.Parse(Text(common, "config", found.CommonDirectory) ?? "");
        CheckForm(found, config);
        if (config.GetValueOrDefault("extensions.worktreeconfig") is "true")
        {
            foreach (var (name, value) in GitConfig.Parse(Text(own, "config.worktree", found.GitDirectory) ?? ""))
                config[name] = value;
        }

        CheckWorkingTree(found, config);
        if (found.Owner is null)
            CheckLinks(found, own, common);
        string format = config.GetValueOrDefault("extensions.objectformat", "sha1").ToLowerInvariant();
        var mine = OwnConfig();
        return found with
        {
            ObjectFormat = format is "sha1" or "sha256"
                ? format
                : throw Refused(found.CommonDirectory, $"names its objects by '{format}'", "use sha1 or sha256"),
            Commit = Resolve(found, own, common, format == "sha256" ? 64 : 40),
            Remote = config.GetValueOrDefault("remote.origin.url"),
            Shallow = [.. (Text(common, "shallow", found.CommonDirectory) ?? "").Split('\n').Where(IsHex)],
            Settings = Plain(mine.Concat(config)),
            Ignored = $"{OwnPatterns(mine)}\n{Text(common, "info/exclude", found.CommonDirectory)}",
            Attributes = Text(common, "info/attributes", found.CommonDirectory) ?? "",
        };
    }

    private static void CheckForm(GitRepository found, Dictionary<string, string> config)
    {
        if (config.GetValueOrDefault("core.repositoryformatversion", "0") is not ("0" or "1"))
            throw Refused(found.CommonDirectory, $"has the format '{config["core.repositoryformatversion"]}'",
                "use a format that git 2.39 reads");
        if (config.Keys.Where(k => k.StartsWith("extensions.", StringComparison.Ordinal)).Select(k => k["extensions.".Length..])
            .FirstOrDefault(k => !s_extensions.Contains(k))
            is { } unknown
            && !(unknown == "refstorage" && config["extensions.refstorage"] == "files"))
            throw Refused(found.CommonDirectory, $"has the extension '{unknown}', which is not read", "clone it without");
    }

    private static void CheckWorkingTree(GitRepository found, Dictionary<string, string> config)
    {
        if (config.TryGetValue("core.worktree", out var tree) && !IsSame(Path.GetFullPath(tree, found.GitDirectory), found.Top))
            throw Refused(found.GitDirectory, $"has its working tree elsewhere: in '{tree}'", "'git config --unset core.worktree'");
    }

    // Who put it there may not own it: an archive that root unpacked is root's.
    private static void CheckLinks(GitRepository found, RootedDirectory own, RootedDirectory common)
    {
        using var index = own.Find("index", out var answer, followsLinks: false);
        if (answer == PathAnswer.Outside || (index is not null && index.Status.Type != Kernel.S_IFREG))
            throw Refused(Path.Combine(found.GitDirectory, "index"), "is not a file of its own", "remove it; 'git reset' makes it again");
        if (s_alternates.FirstOrDefault(name => Text(common, name, found.CommonDirectory) is { Length: > 0 }) is { } alternates)
            throw Refused(Path.Combine(found.CommonDirectory, alternates), "leads to objects elsewhere",
                "'git repack -a -d' fetches them; then remove that file");

        string objects = Path.Combine(found.CommonDirectory, "objects");
        using var top = common.Find("objects", out answer, followsLinks: false);
        var link = answer == PathAnswer.Outside
            ? objects
            : LinksBelow(objects)
                .Concat(SharedIndexes(found).Where(path => File.ResolveLinkTarget(path, false) is not null))
                .FirstOrDefault();
        if (link is not null)
            throw Refused(link, "is a symbolic link", "replace it with what it leads to");
    }

    internal static IEnumerable<string> SharedIndexes(GitRepository found) =>
        System.IO.Directory.EnumerateFiles(found.GitDirectory, "sharedindex.*");

    private static FileSystemEnumerable<string> LinksBelow(string directory)
    {
        static bool IsLink(ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) != 0;
        return new(directory, (ref FileSystemEntry entry) => entry.ToFullPath(),
            new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
        {
            ShouldIncludePredicate = IsLink,
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !IsLink(ref entry),
        };
    }

    private static string? Resolve(GitRepository found, RootedDirectory own, RootedDirectory common, int digits)
    {
        string text = Text(own, "HEAD", found.GitDirectory) ?? "";
        for (int i = 0; i < MaxSymbolicReferences; i++)
        {
            text = text.Trim();
            if (text.Length == digits && IsHex(text))
                return text;
            if (!text.StartsWith("ref: refs/", StringComparison.Ordinal)
                || text.Split('/').Any(part => part is "" or "." or "..")
                || text.Any(char.IsControl))
                throw Refused(Path.Combine(found.GitDirectory, "HEAD"),
                    $"leads to '{(text.Length > 80 ? text[..80] : text)}', which is not a branch", "check out a commit");

            string name = text["ref: ".Length..];
            if ((Text(own, name, found.GitDirectory) ?? Text(common, name, found.CommonDirectory) ?? Packed(common, name,
                found.CommonDirectory)) is not { } next)
                return null;
            text = next;
        }

        throw Refused(Path.Combine(found.GitDirectory, "HEAD"), "leads from branch to branch", "check out a commit");
    }

    private static string? Packed(RootedDirectory common, string name, string where) =>
        (Text(common, "packed-refs", where, MaxReferences) ?? "").Split('\n')
            .FirstOrDefault(line => line.EndsWith(name, StringComparison.Ordinal) && line.Length > name.Length
                && line[^(name.Length + 1)] == ' ' && IsHex(line[..^(name.Length + 1)]))?.Split(' ')[0];

    private static bool IsHex(string text) => text.Length is 40 or 64 && text.All(char.IsAsciiHexDigitLower);

    private static Dictionary<string, string> Plain(IEnumerable<KeyValuePair<string, string>> config)
    {
        var plain = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in config.Where(c => s_plain.Contains(c.Key) && s_plainValues.Contains(c.Value.ToLowerInvariant())))
            plain[name] = value.ToLowerInvariant();
        return plain;
    }

    // The configuration of who runs Ingot is theirs, but not a word for programs here either.
    private static Dictionary<string, string> OwnConfig()
    {
        var config = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in (string[])["/etc/gitconfig", Path.Combine(Home, ".config/git/config"), Path.Combine(Home, ".gitconfig")])
        {
            foreach (var (name, value) in File.Exists(file) ? GitConfig.Parse(File.ReadAllText(file)) : [])
                config[name] = value;
        }

        return config;
    }

    private static string OwnPatterns(Dictionary<string, string> mine)
    {
        string file = mine.GetValueOrDefault("core.excludesfile", Path.Combine(Home, ".config/git/ignore"));
        file = file.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(Home, file[2..]) : file;
        return Path.IsPathRooted(file) && File.Exists(file) ? File.ReadAllText(file) : "";
    }

    private static string Home =>
        Environment.IsPrivilegedProcess ? "/root" : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    private static bool Exists(RootedDirectory directory, string name)
    {
        using var file = directory.Find(name, out var answer, followsLinks: false);
        return answer != PathAnswer.Missing;
    }

    private static string? Text(RootedDirectory directory, string name, string where, int limit = MaxText)
    {
        using var file = directory.Find(name, out var answer, followsLinks: false);
        if (answer == PathAnswer.Missing || file?.Status.Type == Kernel.S_IFDIR)
            return null;
        if (file is null || file.Status.Type != Kernel.S_IFREG || file.Status.Size > limit)
            throw Refused(Path.Combine(where, name), file is null ? "is a symbolic link" : "is not a git file", "clone again");
        using var reader = new StreamReader(file.OpenRead(), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static ToolException Refused(string path, string why, string cure) =>
        new("git", $"the repository is not read: '{path}' {why}; {cure}");
}
