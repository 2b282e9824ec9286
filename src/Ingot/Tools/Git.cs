namespace Ingot.Tools;

/// <summary>git, asked about a working tree. What a repository's own configuration would run is not run.</summary>
public static class Git
{
    /// <summary>The commit that is checked out.</summary>
    public static Command Head(string directory) => In(directory, "rev-parse", "--verify", "HEAD");

    /// <summary>The files below the directory that differ from the commit, one a line; nothing when there are none.</summary>
    public static Command Changes(string directory) => In(directory, "status", "--porcelain", "--untracked-files=normal", "--", ".");

    /// <summary>The address of the remote repository.</summary>
    public static Command Remote(string directory) => In(directory, "config", "--get", "remote.origin.url");

    /// <summary>The newest commit that changed any of some paths, and when it was made, in seconds since 1970; nothing when there is none.</summary>
    public static Command NewestCommit(string directory, IReadOnlyList<string> paths) => In(directory, ["log", "-1", "--format=%H %ct", "HEAD", "--", .. paths]);

    /// <summary>Where a repository says at which commits its history was cut off, absolute or relative to the directory; the file is not there in a whole one.</summary>
    public static Command ShallowFile(string directory) => In(directory, "rev-parse", "--git-path", "shallow");

    // Root builds other people's repositories: without safe.directory git refuses them, and with it must not obey their configuration.
    private static Command In(string directory, params IReadOnlyList<string> arguments) =>
        new("git", ["-C", directory, "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", .. arguments]);
}
