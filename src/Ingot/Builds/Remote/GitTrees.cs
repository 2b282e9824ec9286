using System.Buffers;
using System.Collections.Concurrent;
using Ingot.Builds.Files;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Remote;

/// <summary>A commit of a repository.</summary>
/// <param name="Id">Its name: all hex digits.</param>
/// <param name="Reference">The branch or tag it was found under, as <c>refs/…</c>; null when it was named itself.</param>
/// <param name="Tag">The annotated tag that <paramref name="Reference"/> is, by its own name; null when it is none.</param>
internal sealed record GitCommit(string Id, string? Reference, string? Tag);

/// <summary>The files of a commit on the host.</summary>
/// <param name="Commit">The commit: all hex digits.</param>
/// <param name="Directory">The directory that was meant: the subdirectory when there is one.</param>
public sealed record GitTree(string Commit, string Directory);

/// <summary>Trees of git repositories: which commit a name is of, and its files.</summary>
/// <param name="access">How repositories are reached.</param>
public sealed class GitTrees(GitAccess access)
{
    // What git's own commands would take for a pattern, an ancestor or a range of a name.
    private static readonly SearchValues<char> s_notInNames = SearchValues.Create(":*?[\\^~");

    private readonly ConcurrentDictionary<string, Lazy<Task<GitCommit>>> _commits = new();

    /// <summary>Writes the files of a repository into an empty directory, with their submodules. A repository that cannot be reached, or
    /// does not have what is asked for, throws <see cref="DownloadException"/>; a missing git <see cref="ToolException"/>.</summary>
    public async Task<GitTree> MaterialiseAsync(TreeSource.Git source, string directory, CancellationToken cancellationToken = default) =>
        await MaterialiseAsync(source, await ResolveAsync(source, cancellationToken), directory, cancellationToken);

    /// <summary>Writes the files of a commit that a repository of this host has into an empty directory, without submodules. What was
    /// fetched was hashed: it is of that commit, whatever the repository says. A failure throws <see cref="ToolException"/>.</summary>
    public static async Task MaterialiseAsync(GitView view, string commit, string directory, CancellationToken cancellationToken)
    {
        var git = new GitFetch(new GitConnection { Protocols = ["file"] });
        await CommandRunner.RunAsync(git.Begin(directory, commit.Length == 64 ? "sha256" : "sha1"), cancellationToken);
        await CommandRunner.RunAsync(git.Fetch(directory, view, commit), cancellationToken);
        await CommandRunner.RunAsync(git.Checkout(directory, commit), cancellationToken);
        await CommandRunner.RunAsync(new Command("rm", "-rf", "--", Path.Combine(directory, ".git")), cancellationToken);
    }

    /// <summary>The commit that is meant; one build asks once.</summary>
    internal Task<GitCommit> ResolveAsync(TreeSource.Git source, CancellationToken cancellationToken) =>
        _commits.GetOrAdd($"{source.Repository}\n{source.Revision}\n{source.Commit}",
            _ => new(() => FindAsync(source, cancellationToken))).Value;

    /// <summary>Writes the files of a commit.</summary>
    internal async Task<GitTree> MaterialiseAsync(
        TreeSource.Git source, GitCommit commit, string directory, CancellationToken cancellationToken)
    {
        var git = Connect(source, out string repository);
        await RunAsync(source, git.Begin(directory, commit.Id.Length == 64 ? "sha256" : "sha1"), cancellationToken);
        // Submodules may be named as seen from here.
        await RunAsync(source, git.SetOrigin(directory, repository), cancellationToken);
        await FetchAsync(source, git, repository, commit, directory, cancellationToken);
        await FillAsync(source, git.Checkout(directory, commit.Id), directory, cancellationToken);
        await FillAsync(source, git.Submodules(directory), directory, cancellationToken);
        if (source is { KeepGitDirectory: true, Subdirectory: "" })
        {
            string origin = SafeAddress.OfRepository(source.Repository);
            await KeptRepository.TidyAsync(git, directory, origin, commit, command => RunAsync(source, command, cancellationToken));
        }
        else
            await CommandRunner.RunAsync(
                new Command("find", directory, "-name", ".git", "-prune", "-exec", "rm", "-rf", "{}", "+"), cancellationToken);
        return new GitTree(commit.Id, Subdirectory(source, directory));
    }

    private async Task<GitCommit> FindAsync(TreeSource.Git source, CancellationToken cancellationToken)
    {
        if (source.Revision is { } revision && IsCommit(revision))
            return Checked(source, new GitCommit(revision, Reference: null, Tag: null));

        var git = Connect(source, out string repository);
        string name = source.Revision ?? "HEAD";
        string listed = await RunAsync(source, git.List(repository, name, name + "^{}"), cancellationToken);
        return Checked(source, GitReferences.Find(listed, source.Revision)
            ?? throw new DownloadException($"'{SafeAddress.OfRepository(source.Repository)}' has no "
                + $"{(source.Revision is null ? "default branch" : $"branch or tag '{source.Revision}'")}"));
    }

