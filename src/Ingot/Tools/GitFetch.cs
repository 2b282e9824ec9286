using System.Globalization;

namespace Ingot.Tools;

/// <summary>How repositories of others are reached.</summary>
public sealed record GitConnection
{
    /// <summary>The transports that may be used, also by submodules.</summary>
    public required IReadOnlyList<string> Protocols { get; init; }

    /// <summary>The socket of the agent with the keys for SSH; null for none.</summary>
    public string? SshAgent { get; init; }

    /// <summary>Where <see cref="Authorization"/> is sent to: the beginning of an address. Null for nowhere.</summary>
    public string? AuthorizedAddress { get; init; }

    /// <summary>The value of the header <c>Authorization</c>: a secret.</summary>
    public string? Authorization { get; init; }

    /// <summary>Variables with the proxies to use, such as <c>https_proxy</c>.</summary>
    public IReadOnlyDictionary<string, string> Proxies { get; init; } = new Dictionary<string, string>();
}

/// <summary>git, fetching what someone else wrote. It reads no configuration but what is given here, runs no hook, asks nobody, and keeps
/// secrets off the command line.</summary>
/// <param name="connection">How repositories are reached.</param>
public sealed class GitFetch(GitConnection connection)
{
    private const int LowSpeedSeconds = 60;

    /// <summary>What a repository calls its commits: a line for each name that ends so, and one for its default branch when
    /// <paramref name="names"/> is <c>HEAD</c>.</summary>
    public Command List(string repository, params IReadOnlyList<string> names) =>
        Run(directory: null, ["ls-remote", "--symref", "--", repository, .. names]);

    /// <summary>Makes an empty repository, without anything of a template.</summary>
    public Command Begin(string directory, string objectFormat) =>
        Run(directory: null, "-c", "init.defaultBranch=master", "init", "--quiet", "--template=",
            $"--object-format={objectFormat}", "--", directory);

    /// <summary>Says where a repository came from.</summary>
    public Command SetOrigin(string directory, string repository) => Run(directory, "config", "remote.origin.url", repository);

    /// <summary>Says that all branches are fetched, as after a clone.</summary>
    public Command SetFetched(string directory) => Run(directory, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");

    /// <summary>Fetches one commit without its history.</summary>
    /// <param name="directory">Into which repository.</param>
    /// <param name="repository">From where.</param>
    /// <param name="what">A commit, or <c>+from:to</c>.</param>
    public Command Fetch(string directory, string repository, string what) =>
        Run(directory, "fetch", "--quiet", "--no-tags", "--update-head-ok", "--depth=1", "--", repository, what);

    /// <summary>Fetches one commit, without its history, of a repository of this host.</summary>
    public Command Fetch(string directory, GitView view, string commit) =>
        Run(directory, "fetch", "--quiet", "--no-tags", "--depth=1", $"--upload-pack={view.UploadPack}", "--", view.Path, commit);

    /// <summary>Fetches all branches and tags with their history: what a server needs that hands out no single commit.</summary>
    public Command FetchAll(string directory, string repository) =>
        Run(directory, "fetch", "--quiet", "--update-head-ok", "--", repository, "+refs/heads/*:refs/remotes/origin/*",
            "+refs/tags/*:refs/tags/*");

    /// <summary>Which commit a name is of.</summary>
    public Command Commit(string directory, string name) => Run(directory, "rev-parse", "--verify", "--end-of-options", name + "^{commit}");

    /// <summary>Writes the files of a commit into the working tree.</summary>
    public Command Checkout(string directory, string commit) => Run(directory, "checkout", "--quiet", "--force", "--detach", commit);

    /// <summary>Fetches submodules, and theirs.</summary>
    public Command Submodules(string directory) => Run(directory, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1");

    /// <summary>Where the repository of a working tree is.</summary>
    public Command RepositoryOf(string directory) => Run(directory, "rev-parse", "--absolute-git-dir");

    /// <summary>What a commit says.</summary>
    public Command Object(string directory, string commit) => Run(directory, "cat-file", "commit", commit);

    /// <summary>Gives a name to an object.</summary>
    public Command SetReference(string directory, string name, string id) => Run(directory, "update-ref", "--no-deref", name, id);

    /// <summary>Makes the index from the commit. Where there is none yet it has nothing of the times and numbers of this host's
    /// files.</summary>
    public Command FreshIndex(string directory) => Run(directory, "read-tree", "HEAD");

    /// <summary>Puts all that is needed into one pack, whose bytes depend on the objects alone.</summary>
    public Command Repack(string directory) => Run(
        directory,
        "-c", "repack.writeBitmaps=false", "-c", "pack.writeReverseIndex=false", "-c", "core.multiPackIndex=false",
        "repack", "-a", "-d", "-F", "-n", "-q", "--window=0", "--depth=0");

    /// <summary>Takes away what is not needed.</summary>
    public Command Prune(string directory) => Run(directory, "prune", "--expire=now");

    /// <summary>The names of the variables of the configuration, one a line.</summary>
    public Command Configuration(string directory) => Run(directory, "config", "--local", "--name-only", "--list");

    /// <summary>Takes a section out of the configuration.</summary>
    public Command RemoveSection(string directory, string section) => Run(directory, "config", "--local", "--remove-section", section);

    private Command Run(string? directory, params IReadOnlyList<string> arguments) => new(
        "git",
        [
            .. directory is null ? Array.Empty<string>() : ["-C", directory],
            "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c",
            "maintenance.auto=false", "-c", "pack.threads=1",
            "-c", "advice.detachedHead=false", "-c", "credential.helper=", "-c", "http.lowSpeedLimit=1000", "-c", string.Create(
                CultureInfo.InvariantCulture, $"http.lowSpeedTime={LowSpeedSeconds}"),
            // git would go on showing the secret to whom an answer sends it.
            .. connection.Authorization is null ? Array.Empty<string>() : ["-c", "http.followRedirects=false"],
            .. arguments,
        ])
    {
        Environment = Environment(),
    };

    private Dictionary<string, string> Environment()
    {
        var environment = new Dictionary<string, string>(connection.Proxies)
        {
            ["GIT_CONFIG_NOSYSTEM"] = "1",
            ["GIT_CONFIG_GLOBAL"] = "/dev/null",
            ["GIT_ATTR_NOSYSTEM"] = "1",
            ["GIT_TERMINAL_PROMPT"] = "0",
            ["GIT_ASKPASS"] = "/bin/false",
            ["SSH_ASKPASS"] = "/bin/false",
            ["GIT_ALLOW_PROTOCOL"] = string.Join(':', connection.Protocols),
            // A host that is not known may be anyone.
            ["GIT_SSH_COMMAND"] = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes",
        };
        if (connection.SshAgent is { } agent)
            environment["SSH_AUTH_SOCK"] = agent;
        if (connection is { Authorization: { } authorization, AuthorizedAddress: { } address })
        {
            environment["GIT_CONFIG_COUNT"] = "1";
            environment["GIT_CONFIG_KEY_0"] = $"http.{address}.extraHeader";
            environment["GIT_CONFIG_VALUE_0"] = $"Authorization: {authorization}";
        }

        return environment;
    }
}
