using System.Text;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>Packages of a bootstrap: what was installed, what apt is to choose, and what differs from a lock.</summary>
internal static class BootstrapPackages
{
    private const int MaxShown = 10;

    /// <summary>Reads what <c>apt-cache show</c> says of installed packages
    /// (<see href="https://manpages.debian.org/bookworm/dpkg-dev/deb-control.5.en.html">control files</see>), sorted.</summary>
    public static IReadOnlyList<InstalledPackage> Read(string text)
    {
        var packages = new Dictionary<string, InstalledPackage>();
        foreach (var stanza in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            if (Field(stanza, "Package") is not { } name
                || Field(stanza, "Version") is not { } version
                || Field(stanza, "Architecture") is not { } architecture)
                continue;
            if (!Digest.TryParse("sha256:" + Field(stanza, "SHA256"), out var digest))
                throw new BootstrapException(
                    $"the mirror does not say what the SHA-256 of '{name}' {version} is: use one whose lists have it");

            var package = new InstalledPackage(name, architecture, version, digest);
            if (packages.TryGetValue(package.Id, out var other) && other != package)
                throw new BootstrapException(
                    $"the mirrors have two files of '{name}' {version}, {other.Digest} and {digest}: use one of them");
            packages[package.Id] = package;
        }

        return [.. packages.Values.OrderBy(p => p.Id, StringComparer.Ordinal)];
    }

    /// <summary>What apt must be told so that it chooses the versions of a lock, and where it is whole nothing else
    /// (<see href="https://manpages.debian.org/bookworm/apt/apt_preferences.5.en.html">preferences</see>).</summary>
    public static string Preferences(BootstrapLock locked, string architecture)
    {
        var text = new StringBuilder(locked.IsWhole ? "Package: *\nPin: release *\nPin-Priority: -1\n\n" : "");
        foreach (var package in locked.Packages)
        {
            string name = package.Architecture == "all" || package.Architecture == architecture ? package.Name : package.Id;
            text.Append("Package: ").Append(name).Append("\nPin: version ").Append(package.Version).Append("\nPin-Priority: 1001\n\n");
        }

        return text.ToString();
    }

    /// <summary>The locked packages that a mirror has no more, by what <c>apt-cache madison</c> says of their names.</summary>
    public static IReadOnlyList<InstalledPackage> Missing(BootstrapLock locked, string versions)
    {
        var there = versions.Split('\n').Select(line => line.Split('|', StringSplitOptions.TrimEntries)).Where(f => f.Length >= 2)
            .Select(f => (f[0], f[1])).ToHashSet();
        return [.. locked.Packages.Where(p => !there.Contains((p.Name, p.Version)))];
    }

    /// <summary>Throws when the packages are not those of a lock, and names them.</summary>
    public static void Check(string image, BootstrapLock locked, IReadOnlyList<InstalledPackage> installed)
    {
        var now = installed.ToDictionary(p => p.Id);
        var before = locked.Packages.ToDictionary(p => p.Id);
        List<string> differences =
        [
            .. locked.Packages
                .Where(p => now.TryGetValue(p.Id, out var other) && other.Version != p.Version)
                .Select(p => $"'{p.Name}' is locked to {p.Version}, and {now[p.Id].Version} was installed"),
            .. locked.Packages
                .Where(p => now.TryGetValue(p.Id, out var other) && other.Version == p.Version && other.Digest != p.Digest)
                .Select(p => $"'{p.Name}' {p.Version} is locked to the file {p.Digest}, and the mirror has {now[p.Id].Digest}"),
            .. locked.Packages
                .Where(p => locked.IsWhole && !now.ContainsKey(p.Id))
                .Select(p => $"'{p.Name}' {p.Version} is locked, and was not installed"),
            .. installed
                .Where(p => locked.IsWhole && !before.ContainsKey(p.Id))
                .Select(p => $"'{p.Name}' {p.Version} was installed, and is not locked"),
        ];
        if (differences.Count > 0)
            throw Problem(image, differences);
    }

    /// <summary>That a mirror has no more what is locked.</summary>
    public static BootstrapException Gone(string image, IReadOnlyList<InstalledPackage> missing) =>
        Problem(image, [.. missing.Select(p => $"the mirror has no '{p.Name}' {p.Version} any more")]);

    private static BootstrapException Problem(string image, List<string> differences) => new(
        $"'{image}' is not what ingot.lock says: "
            + $"{string.Join("; ", differences.Take(MaxShown))}"
            + $"{(differences.Count > MaxShown ? $"; and {differences.Count - MaxShown} more" : "")}. "
        + $"Use a mirror that keeps every version ('mirror:'), or take what there is now with 'ingot build --update={image}'");

    private static string? Field(string stanza, string name)
    {
        foreach (var line in stanza.Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length + 1 && line[name.Length] == ':')
                return line[(name.Length + 1)..].Trim();
        }

        return null;
    }
}
