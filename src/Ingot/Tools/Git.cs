namespace Ingot.Tools;

/// <summary>git, asked about a working tree. What a repository's own configuration would run is not run.</summary>
public static class Git
{
    /// <summary>On the first line where the directory is in its working tree, with a slash at the end or empty for the top; on the second the commit that is checked out.</summary>
    public static Command Head(string directory) => In(directory, "rev-parse", "--show-prefix", "HEAD");

    /// <summary>Succeeds when the repository of a directory has a commit.</summary>
    public static Command Has(string directory, string commit) => In(directory, "cat-file", "-e", commit + "^{commit}");

    /// <summary>The top of the working tree.</summary>
    public static Command Top(string directory) => In(directory, "rev-parse", "--show-toplevel");

    /// <summary>Makes a clone that borrows the objects of the repository at <paramref name="source"/>, without files.</summary>
    public static Command Borrow(string source, string directory) => new("git", "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "clone", "--quiet", "--shared", "--no-checkout", "--", source, directory);

    /// <summary>Writes the files of a commit.</summary>
    public static Command CheckOut(string directory, string commit) => In(directory, "checkout", "--quiet", "--detach", commit);

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
