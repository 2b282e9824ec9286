using System.Diagnostics;
using Ingot.Testing;

namespace Ingot.Architecture.Tests;

/// <summary>The files that belong to the repository, without what builds and editors leave beside them.</summary>
internal static class RepositoryFiles
{
    /// <summary>Paths relative to the root, with slashes, in order.</summary>
    public static IReadOnlyList<string> Tracked { get; } = List();

    /// <summary>A file's text.</summary>
    public static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    private static List<string> List()
    {
        var files = Path.Exists(Path.Combine(Repository.Root, ".git")) ? ListWithGit() : Walk();
        return [.. files.Where(file => File.Exists(Path.Combine(Repository.Root, file))).Order(StringComparer.Ordinal)];
    }

    // With the files that are new and not ignored: the gate must fail before a commit, not after.
    private static string[] ListWithGit()
    {
        var start = new ProcessStartInfo("git", ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
        };
        using var git = Process.Start(start)!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return output.Split('\0', StringSplitOptions.RemoveEmptyEntries);
    }

    private static IEnumerable<string> Walk() => Directory.EnumerateFiles(Repository.Root, "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(Repository.Root, path))
        .Where(path => !path.StartsWith("artifacts/", StringComparison.Ordinal));
}
