using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Packages;

/// <summary>An installed package of the distribution.</summary>
/// <param name="Name">The binary package.</param>
/// <param name="Version">Its version, with epoch and revision.</param>
/// <param name="Architecture">Its architecture in the distribution's names; null when the database does not say.</param>
/// <param name="SourceName">The source package it was built from: advisories are about these.</param>
/// <param name="SourceVersion">The version of the source package.</param>
/// <param name="Purl">Its package URL.</param>
public sealed record Package(string Name, string Version, string? Architecture, string SourceName, string SourceVersion, string Purl);

/// <summary>What a root filesystem consists of, as its package databases say.</summary>
/// <param name="Distribution">Which distribution it is; null when it does not say.</param>
/// <param name="Packages">The installed packages, by package URL.</param>
/// <param name="Unreadable">Databases, or entries of them, that could not be read, each with the reason:
/// what they hold is not in the list.</param>
public sealed record PackageInventory(OsRelease? Distribution, IReadOnlyList<Package> Packages, IReadOnlyList<string> Unreadable)
{
    /// <summary>Raised when what is looked for, or how it is read, changes.</summary>
    public const int Version = 1;

    // Databases of other package managers: their packages are not read yet, and an inventory must not look complete without them.
    private static readonly string[] s_otherDatabases =
    [
        "lib/apk/db/installed", "usr/lib/apk/db/installed",
        "var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db", "usr/lib/sysimage/rpm/rpmdb.sqlite",
        "usr/share/rpm/Packages", "usr/share/rpm/Packages.db", "usr/share/rpm/rpmdb.sqlite",
        "var/lib/pacman/local/ALPM_DB_VERSION", "usr/lib/opkg/status", "var/lib/opkg/status", "var/db/pkg", "var/db/xbps",
        "nix/var/nix/db/db.sqlite", "var/lib/chisel/manifest.wall",
    ];

    /// <summary>The databases that were found and read, by path; empty when every place was looked at and none is there.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];

    /// <summary>Why the list is not a whole one; empty when it is. Which packages there are may be known,
    /// and not of which distribution.</summary>
    public IEnumerable<string> Gaps => Packages.Count > 0 && Distribution is null
        ? Unreadable.Append("'etc/os-release': missing, or without an ID: of which distribution the packages are is not known")
        : Unreadable;

    /// <summary>The digest of what is looked for: evidence says with which sources was looked.</summary>
    public static Digest Sources { get; } = Digest.Of(Encoding.UTF8.GetBytes(
        $"packages {Version}\n{string.Join('\n', DpkgDatabase.Places.Concat(s_otherDatabases))}\n"));

    /// <summary>Reads the databases of <paramref name="root"/>.</summary>
    public static PackageInventory Read(ImageRoot root)
    {
        List<string> unreadable = [];
        var distribution = OsRelease.Read(root);
        var entries = DpkgDatabase.Read(root, unreadable);
        var packages = entries.Select(entry => ToPackage(entry, distribution))
            .DistinctBy(package => package.Purl)
            .OrderBy(package => package.Purl, StringComparer.Ordinal)
            .ToList();
        foreach (var path in s_otherDatabases.Where(path => root.Target(path) is not null))
            unreadable.Add($"'{path}': this kind of package database is not read yet");

        return new PackageInventory(distribution, packages, unreadable) { Databases = DpkgDatabase.Found(root) };
    }

    /// <summary>The packages of a name; several when architectures stand beside each other.</summary>
    public IEnumerable<Package> Named(string name) => Packages.Where(p => p.Name == name);

    private static Package ToPackage(DpkgEntry entry, OsRelease? distribution) => new(
        entry.Name, entry.Version, entry.Architecture, entry.SourceName, entry.SourceVersion, PackageUrl.Deb(entry, distribution));
}

/// <summary>Package URLs
/// (<see href="https://github.com/package-url/purl-spec/blob/main/purl-specification.md">specification</see>).</summary>
public static class PackageUrl
{
    internal static string Deb(DpkgEntry entry, OsRelease? distribution)
    {
        var url = new StringBuilder("pkg:deb/").Append(Escape(distribution?.Id ?? "debian")).Append('/')
            .Append(Escape(entry.Name.ToLowerInvariant())).Append('@').Append(Escape(entry.Version));
        char separator = '?';
        if (entry.Architecture is { } architecture)
        {
            url.Append(separator).Append("arch=").Append(Escape(architecture));
            separator = '&';
        }

        if (distribution?.VersionId is { } version)
            url.Append(separator).Append("distro=").Append(Escape($"{distribution.Id}-{version}"));
        return url.ToString();
    }

    /// <summary>The package URL of an image: <c>pkg:oci/NAME@sha256:…</c>.</summary>
    public static string Oci(string name, Digest digest)
    {
        string last = name[(name.LastIndexOf('/') + 1)..].ToLowerInvariant();
        return $"pkg:oci/{Escape(last)}@{Escape(digest.ToString())}";
    }

    // Everything but letters, digits and '.', '-', '_', '~' is escaped, and the colon stays:
    // the specification's own cases have 'attr@1:2.4.47-2%2Bb1'.
    private static string Escape(string text) => Uri.EscapeDataString(text).Replace("%3A", ":", StringComparison.Ordinal);
}
