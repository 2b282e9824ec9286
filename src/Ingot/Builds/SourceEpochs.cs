using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Tools;

namespace Ingot.Builds;

/// <summary>The time of a source, as its repository knows it.</summary>
public static class SourceEpochs
{
    private const string Otherwise = "write the time itself";

    /// <summary>When the newest commit that changed any of some files was made. What other commits changed makes no difference. Throws <see cref="InvalidInputException"/>
    /// where that cannot be known: in no repository, before the first commit, or when it is older than a shallow clone.</summary>
    /// <param name="directory">Where to ask.</param>
    /// <param name="paths">The files and directories, absolute or relative to <paramref name="directory"/>.</param>
    /// <param name="span">Where the person asked for it; null for the command line.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<DateTimeOffset> OfNewestCommitAsync(string directory, IReadOnlyList<string> paths, SourceSpan? span, CancellationToken cancellationToken = default)
    {
        string names = string.Join(" and ", paths.Select(p => $"'{p}'"));
        if (!SourceRevisions.IsInWorkingTree(Path.GetFullPath(directory)))
            throw Problem("epoch-no-repository", $"the epoch is to be the time of a commit, and {names} {(paths.Count == 1 ? "is" : "are")} in no git repository", $"build in a clone, or {Otherwise}", span);

        var log = await CommandRunner.TryRunAsync(Git.NewestCommit(directory, paths), onLine: null, cancellationToken).ConfigureAwait(false);
        string[] commit = log.Output.Trim().Split(' ');
        if (log.ExitCode != 0 || commit.Length != 2 || !long.TryParse(commit[1], NumberStyles.None, CultureInfo.InvariantCulture, out long seconds))
            throw Problem("epoch-no-commit", $"the epoch is to be the time of a commit, and none changed {names}{Said(log)}", $"commit them, or {Otherwise}", span);
        if (await IsWhereTheHistoryEndsAsync(directory, commit[0], cancellationToken).ConfigureAwait(false))
            throw Problem("epoch-shallow", $"the epoch is to be the time of a commit, and the one that changed {names} last is not in this shallow clone", $"fetch the history with 'git fetch --unshallow', or {Otherwise}", span);
        return DateTimeOffset.FromUnixTimeSeconds(seconds);
    }

    private static string Said(CommandResult log) => log.ExitCode == 0 ? "" : $": {log.Tail.Trim().Split('\n')[^1]}";

    // A commit whose parents are missing seems to have changed everything.
    private static async Task<bool> IsWhereTheHistoryEndsAsync(string directory, string commit, CancellationToken cancellationToken)
    {
        var file = await CommandRunner.RunAsync(Git.ShallowFile(directory), cancellationToken).ConfigureAwait(false);
        string path = Path.GetFullPath(file.Trim(), Path.GetFullPath(directory));
        return File.Exists(path) && (await File.ReadAllLinesAsync(path, cancellationToken).ConfigureAwait(false)).Contains(commit);
    }

    private static InvalidInputException Problem(string code, string summary, string cure, SourceSpan? span) =>
        span is { } place ? new([new Diagnostic(Severity.Error, code, summary, cure, place)]) : new(code, summary, cure);
}
