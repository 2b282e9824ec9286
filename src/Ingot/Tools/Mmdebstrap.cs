using System.Globalization;

namespace Ingot.Tools;

/// <summary>mmdebstrap, which makes a Debian root filesystem of packages.</summary>
public static class Mmdebstrap
{
    /// <summary>What the configuration below makes of the same packages; a higher number when that changes.</summary>
    public const string Profile = "slim@3";

    /// <summary>What is left out unless documentation is kept, for people.</summary>
    public const string LeftOut = "manuals, info pages, package documentation except licences, and translations";

    /// <summary>The file of the root that leaves them out of packages which are installed later, too.</summary>
    public const string Configuration = "/etc/dpkg/dpkg.cfg.d/99mmdebstrap";

    // A root filesystem in the making is thrown away after a crash: nothing in it need be synced.
    private static readonly string[] s_dpkg = ["force-unsafe-io"];

    // What Docker's slim images of Debian leave out too. Of manuals the pages and not the directories: packages make links in them, and do
    // not install without (https://bugs.debian.org/cgi-bin/bugreport.cgi?bug=863199). A '*' is any text, with slashes.
    private static readonly string[] s_withoutDocumentation =
    [
        "path-exclude=/usr/share/man/*.[0-9]*", "path-exclude=/usr/share/man/*.gz", "path-exclude=/usr/share/info/*",
        "path-exclude=/usr/share/lintian/*",
        "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright",
        "path-exclude=/usr/share/locale/*", "path-include=/usr/share/locale/locale.alias",
    ];

    // Translations of descriptions are not shown to anyone; lists that stay compressed are a fifth of the bytes.
    private static readonly string[] s_apt = ["""Acquire::Languages "none";""", """Acquire::GzipIndexes "true";"""];

    /// <summary>Makes the essential and required packages with apt, and <paramref name="packages"/>, in a new directory.
    /// Needs root and the network.</summary>
    /// <param name="suite">The release, such as <c>bookworm</c>.</param>
    /// <param name="packages">Further packages.</param>
    /// <param name="mirror">Where packages come from; null for the program's own default, with security updates.</param>
    /// <param name="directory">The directory, which must not exist or be empty.</param>
    /// <param name="epoch">No file may be younger, in seconds since 1970.</param>
    /// <param name="keepsDocumentation">Whether nothing is left out of packages, those installed later included; see
    /// <see cref="LeftOut"/>.</param>
    /// <param name="hooks">Programs that are run with the directory, before packages are looked for and when all are installed; see
    /// <see cref="Listing"/>.</param>
    public static Command Bootstrap(
        string suite, IReadOnlyList<string> packages, string? mirror, string directory, long epoch,
        bool keepsDocumentation = false, MmdebstrapHooks? hooks = null) => new(
            "mmdebstrap",
            [
                .. hooks?.Setup is { } setup ? [$"--setup-hook={setup}"] : Array.Empty<string>(),
                .. hooks is null ? Array.Empty<string>() : [$"--customize-hook={hooks.Customize}"],
                "--mode=root", "--variant=minbase", "--format=directory", "--skip=output/dev",
                .. packages.Count == 0 ? Array.Empty<string>() : [$"--include={string.Join(',', packages)}"],
                .. s_apt.Select(line => $"--aptopt={line}"),
                .. (keepsDocumentation ? s_dpkg : [.. s_withoutDocumentation, .. s_dpkg]).Select(line => $"--dpkgopt={line}"),
                suite, directory,
                .. mirror is null ? Array.Empty<string>() : [mirror],
            ])
        {
            Environment = new Dictionary<string, string>
            {
                ["SOURCE_DATE_EPOCH"] = epoch.ToString(CultureInfo.InvariantCulture),
                ["FORCE_SOURCE_DATE"] = "1",
                ["LC_ALL"] = "C.UTF-8",
            },
        };

    /// <summary>A program for <see cref="MmdebstrapHooks.Customize"/>: puts what the mirror says of every installed package, with the
    /// digest of its file, into <c>packages</c> beside the program.</summary>
    public const string Listing = """
        #!/bin/sh
        set -e
        rm -f "$1/etc/apt/preferences.d/ingot"
        dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${binary:Package}=${Version}\n' > "$(dirname "$0")/installed"
        APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" xargs -d '\n' apt-cache --no-all-versions show -- < "$(dirname "$0")/installed" > "$(dirname "$0")/packages"
        """;

    /// <summary>A program for <see cref="MmdebstrapHooks.Setup"/>:
    /// lets apt choose what <c>preferences</c> beside the program says.</summary>
    public const string Pinning = """
        #!/bin/sh
        set -e
        mkdir -p "$1/etc/apt/preferences.d"
        cp "$(dirname "$0")/preferences" "$1/etc/apt/preferences.d/ingot"
        """;

    /// <summary>Asks which versions of packages the lists in an unfinished directory have; each is a line,
    /// <c>name | version | where</c>.</summary>
    public static Command Versions(string directory, IReadOnlyList<string> names) => new(
        "apt-cache",
        ["-o", $"Dir={directory}", "-o", $"Dir::State::status={directory}/var/lib/dpkg/status", "madison", .. names]);
}

/// <summary>Programs that mmdebstrap runs with the directory as their argument.</summary>
/// <param name="Setup">Before packages are looked for; null for none.</param>
/// <param name="Customize">When all are installed, while the lists of packages are still there.</param>
public sealed record MmdebstrapHooks(string? Setup, string Customize);
