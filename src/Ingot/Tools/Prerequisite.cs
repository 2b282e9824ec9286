namespace Ingot.Tools;

/// <summary>A program, library or file outside of Ingot that it needs, and the Debian package that brings it.</summary>
/// <param name="Package">The package's name in Debian and Ubuntu.</param>
/// <param name="Needs">A program's name, a library's such as <c>libz.so.1</c>, or an absolute path.</param>
/// <param name="Where">An absolute path without which it is not needed; null when it always is.</param>
/// <param name="Reason">What for: a sentence's end that follows the package's name and a colon.</param>
public sealed record Prerequisite(string Package, string Needs, string? Where, string Reason)
{
    private static readonly string[] s_programDirectories = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"];
    private static readonly string[] s_multiarchParents = ["usr/lib", "lib"];
    private static readonly string[] s_libraryDirectories = ["usr/lib64", "lib64", "usr/lib", "usr/local/lib"];

    /// <summary>Whether the host lacks it. <paramref name="root"/> is where the host's files are.</summary>
    public bool IsMissing(string root = "/") => (Where is null || Exists(root, Where)) && !IsPresent(root);

    private bool IsPresent(string root)
    {
        if (Needs.StartsWith('/'))
            return Exists(root, Needs);
        if (Needs.StartsWith("lib", StringComparison.Ordinal) && Needs.Contains(".so.", StringComparison.Ordinal))
            return LibraryDirectories(root).Any(directory => File.Exists(Path.Combine(directory, Needs)));
        return s_programDirectories.Any(directory => File.Exists(Path.Combine(root, directory, Needs)));
    }

    private static IEnumerable<string> LibraryDirectories(string root)
    {
        var multiarch = s_multiarchParents
            .Select(directory => Path.Combine(root, directory))
            .Where(Directory.Exists)
            .SelectMany(directory => Directory.EnumerateDirectories(directory, "*-linux-gnu*"));
        return multiarch.Concat(s_libraryDirectories.Select(directory => Path.Combine(root, directory)));
    }

    private static bool Exists(string root, string absolute) => Path.Exists(Path.Combine(root, absolute.TrimStart('/')));
}
