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
    [InlineData("web:", false)]
    [InlineData("web:0:0", false)]
    [InlineData("+1000", false)]
    [InlineData("01000", false)]
    [InlineData("-0", false)]
    [InlineData("2147483647", true)]
    [InlineData("2147483648", false)]
    [InlineData("4294967296", false)]
    [InlineData(" web", false)]
    [InlineData("1000 ", false)]
    [InlineData("web\n", false)]
    public void NonRootIsHeldAgainstTheUserThatWouldRun(string? user, bool holds)
    {
        using var root = new TestRoot(("etc/passwd", Passwd));
        Assert.Equal(holds, ClaimChecker.Check(root.Root, new ContainerConfig { User = user }, ["non-root"]).AllHold);
    }

    [Theory]
    [InlineData("web:x:1000:1000::/:", true)]
    [InlineData("web:x:1000:1000::/:\r", true)]
    [InlineData("web:x:1000:1000::/:\n\n# nobody\nother:x:0", true)]
    [InlineData("web", false)]
    [InlineData("web:x", false)]
    [InlineData("web::1000:1000", false)]
    [InlineData("web:x:abc:1000::/:", false)]
    [InlineData("web:x: 1000:1000::/:", false)]
    [InlineData("web:x:1000 :1000::/:", false)]
    [InlineData("web:x:4294967296:1000::/:", false)]
    [InlineData("web:x:-1:1000::/:", false)]
    [InlineData("web:x:0x3e8:1000::/:", false)]
    [InlineData("web:x:01000:1000::/:", false)]
    [InlineData("web:x:1000:users::/:", false)]
    [InlineData(" web:x:0:0::/:\nweb:x:1000:1000::/:", false)]
    [InlineData("web:x:1000:1000::/:\nweb:x:0:0::/:", false)]
    [InlineData("+web:x:0:0::/:\nweb:x:1000:1000::/:", false)]
    [InlineData("other:x:1:1::/:\rweb:x:0:0::/:\nweb:x:1000:1000::/:", false)]
    [InlineData("\ufeffweb:x:0:0::/:\nweb:x:1000:1000::/:", false)]
    public void ALineThatReadersCouldTakeDifferentlyProvesNothing(string line, bool holds)
    {
        using var root = new TestRoot(("etc/passwd", line));
        Assert.Equal(holds, ClaimChecker.Check(root.Root, new ContainerConfig { User = "web" }, ["non-root"]).AllHold);
    }

    [Theory]
    [InlineData("1000:x:0:0::/:", false)]
    [InlineData("1000:x:5:5::/:", false)]
    [InlineData("1000:x:1000:5::/:", true)]
    [InlineData("web:x:1000:5::/:\nweb2:x:1000:5::/:", true)]
    public void ANumberThatIsAlsoANameProvesNothing(string line, bool holds)
    {
        using var root = new TestRoot(("etc/passwd", line));
        Assert.Equal(holds, ClaimChecker.Check(root.Root, new ContainerConfig { User = "1000" }, ["non-root"]).AllHold);
    }

    [Fact]
    public void AnAccountFileThatLeadsOutOfTheImageIsNone()
    {
        using var root = new TestRoot();
        root.Link("etc/passwd", "/etc/../../../../../etc/passwd");
        Assert.False(ClaimChecker.Check(root.Root, new ContainerConfig { User = "nobody" }, ["non-root"]).AllHold);
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
        byte[] shell =
            Encoding.Latin1.GetBytes("\u007fELF.....\0getopts\0umask\0unalias\0ulimit\0readonly\0noglob\0xtrace\0OPTIND\0OPTARG\0CDPATH\0");
        root.Write("app/harmless", shell, Executable);
        root.Write("app/not-executable", shell, 0b110_100_100);
        root.Write("app/unreadable", shell, 0);
        root.Write("app/make", Encoding.Latin1.GetBytes("\u007fELF\0getopts\0umask\0unalias\0"), Executable);
        root.Write("app/script", "#!/bin/sh\ngetopts\0unalias\0OPTIND PS4", Executable);
        AssertOffends(root, "no-shell", "/app/harmless", "/app/not-executable", "/app/unreadable");
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
        AssertOffends(root, "no-package-manager", "/sbin/apk", "/usr/bin/apt-get", "/usr/bin/pip3.11",
            "/usr/lib/python3/dist-packages/pip/__main__.py", "/usr/local/bin/npm");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(70 << 20)]
    public void AShellIsFoundUnderAnyNameWithAnyRightsAndPaddedAsOneLikes(int padding)
    {
        Assert.SkipUnless(File.Exists("/bin/dash") && File.Exists("/bin/bash"), "there is no dash or no bash");
        using var root = new TestRoot();
        root.Write("data/picture.png", [.. File.ReadAllBytes("/bin/dash"), .. new byte[padding]], 0b100_000_000);
        root.Write("srv/app", [.. File.ReadAllBytes("/bin/bash"), .. new byte[padding]], Executable);
        root.Write("srv/cat", File.ReadAllBytes("/bin/cat"), Executable);
        AssertOffends(root, "no-shell", "/data/picture.png", "/srv/app");
    }

    [Fact]
    public void WordsAreFoundWhereverTheReaderCutsTheFile()
    {
        using var root = new TestRoot();
        string words = "\0getopts\0umask\0unalias\0ulimit\0readonly\0noglob\0xtrace\0OPTIND\0OPTARG\0";
        int programs = 0;
        for (int before = 0; before < words.Length + 4; before += 5, programs++)
        {
            byte[] program = [.. "\u007fELF"u8, .. new byte[(1 << 20) - before], .. Encoding.Latin1.GetBytes(words)];
            root.Write($"app/{before:000}", program, 0b110_100_100);
        }

        Assert.Equal(programs, Assert.Single(ClaimChecker.Check(root.Root, new ContainerConfig(), ["no-shell"]).Results).Offending.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2 << 20)]
    public void AProgramThatIsPackedCouldBeAnything(int padding)
    {
        using var root = new TestRoot();
        var random = new byte[96 << 10];
        new Random(7).NextBytes(random);
        root.Write("app/packed", Program([.. random, .. new byte[padding]]), Executable);
        root.Write("app/plain", Program(File.ReadAllBytes(Environment.ProcessPath!)), Executable);
        // Constants among the code are no packing.
        root.Write(
            "app/tables",
            Program([.. random.AsSpan(0, 32 << 10), .. File.ReadAllBytes(typeof(object).Assembly.Location).AsSpan(0, 2 << 20)]),
            Executable);
        foreach (var claim in new[] { "no-shell", "no-package-manager" })
            AssertOffends(root, claim, "/app/packed");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\u007fELF")]
    [InlineData("\u007fELF\u0002\u0001")]
    [InlineData("\u007fELF\u0003\u0003xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    [InlineData("\u007fELF\u0002\u0001xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    [InlineData(
        "\u007fELF\u0001\u0002\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff")]
    public void AProgramThatIsBrokenIsReadToItsEnd(string bytes)
    {
        using var root = new TestRoot();
        root.Write("x", Encoding.Latin1.GetBytes(bytes), Executable);
        AssertOffends(root, "no-shell");
    }

    [Fact]
    public void CapabilitiesOfAFileAndDevicesGiveRights()
    {
        Assert.SkipUnless(Environment.UserName == "root", "only root can give a file capabilities");
        using var root = new TestRoot();
        root.Write("bin/plain", "x", Executable);
        root.Write("bin/second", "x", Executable);
        root.Write("bin/third", "x", 0b110_100_100);
        root.Write("dev/keep", "x");
        // net_bind_service of the root of this, and of the root of another user namespace (version 3, root 100000).
        Run("setfattr", "-n", "security.capability", "-v", "0x0100000200040000000000000000000000000000",
            System.IO.Path.Combine(root.Path, "bin/second"));
        Run("setfattr", "-n", "security.capability", "-v", "0x0100000300040000000000000000000000000000a0860100",
            System.IO.Path.Combine(root.Path, "bin/third"));
        Run("ln", System.IO.Path.Combine(root.Path, "bin/third"), System.IO.Path.Combine(root.Path, "bin/fourth"));
        Run("mknod", System.IO.Path.Combine(root.Path, "bin/disk"), "b", "8", "0");
        Run("mknod", System.IO.Path.Combine(root.Path, "dev/null"), "c", "1", "3");
        AssertOffends(root, "no-setuid", "/bin/disk", "/bin/fourth", "/bin/second", "/bin/third");
    }

    [Theory]
    [InlineData("app/setup", "#!/usr/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n")]
    [InlineData("app/setup", "#!/usr/bin/env ruby\nrequire 'rubygems/gem_runner'\n")]
    [InlineData("app/setup", "#!/usr/bin/perl\nuse App::Cpan;\n")]
    [InlineData("opt/x/package.json", "{\n  \"version\": \"10.8.2\",\n  \"name\": \"npm\",\n  \"main\": \"./index.js\"\n}")]
    [InlineData("opt/x/npm-cli.js", "x")]
    [InlineData("opt/py/pip/__main__.pyc", "x")]
    [InlineData("usr/lib/python3.12/ensurepip/__main__.py", "x")]
    [InlineData("usr/lib/python3.12/ensurepip/_bundled/pip-24.0-py3-none-any.whl", "x")]
    [InlineData("usr/share/perl/5.36.0/CPAN.pm", "x")]
    [InlineData("opt/tool", "\u007fELF NEEDED libapt-private.so.0.0\0libapt-pkg.so.6.0\0")]
    [InlineData("opt/tool", "\u007fELF etc/apk/world\0lib/apk/db/installed\0")]
    public void APackageManagerIsFoundUnderAnyNameAndAsAModule(string path, string content)
    {
        using var root = new TestRoot();
        root.Write(path, content);
        root.Write("opt/app/package.json", "{\"name\": \"shop\", \"dependencies\": {\"npm\": \"10\"}, \"author\": {\"name\": \"npm\"}}");
        root.Write("opt/app/readme", "pip._internal and from pip import are words of a text");
        root.Write("opt/app/main", "#!/usr/bin/python3\nprint('no pip here')\n");
        AssertOffends(root, "no-package-manager", "/" + path);
    }

    [Fact]
    public void PackageManagersOfTheHostAreFoundRenamed()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/apt-get") && File.Exists("/usr/bin/dpkg"), "there is no apt or dpkg");
        using var root = new TestRoot();
        root.Write("srv/a", File.ReadAllBytes("/usr/bin/apt-get"), 0b110_100_100);
        root.Write("srv/b", File.ReadAllBytes("/usr/bin/dpkg"), Executable);
        root.Write("srv/c", File.ReadAllBytes("/bin/cat"), Executable);
        AssertOffends(root, "no-package-manager", "/srv/a", "/srv/b");
    }

    [Fact]
    public void AnEmptyImageHoldsAllButTheUser()
    {
        using var root = new TestRoot();
        var report = ClaimChecker.Check(root.Root, new ContainerConfig(), ClaimChecker.Names);
        Assert.Equal(["non-root False", "no-shell True", "no-setuid True", "no-package-manager True"],
            report.Results.Select(r => $"{r.Claim} {r.Holds}"));
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

    private static void Run(string program, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    // An ELF header, one segment that is executable, and what is in it.
    private static byte[] Program(byte[] content)
    {
        var program = new byte[120 + content.Length];
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(program);
        program[32] = 64;
        program[54] = 56;
        program[56] = 1;
        program[64] = 1;
        program[68] = 5;
        BitConverter.TryWriteBytes(program.AsSpan(72), 120L);
        BitConverter.TryWriteBytes(program.AsSpan(96), (long)content.Length);
        content.CopyTo(program, 120);
        return program;
    }

    private static void AssertOffends(TestRoot root, string claim, params string[] paths)
    {
        var result = Assert.Single(ClaimChecker.Check(root.Root, new ContainerConfig(), [claim]).Results);
        Assert.Equal(paths, result.Offending);
        Assert.Equal(paths.Length == 0, result.Holds);
    }
}
