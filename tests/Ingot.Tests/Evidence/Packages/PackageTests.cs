using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Evidence.Packages;
using Ingot.Testing;

namespace Ingot.Tests.Evidence.Packages;

public sealed class PackageTests
{
    private const string Status = """
        Package: libc6
        Status: install ok installed
        Priority: optional
        Maintainer: Somebody <x@example.org>
        Architecture: amd64
        Source: glibc
        Version: 2.36-9+deb12u4
        Description: GNU C Library
         Package: not a field, it continues the one above
         .
         Version: neither

        Package: attr
        Status: hold ok installed
        Architecture: amd64
        Source: attr (1:2.5.1-4)
        Version: 1:2.5.1-4+b1

        Package: removed
        Status: deinstall ok config-files
        Version: 1

        Package: half
        Status: install reinstreq half-installed
        Version: 1

        Package: Weird~Name+1
        Status: install ok installed
        Version: 1.0~rc1

        Status: install ok installed
        Version: 3

        Package: noversion
        Status: install ok installed
        """;

    [Fact]
    public void TheInstalledPackagesAreReadWithTheirSources()
    {
        List<string> problems = [];
        var entries = DpkgDatabase.Parse(Status, problems.Add).ToList();
        Assert.Equal(
            [
                new DpkgEntry("libc6", "2.36-9+deb12u4", "amd64", "glibc", "2.36-9+deb12u4"),
                new DpkgEntry("attr", "1:2.5.1-4+b1", "amd64", "attr", "1:2.5.1-4"),
                new DpkgEntry("Weird~Name+1", "1.0~rc1", null, "Weird~Name+1", "1.0~rc1"),
            ],
            entries);
        Assert.Equal(
            [
                "the status 'install reinstreq half-installed' does not tell whether the files of 'half' are there",
                "a stanza has no package name", "a stanza has no version (package 'noversion')",
            ],
            problems);
    }

