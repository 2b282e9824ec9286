using System.Text;
using Ingot.Diagnostics;
using Ingot.Evidence.Claims;
using Ingot.Oci.Images;

namespace Ingot.Tests.Evidence.Claims;

public sealed class ClaimCheckerTests
{
    private const int Executable = 0b111_101_101;
    private const string Passwd = "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:\ntoor:x:0:0::/:\n";

    [Theory]
    [InlineData("web", true)]
    [InlineData("1000", true)]
    [InlineData("12345", true)]
    [InlineData("web:0", true)]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("root", false)]
    [InlineData("0", false)]
    [InlineData("0:1000", false)]
    [InlineData("toor", false)]
    [InlineData("ghost", false)]
    [InlineData(":1000", false)]
    public void NonRootIsHeldAgainstTheUserThatWouldRun(string? user, bool holds)
    {
        using var root = new TestRoot(("etc/passwd", Passwd));
        Assert.Equal(holds, ClaimChecker.Check(root.Root, new ContainerConfig { User = user }, ["non-root"]).AllHold);
    }

    [Theory]
    [InlineData("bin/sh")]
    [InlineData("usr/bin/bash")]
    [InlineData("opt/tool/busybox")]
    public void AShellIsKnownByItsName(string path)
    {
        using var root = new TestRoot();
        root.Write(path, "x", Executable);
        AssertOffends(root, "no-shell", "/" + path);
    }

    [Fact]
    public void ARenamedShellIsKnownByWhatIsInIt()
    {
        using var root = new TestRoot();
        byte[] shell = Encoding.Latin1.GetBytes("\u007fELF.....\0getopts\0umask\0unalias\0....OPTIND.PS4.");
        root.Write("app/harmless", shell, Executable);
        root.Write("app/not-executable", shell, 0b110_100_100);
        root.Write("app/make", Encoding.Latin1.GetBytes("\u007fELF\0getopts\0umask\0unalias\0"), Executable);
        root.Write("app/script", "#!/bin/sh\ngetopts\0unalias\0OPTIND PS4", Executable);
        AssertOffends(root, "no-shell", "/app/harmless");
    }

    [Fact]
    public void ALinkByWhichAShellCanBeRunIsOne()
    {
        using var root = new TestRoot();
        root.Write("lib/real", "x", Executable);
        root.Link("bin/sh", "/lib/real");
        root.Link("bin/bash", "nowhere");
        root.Link("bin/zsh", "../../outside");
        AssertOffends(root, "no-shell", "/bin/sh");
    }

    [Fact]
    public void FilesThatRunWithTheirOwnersRightsAreFoundAndDirectoriesAreNotMeant()
    {
        using var root = new TestRoot();
        root.Write("bin/su", "x", 0b100_111_101_101);
        root.Write("bin/wall", "x", 0b010_111_101_101);
        root.Write("bin/plain", "x", Executable);
        root.Write("tmp/x", "x");
        File.SetUnixFileMode(Path.Combine(root.Path, "tmp"), (UnixFileMode)0b011_111_111_111);
        AssertOffends(root, "no-setuid", "/bin/su", "/bin/wall");
    }

    [Fact]
    public void PackageManagersAreFoundOfSystemsAndOfLanguages()
    {
        using var root = new TestRoot();
        foreach (var path in new[] { "usr/bin/apt-get", "sbin/apk", "usr/bin/pip3.11", "usr/local/bin/npm" })
            root.Write(path, "x", Executable);
        root.Write("usr/share/doc/apt", "documentation");
        root.Write("usr/lib/python3/dist-packages/pip/__main__.py", "x");
        root.Write("usr/bin/pip3.x", "x", Executable);
        AssertOffends(root, "no-package-manager", "/sbin/apk", "/usr/bin/apt-get", "/usr/bin/pip3.11", "/usr/lib/python3/dist-packages/pip/__main__.py", "/usr/local/bin/npm");
    }

    [Fact]
    public void AnEmptyImageHoldsAllButTheUser()
    {
        using var root = new TestRoot();
        var report = ClaimChecker.Check(root.Root, new ContainerConfig(), ClaimChecker.Names);
        Assert.Equal(["non-root False", "no-shell True", "no-setuid True", "no-package-manager True"], report.Results.Select(r => $"{r.Claim} {r.Holds}"));
        var read = ClaimsPredicate.FromPredicate(report.ToPredicate());
        Assert.Equal("FAILED", read.Result);
        Assert.Equal(report.Results.Select(r => r.Reason), read.Claims.Select(c => c.Reason));
    }

    [Fact]
    public void AnUnknownClaimIsRefusedWithASuggestion()
    {
        using var root = new TestRoot();
        var error = Assert.Throws<InvalidInputException>(() => ClaimChecker.Check(root.Root, new ContainerConfig(), ["no-shells"]));
        Assert.Equal("did you mean 'no-shell'?", error.Diagnostics[0].Detail);
    }

    private static void AssertOffends(TestRoot root, string claim, params string[] paths)
    {
        var result = Assert.Single(ClaimChecker.Check(root.Root, new ContainerConfig(), [claim]).Results);
        Assert.Equal(paths, result.Offending);
        Assert.Equal(paths.Length == 0, result.Holds);
    }
}
