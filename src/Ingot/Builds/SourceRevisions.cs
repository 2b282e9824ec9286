using Ingot.Tools;

namespace Ingot.Builds;

/// <summary>Which commit a directory is a checkout of.</summary>
internal static class SourceRevisions
{
    /// <summary>Asks git; null when the directory is in no working tree, or there is no git to ask.</summary>
    public static async Task<SourceRevision?> FindAsync(string directory, CancellationToken cancellationToken)
    {
        if (!IsInWorkingTree(directory))
            return null;

        try
        {
            var head = CommandRunner.TryRunAsync(Git.Head(directory), onLine: null, cancellationToken);
            var changes = CommandRunner.TryRunAsync(Git.Changes(directory), onLine: null, cancellationToken);
            var remote = CommandRunner.TryRunAsync(Git.Remote(directory), onLine: null, cancellationToken);
            await Task.WhenAll(head, changes, remote).ConfigureAwait(false);
            // A repository without a commit has no revision.
            return (await head.ConfigureAwait(false)) is { ExitCode: 0 } said && said.Output.Split('\n') is [var prefix, var commit, ..]
                ? new SourceRevision(commit.Trim(), (await changes.ConfigureAwait(false)).Output.Length > 0, WithoutSecrets((await remote.ConfigureAwait(false)).Output.Trim())) { Prefix = prefix }
                : null;
        }
        catch (ToolException)
        {
            return null;
        }
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

    // Most questions are answered by looking: starting git takes longer than a build whose results are all cached.
    internal static bool IsInWorkingTree(string directory)
    {
        for (string? parent = directory; parent is not null; parent = Path.GetDirectoryName(parent))
        {
            if (Path.Exists(Path.Combine(parent, ".git")))
                return true;
        }

        return false;
    }
}
