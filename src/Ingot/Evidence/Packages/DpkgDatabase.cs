using System.Text;

namespace Ingot.Evidence.Packages;

/// <summary>One installed package in dpkg's words.</summary>
/// <param name="Name">The binary package.</param>
/// <param name="Version">Its version.</param>
/// <param name="Architecture">Its architecture; null when the stanza does not say.</param>
/// <param name="SourceName">The source package.</param>
/// <param name="SourceVersion">The source package's version.</param>
public sealed record DpkgEntry(string Name, string Version, string? Architecture, string SourceName, string SourceVersion);

/// <summary>dpkg's database: <c>var/lib/dpkg/status</c>, and the directory <c>status.d</c> that distroless images have in its stead
/// (<see href="https://www.debian.org/doc/debian-policy/ch-controlfields.html">control files</see>).</summary>
public static class DpkgDatabase
{
    /// <summary>The database of a Debian system.</summary>
    public const string StatusPath = "var/lib/dpkg/status";

    /// <summary>The directory of a distroless image: a file a package.</summary>
    public const string StatusDirectory = "var/lib/dpkg/status.d";

    /// <summary>The installed packages in the database's order; what could not be read is added to <paramref name="unreadable"/>.</summary>
    public static IReadOnlyList<DpkgEntry> Read(ImageRoot root, ICollection<string> unreadable)
    {
        List<DpkgEntry> entries = [];
        ReadFile(root, StatusPath, entries, unreadable);
        foreach (var name in root.List(StatusDirectory))
        {
            // Beside each stanza lies its list of checksums.
            if (!name.EndsWith(".md5sums", StringComparison.Ordinal))
                ReadFile(root, $"{StatusDirectory}/{name}", entries, unreadable);
        }

        return entries;
    }

    /// <summary>The installed packages of a status file. A stanza without name or version is told to <paramref name="problem"/> and left out.</summary>
    public static IEnumerable<DpkgEntry> Parse(string text, Action<string> problem)
    {
        foreach (var stanza in Stanzas(text))
        {
            if (!IsInstalled(stanza))
                continue;

            string? name = stanza.GetValueOrDefault("Package");
            string? version = stanza.GetValueOrDefault("Version");
            if (name is { Length: > 0 } && version is { Length: > 0 })
                yield return ToEntry(stanza, name, version);
            else
                problem($"a stanza has no {(name is { Length: > 0 } ? $"version (package '{name}')" : "package name")}");
        }
    }

    private static void ReadFile(ImageRoot root, string path, List<DpkgEntry> entries, ICollection<string> unreadable)
    {
        if (root.ReadFile(path) is { } bytes)
            entries.AddRange(Parse(Encoding.UTF8.GetString(bytes), problem => unreadable.Add($"'{path}': {problem}")));
    }

    private static DpkgEntry ToEntry(Dictionary<string, string> stanza, string name, string version)
    {
        var (sourceName, sourceVersion) = Source(stanza.GetValueOrDefault("Source"), name, version);
        return new DpkgEntry(name, version, stanza.GetValueOrDefault("Architecture") is { Length: > 0 } architecture ? architecture : null, sourceName, sourceVersion);
    }

    // 'Source: name' or 'Source: name (version)': the version is given when it is not the binary's, as after a binary-only rebuild.
    private static (string Name, string Version) Source(string? field, string name, string version)
    {
        if (field is null or { Length: 0 })
            return (name, version);

        int open = field.IndexOf('(', StringComparison.Ordinal);
        if (open < 0)
            return (field.Trim(), version);

        int close = field.IndexOf(')', open);
        string given = field[(open + 1)..(close < 0 ? field.Length : close)].Trim();
        return (field[..open].Trim(), given.Length > 0 ? given : version);
    }

    // 'want flag status': only the third word tells what is on disk. A stanza of a distroless image has no such field, and is installed.
    private static bool IsInstalled(Dictionary<string, string> stanza) =>
        !stanza.TryGetValue("Status", out var status)
        || status.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, "installed"];

    private static IEnumerable<Dictionary<string, string>> Stanzas(string text)
    {
        Dictionary<string, string> stanza = new(StringComparer.OrdinalIgnoreCase);
        foreach (var line in text.Split('\n'))
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                if (stanza.Count > 0)
                    yield return stanza;
                stanza = new(StringComparer.OrdinalIgnoreCase);
                continue;
            }

            // A line that begins with a blank continues the field above; none of the fields read here is that long.
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (line[0] is not (' ' or '\t') && colon > 0)
                stanza.TryAdd(line[..colon], line[(colon + 1)..].Trim());
        }

        if (stanza.Count > 0)
            yield return stanza;
    }
}
