using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ingot.Tools;

/// <summary>git, asked about a repository of others. It is shown a directory of ours in place of the repository's own, with a configuration
/// of ours, and of the repository only its objects and its index: so nothing that the repository could name is run: no filter, hook, helper
/// or transport. A repository of another user is read with that user's rights.</summary>
/// <remarks>Decision 10 says why.</remarks>
public sealed class GitView : IDisposable
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode DirectoryMode = Mode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly GitRepository _repository;

    /// <summary>Makes the view of a repository.</summary>
    public GitView(GitRepository repository)
    {
        _repository = repository;
        // Not where the environment says: who owns the directory around it could exchange it.
        Path = $"/tmp/ingot-git-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}";
        Make(Path);
        Make(At("refs"));
        Make(At("info"));
        Write("HEAD", repository.Commit ?? "ref: refs/heads/none");
        Write("config", Config());
        Write("shallow", string.Concat(repository.Shallow.Select(commit => commit + "\n")));
        Write("info/exclude", repository.Ignored);
        Write("info/attributes", repository.Attributes);
        File.CreateSymbolicLink(At("objects"), System.IO.Path.Combine(repository.CommonDirectory, "objects"));
        foreach (string shared in GitRepository.SharedIndexes(repository))
            File.CreateSymbolicLink(At(System.IO.Path.GetFileName(shared)), shared);
    }

    /// <summary>The directory that git takes for the repository.</summary>
    public string Path { get; }

    /// <summary>What serves a fetch from <see cref="Path"/>, as <c>--upload-pack</c> takes it: words of ours only,
    /// because git gives them to a shell.</summary>
    public string UploadPack =>
        string.Join(' ', AsOwner(["-c", "safe.directory=*", "-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack"]));

    /// <summary>Succeeds when the repository has a commit.</summary>
    public Command Has(string commit) => Run("cat-file", "-e", commit + "^{commit}");

    /// <summary>The files below the directory that differ from the commit, one a line; nothing when there are none. What submodules hold is
    /// not looked at: theirs would be another repository's configuration.</summary>
    public Command Changes() =>
        Run("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=dirty", "--no-renames", "--", ".");

    /// <summary>What is in the index below the directory: mode, object and stage, a tabulator, and the path.</summary>
    public Command Index() => Run("ls-files", "--stage", "--", ".");

    /// <summary>The newest commit that changed any of some paths, and when it was made, in seconds since 1970;
    /// nothing when there is none.</summary>
    public Command NewestCommit(IReadOnlyList<string> paths) =>
        Run(["log", "-1", "--format=%H %ct", _repository.Commit ?? "HEAD", "--", .. paths]);

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);

    private Command Run(params IReadOnlyList<string> arguments)
    {
        string[] line = [.. AsOwner(["-C", _repository.Directory, "--no-pager", "--literal-pathspecs", .. arguments])];
        return new Command(line[0], line[1..]) { Environment = Environment() };
    }

    private string[] AsOwner(string[] arguments) => _repository.Owner is not { } owner
        ? ["git", .. arguments]
        : ["setpriv", Option("reuid", owner.UserId), Option("regid", owner.GroupId), "--clear-groups", "--no-new-privs",
            "git", .. arguments];

    private static string Option(string name, uint value) => string.Create(CultureInfo.InvariantCulture, $"--{name}={value}");

    private Dictionary<string, string> Environment() => new()
    {
        ["GIT_DIR"] = Path,
        ["GIT_WORK_TREE"] = _repository.Top,
        ["GIT_INDEX_FILE"] = System.IO.Path.Combine(_repository.GitDirectory, "index"),
        ["GIT_CONFIG_NOSYSTEM"] = "1",
        ["GIT_CONFIG_GLOBAL"] = "/dev/null",
        ["GIT_ATTR_NOSYSTEM"] = "1",
        ["GIT_OPTIONAL_LOCKS"] = "0",
        ["GIT_NO_REPLACE_OBJECTS"] = "1",
        ["GIT_NO_LAZY_FETCH"] = "1",
        ["GIT_ALLOW_PROTOCOL"] = "none",
        ["GIT_TERMINAL_PROMPT"] = "0",
        ["HOME"] = Path,
        ["XDG_CONFIG_HOME"] = Path,
    };

    private string Config()
    {
        var config = new StringBuilder(
            "[core]\n\tbare = false\n\tsafecrlf = false\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tattributesFile = /dev/null\n");
        config.Append(CultureInfo.InvariantCulture, $"\trepositoryformatversion = {(_repository.ObjectFormat == "sha1" ? 0 : 1)}\n");
        foreach (var (name, value) in _repository.Settings)
            config.Append(CultureInfo.InvariantCulture, $"\t{name["core.".Length..]} = {value}\n");
        if (_repository.ObjectFormat != "sha1")
            config.Append(CultureInfo.InvariantCulture, $"[extensions]\n\tobjectformat = {_repository.ObjectFormat}\n");
        return config.ToString();
    }

    private string At(string name) => System.IO.Path.Combine(Path, name);

    // Who reads it may be another user, whatever the umask is.
    private static void Make(string path)
    {
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, DirectoryMode);
    }

    private void Write(string name, string content)
    {
        File.WriteAllText(At(name), content);
        File.SetUnixFileMode(At(name), Mode);
    }
}
