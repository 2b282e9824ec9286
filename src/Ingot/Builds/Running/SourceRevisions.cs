using System.Collections.Concurrent;
using Ingot.Oci.Linux;
using Ingot.Tools;

namespace Ingot.Builds.Running;

/// <summary>Which commit a directory is a checkout of.</summary>
internal static class SourceRevisions
{
    private const int MaxSubmodules = 8;
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(2);
    private const string SubmoduleMode = "160000 ";

    /// <summary>Asks git; null when the directory is in no working tree, or there is no git to ask. A repository that is not read is said
    /// to <paramref name="warn"/>.</summary>
    public static async Task<SourceRevision?> FindAsync(string directory, Action<string> warn, CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(s_longest);
        try
        {
            // A repository without a commit has no revision.
            return GitRepository.Find(directory) is { Commit: { } commit } repository
                ? new SourceRevision(commit, await IsChangedAsync(repository, depth: 0, bound.Token),
                    WithoutSecrets(repository.Remote ?? ""))
                {
                    Prefix = repository.Prefix,
                }
                : null;
        }
        catch (Exception e) when (e is ToolException or IOException or UnauthorizedAccessException)
        {
            warn($"the commit cannot be determined: {IngotException.ReasonOf(e)}");
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // A pipe in the place of a file that git reads would hold it for ever.
            warn($"the commit cannot be determined: git took longer than {s_longest.TotalMinutes:0} minutes to look at '{directory}'");
            return null;
        }
    }

    private static async Task<bool> IsChangedAsync(GitRepository repository, int depth, CancellationToken cancellationToken)
    {
        using var view = new GitView(repository);
        var submodules = new ConcurrentQueue<string>();
        void Take(string line)
        {
            if (line.StartsWith(SubmoduleMode, StringComparison.Ordinal))
                submodules.Enqueue(line[(line.IndexOf('\t', StringComparison.Ordinal) + 1)..]);
        }

        var listing = CommandRunner.TryRunAsync(view.Index(), Take, cancellationToken);
        var status = await CommandRunner.TryRunAsync(view.Changes(), onLine: null, cancellationToken);
        var listed = await listing;
        if ((status.ExitCode != 0 ? status : listed) is { ExitCode: not 0 } failed)
            throw new ToolException("git", $"git could not say what changed in '{repository.Directory}': {failed.Tail}");

        // What cannot be looked at, which git only complains of, is not as it was committed for all we know.
        return status.Tail.Length > 0
            || await AnyAsync(submodules, path => IsSubmoduleChangedAsync(repository, path, depth, cancellationToken));
    }

    // git would ask in a submodule with the submodule's configuration.
    private static async Task<bool> IsSubmoduleChangedAsync(
        GitRepository outer, string path, int depth, CancellationToken cancellationToken)
    {
        using var root = new RootedDirectory(outer.Directory);
        using var directory = root.Find(path, out var answer, followsLinks: false);
        if (answer == PathAnswer.Missing && !path.StartsWith('"'))
            return false;
        if (directory is null || depth >= MaxSubmodules)
            return true;
        return GitRepository.Find(directory.Path) is { } repository
            && repository.Top == repository.Directory
            && await IsChangedAsync(repository, depth + 1, cancellationToken);
    }

    private static async Task<bool> AnyAsync(IEnumerable<string> items, Func<string, Task<bool>> isSo)
    {
        foreach (string item in items)
        {
            if (await isSo(item))
                return true;
        }

        return false;
    }

    /// <summary>An address without user and password; null for none.</summary>
    internal static string? WithoutSecrets(string remote)
    {
        if (remote.Length == 0)
            return null;
        if (!Uri.TryCreate(remote, UriKind.Absolute, out var address) || address.UserInfo.Length == 0)
            return remote;

        return new UriBuilder(address) { UserName = "", Password = "" }.Uri.ToString();
    }
}
