using Ingot.Builds;
using Ingot.Builds.Remote;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Plans;

namespace Ingot.Projects.Building;

/// <summary>The context of a Dockerfile that belongs to no project: a directory, or a repository that is fetched for as long as the build
/// takes.</summary>
public sealed class BuildContext : IAsyncDisposable
{
    private readonly ScratchDirectory? _fetched;

    private BuildContext(string directory, string name, ScratchDirectory? fetched)
    {
        Directory = directory;
        Name = name;
        _fetched = fetched;
    }

    /// <summary>Where its files are, absolute.</summary>
    public string Directory { get; }

    /// <summary>What the image is named after.</summary>
    public string Name { get; }

    /// <summary>The commit of a repository; null for a directory.</summary>
    public SourceRevision? Revision { get; private init; }

    /// <summary>Whether it was fetched.</summary>
    public bool IsRepository => _fetched is not null;

    /// <summary>The last context without a name; <paramref name="directory"/> when there is none.</summary>
    public static async Task<BuildContext> FindAsync(
        ProjectHost host, string directory, IEnumerable<string> contexts, StepAccess access, CancellationToken cancellationToken)
    {
        string? given = contexts.LastOrDefault(c => GitReference.TryParse(c) is not null || !c.Contains('=', StringComparison.Ordinal));
        if (given is not null && GitReference.TryParse(given) is { } repository)
            return await FetchAsync(host, repository, access, cancellationToken);

        string found = Path.TrimEndingDirectorySeparator(given is null ? directory : Path.GetFullPath(given, directory));
        return System.IO.Directory.Exists(found)
            ? new BuildContext(found, Path.GetFileName(found), fetched: null)
            : throw new InvalidInputException("no-context", $"the context '{given}' is neither a directory nor a git repository",
                "a repository is written https://host/path.git#ref:subdirectory");
    }

    /// <summary>Takes away what was fetched.</summary>
    public ValueTask DisposeAsync() => _fetched?.DisposeAsync() ?? default;

    private static async Task<BuildContext> FetchAsync(
        ProjectHost host, TreeSource.Git repository, StepAccess access, CancellationToken cancellationToken)
    {
        var fetched = await ScratchDirectory.CreateAsync(Path.Combine(host.Places.Work, "contexts"), "git", cancellationToken);
        try
        {
            var trees = new GitTrees(new GitAccess { Secrets = access.Secrets, SshAgents = access.SshAgents });
            var tree = await trees.MaterialiseAsync(repository, fetched.Path, cancellationToken);
            host.Say("build", $"the context is {SafeAddress.OfRepository(repository.Repository)} at {tree.Commit}");
            return new BuildContext(tree.Directory, NameOf(repository), fetched) { Revision = RevisionOf(repository, tree) };
        }
        catch
        {
            await fetched.DisposeAsync();
            throw;
        }
    }

    private static SourceRevision RevisionOf(TreeSource.Git repository, GitTree tree)
    {
        string inside = repository.Subdirectory.Trim('/');
        string remote = SafeAddress.OfRepository(repository.Repository);
        return new SourceRevision(tree.Commit, IsDirty: false, remote) { Prefix = inside.Length == 0 ? "" : inside + "/" };
    }

    private static string NameOf(TreeSource.Git repository)
    {
        string last = repository.Repository.TrimEnd('/');
        last = last[(last.LastIndexOfAny(['/', ':']) + 1)..];
        return last.EndsWith(".git", StringComparison.Ordinal) ? last[..^".git".Length] : last;
    }
}
