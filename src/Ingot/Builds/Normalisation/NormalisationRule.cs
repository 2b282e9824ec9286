using Ingot.Builds.Normalisation.Formats;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation;

/// <summary>A known cause of differences between two runs of one command, and what is done about it. A rule is a row of <see cref="All"/>;
/// changing what one does needs a higher version, because results of the step cache were made by it.</summary>
public sealed record NormalisationRule
{
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

    /// <summary>The files it is about, as paths in a layer; <c>*</c> stands for any text without a slash, <c>**/*.x</c> for every file that
    /// ends so, <c>**/x</c> for every file of that name, <c>**/x/*</c> for every file in a directory of that name,
    /// <c>x/**</c> for everything below.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>Whether everything below directories is meant, and not single files.</summary>
    internal bool IsOfTrees => Paths.Any(IsTree);

    internal static bool IsTree(string path) => path.EndsWith("/**", StringComparison.Ordinal);

    /// <summary>Whether it is for bootstraps only: the host leaves such files there, and a command's are its own.</summary>
    public bool OnlyBootstrap { get; private init; }

    internal RuleAction Action { get; }

    /// <summary>What is to be patched in a file so that no time in it is the step's; null for rules that do something else.</summary>
    internal Func<LayerContent, StepTimes, IReadOnlyList<ContentPatch>>? Patches { get; private init; }

    /// <summary>What a whole file becomes, where bytes in between change their number; null when it stays as it is,
    /// and for rules that do something else.</summary>
    internal Func<LayerContent, StepTimes, byte[]?>? Remakes { get; private init; }

    /// <summary>What a whole text becomes for an epoch in seconds; null for rules that do something else.
    /// What is not such a text comes back as it is.</summary>
    internal Func<string, long, string>? Rewrites { get; private init; }

