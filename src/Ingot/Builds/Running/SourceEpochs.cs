using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Tools;

namespace Ingot.Builds.Running;

/// <summary>The time of a source, as its repository knows it.</summary>
public static class SourceEpochs
{
    private const string Otherwise = "write the time itself";

    /// <summary>When the newest commit that changed any of some files was made. What other commits changed makes no difference. Throws
    /// <see cref="InvalidInputException"/> where that cannot be known: in no repository, before the first commit,
    /// or when it is older than a shallow clone.</summary>
    /// <param name="directory">Where to ask.</param>
    /// <param name="paths">The files and directories, absolute or relative to <paramref name="directory"/>.</param>
    /// <param name="span">Where the person asked for it; null for the command line.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<DateTimeOffset> OfNewestCommitAsync(
        string directory, IReadOnlyList<string> paths, SourceSpan? span, CancellationToken cancellationToken = default)
    {
        string names = string.Join(" and ", paths.Select(p => $"'{p}'"));
        if (Find(directory, span) is not { } repository)
            throw Problem(
                "epoch-no-repository",
                $"the epoch should be the time of a commit, and {names} {(paths.Count == 1 ? "is" : "are")} in no git repository",
                $"build in a clone, or {Otherwise}",
                span);
        if (repository.Commit is null)
            throw Problem("epoch-no-commit", $"the epoch should be the time of a commit, and none changed {names}: there is none yet",
                $"commit them, or {Otherwise}", span);

        using var view = new GitView(repository);
        var log = await CommandRunner.TryRunAsync(view.NewestCommit(paths), onLine: null, cancellationToken);
        string[] commit = log.Output.Trim().Split(' ');
        if (log.ExitCode != 0
            || commit.Length != 2
            || !long.TryParse(commit[1], NumberStyles.None, CultureInfo.InvariantCulture, out long seconds))
            throw Problem("epoch-no-commit", $"the epoch should be the time of a commit, and none changed {names}{Said(log)}",
                $"commit them, or {Otherwise}", span);
        // A commit whose parents are missing seems to have changed everything.
        if (repository.Shallow.Contains(commit[0]))
            throw Problem(
                "epoch-shallow",
                $"the epoch should be the time of a commit, and the one that changed {names} last is not in this shallow clone",
                $"fetch the history with 'git fetch --unshallow', or {Otherwise}",
                span);
        // Whoever makes a commit writes its date.
        if (seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
            throw Problem(
                "epoch-date",
                $"the epoch should be the time of commit {commit[0]}, and {seconds} seconds after 1970 are beyond the year 9999",
                $"give the commit another date, or {Otherwise}",
                span);
        return DateTimeOffset.FromUnixTimeSeconds(seconds);
    }

    private static string Said(CommandResult log) => log.ExitCode == 0 ? "" : $": {log.Tail.Trim().Split('\n')[^1]}";

    private static GitRepository? Find(string directory, SourceSpan? span)
    {
        try
        {
            return GitRepository.Find(directory);
        }
        catch (Exception e) when (e is ToolException or IOException or UnauthorizedAccessException)
        {
            throw Problem("epoch-repository", $"the epoch should be the time of a commit, and {IngotException.ReasonOf(e)}",
                $"or {Otherwise}", span);
        }
    }

    private static InvalidInputException Problem(string code, string summary, string cure, SourceSpan? span) =>
        span is { } place ? new([new Diagnostic(Severity.Error, code, summary, cure, place)]) : new(code, summary, cure);
}
