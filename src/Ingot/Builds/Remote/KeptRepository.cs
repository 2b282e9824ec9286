using Ingot.Tools;

namespace Ingot.Builds.Remote;

/// <summary>The repository that a checkout keeps: what is in it depends on the commit and on what was asked for, and not on when, in what
/// pieces and into which files it was fetched.</summary>
/// <remarks>One commit without its history, in one pack that is made here without differences between objects; the name it was asked for
/// by; an index without the times and numbers of this host's files.</remarks>
internal static class KeptRepository
{
    // What git makes of a template, or remembers of what it did.
    private static readonly string[] s_passing =
    [
        "FETCH_HEAD", "ORIG_HEAD", "branches", "description", "gc.log", "hooks", "index", "info", "logs", "packed-refs", "refs", "shallow",
    ];

    private static readonly EnumerationOptions s_everywhere = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
        IgnoreInaccessible = false,
    };

    /// <summary>Makes it so, also in submodules.</summary>
    /// <param name="git">git.</param>
    /// <param name="directory">The checkout.</param>
    /// <param name="origin">Where it came from, without credentials.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="run">Runs a command and returns its output.</param>
    public static async Task TidyAsync(GitFetch git, string directory, string origin, GitCommit commit, Func<Command, Task<string>> run)
    {
        foreach (string submodule in SubmodulesOf(directory))
        {
            string id = (await run(git.Commit(submodule, "HEAD"))).Trim();
            await TidyAsync(git, submodule, new GitCommit(id, Reference: null, Tag: null), run);
            await ForgetBranchesAsync(git, submodule, run);
        }

        await run(git.SetOrigin(directory, origin));
        await TidyAsync(git, directory, commit, run);
    }

    private static async Task TidyAsync(GitFetch git, string directory, GitCommit commit, Func<Command, Task<string>> run)
    {
        string repository = (await run(git.RepositoryOf(directory))).Trim();
        bool hasHistory = HasParent(await run(git.Object(directory, commit.Id)));
        foreach (string name in s_passing)
            Remove(Path.Combine(repository, name));
        Directory.CreateDirectory(Path.Combine(repository, "refs"));
        await File.WriteAllTextAsync(Path.Combine(repository, "HEAD"), commit.Id + "\n");
        // The history that came along with it, where a server hands out no single commit, is not kept.
        if (hasHistory)
            await File.WriteAllTextAsync(Path.Combine(repository, "shallow"), commit.Id + "\n");
        if (commit.Reference is { } reference)
            await run(git.SetReference(directory, reference, commit.Tag ?? commit.Id));
        await run(git.FreshIndex(directory));
        await run(git.Repack(directory));
        await run(git.Prune(directory));
        Remove(Path.Combine(repository, "objects", "info"));
        Remove(Path.Combine(repository, "logs"));
    }

    // A server's default branch is another one day.
    private static async Task ForgetBranchesAsync(GitFetch git, string directory, Func<Command, Task<string>> run)
    {
        await run(git.SetFetched(directory));
        string names = await run(git.Configuration(directory));
        foreach (string branch in names.Split('\n')
            .Where(n => n.StartsWith("branch.", StringComparison.Ordinal))
            .Select(SectionOf)
            .Distinct())
            await run(git.RemoveSection(directory, branch));
    }

    // In the lines before its message.
    private static bool HasParent(string commit) =>
        commit.Split("\n\n", 2)[0].Split('\n').Any(line => line.StartsWith("parent ", StringComparison.Ordinal));

    // branch.NAME.remote
    private static string SectionOf(string variable) => variable[..variable.LastIndexOf('.')];

    // The innermost first: git lets no tree have a file of that name.
    private static IEnumerable<string> SubmodulesOf(string directory) => Directory
        .EnumerateFiles(directory, ".git", s_everywhere)
        .Select(file => Path.GetDirectoryName(file)!)
        .OrderByDescending(path => path.Length)
        .ThenBy(path => path, StringComparer.Ordinal);

    private static void Remove(string path)
    {
        if (File.Exists(path))
            File.Delete(path);
        else if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }
}
