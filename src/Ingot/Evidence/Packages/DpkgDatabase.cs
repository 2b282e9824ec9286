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

    // What stands for bytes that are no text.
    private const char Replaced = '\uFFFD';

    private const string Home = "var/lib/dpkg";

    internal static IReadOnlyList<string> Places { get; } = [StatusPath, StatusDirectory];

    /// <summary>The installed packages in the database's order; what could not be read is added to <paramref name="unreadable"/>.</summary>
    public static IReadOnlyList<DpkgEntry> Read(ImageRoot root, ICollection<string> unreadable)
    {
        List<DpkgEntry> entries = [];
        foreach (var path in Files(root))
            ReadFile(root, path, entries, unreadable);
        // Its files without its list: somebody took the list away, and the packages are still there.
        if (Found(root).Count == 0 && root.Target(Home) is not null)
            unreadable.Add($"'{Home}': dpkg's directory is there, its database is not");
        return entries;
    }

    /// <summary>The places of the database that are there.</summary>
    internal static IReadOnlyList<string> Found(ImageRoot root) =>
        [.. Places.Where(place => place == StatusDirectory ? root.List(place).Count > 0 : root.Status(place) is not null)];

    private static IEnumerable<string> Files(ImageRoot root)
    {
        if (root.Status(StatusPath) is not null)
            yield return StatusPath;
        foreach (var name in root.List(StatusDirectory))
        {
            // Beside each stanza lies its list of checksums.
            if (!name.EndsWith(".md5sums", StringComparison.Ordinal))
                yield return $"{StatusDirectory}/{name}";
        }
    }

    /// <summary>The installed packages of a status file. What is no stanza of dpkg's is told to <paramref name="problem"/> and left
    /// out.</summary>
    public static IEnumerable<DpkgEntry> Parse(string text, Action<string> problem)
    {
        foreach (var stanza in Stanzas(text, problem))
        {
            if (!IsInstalled(stanza, problem))
                continue;

            string? name = stanza.GetValueOrDefault("Package");
            string? version = stanza.GetValueOrDefault("Version");
            if (name is { Length: > 0 } && version is { Length: > 0 } && !name.Contains(Replaced) && !version.Contains(Replaced))
                yield return ToEntry(stanza, name, version);
            else if (name is { Length: > 0 } && version is { Length: > 0 })
                problem("a package name or version is no text");
            else
                problem($"a stanza has no {(name is { Length: > 0 } ? $"version (package '{name}')" : "package name")}");
        }
    }

    private static void ReadFile(ImageRoot root, string path, List<DpkgEntry> entries, ICollection<string> unreadable)
    {
        try
        {
            if (root.ReadFile(path) is not { } bytes)
            {
                unreadable.Add($"'{path}': it is no file that can be read");
                return;
            }

            int before = entries.Count;
            entries.AddRange(Parse(Encoding.UTF8.GetString(bytes), problem => unreadable.Add($"'{path}': {problem}")));
            if (entries.Count == before)
                unreadable.Add($"'{path}': it lists no installed package");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            unreadable.Add($"'{path}': {IngotException.ReasonOf(e)}");
        }
    }

    private static DpkgEntry ToEntry(Dictionary<string, string> stanza, string name, string version)
    {
        var (sourceName, sourceVersion) = Source(stanza.GetValueOrDefault("Source"), name, version);
        return new DpkgEntry(name, version, stanza.GetValueOrDefault("Architecture") is { Length: > 0 } architecture ? architecture : null,
            sourceName, sourceVersion);
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
    private static bool IsInstalled(Dictionary<string, string> stanza, Action<string> problem)
    {
        if (!stanza.TryGetValue("Status", out var status))
            return true;

        // https://man7.org/linux/man-pages/man1/dpkg.1.html, package states: with triggers or without, the files are there.
        switch (status.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, var state] ? state : "")
        {
            case "installed" or "triggers-awaited" or "triggers-pending":
                return true;
            case "not-installed" or "config-files":
                return false;
            default:
                problem($"the status '{status}' does not tell whether the files of '{stanza.GetValueOrDefault("Package")}' are there");
                return false;
        }
    }

    private static IEnumerable<Dictionary<string, string>> Stanzas(string text, Action<string> problem)
    {
        Dictionary<string, string> stanza = new(StringComparer.OrdinalIgnoreCase);
        int number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                if (stanza.Count > 0)
                    yield return stanza;
                stanza = new(StringComparer.OrdinalIgnoreCase);
                continue;
            }

            // A line that begins with a blank continues the field above; none of the fields read here is that long.
            bool continues = line[0] is ' ' or '\t';
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (continues
                ? stanza.Count == 0
                : colon <= 0 || line.Contains('\0', StringComparison.Ordinal) || !stanza.TryAdd(line[..colon], line[(colon + 1)..].Trim()))
                problem($"line {number} is no field of a stanza, or one that is there already");
        }

        if (stanza.Count > 0)
            yield return stanza;
    }
}
