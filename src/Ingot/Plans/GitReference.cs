using System.Text.RegularExpressions;

namespace Ingot.Plans;

/// <summary>Reads addresses of git repositories as Docker does: <c>https://host/path.git#ref:subdir</c>, <c>ssh://…</c>, <c>git://…</c> and
/// <c>user@host:path</c>, with options as a query (<see href="https://docs.docker.com/build/concepts/context/#git-repositories">Git
/// repositories</see>).</summary>
public static partial class GitReference
{
    /// <summary>The repository that a text means; null when it means none.</summary>
    public static TreeSource.Git? TryParse(string text)
    {
        var (address, fragment) = Cut(text, '#');
        (address, string query) = Cut(address, '?');
        bool isRepository = Web().IsMatch(address) ? address.EndsWith(".git", StringComparison.Ordinal) : Other().IsMatch(address);
        if (!isRepository)
            return null;

        var (revision, subdirectory) = Cut(fragment, ':');
        var options = Options(query);
        string? chosen = options.GetValueOrDefault("ref") ?? options.GetValueOrDefault("branch") ?? options.GetValueOrDefault("tag")
            ?? (revision.Length == 0 ? null : revision);
        string directory = ImagePath.ToLayer(options.GetValueOrDefault("subdir") ?? subdirectory);
        string? commit = options.GetValueOrDefault("checksum") ?? options.GetValueOrDefault("commit");
        return new TreeSource.Git(address, chosen, directory, IsTrue(options.GetValueOrDefault("keep-git-dir")), commit);
    }

    private static (string Before, string After) Cut(string text, char at)
    {
        int index = text.IndexOf(at, StringComparison.Ordinal);
        return index < 0 ? (text, "") : (text[..index], text[(index + 1)..]);
    }

    private static Dictionary<string, string> Options(string query) => query.Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => Cut(pair, '='))
        .DistinctBy(pair => pair.Before)
        .ToDictionary(pair => pair.Before, pair => Uri.UnescapeDataString(pair.After), StringComparer.Ordinal);

    private static bool IsTrue(string? value) => value is "" or "1" or "true";

    [GeneratedRegex("^https?://[^/]+/.+", RegexOptions.IgnoreCase)]
    private static partial Regex Web();

    [GeneratedRegex("^((git|ssh)://[^/]+/.+|[A-Za-z0-9_.-]+@[A-Za-z0-9._-]+:[^/].*)", RegexOptions.IgnoreCase)]
    private static partial Regex Other();
}
