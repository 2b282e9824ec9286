using System.Globalization;

namespace Ingot.Tools;

/// <summary>mmdebstrap, which makes a Debian root filesystem of packages.</summary>
public static class Mmdebstrap
{
    /// <summary>What the configuration below makes of the same packages; a higher number when that changes.</summary>
    public const string Profile = "slim@1";

    // What Docker's slim images of Debian leave out too: documents of packages, but not their licences, and translations. Written into the
    // root, so that packages installed later leave it out as well.
    private static readonly string[] s_dpkg =
    [
        "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*", "path-exclude=/usr/share/groff/*", "path-exclude=/usr/share/lintian/*",
        "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright",
        "path-exclude=/usr/share/locale/*", "path-include=/usr/share/locale/locale.alias",
        // A root filesystem in the making is thrown away after a crash: nothing in it need be synced.
        "force-unsafe-io",
    ];

    // Translations of descriptions are not shown to anyone; lists that stay compressed are a fifth of the bytes.
    private static readonly string[] s_apt = ["""Acquire::Languages "none";""", """Acquire::GzipIndexes "true";"""];

    /// <summary>Makes the essential and required packages with apt, and <paramref name="packages"/>, in a new directory. Needs root and the network.</summary>
    /// <param name="suite">The release, such as <c>bookworm</c>.</param>
    /// <param name="packages">Further packages.</param>
    /// <param name="mirror">Where packages come from; null for the program's own default, with security updates.</param>
    /// <param name="directory">The directory, which must not exist or be empty.</param>
    /// <param name="epoch">No file may be younger, in seconds since 1970.</param>
    public static Command Bootstrap(string suite, IReadOnlyList<string> packages, string? mirror, string directory, long epoch) => new(
        "mmdebstrap",
        [
            "--mode=root", "--variant=minbase", "--format=directory", "--skip=output/dev",
            .. packages.Count == 0 ? Array.Empty<string>() : [$"--include={string.Join(',', packages)}"],
            .. s_apt.Select(line => $"--aptopt={line}"),
            .. s_dpkg.Select(line => $"--dpkgopt={line}"),
            suite, directory,
            .. mirror is null ? Array.Empty<string>() : [mirror],
        ])
    {
        Environment = new Dictionary<string, string> { ["SOURCE_DATE_EPOCH"] = epoch.ToString(CultureInfo.InvariantCulture), ["LC_ALL"] = "C.UTF-8" },
    };
}
