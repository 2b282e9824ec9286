using System.Globalization;
using System.Text;
using Ingot.Builds.Normalisation.Formats;
using Ingot.Oci.Layers;

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

    /// <summary>The files it is about, as paths in a layer; <c>*</c> stands for any text without a slash, <c>**/*.x</c> for every file that ends so, <c>x/**</c> for everything below.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>Whether it is for bootstraps only: the host leaves such files there, and a command's are its own.</summary>
    public bool OnlyBootstrap { get; private init; }

    internal RuleAction Action { get; }

    /// <summary>What is to be patched in a file so that no time in it is later than the epoch; null for rules that do something else.</summary>
    internal Func<LayerContent, uint, IReadOnlyList<ContentPatch>>? Patches { get; private init; }

    /// <summary>Every rule, in order.</summary>
    public static IReadOnlyList<NormalisationRule> All { get; } =
    [
        // Texts with the time in them.
        new("apt-logs", 1, RuleAction.Drop, "var/log/apt/history.log", "var/log/apt/term.log", "var/log/apt/eipp.log.xz"),
        new("dpkg-logs", 1, RuleAction.Drop, "var/log/dpkg.log", "var/log/alternatives.log", "var/log/bootstrap.log", "var/log/fontconfig.log"),
        new("npm-logs", 1, RuleAction.Drop, "root/.npm/_logs/*", "home/*/.npm/_logs/*", "root/.npm/_update-notifier-last-checked", "home/*/.npm/_update-notifier-last-checked"),
        new("apk-logs", 1, RuleAction.Drop, "var/log/apk.log"),
        new("dnf-logs", 1, RuleAction.Drop, "var/log/dnf.log", "var/log/dnf.librepo.log", "var/log/dnf.rpm.log", "var/log/dnf5.log", "var/log/dnf5.log.1", "var/log/hawkey.log", "var/log/yum.log"),
        new("perl-local-log", 1, RuleAction.Drop, "usr/local/lib/*/perl/*/perllocal.pod", "usr/lib/*/perl/*/perllocal.pod", "usr/lib/perl5/perllocal.pod", "usr/lib64/perl5/perllocal.pod"),
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
        new("apk-cache", 1, RuleAction.Drop, "var/cache/apk/**", "etc/apk/cache/**"),
        new("dnf-cache", 1, RuleAction.Drop, "var/cache/dnf/**", "var/cache/yum/**", "var/cache/libdnf5/**", "var/lib/dnf/repos/*/countme"),
        new("dnf-history", 1, RuleAction.Drop, "var/lib/dnf/history.sqlite", "var/lib/dnf/history.sqlite-wal", "var/lib/dnf/history.sqlite-shm", "usr/lib/sysimage/libdnf5/transaction_history.sqlite", "usr/lib/sysimage/libdnf5/transaction_history.sqlite-wal", "usr/lib/sysimage/libdnf5/transaction_history.sqlite-shm"),
        new("pip-cache", 1, RuleAction.Drop, "root/.cache/pip/**"),
        new("npm-cache", 1, RuleAction.Drop, "root/.npm/_cacache/**"),
        new("yarn-cache", 1, RuleAction.Drop, "usr/local/share/.cache/yarn/**"),
        new("go-cache-trim", 1, RuleAction.Drop, "root/.cache/go-build/trim.txt"),
        new("journal-catalogue", 1, RuleAction.Drop, "var/lib/systemd/catalog/database"),

        // Times in the headers of files that the command made.
        new("gzip-times", 1, RuleAction.Patch, "**/*.gz", "**/*.tgz") { Patches = GzipTimes.Find },
        new("pyc-times", 1, RuleAction.Patch, "**/*.pyc") { Patches = BytecodeTimes.Find },
        new("ar-times", 1, RuleAction.Patch, "**/*.a") { Patches = ArchiveTimes.Find },
        new("zip-times", 1, RuleAction.Patch, "**/*.jar", "**/*.war", "**/*.ear", "**/*.whl") { Patches = ZipTimes.Find },
        new("apk-scripts-times", 1, RuleAction.Patch, "lib/apk/db/scripts.tar", "usr/lib/apk/db/scripts.tar") { Patches = TarTimes.Find },

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

    /// <summary>Some bytes of it are others.</summary>
    Patch,
}
