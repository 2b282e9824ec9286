namespace Ingot.Evidence.Packages;

/// <summary>Which distribution a root filesystem is
/// (<see href="https://www.freedesktop.org/software/systemd/man/latest/os-release.html">os-release</see>).</summary>
/// <param name="Id">The distribution, lower case: <c>debian</c>.</param>
/// <param name="VersionId">Its version: <c>12</c>; null for one without, such as Debian's testing.</param>
/// <param name="PrettyName">For people.</param>
public sealed record OsRelease(string Id, string? VersionId, string PrettyName)
{
    // The specification's order: the first file that exists counts, alone.
    private static readonly string[] s_paths = ["etc/os-release", "usr/lib/os-release"];

    /// <summary>Reads it; null when the root filesystem does not say.</summary>
    public static OsRelease? Read(ImageRoot root)
    {
        foreach (var path in s_paths)
        {
            if (root.ReadLines(path) is { Count: > 0 } lines)
                return Parse(lines);
        }

        return null;
    }

    /// <summary>Reads the assignments of a file; null when they have no <c>ID</c>.</summary>
    public static OsRelease? Parse(IEnumerable<string> lines)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        foreach (var line in lines)
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && line[0] != '#')
                values[line[..equals].Trim()] = Unquote(line[(equals + 1)..].Trim());
        }

        return values.TryGetValue("ID", out var id) && id.Length > 0
            ? new OsRelease(id, values.GetValueOrDefault("VERSION_ID") is { Length: > 0 } version ? version : null,
                values.GetValueOrDefault("PRETTY_NAME") ?? id)
            : null;
    }

    // Shell quoting, as the specification allows it: single or double quotes around all, a backslash before what is special.
    private static string Unquote(string text)
    {
        if (text.Length < 2 || text[0] is not ('"' or '\'') || text[^1] != text[0])
            return text;

        var inner = text[1..^1];
        if (text[0] == '\'')
            return inner;

        var plain = new System.Text.StringBuilder(inner.Length);
        for (int i = 0; i < inner.Length; i++)
        {
            if (inner[i] == '\\' && i + 1 < inner.Length)
                i++;
            plain.Append(inner[i]);
        }

        return plain.ToString();
    }
}