    /// <summary>Every rule, in order.</summary>
    public static IReadOnlyList<NormalisationRule> All { get; } =
    [
        // Texts with the time in them.
        new("apt-logs", 1, RuleAction.Drop, "var/log/apt/history.log", "var/log/apt/term.log", "var/log/apt/eipp.log.xz"),
        new("dpkg-logs", 1, RuleAction.Drop, "var/log/dpkg.log", "var/log/alternatives.log", "var/log/bootstrap.log",
            "var/log/fontconfig.log"),
        // Beside the logs of the usual home those of any other, and of older versions.
        new("npm-logs", 2, RuleAction.Drop, "**/.npm/_logs/*", "**/_update-notifier-last-checked", "**/npm-debug.log"),
        // What CMake tried on the way, with names of temporary directories;
        // CMakeFiles/CMakeOutput.log and CMakeError.log until version 3.26.
        new("cmake-logs", 1, RuleAction.Drop, "**/CMakeFiles/CMakeConfigureLog.yaml", "**/CMakeFiles/CMakeOutput.log",
            "**/CMakeFiles/CMakeError.log"),
        // Of making formats, with the time; the formats themselves take theirs from the environment.
        new("tex-logs", 1, RuleAction.Drop, "var/lib/texmf/web2c/*/*.log", "var/lib/texmf/web2c/fmtutil.log", "**/web2c/fmtutil.log"),
        new("apk-logs", 1, RuleAction.Drop, "var/log/apk.log"),
        new("dnf-logs", 1, RuleAction.Drop, "var/log/dnf.log", "var/log/dnf.librepo.log", "var/log/dnf.rpm.log", "var/log/dnf5.log",
            "var/log/dnf5.log.1", "var/log/hawkey.log", "var/log/yum.log"),
        new("zypper-logs", 1, RuleAction.Drop, "var/log/zypper.log", "var/log/zypp/history"),
        new("gem-logs", 1, RuleAction.Drop, "**/gem_make.out", "**/mkmf.log"),
        new("perl-local-log", 1, RuleAction.Drop, "usr/local/lib/*/perl/*/perllocal.pod", "usr/lib/*/perl/*/perllocal.pod",
            "usr/lib/perl5/perllocal.pod", "usr/lib64/perl5/perllocal.pod"),
        new("shell-history", 1, RuleAction.Drop, "root/.*_history", "home/*/.*_history", "root/.lesshst", "root/.viminfo"),
        new("wget-hsts", 1, RuleAction.Drop, "root/.wget-hsts", "home/*/.wget-hsts"),
        new("login-logs", 1, RuleAction.Empty, "var/log/lastlog", "var/log/faillog", "var/log/wtmp", "var/log/btmp"),

        // The day an account was made; https://man7.org/linux/man-pages/man5/shadow.5.html.
        new("shadow-last-change", 1, RuleAction.Rewrite, "etc/shadow") { Rewrites = TextRewrites.CapShadowDays },
        // What the file was before the last change, of which there may be more in one run than in another.
        new("account-backups", 1, RuleAction.Drop, "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",
            "etc/subuid-", "etc/subgid-"),
        new("dpkg-old", 1, RuleAction.Drop, "var/lib/dpkg/*-old"),
        new("apt-states", 1, RuleAction.Rewrite, "var/lib/apt/extended_states") { Rewrites = TextRewrites.SortStanzas },
        // 'apk add --virtual' gives its package the time for a version.
        new("apk-virtual", 1, RuleAction.Rewrite, "etc/apk/world", "lib/apk/db/installed", "usr/lib/apk/db/installed")
        {
            Rewrites = ApkVirtual.Settle,
        },
        new("debconf-old", 1, RuleAction.Drop, "var/cache/debconf/*-old"),

        // Caches of times, inodes and hash orders; what needs them makes them again.
        new("apt-cache", 1, RuleAction.Drop, "var/cache/apt/pkgcache.bin", "var/cache/apt/srcpkgcache.bin", "var/cache/apt/archives/*.deb",
            "var/cache/apt/archives/partial/*"),
        new("ldconfig-aux-cache", 1, RuleAction.Drop, "var/cache/ldconfig/aux-cache"),
        new("man-cache", 1, RuleAction.Drop, "var/cache/man/index.db", "var/cache/man/CACHEDIR.TAG", "var/cache/man/*/index.db",
            "var/cache/man/*/*/index.db"),
        new("fontconfig-cache", 2, RuleAction.Drop, "var/cache/fontconfig/*.cache-*", "root/.cache/fontconfig/*.cache-*",
            "home/*/.cache/fontconfig/*.cache-*"),
        new("apk-cache", 1, RuleAction.Drop, "var/cache/apk/**", "etc/apk/cache/**"),
        new("dnf-cache", 1, RuleAction.Drop, "var/cache/dnf/**", "var/cache/yum/**", "var/cache/libdnf5/**", "var/lib/dnf/repos/*/countme"),
        new("dnf-history", 1, RuleAction.Drop, "var/lib/dnf/history.sqlite", "var/lib/dnf/history.sqlite-wal",
            "var/lib/dnf/history.sqlite-shm", "usr/lib/sysimage/libdnf5/transaction_history.sqlite",
            "usr/lib/sysimage/libdnf5/transaction_history.sqlite-wal", "usr/lib/sysimage/libdnf5/transaction_history.sqlite-shm"),
        new("zypper-cache", 1, RuleAction.Drop, "var/cache/zypp/**"),
        // What processes shared while the database was open; https://www.sqlite.org/wal.html#the_wal_index and Berkeley DB's regions.
        new("rpmdb-shared-memory", 1, RuleAction.Drop, "var/lib/rpm/rpmdb.sqlite-shm", "usr/lib/sysimage/rpm/rpmdb.sqlite-shm",
            "var/lib/rpm/__db.*", "usr/lib/sysimage/rpm/__db.*"),
        new("pip-cache", 2, RuleAction.Drop, "root/.cache/pip/**", "home/*/.cache/pip/**"),
        new("npm-cache", 2, RuleAction.Drop, "root/.npm/_cacache/**", "home/*/.npm/_cacache/**"),
        new("update-notifier", 1, RuleAction.Drop, "root/.config/configstore/update-notifier-*.json",
            "home/*/.config/configstore/update-notifier-*.json"),
        new("yarn-cache", 2, RuleAction.Drop, "usr/local/share/.cache/yarn/**", "root/.cache/yarn/**", "home/*/.cache/yarn/**"),
        new("composer-cache", 1, RuleAction.Drop, "root/.composer/cache/**", "root/.cache/composer/**", "home/*/.composer/cache/**",
            "home/*/.cache/composer/**"),
        new("nuget-cache", 1, RuleAction.Drop, "root/.local/share/NuGet/http-cache/**", "root/.local/share/NuGet/v3-cache/**",
            "home/*/.local/share/NuGet/http-cache/**", "home/*/.local/share/NuGet/v3-cache/**", "tmp/NuGetScratch/**",
            "tmp/NuGetScratchroot/**"),
        // Where and when a file was fetched; the files themselves stay, for builds without a network.
        new("maven-tracking", 1, RuleAction.Drop, "**/_remote.repositories", "**/resolver-status.properties", "**/*.lastUpdated"),
        new("gradle-daemon", 1, RuleAction.Drop, "root/.gradle/daemon/**", "root/.gradle/notifications/**", "root/.gradle/.tmp/**",
            "root/.gradle/caches/journal-1/**", "home/*/.gradle/daemon/**", "home/*/.gradle/notifications/**", "home/*/.gradle/.tmp/**",
            "home/*/.gradle/caches/journal-1/**"),
        new("cargo-use-times", 1, RuleAction.Drop, "root/.cargo/.global-cache", "home/*/.cargo/.global-cache",
            "usr/local/cargo/.global-cache"),
        new("go-cache-trim", 1, RuleAction.Drop, "root/.cache/go-build/trim.txt"),
        new("go-cache-times", 2, RuleAction.Patch, "root/.cache/go-build/*/*-a", "home/*/.cache/go-build/*/*-a")
        {
            Patches = GoCacheTimes.Find,
        },
        new("journal-catalogue", 1, RuleAction.Drop, "var/lib/systemd/catalog/database"),

        // Times in the headers of files that the command made.
        new("gzip-times", 3, RuleAction.Patch, "**/*.gz") { Patches = GzipTimes.Find },
        new("tar-times", 4, RuleAction.Patch, "**/*.tar") { Patches = TarTimes.Find },
        // Members are compressed: where one has a time of the step the whole is compressed anew.
        new("tar-gzip-times", 4, RuleAction.Patch, "**/*.tar.gz", "**/*.tgz")
        {
            Remakes = GzipTarTimes.Remake,
            Patches = GzipTarTimes.Find,
        },
        // Beside the time, which references of a module are marked: that depends on what else the process that compiled it had loaded.
        new("pyc", 2, RuleAction.Patch, "**/*.pyc")
        {
            Patches = (content, times) => [.. BytecodeTimes.Find(content, times), .. BytecodeReferences.Find(content)],
        },
        new("ar-times", 3, RuleAction.Patch, "**/*.a") { Patches = ArchiveTimes.Find },
        new("zip-times", 3, RuleAction.Patch, "**/*.jar", "**/*.war", "**/*.ear", "**/*.aar", "**/*.whl", "**/*.egg",
            "**/*.zip", "**/*.nupkg")
        {
            Patches = ZipTimes.Find,
        },
        new("apk-scripts-times", 5, RuleAction.Patch, "lib/apk/db/scripts.tar", "usr/lib/apk/db/scripts.tar") { Patches = TarTimes.Find },

        new("cpio-times", 3, RuleAction.Patch, "**/*.cpio", "boot/initrd.img-*", "boot/initramfs-*.img", "usr/lib/modules/*/initramfs.img")
        {
            Patches = CpioTimes.Find,
        },
        new("java-keystore-times", 3, RuleAction.Patch, "**/cacerts", "**/*.jks") { Patches = KeyStoreTimes.Find },
        new("pnpm-times", 2, RuleAction.Patch, "**/.modules.yaml", "**/.pnpm-workspace-state.json",
            "root/.local/share/pnpm/store/*/files/*/*-index.json", "root/.local/share/pnpm/store/*/index/*/*.json",
            "home/*/.local/share/pnpm/store/*/files/*/*-index.json", "home/*/.local/share/pnpm/store/*/index/*/*.json",
            "pnpm/store/*/files/*/*-index.json", "pnpm/store/*/index/*/*.json")
        {
            Patches = PnpmTimes.Find,
        },

        // Random, and shared by every instance of an image that keeps it.
        new("machine-id", 1, RuleAction.Empty, "etc/machine-id"),
        new("dbus-machine-id", 1, RuleAction.Drop, "var/lib/dbus/machine-id"),
        new("systemd-random-seed", 1, RuleAction.Drop, "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret"),
        new("ssh-host-keys", 1, RuleAction.Drop, "etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub"),

        new("gnupg-seed", 1, RuleAction.Drop, "root/.gnupg/random_seed", "home/*/.gnupg/random_seed"),

        // The host's.
        new("run-state", 1, RuleAction.Drop, "run/mount/utab", "run/motd.dynamic", "run/utmp", "run/blkid/blkid.tab", "etc/mtab"),
        new("kernel-autoremove", 1, RuleAction.Drop, "etc/apt/apt.conf.d/01autoremove-kernels"),
        new("host-names", 1, RuleAction.DropAny, "etc/hostname", "etc/resolv.conf", "etc/hosts") { OnlyBootstrap = true },
        new("device-nodes", 1, RuleAction.DropAny, "dev/*") { OnlyBootstrap = true },
    ];

    /// <summary>As provenance and cache keys name it: <c>name@version</c>.</summary>
    public override string ToString() => $"{Name}@{Version}";
}

/// <summary>What a rule does with a file.</summary>
internal enum RuleAction
{
    /// <summary>The layer does not hold the file: what lower layers say of it stands.
    /// A link of the name is somebody's decision and stays.</summary>
    Drop,

    /// <summary>The layer does not hold it, whatever it is.</summary>
    DropAny,

    /// <summary>It is there, with no content.</summary>
    Empty,

    /// <summary>It is a text, and gets another.</summary>
    Rewrite,

    /// <summary>Some bytes of it are others.</summary>
    Patch,
}
