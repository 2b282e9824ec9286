using System.Globalization;
using System.Text;

namespace Ingot.Builds.Normalisation;

/// <summary>A known cause of differences between two runs of one command, and what is done about it. A rule is a row of <see cref="All"/>;
/// changing what one does needs a higher version, because results of the step cache were made by it.</summary>
public sealed record NormalisationRule
{
    private const int SecondsADay = 86400;

    private NormalisationRule(string name, int version, RuleAction action, params string[] paths)
    {
        Name = name;
        Version = version;
        Action = action;
        Paths = paths;
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The version.</summary>
    public int Version { get; }

    /// <summary>The files it is about, as paths in a layer; <c>*</c> stands for any text without a slash.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>Whether it is for bootstraps only: the host leaves such files there, and a command's are its own.</summary>
    public bool OnlyBootstrap { get; private init; }

    internal RuleAction Action { get; }

    /// <summary>Every rule, in order.</summary>
    public static IReadOnlyList<NormalisationRule> All { get; } =
    [
        // Texts with the time in them.
        new("apt-logs", 1, RuleAction.Drop, "var/log/apt/history.log", "var/log/apt/term.log", "var/log/apt/eipp.log.xz"),
        new("dpkg-logs", 1, RuleAction.Drop, "var/log/dpkg.log", "var/log/alternatives.log", "var/log/bootstrap.log", "var/log/fontconfig.log"),
        new("npm-logs", 1, RuleAction.Drop, "root/.npm/_logs/*", "home/*/.npm/_logs/*"),
        new("shell-history", 1, RuleAction.Drop, "root/.*_history", "home/*/.*_history", "root/.lesshst", "root/.viminfo"),
        new("wget-hsts", 1, RuleAction.Drop, "root/.wget-hsts", "home/*/.wget-hsts"),
        new("login-logs", 1, RuleAction.Empty, "var/log/lastlog", "var/log/faillog", "var/log/wtmp", "var/log/btmp"),

        // The day an account was made; https://man7.org/linux/man-pages/man5/shadow.5.html.
        new("shadow-last-change", 1, RuleAction.CapShadowDays, "etc/shadow"),
        // What the file was before the last change, of which there may be more in one run than in another.
        new("account-backups", 1, RuleAction.Drop, "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-"),
        new("dpkg-old", 1, RuleAction.Drop, "var/lib/dpkg/*-old"),
        new("debconf-old", 1, RuleAction.Drop, "var/cache/debconf/*-old"),

        // Caches of times, inodes and hash orders; what needs them makes them again.
        new("apt-cache", 1, RuleAction.Drop, "var/cache/apt/pkgcache.bin", "var/cache/apt/srcpkgcache.bin", "var/cache/apt/archives/*.deb", "var/cache/apt/archives/partial/*"),
        new("ldconfig-aux-cache", 1, RuleAction.Drop, "var/cache/ldconfig/aux-cache"),
        new("man-cache", 1, RuleAction.Drop, "var/cache/man/index.db", "var/cache/man/CACHEDIR.TAG", "var/cache/man/*/index.db", "var/cache/man/*/*/index.db"),
        new("fontconfig-cache", 1, RuleAction.Drop, "var/cache/fontconfig/*.cache-*"),
        new("journal-catalogue", 1, RuleAction.Drop, "var/lib/systemd/catalog/database"),

        // Random, and shared by every instance of an image that keeps it.
        new("machine-id", 1, RuleAction.Empty, "etc/machine-id"),
        new("dbus-machine-id", 1, RuleAction.Drop, "var/lib/dbus/machine-id"),
        new("systemd-random-seed", 1, RuleAction.Drop, "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret"),
        new("ssh-host-keys", 1, RuleAction.Drop, "etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub"),

        // The host's.
        new("kernel-autoremove", 1, RuleAction.Drop, "etc/apt/apt.conf.d/01autoremove-kernels"),
        new("host-names", 1, RuleAction.DropAny, "etc/hostname", "etc/resolv.conf", "etc/hosts") { OnlyBootstrap = true },
        new("device-nodes", 1, RuleAction.DropAny, "dev/*") { OnlyBootstrap = true },
    ];

    /// <summary>As provenance and cache keys name it: <c>name@version</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}@{Version}");

    // Text that is no shadow file stays as it is: Latin-1 takes every byte there and back.
    internal static byte[] CapShadowDays(byte[] content, DateTimeOffset epoch)
    {
        long day = epoch.ToUnixTimeSeconds() / SecondsADay;
        var lines = Encoding.Latin1.GetString(content).Split('\n').Select(line =>
        {
            var fields = line.Split(':');
            if (fields.Length > 2 && long.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out long changed) && changed > day)
                fields[2] = day.ToString(CultureInfo.InvariantCulture);
            return string.Join(':', fields);
        });
        return Encoding.Latin1.GetBytes(string.Join('\n', lines));
    }
}

/// <summary>What a rule does with a file.</summary>
internal enum RuleAction
{
    /// <summary>The layer does not hold the file: what lower layers say of it stands. A link of the name is somebody's decision and stays.</summary>
    Drop,

    /// <summary>The layer does not hold it, whatever it is.</summary>
    DropAny,

    /// <summary>It is there, with no content.</summary>
    Empty,

    /// <summary>Days of change in a shadow file are no later than the epoch.</summary>
    CapShadowDays,
}
