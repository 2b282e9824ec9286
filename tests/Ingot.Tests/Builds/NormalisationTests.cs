using System.Text;
using Ingot.Builds.Normalisation;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds;

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
    [InlineData("var/cache/fontconfig/0123-le64.cache-8", "x", null, "fontconfig-cache@1")]
    [InlineData("etc/passwd-", "x", null, "account-backups@1")]
    [InlineData("root/.bash_history", "ls", null, "shell-history@1")]
    [InlineData("home/web/.python_history", "ls", null, "shell-history@1")]
    [InlineData("root/.wget-hsts", "x", null, "wget-hsts@1")]
    [InlineData("root/.npm/_logs/2026-01-01T00_00_00_000Z-debug-0.log", "x", null, "npm-logs@1")]
    [InlineData("var/log/dnf.rpm.log", "x", null, "dnf-logs@1")]
    [InlineData("var/cache/dnf/a/b/c", "x", null, "dnf-cache@1")]
    [InlineData("var/lib/dnf/history.sqlite-wal", "x", null, "dnf-history@1")]
    [InlineData("var/cache/apk/APKINDEX.0.tar.gz", "x", null, "apk-cache@1")]
    [InlineData("root/.cache/pip/http-v2/0/1/x", "x", null, "pip-cache@1")]
    [InlineData("root/.npm/_cacache/index-v5/0/1", "x", null, "npm-cache@1")]
    [InlineData("root/.cache/pipx/x", "x", "x", "")]
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
    [InlineData("etc/shadow", "root:*:19000:0:99999:7:::\nweb:!:20500::::::\n", "root:*:3652:0:99999:7:::\nweb:!:3652::::::\n", "shadow-last-change@1")]
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
        var normaliser = new Normaliser(Tree.Epoch, isBootstrap: false, []);
        Assert.Equal(after, Apply(normaliser, File(path, before), before));
        Assert.Equal(rules, string.Join(' ', normaliser.Applied));
        Assert.Equal(after is null ? 0 : 1, normaliser.Kept);
    }

    [Fact]
    public void WhatACommandDeletedStaysDeleted()
    {
        var normaliser = new Normaliser(Tree.Epoch, isBootstrap: false, []);
        Assert.Same(FilterResult.Keep, normaliser.Filter(File("var/log/.wh.dpkg.log", ""), LayerContent.Empty));
        Assert.Same(FilterResult.Keep, normaliser.Filter(File("etc/.wh.shadow", ""), LayerContent.Empty));
        Assert.Empty(normaliser.Applied);
    }

    [Fact]
    public void LinksAndDirectoriesOfTheNamesAreKept()
    {
        var normaliser = new Normaliser(Tree.Epoch, isBootstrap: false, []);
        var link = new TarEntry { Path = "var/lib/dbus/machine-id", Type = TarEntryType.SymbolicLink, LinkTarget = "/etc/machine-id" };
        Assert.Same(FilterResult.Keep, normaliser.Filter(link, LayerContent.Empty));
        Assert.Same(FilterResult.Keep, normaliser.Filter(link with { Path = "etc/machine-id" }, LayerContent.Empty));
        Assert.Same(FilterResult.Keep, normaliser.Filter(new TarEntry { Path = "root/.bash_history", Type = TarEntryType.Directory }, LayerContent.Empty));
    }

    [Fact]
    public void ASparseLogIsEmptiedWithoutBeingRead()
    {
        var normaliser = new Normaliser(Tree.Epoch, isBootstrap: false, []);
        var result = normaliser.Filter(File("var/log/lastlog", "") with { Size = 1L << 40 }, null!);
        Assert.Empty(Assert.IsType<FilterResult.Replaced>(result).Content);
    }

    [Theory]
    [InlineData("dev/null", "device-nodes@1")]
    [InlineData("etc/hostname", "host-names@1")]
    [InlineData("etc/resolv.conf", "host-names@1")]
    public void ABootstrapLeavesTheHostBehind(string path, string rule)
    {
        var normaliser = new Normaliser(Tree.Epoch, isBootstrap: true, []);
        Assert.Same(FilterResult.Drop, normaliser.Filter(File(path, "x"), LayerContent.Empty));
        Assert.Equal([rule], normaliser.Applied);
    }

    [Fact]
    public void MountPointsAreNoPartOfALayerAndNoRule()
    {
        var normaliser = new Normaliser(Tree.Epoch, isBootstrap: false, ["etc/resolv.conf"]);
        Assert.Same(FilterResult.Drop, normaliser.Filter(File("etc/resolv.conf", ""), LayerContent.Empty));
        Assert.Empty(normaliser.Applied);
    }

    [Fact]
    public void EveryRuleHasANameOfItsOwnAndNoPathHasTwo()
    {
        Assert.Distinct(NormalisationRule.All.Select(r => r.Name));
        Assert.Distinct(NormalisationRule.All.SelectMany(r => r.Paths));
    }

    [Fact]
    public void AShadowFileOfAnyBytesComesBackByteForByte()
    {
        byte[] before = [0xFF, (byte)':', 0x80, (byte)':', (byte)'9', (byte)'9', (byte)'9', (byte)'9', (byte)'9', (byte)':', 0, 0xC3];
        Assert.Equal([0xFF, (byte)':', 0x80, (byte)':', (byte)'3', (byte)'6', (byte)'5', (byte)'2', (byte)':', 0, 0xC3], NormalisationRule.CapShadowDays(before, Tree.Epoch));
    }

    private static TarEntry File(string path, string content) => new() { Path = path, Type = TarEntryType.File, Size = content.Length };

    private static string? Apply(Normaliser normaliser, TarEntry entry, string content) => normaliser.Filter(entry, LayerContent.Of(Encoding.UTF8.GetBytes(content))) switch
    {
        FilterResult.Dropped => null,
        FilterResult.Replaced replaced => Encoding.UTF8.GetString(replaced.Content),
        _ => content,
    };
}