    private static GitCommit Checked(TreeSource.Git source, GitCommit commit)
    {
        bool isMeant = source.Commit is not { } wanted
            || commit.Id.StartsWith(wanted, StringComparison.OrdinalIgnoreCase)
            || commit.Tag?.StartsWith(wanted, StringComparison.OrdinalIgnoreCase) == true;
        return isMeant ? commit : throw new DownloadException(
            $"'{source.Revision ?? "HEAD"}' of '{SafeAddress.OfRepository(source.Repository)}' is the commit '{commit.Id}', "
                + $"and '{source.Commit}' was asked for: it was moved, or tampered with");
    }

    private async Task FetchAsync(
        TreeSource.Git source, GitFetch git, string repository, GitCommit commit, string directory, CancellationToken cancellationToken)
    {
        string what = commit.Reference is { } reference ? $"+{reference}:{reference}" : commit.Id;
        var fetched = await TryFillAsync(source, git.Fetch(directory, repository, what), directory, cancellationToken);
        if (fetched.ExitCode == 0 && await HasAsync(git, directory, commit, cancellationToken))
            return;

        // The name was moved since it was asked for, or the server hands out no single commit.
        var fetch = git.Fetch(directory, repository, commit.Id);
        var single = await TryFillAsync(source, fetch, directory, cancellationToken);
        if (single.ExitCode == 0 && await HasAsync(git, directory, commit, cancellationToken))
            return;

        await FillAsync(source, git.FetchAll(directory, repository), directory, cancellationToken);
        if (!await HasAsync(git, directory, commit, cancellationToken))
            throw new DownloadException($"'{SafeAddress.OfRepository(source.Repository)}' does not have the commit '{commit.Id}'");
    }

    private static async Task<bool> HasAsync(GitFetch git, string directory, GitCommit commit, CancellationToken cancellationToken) =>
        (await TryRunAsync(git.Commit(directory, commit.Id), cancellationToken)).ExitCode == 0;

    private static string Subdirectory(TreeSource.Git source, string directory)
    {
        string path = ImagePath.ToLayer(source.Subdirectory);
        if (path.Length == 0)
            return directory;

        using var files = new HostFiles(directory);
        return files.Find(path)?.Type == Oci.Tar.TarEntryType.Directory
            ? Path.Combine(directory, path)
            : throw new DownloadException($"'{SafeAddress.OfRepository(source.Repository)}' has no directory '{path}'");
    }

    // Credentials travel in a header, never on a command line.
    private GitFetch Connect(TreeSource.Git source, out string repository)
    {
        repository = SafeAddress.WithoutCredentials(source.Repository);
        if (repository.StartsWith('-') || repository.AsSpan().ContainsAnyInRange('\0', ' '))
            throw new DownloadException($"'{SafeAddress.OfRepository(source.Repository)}' is not the address of a repository");
        if (source.Revision is { } revision
            && (revision.StartsWith('-') || revision.AsSpan().ContainsAnyInRange('\0', ' ') || revision.AsSpan().ContainsAny(s_notInNames)))
            throw new DownloadException($"'{revision}' is not the name of a branch, tag or commit");

        return new GitFetch(access.ConnectionTo(source.Repository));
    }

    private static bool IsCommit(string revision) => revision.Length is 40 or 64 && revision.All(char.IsAsciiHexDigitLower);

    private static async Task<string> RunAsync(TreeSource.Git source, Command command, CancellationToken cancellationToken)
    {
        var result = await TryRunAsync(command, cancellationToken);
        return result.ExitCode == 0 ? result.Output : throw Failed(source, command, result);
    }

    private static DownloadException Failed(TreeSource.Git source, Command command, CommandResult result) => new(
        $"could not fetch '{SafeAddress.OfRepository(source.Repository)}': {result.Tail}",
        new ToolException(command, result.ExitCode, result.Tail));

    private async Task FillAsync(TreeSource.Git source, Command command, string directory, CancellationToken cancellationToken)
    {
        var result = await TryFillAsync(source, command, directory, cancellationToken);
        if (result.ExitCode != 0)
            throw Failed(source, command, result);
    }

    private Task<CommandResult> TryFillAsync(
        TreeSource.Git source, Command command, string directory, CancellationToken cancellationToken) =>
        FillingCommand.RunAsync(command, directory, access.Reserve, $"'{SafeAddress.OfRepository(source.Repository)}'", cancellationToken);

    private static Task<CommandResult> TryRunAsync(Command command, CancellationToken cancellationToken) =>
        CommandRunner.TryRunAsync(command, onLine: null, cancellationToken);
}
