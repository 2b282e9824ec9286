namespace Ingot.Builds.Remote;

/// <summary>Reads what <c>git ls-remote --symref</c> writes.</summary>
internal static class GitReferences
{
    private const string Branches = "refs/heads/";
    private const string Tags = "refs/tags/";
    private const string Peeled = "^{}";

    /// <summary>The commit of a branch or tag, a branch before a tag of the same name; that of the default branch for null.
    /// Null when there is none.</summary>
    public static GitCommit? Find(string listed, string? name)
    {
        var lines = listed.Split('\n').Select(line => line.Split('\t')).Where(fields => fields.Length == 2).ToList();
        if (name is null)
            return lines.Find(l => l[1] == "HEAD" && IsId(l[0])) is { } head
                ? new GitCommit(head[0], DefaultBranch(lines), Tag: null)
                : null;

        var byName = lines.Where(l => IsId(l[0])).GroupBy(l => l[1]).ToDictionary(g => g.Key, g => g.First()[0]);
        string[] references = name.StartsWith("refs/", StringComparison.Ordinal) ? [name] : ["refs/" + name, Branches + name, Tags + name];
        foreach (string reference in references)
        {
            if (!byName.TryGetValue(reference, out string? id))
                continue;
            return byName.TryGetValue(reference + Peeled, out string? commit)
                ? new GitCommit(commit, reference, Tag: id)
                : new GitCommit(id, reference, Tag: null);
        }

        return null;
    }

    private static string? DefaultBranch(IEnumerable<string[]> lines) =>
        lines.Select(l => l[0]).FirstOrDefault(text => text.StartsWith("ref: " + Branches, StringComparison.Ordinal))?["ref: ".Length..];

    private static bool IsId(string text) => text.Length is 40 or 64 && text.All(char.IsAsciiHexDigitLower);
}