    [Fact]
    public void TheInventoryIsSortedByPackageUrl()
    {
        using var root = new TestRoot(("var/lib/dpkg/status", Status),
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\n"));
        var inventory = PackageInventory.Read(root.Root);
        Assert.Equal(
            [
                "pkg:deb/debian/attr@1:2.5.1-4%2Bb1?arch=amd64&distro=debian-12",
                "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12",
                "pkg:deb/debian/weird~name%2B1@1.0~rc1?distro=debian-12",
            ],
            inventory.Packages.Select(p => p.Purl));
        Assert.Equal(new OsRelease("debian", "12", "Debian 12"), inventory.Distribution);
        Assert.All(inventory.Unreadable, u => Assert.StartsWith("'var/lib/dpkg/status'", u, StringComparison.Ordinal));
    }

    [Fact]
    public void ADistrolessImageHasAFileForEachPackage()
    {
        using var root = new TestRoot(
            ("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n"),
            ("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all\n"),
            ("var/lib/dpkg/status.d/base.md5sums", "Package: no\nVersion: 1\n"),
            ("usr/lib/os-release", "ID=debian\n"));
        Assert.Equal(["base-files", "tzdata"], PackageInventory.Read(root.Root).Packages.Select(p => p.Name));
    }

    [Fact]
    public void AnotherPackageManagersDatabaseIsNotPassedOverInSilence()
    {
        using var root = new TestRoot(("lib/apk/db/installed", "P:musl\n"));
        var inventory = PackageInventory.Read(root.Root);
        Assert.Empty(inventory.Packages);
        Assert.Equal(["'lib/apk/db/installed': this kind of package database is not read yet"], inventory.Unreadable);
        Assert.Null(inventory.Distribution);
    }

    [Theory]
    [InlineData("", "it lists no installed package")]
    [InlineData("\0\u0001\u0002", "line 1 is no field of a stanza, or one that is there already")]
    [InlineData("Package: a\nVersion: 1\nPackage: b\n", "line 3 is no field of a stanza, or one that is there already")]
    [InlineData(" Package: a\nVersion: 1\n", "line 1 is no field of a stanza, or one that is there already")]
    [InlineData("Package: a\nVersion: 1\nStatus: installed\n", "the status 'installed' does not tell whether the files of 'a' are there")]
    [InlineData("Package: a\nVersion: 1\nStatus: install ok Installed\n",
        "the status 'install ok Installed' does not tell whether the files of 'a' are there")]
    [InlineData("Package: a\uFFFD\nVersion: 1\n", "a package name or version is no text")]
    [InlineData("Package: a\nStatus: deinstall ok config-files\n", "it lists no installed package")]
    public void ADatabaseThatIsNotWholeSaysSo(string status, string problem)
    {
        using var root = new TestRoot(("var/lib/dpkg/status", status), ("etc/os-release", "ID=debian\n"));
        var inventory = PackageInventory.Read(root.Root);
        Assert.Contains($"'var/lib/dpkg/status': {problem}", inventory.Unreadable);
        Assert.Equal(["var/lib/dpkg/status"], inventory.Databases);
    }

    [Fact]
    public void ADatabaseThatIsNoFileSaysSo()
    {
        using var root = new TestRoot(("var/lib/dpkg/status/x", ""));
        root.Link("var/lib/dpkg/status.d/base", "nowhere");
        Assert.Equal(
            ["'var/lib/dpkg/status': it is no file that can be read", "'var/lib/dpkg/status.d/base': it is no file that can be read"],
            PackageInventory.Read(root.Root).Unreadable);
    }

    [Fact]
    public void PackagesOfNoKnownDistributionAreNotAWholeList()
    {
        using var root = new TestRoot(("var/lib/dpkg/status", "Package: a\nVersion: 1\n"));
        Assert.StartsWith("'etc/os-release'", Assert.Single(PackageInventory.Read(root.Root).Gaps), StringComparison.Ordinal);
        Assert.Empty(PackageInventory.Read(root.Root).Unreadable);
    }

    [Fact]
    public void ADatabaseThatWasTakenAwaySaysSo()
    {
        using var root = new TestRoot(("var/lib/dpkg/info/libc6.list", "/lib\n"));
        Assert.Equal(["'var/lib/dpkg': dpkg's directory is there, its database is not"], PackageInventory.Read(root.Root).Unreadable);
    }

    [Fact]
    public void APackageWhoseTriggersWaitIsThere() => Assert.Equal(
        ["a", "b"], DpkgDatabase.Parse(
            "Package: a\nVersion: 1\nStatus: install ok triggers-pending\n\nPackage: b\nVersion: 1\nStatus: hold ok triggers-awaited\n",
            p => Assert.Fail(p)).Select(e => e.Name));

    [Fact]
    public void AnEmptyRootHasNoPackages()
    {
        using var root = new TestRoot();
        Assert.Empty(PackageInventory.Read(root.Root).Packages);
        Assert.Empty(PackageInventory.Read(root.Root).Unreadable);
    }

    [Theory]
    [InlineData("ID=debian", "debian", null, "debian")]
    [InlineData("ID='x'\nVERSION_ID=\"1\\\"2\"\nPRETTY_NAME=\"A \\$B\"", "x", "1\"2", "A $B")]
    [InlineData("# ID=no\nID=yes\nVERSION_ID=", "yes", null, "yes")]
    [InlineData("ID=a\nID=b", "b", null, "b")]
    public void OsReleaseIsReadAsAShellWould(string text, string id, string? version, string name) =>
        Assert.Equal(new OsRelease(id, version, name), OsRelease.Parse(text.Split('\n')));

    [Theory]
    [InlineData("")]
    [InlineData("NAME=x")]
    [InlineData("ID=")]
    [InlineData("=debian")]
    public void AFileWithoutAnIdIsNoOsRelease(string text) => Assert.Null(OsRelease.Parse(text.Split('\n')));

    [Fact]
    public void WhatIsPrintedIsRead() => Prop.ForAll(
        Gen.ListOf(Entry()).ToArbitrary(),
        entries =>
        {
            List<string> problems = [];
            var read = DpkgDatabase.Parse(string.Join('\n', entries.Select(Print)), problems.Add).ToList();
            return problems.Count == 0 && read.SequenceEqual(entries);
        }).Holds();

    [Fact]
    public void NoTextMakesTheReaderThrow() => Prop.ForAll(
        ArbMap.Default.ArbFor<NonNull<string>>(),
        text =>
        {
            _ = DpkgDatabase.Parse(text.Get, _ => { }).Count();
            _ = DpkgDatabase.Parse("Package: x\nVersion:" + text.Get + "\nSource:(" + text.Get, _ => { }).Count();
            OsRelease.Parse(text.Get.Split('\n'));
        }).Holds();

    private static Gen<DpkgEntry> Entry()
    {
        var word = Gen.Elements("libc6", "a+b", "x-1.0", "perl", "zlib1g");
        var version = Gen.Elements("1.0", "1:2.3-4+b1", "0~rc1", "2024a-0+deb12u1");
        var architecture = Gen.Elements<string?>(null, "amd64", "all");
        return from name in word
               from v in version
               from a in architecture
               from source in word
               from sourceVersion in version
               select new DpkgEntry(name, v, a, source, sourceVersion);
    }

    private static string Print(DpkgEntry entry)
    {
        var text = new StringBuilder($"Package: {entry.Name}\nStatus: install ok installed\n");
        if (entry.Architecture is not null)
            text.Append($"Architecture: {entry.Architecture}\n");
        return text
            .Append($"Source: {entry.SourceName} ({entry.SourceVersion})\nVersion: {entry.Version}\nDescription: x\n y\n .\n z\n")
            .ToString();
    }
}
