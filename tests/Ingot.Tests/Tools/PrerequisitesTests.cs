using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class PrerequisitesTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("ingot-prerequisites-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void TheTableNamesEveryProgramWithItsPackageAndReason()
    {
        Assert.Equal(["runc", "mmdebstrap", "docker.io", "haproxy", "git"],
            new[] { "runc", "mmdebstrap", "dockerd", "haproxy", "git" }.Select(Prerequisites.PackageOf));
        Assert.All(Prerequisites.All, prerequisite => Assert.DoesNotMatch(@"\.$|^[A-Z]", prerequisite.Reason));
        Assert.Distinct(Prerequisites.All.Select(prerequisite => prerequisite.Package));
    }

    [Fact]
    public void AProgramThatIsNotNeededHasNoPackage() => Assert.Null(Prerequisites.PackageOf("emacs"));

    [Fact]
    public void AnEmptyHostLacksAllThatHasNoCondition() =>
        Assert.Equal(Prerequisites.All.Where(prerequisite => prerequisite.Where is null), Prerequisites.Missing(_root));

    [Theory]
    [InlineData("haproxy", "usr/sbin/haproxy")]
    [InlineData("haproxy", "usr/local/bin/haproxy")]
    [InlineData("haproxy", "bin/haproxy")]
    [InlineData("libz.so.1", "usr/lib/x86_64-linux-gnu/libz.so.1")]
    [InlineData("libz.so.1", "lib/aarch64-linux-gnu/libz.so.1")]
    [InlineData("libz.so.1", "usr/lib64/libz.so.1")]
    [InlineData("/usr/share/keyrings/a.gpg", "usr/share/keyrings/a.gpg")]
    public void WhatIsThereIsNotMissing(string needs, string file)
    {
        Create(file);

        Assert.False(new Prerequisite("package", needs, null, "reason").IsMissing(_root));
    }

    [Theory]
    [InlineData("haproxy", "usr/share/haproxy")]
    [InlineData("haproxy", "usr/sbin/haproxy-2")]
    [InlineData("libz.so.1", "usr/lib/x86_64-linux-gnu/libz.so")]
    [InlineData("libz.so.1", "usr/bin/libz.so.1")]
    [InlineData("/usr/share/keyrings/a.gpg", "usr/bin/a.gpg")]
    public void WhatIsElsewhereIsMissing(string needs, string file)
    {
        Create(file);

        Assert.True(new Prerequisite("package", needs, null, "reason").IsMissing(_root));
    }

    [Fact]
    public void ADirectoryOfTheNameIsNotTheProgram()
    {
        Directory.CreateDirectory(Path.Combine(_root, "usr/bin/haproxy"));

        Assert.True(new Prerequisite("haproxy", "haproxy", null, "reason").IsMissing(_root));
    }

    [Fact]
    public void WhatIsNeededOnlySomewhereIsNotMissingElsewhere()
    {
        var parser = new Prerequisite("apparmor", "apparmor_parser", "/sys/module/apparmor/parameters/enabled", "reason");

        Assert.False(parser.IsMissing(_root));
        Create("sys/module/apparmor/parameters/enabled");
        Assert.True(parser.IsMissing(_root));
        Create("sbin/apparmor_parser");
        Assert.False(parser.IsMissing(_root));
    }

    [Fact]
    public void TheCureIsOneCommandForAll() => Assert.Equal(
        "apt-get install --no-install-recommends runc docker.io",
        Prerequisites.Install([new("runc", "runc", null, "a"), new("docker.io", "dockerd", null, "b")]).ToString());

    [Theory]
    [InlineData("runc\trunc\t-")]
    [InlineData("runc\trunc\t-\t")]
    [InlineData("runc\trunc\t\treason")]
    [InlineData("runc\trunc\t-\treason\tmore")]
    [InlineData("runc runc - reason")]
    public void ALineThatIsNotFourColumnsIsRefused(string line) =>
        Assert.Contains("is not a prerequisite",
            Assert.Throws<FormatException>(() => Prerequisites.Parse("heading\n" + line + "\n")).Message, StringComparison.Ordinal);

    [Fact]
    public async Task AProgramThatIsNotThereIsNamedWithItsPackage()
    {
        var command = new Command("mmdebstrap", "--version") { Directory = Path.Combine(_root, "not-there") };

        var error = await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(command, TestContext.Current.CancellationToken));

        Assert.Contains("'apt-get install mmdebstrap'", error.Message, StringComparison.Ordinal);
    }

    private void Create(string file)
    {
        string path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "");
    }
}
