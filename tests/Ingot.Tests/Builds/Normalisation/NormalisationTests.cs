using System.Text;
using Ingot.Builds.Files;
using Ingot.Builds.Normalisation;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Normalisation;

public sealed class NormalisationTests
{
    [Theory]
    [InlineData("var/log/apt/history.log", "Start-Date: today", null, "apt-logs@1")]
    [InlineData("var/log/apt/term.log", "x", null, "apt-logs@1")]
    [InlineData("var/log/dpkg.log", "x", null, "dpkg-logs@1")]
    [InlineData("var/log/alternatives.log", "x", null, "dpkg-logs@1")]
    [InlineData("var/cache/ldconfig/aux-cache", "x", null, "ldconfig-aux-cache@1")]
    [InlineData("var/cache/apt/pkgcache.bin", "x", null, "apt-cache@1")]
    [InlineData("var/cache/apt/archives/hello_2.10_amd64.deb", "x", null, "apt-cache@1")]
    [InlineData("var/cache/apt/archives/partial/x", "x", null, "apt-cache@1")]
    [InlineData("var/lib/dpkg/status-old", "x", null, "dpkg-old@1")]
    [InlineData("var/cache/debconf/config.dat-old", "x", null, "debconf-old@1")]
    [InlineData("var/cache/man/de/index.db", "x", null, "man-cache@1")]
    [InlineData("var/cache/fontconfig/0123-le64.cache-8", "x", null, "fontconfig-cache@2")]
    [InlineData("etc/passwd-", "x", null, "account-backups@1")]
    [InlineData("root/.bash_history", "ls", null, "shell-history@1")]
    [InlineData("home/web/.python_history", "ls", null, "shell-history@1")]
    [InlineData("root/.wget-hsts", "x", null, "wget-hsts@1")]
    [InlineData("root/.npm/_logs/2026-01-01T00_00_00_000Z-debug-0.log", "x", null, "npm-logs@2")]
    [InlineData("opt/app/.npm/_logs/2026-01-01T00_00_00_000Z-debug-0.log", "x", null, "npm-logs@2")]
    [InlineData("root/.npm/_update-notifier-last-checked", "", null, "npm-logs@2")]
    [InlineData("srv/npm-debug.log", "x", null, "npm-logs@2")]
    [InlineData("srv/build/CMakeFiles/CMakeConfigureLog.yaml", "x", null, "cmake-logs@1")]
    [InlineData("CMakeFiles/CMakeOutput.log", "x", null, "cmake-logs@1")]
    [InlineData("srv/build/CMakeFiles/CMakeError.log", "x", null, "cmake-logs@1")]
    [InlineData("var/lib/texmf/web2c/pdftex/pdflatex.log", "x", null, "tex-logs@1")]
    [InlineData("usr/local/texlive/2023/texmf-var/web2c/fmtutil.log", "x", null, "tex-logs@1")]
    [InlineData("srv/_logs/a-debug-0.log", "x", "x", "")]
    [InlineData("srv/.npm/_logs/deeper/a.log", "x", "x", "")]
    [InlineData("srv/x.npm/_logs/a.log", "x", "x", "")]
    [InlineData("srv/build/CMakeOutput.log", "x", "x", "")]
    [InlineData("srv/build/xCMakeFiles/CMakeOutput.log", "x", "x", "")]
    [InlineData("srv/a.tar", "not tar", "not tar", "")]
    [InlineData("srv/a.tar.gz", "not gzip", "not gzip", "")]
    [InlineData("srv/a.1.tgz", "", "", "")]
    [InlineData("var/log/dnf.rpm.log", "x", null, "dnf-logs@1")]
    [InlineData("var/cache/dnf/a/b/c", "x", null, "dnf-cache@1")]
    [InlineData("var/lib/dnf/history.sqlite-wal", "x", null, "dnf-history@1")]
    [InlineData("var/cache/apk/APKINDEX.0.tar.gz", "x", null, "apk-cache@1")]
    [InlineData("root/.cache/pip/http-v2/0/1/x", "x", null, "pip-cache@2")]
    [InlineData("root/.npm/_cacache/index-v5/0/1", "x", null, "npm-cache@2")]
    [InlineData("home/web/.cache/pip/wheels/0/1/x", "x", null, "pip-cache@2")]
    [InlineData("home/web/.cache/fontconfig/0123-le64.cache-8", "x", null, "fontconfig-cache@2")]
    [InlineData("var/log/zypp/history", "2026-01-01 00:00:00|install|", null, "zypper-logs@1")]
    [InlineData("var/cache/zypp/raw/repo/cookie", "x", null, "zypper-cache@1")]
    [InlineData("var/lib/rpm/rpmdb.sqlite-shm", "x", null, "rpmdb-shared-memory@1")]
    [InlineData("var/lib/rpm/__db.001", "x", null, "rpmdb-shared-memory@1")]
    [InlineData("usr/local/bundle/extensions/x86_64-linux/3.2.0/a-1/gem_make.out", "current directory: /tmp/2026", null, "gem-logs@1")]
    [InlineData("root/.config/configstore/update-notifier-npm.json", "{}", null, "update-notifier@1")]
    [InlineData("root/.cache/composer/repo/x", "x", null, "composer-cache@1")]
    [InlineData("root/.local/share/NuGet/http-cache/x/list_y.dat", "x", null, "nuget-cache@1")]
    [InlineData("tmp/NuGetScratch/lock/0", "", null, "nuget-cache@1")]
    [InlineData("root/.m2/repository/org/example/a/1/_remote.repositories", "#Mon Jan 05", null, "maven-tracking@1")]
    [InlineData("root/.m2/repository/org/example/a/1/a-1.pom.lastUpdated", "#Mon Jan 05", null, "maven-tracking@1")]
    [InlineData("srv/.m2/org/example/a/resolver-status.properties", "#Mon Jan 05", null, "maven-tracking@1")]
    [InlineData("root/.gradle/daemon/8.5/daemon-117.out.log", "x", null, "gradle-daemon@1")]
    [InlineData("home/gradle/.gradle/caches/journal-1/file-access.bin", "x", null, "gradle-daemon@1")]
    [InlineData("usr/local/cargo/.global-cache", "x", null, "cargo-use-times@1")]
    [InlineData("root/.gnupg/random_seed", "x", null, "gnupg-seed@1")]
    [InlineData("run/mount/utab", "x", null, "run-state@1")]
    [InlineData("var/lib/apt/extended_states",
        "Package: b\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: a\nArchitecture: amd64\nAuto-Installed: 1\n\n",
        "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nArchitecture: amd64\nAuto-Installed: 1\n\n", "apt-states@1")]
    [InlineData("var/lib/apt/extended_states", "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n",
        "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n", "")]
    [InlineData("var/lib/apt/extended_states", "b\n\na\n\n", "b\n\na\n\n", "")]
    [InlineData("var/lib/apt/extended_states", "", "", "")]
    [InlineData("etc/apk/world", "busybox\n.build-deps=20260105.101112\n", "busybox\n.build-deps=0\n", "apk-virtual@1")]
    [InlineData("etc/apk/world", "busybox=20260105.101112\n.mine=1.0\n", "busybox=20260105.101112\n.mine=1.0\n", "")]
    [InlineData("root/.cache/pipx/x", "x", "x", "")]
    [InlineData("root/.gradle/caches/modules-2/files-2.1/a/b/1/0123/b-1.jar.lock", "x", "x", "")]
    [InlineData("home/.cache/pip/x", "x", "x", "")]
    [InlineData("root/.m2/repository/org/example/a/1/a-1.pom", "x", "x", "")]
    [InlineData("var/lib/rpm/rpmdb.sqlite-wal", "x", "x", "")]
    [InlineData("srv/data.gz", "not gzip", "not gzip", "")]
    [InlineData("srv/a.jar", "not zip", "not zip", "")]
    [InlineData("srv/a.pyc", "", "", "")]
    [InlineData("var/lib/systemd/random-seed", "x", null, "systemd-random-seed@1")]
    [InlineData("etc/ssh/ssh_host_ed25519_key", "x", null, "ssh-host-keys@1")]
    [InlineData("etc/ssh/ssh_host_ed25519_key.pub", "x", null, "ssh-host-keys@1")]
    [InlineData("var/lib/dbus/machine-id", "x", null, "dbus-machine-id@1")]
    [InlineData("etc/machine-id", "8c5d1f\n", "", "machine-id@1")]
    [InlineData("etc/machine-id", "", "", "")]
    [InlineData("var/log/lastlog", "\0\0\0", "", "login-logs@1")]
    [InlineData("etc/shadow", "root:*:19000:0:99999:7:::\nweb:!:20500::::::\n", "root:*:3652:0:99999:7:::\nweb:!:3652::::::\n",
        "shadow-last-change@1")]
    [InlineData("etc/shadow", "root:*:3652:0:99999:7:::\n", "root:*:3652:0:99999:7:::\n", "")]
    [InlineData("etc/shadow", "root:*::0:99999:7:::\nold:*:100::::::\nodd\n", "root:*::0:99999:7:::\nold:*:100::::::\nodd\n", "")]
    // What is a person's, or looks alike only.
    [InlineData("etc/passwd", "root:x:0:0", "root:x:0:0", "")]
    [InlineData("var/lib/dpkg/status", "x", "x", "")]
    [InlineData("var/lib/dpkg/info/x-old", "x", "x", "")]
    [InlineData("var/lib/apt/lists/x_Packages.lz4", "x", "x", "")]
    [InlineData("var/cache/apt/archives/lock", "", "", "")]
    [InlineData("var/log/app.log", "x", "x", "")]
    [InlineData("srv/var/log/dpkg.log", "x", "x", "")]
    [InlineData("var/log/dpkg.log.d", "x", "x", "")]
    [InlineData("tmp/file", "x", "x", "")]
    [InlineData("etc/hostname", "x", "x", "")]
    [InlineData("etc/ssh/ssh_config", "x", "x", "")]
    [InlineData("home/a/b/.bash_history", "x", "x", "")]
    [InlineData("var/cache/fontconfig/CACHEDIR.TAG", "x", "x", "")]
    public void FilesBeforeAndAfter(string path, string before, string? after, string rules)
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, []);
        Assert.Equal(after, Apply(normaliser, File(path, before), before));
        Assert.Equal(rules, string.Join(' ', normaliser.Applied));
        Assert.Equal(after is null ? 0 : 1, normaliser.Kept);
    }

    [Fact]
    public void WhatACommandDeletedStaysDeleted()
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, []);
        Assert.Same(FilterResult.Keep, normaliser.Filter(File("var/log/.wh.dpkg.log", ""), LayerContent.Empty));
        Assert.Same(FilterResult.Keep, normaliser.Filter(File("etc/.wh.shadow", ""), LayerContent.Empty));
        Assert.Empty(normaliser.Applied);
    }

    [Fact]
    public void LinksAndDirectoriesOfTheNamesAreKept()
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, []);
        var link = new TarEntry { Path = "var/lib/dbus/machine-id", Type = TarEntryType.SymbolicLink, LinkTarget = "/etc/machine-id" };
        Assert.Same(FilterResult.Keep, normaliser.Filter(link, LayerContent.Empty));
        Assert.Same(FilterResult.Keep, normaliser.Filter(link with { Path = "etc/machine-id" }, LayerContent.Empty));
        Assert.Same(FilterResult.Keep,
            normaliser.Filter(new TarEntry { Path = "root/.bash_history", Type = TarEntryType.Directory }, LayerContent.Empty));
    }

    [Fact]
    public void ASparseLogIsEmptiedWithoutBeingRead()
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, []);
        var result = normaliser.Filter(File("var/log/lastlog", "") with { Size = 1L << 40 }, null!);
        Assert.Empty(Assert.IsType<FilterResult.Replaced>(result).Content);
    }

    [Theory]
    [InlineData("dev/null", "device-nodes@1")]
    [InlineData("etc/hostname", "host-names@1")]
    [InlineData("etc/resolv.conf", "host-names@1")]
    public void ABootstrapLeavesTheHostBehind(string path, string rule)
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: true, []);
        Assert.Same(FilterResult.Drop, normaliser.Filter(File(path, "x"), LayerContent.Empty));
        Assert.Equal([rule], normaliser.Applied);
    }

    [Fact]
    public void MountPointsAreNoPartOfALayerAndNoRule()
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, ["etc/resolv.conf"]);
        Assert.Same(FilterResult.Drop, normaliser.Filter(File("etc/resolv.conf", ""), LayerContent.Empty));
        Assert.Empty(normaliser.Applied);
    }

    [Fact]
    public void EveryRuleHasANameOfItsOwnAndNoPathHasTwo()
    {
        Assert.Distinct(NormalisationRule.All.Select(r => r.Name));
        Assert.Distinct(NormalisationRule.All.SelectMany(r => r.Paths));
    }

    [Theory]
    [InlineData("a.tar.gz", "tar-gzip-times@4")]
    [InlineData("srv/a-1.2.3.tar.gz", "tar-gzip-times@4")]
    [InlineData("srv/.tgz", "tar-gzip-times@4")]
    [InlineData("srv/a.x.gz", "gzip-times@3")]
    [InlineData("srv/tar.gz", "gzip-times@3")]
    [InlineData("srv/a.tar", "tar-times@4")]
    [InlineData("srv/a.tar.xz", null)]
    [InlineData("srv/a.gz.txt", null)]
    [InlineData("srv.tar.gz/a", null)]
    [InlineData("srv/a.zip", "zip-times@3")]
    public void TheLongestEndingDecides(string path, string? rule) =>
        Assert.Equal(rule, new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, []).RuleFor(path)?.ToString());

    [Fact]
    public void ARuleThatIsOffDoesNothingAndTheOthersGoOn()
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, [], ["pip-cache"]);
        Assert.Equal("x", Apply(normaliser, File("root/.cache/pip/a", "x"), "x"));
        Assert.Null(Apply(normaliser, File("root/.npm/_cacache/a", "x"), "x"));
        Assert.Equal(["npm-cache@2"], normaliser.Applied);
    }

    [Fact]
    public void EveryRuleCanBeSwitchedOffByName()
    {
        var names = NormalisationRule.All.Select(r => r.Name).Append(ContextFiles.ModesRule.Split('@')[0]);
        Assert.Equal(names.Order(StringComparer.Ordinal), ProjectKeys.Rules);
        Assert.StartsWith(ProjectKeys.ModesRule + "@", ContextFiles.ModesRule);
    }

    [Fact]
    public void TheDocumentNamesEveryRuleAsItIsAndNoOther()
    {
        string document = System.IO.File.ReadAllText(Path.Combine(Repository.Root, "docs/reproducibility.md"));
        var named = System.Text.RegularExpressions.Regex
            .Matches(document, "`([a-z0-9-]+@[0-9]+)`")
            .Select(m => m.Groups[1].Value)
            .Distinct();
        Assert.Equal(NormalisationRule.All.Select(r => r.ToString()).Append(ContextFiles.ModesRule).Order(StringComparer.Ordinal),
            named.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AVirtualPackageOfApkIsTheSameWheneverItIsMade()
    {
        static string Database(string time, string identity) =>
            $"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:busybox\nV:1.36.1-r5\nt:1700000000\n\nC:Q1{identity}=\nP:.build-deps\nV:{time}\n"
            + "A:noarch\nD:gcc musl-dev\n\n";

        string first = Settled(Database("20260105.101112", "BBBBBBBBBBBBBBBBBBBBBBBBBBB")),
            second = Settled(Database("20260106.000000", "CCCCCCCCCCCCCCCCCCCCCCCCCCC"));
        Assert.Equal(first, second);
        Assert.Contains("\nP:.build-deps\nV:0\nA:noarch\nD:gcc musl-dev\n\n", first, StringComparison.Ordinal);
        // Every other package stays what it is, its time too.
        Assert.StartsWith("C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:busybox\nV:1.36.1-r5\nt:1700000000\n\nC:Q1", first);
        Assert.NotEqual(first,
            Settled(Database("20260105.101112", "BBBBBBBBBBBBBBBBBBBBBBBBBBB").Replace("musl-dev", "make", StringComparison.Ordinal)));
    }

    private static string Settled(string database)
    {
        var normaliser = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, []);
        string? after = Apply(normaliser, File("lib/apk/db/installed", database), database);
        Assert.Equal(["apk-virtual@1"], normaliser.Applied);
        return after!;
    }

    [Fact]
    public void AShadowFileOfAnyBytesComesBackByteForByte()
    {
        byte[] before = [0xFF, (byte)':', 0x80, (byte)':', (byte)'9', (byte)'9', (byte)'9', (byte)'9', (byte)'9', (byte)':', 0, 0xC3];
        byte[] after = [0xFF, (byte)':', 0x80, (byte)':', (byte)'3', (byte)'6', (byte)'5', (byte)'2', (byte)':', 0, 0xC3];
        var result = new Normaliser(StepTimes.Any(Tree.Epoch), isBootstrap: false, [])
            .Filter(new TarEntry { Path = "etc/shadow", Type = TarEntryType.File, Size = before.Length }, LayerContent.Of(before));
        Assert.Equal(after, Assert.IsType<FilterResult.Replaced>(result).Content);
    }

    private static TarEntry File(string path, string content) => new() { Path = path, Type = TarEntryType.File, Size = content.Length };

    private static string? Apply(Normaliser normaliser, TarEntry entry, string content) => normaliser.Filter(entry,
        LayerContent.Of(Encoding.UTF8.GetBytes(content))) switch
    {
        FilterResult.Dropped => null,
        FilterResult.Replaced replaced => Encoding.UTF8.GetString(replaced.Content),
        _ => content,
    };
}
