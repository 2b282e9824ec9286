using Ingot.Builds;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Steps;

public sealed class BootstrapPackagesTests
{
    private static readonly Digest s_one = Digest.Of("one"u8);
    private static readonly Digest s_two = Digest.Of("two"u8);
    private static readonly InstalledPackage s_libc = new("libc6", "amd64", "2.36-9", s_one);
    private static readonly InstalledPackage s_zone = new("tzdata", "all", "2024a-0", s_two);
    private static readonly BootstrapLock s_whole = new([s_libc, s_zone], IsWhole: true);
    private static readonly BootstrapLock s_part = s_whole with { IsWhole = false };

    [Fact]
    public void WhatTheMirrorSaysOfPackagesIsRead()
    {
        string text = Stanza("tzdata", "2024a-0", "all", s_two) + "\n" + Stanza("libc6", "2.36-9", "amd64", s_one) + "\n"
            + Stanza("libc6", "2.36-9", "amd64", s_one);
        Assert.Equal([s_libc, s_zone], BootstrapPackages.Read(text));
        Assert.Empty(BootstrapPackages.Read(""));
    }

    [Fact]
    public void AMirrorWithTwoFilesOfOneVersionIsAnError()
    {
        var thrown = Assert.Throws<BootstrapException>(() =>
            BootstrapPackages.Read(Stanza("libc6", "1", "amd64", s_one) + "\n" + Stanza("libc6", "1", "amd64", s_two)));
        Assert.StartsWith("the mirrors have two files of 'libc6' 1", thrown.Message);
    }

    [Fact]
    public void AMirrorWithoutDigestsIsAnError() =>
        Assert.Throws<BootstrapException>(() => BootstrapPackages.Read("Package: a\nVersion: 1\nArchitecture: all\nMD5sum: 0123\n"));

    [Fact]
    public void AptIsToldTheVersionsAndWhereTheLockIsWholeToTakeNothingElse()
    {
        Assert.Equal(
            "Package: libc6\nPin: version 2.36-9\nPin-Priority: 1001\n\nPackage: tzdata\nPin: version 2024a-0\nPin-Priority: 1001\n\n",
            BootstrapPackages.Preferences(s_part, "amd64"));
        Assert.StartsWith("Package: *\nPin: release *\nPin-Priority: -1\n\nPackage: libc6\n",
            BootstrapPackages.Preferences(s_whole, "amd64"));
        Assert.Contains("Package: libc6:amd64\n", BootstrapPackages.Preferences(s_part, "arm64"), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTheMirrorHasNoMoreIsFound()
    {
        Assert.Equal([s_zone], BootstrapPackages.Missing(s_whole, "     libc6 |   2.36-9 | http://mirror bookworm/main amd64 Packages\n"
            + "    tzdata | 2024b-0 | http://mirror bookworm/main amd64 Packages\n"));
        Assert.Equal(
            "'base' is not what ingot.lock says: the mirror has no 'tzdata' 2024a-0 any more. Use a mirror that keeps every version "
                + "('mirror:'), or take what there is now with 'ingot build --update=base'",
            BootstrapPackages.Gone("base", [s_zone]).Message);
    }

    [Fact]
    public void WhatIsLockedPasses()
    {
        BootstrapPackages.Check("base", s_whole, [s_zone, s_libc]);
        BootstrapPackages.Check("base", s_part, [s_libc, new("curl", "amd64", "8", s_one)]);
    }

    [Theory]
    [InlineData("version", "'libc6' is locked to 2.36-9, and 2.36-10 was installed")]
    [InlineData("digest", "'libc6' 2.36-9 is locked to the file ")]
    [InlineData("gone", "'libc6' 2.36-9 is locked, and was not installed")]
    [InlineData("more", "'curl' 8 was installed, and is not locked")]
    public void WhatDiffersIsNamed(string what, string expected)
    {
        InstalledPackage[] installed = what switch
        {
            "version" => [s_libc with { Version = "2.36-10" }, s_zone],
            "digest" => [s_libc with { Digest = s_two }, s_zone],
            "gone" => [s_zone],
            _ => [s_libc, s_zone, new("curl", "amd64", "8", s_one)],
        };
        Assert.Contains(expected, Assert.Throws<BootstrapException>(() => BootstrapPackages.Check("base", s_whole, installed)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void OnlyAFewOfManyAreShown()
    {
        var locked = new BootstrapLock(
            [.. Enumerable.Range(0, 100).Select(i => new InstalledPackage($"p{i}", "all", "1", s_one))], IsWhole: true);
        Assert.Contains("and 90 more", Assert.Throws<BootstrapException>(() => BootstrapPackages.Check("base", locked, [])).Message,
            StringComparison.Ordinal);
    }

    private static string Stanza(string name, string version, string architecture, Digest digest) =>
        $"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nDescription: of\n Version: none\nSHA256: {digest.Hex}\n";
}
