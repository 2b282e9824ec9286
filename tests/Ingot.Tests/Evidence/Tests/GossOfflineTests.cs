using System.Text.Json;
using Ingot.Diagnostics;
using Ingot.Evidence.Tests;
using Ingot.Oci.Images;

namespace Ingot.Tests.Evidence.Tests;

public sealed class GossOfflineTests
{
    private const string Passwd = "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/home/web:/usr/sbin/nologin\n";
    private const string Group = "root:x:0:\nweb:x:1000:\nmedia:x:44:web\n";
    private const string Dpkg = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2+b2\n\nPackage: libc6\n"
        + "Status: install ok installed\nArchitecture: amd64\nVersion: 2.36\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: "
        + "i386\nVersion: 2.36\n";

    [Fact]
    public async Task FilesPackagesUsersAndGroupsNeedNothingToRun()
    {
        using var root = Root();
        var report = await RunAsync(root, """
            file:
              /etc/motd: {exists: true, mode: "0644", size: 6, filetype: file, contents: [hello], md5: b1946ac92492d2347c6235b4d2611184, sha256: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03, sha512: {have-prefix: e7c22b994c59d9cf2b48e549b1e24666636045930d3da7c1acb299d1c3b7f931}}
              /etc: {exists: true, filetype: directory}
              /etc/link: {exists: true, filetype: symlink, linked-to: motd, contents: [hello]}
              /etc/none: {exists: false, mode: "0644"}
              /etc/motd as text: {path: /etc/motd, exists: true, contents: "hello\n"}
              ~web/x: {exists: true}
            package:
              bash: {installed: true, versions: [5.2.15-2+b2]}
              libc6: {installed: true, versions: {consist-of: ["2.36", "2.36"]}}
              libc6:i386: {installed: true, versions: ["2.36"]}
              nginx: {installed: false}
            user:
              web: {exists: true, uid: 1000, gid: 1000, groups: {equal: [media, web]}, home: /home/web, shell: /usr/sbin/nologin}
              ghost: {exists: false, uid: 7}
            group:
              media: {exists: true, gid: 44}
            """);

        Assert.Empty(report.Results.Where(r => r.Outcome == TestOutcome.Fail).Select(r => r.Summary));
        Assert.Equal(["file /etc/none: mode", "user ghost: uid"],
            report.Results.Where(r => r.Outcome == TestOutcome.Skip).Select(r => r.Name));
        Assert.Null(report.SandboxOutput);
        Assert.True(report.Succeeded);
    }

    [Theory]
    [InlineData("file: {/etc/none: {exists: true, mode: '0644'}}", "FS", "file /etc/none: exists: expected true, found false")]
    [InlineData("file: {/etc/motd: {exists: true, mode: '0600'}}", "PF", "file /etc/motd: mode: expected \"0600\", found \"0644\"")]
    [InlineData("file: {/etc/motd: {exists: true, contents: [nope, hello]}}", "PF",
        "file /etc/motd: contents: expected [\"nope\",\"hello\"], found \"hello\\n\": missing [\"nope\"]")]
    [InlineData("file: {/etc/motd: {exists: true, linked-to: x}}", "PF",
        "file /etc/motd: linked-to: expected \"x\", and '/etc/motd' is no symbolic link")]
    [InlineData("file: {/etc: {exists: true, sha256: x}}", "PF", "file /etc: sha256: expected \"x\", and '/etc' is no regular file")]
    [InlineData("file: {/etc: {exists: true, contents: [x]}}", "PF", "'/etc' is no regular file")]
    [InlineData("file: {~ghost/x: {exists: true}}", "F", "'~ghost/x' names a user that /etc/passwd does not have")]
    [InlineData("file: {/../../outside: {exists: true}}", "F", "found false")]
    [InlineData("file: {/etc/out: {exists: true, contents: [outside]}}", "PF", "'/etc/out' is no regular file")]
    [InlineData("package: {nginx: {installed: true, versions: ['1']}}", "FS", "package nginx: installed: expected true, found false")]
    [InlineData("package: {bash: {installed: true, versions: ['1']}}", "PF", "found [\"5.2.15-2+b2\"]: missing [\"1\"]")]
    [InlineData("user: {web: {exists: true, groups: [wheel]}}", "PF", "found [\"media\",\"web\"]")]
    [InlineData("group: {media: {exists: true, gid: 45}}", "PF", "expected 45, found 44")]
    [InlineData("group: {media: {exists: false, gid: 45}}", "FS", "expected false, found true")]
    [InlineData("file: {/etc/motd: {exists: true, size: {gt: 10}, skip: true}}", "SS", "skipped, the file says so")]
    [InlineData("file: {t: {path: /etc/none, title: the title, exists: true}}", "F", "file t (/etc/none): exists")]
    public async Task WhatIsNotAsExpectedIsSaidWithBothValues(string goss, string outcomes, string summary)
    {
        using var root = Root();
        var report = await RunAsync(root, goss);
        Assert.Equal(outcomes, string.Concat(report.Results.Select(r => r.Outcome.ToString()[0])));
        Assert.Contains(report.Results, r => r.Summary.Contains(summary, StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnUnknownOwnerAndAnotherPackageDatabaseAreProblemsNotAnswers()
    {
        using var root = new TestRoot(("x", "y"), ("lib/apk/db/installed", "P:musl\n"));
        var report = await RunAsync(root, "file: {/x: {exists: true, owner: root}}\npackage: {musl: {installed: false}}");
        Assert.Contains("has no name in /etc/passwd", report.Results[1].Summary, StringComparison.Ordinal);
        Assert.Contains("not read yet", report.Results[2].Summary, StringComparison.Ordinal);
        Assert.Equal(2, report.Failed);
    }

    [Fact]
    public async Task TheReportBecomesATestResult()
    {
        using var root = Root();
        var report = await RunAsync(root, "file: {/etc/motd: {exists: true, mode: '0600'}, /etc/none: {exists: false, mode: '0600'}}");
        var predicate = report.ToPredicate();
        Assert.Equal(
            $$$"""{"result":"FAILED","configuration":[{"name":"goss.yaml","digest":{"sha256":"{{{report.Files[0].Digest.Hex}}}"}}],"sandbox":{"writable":[{"path":"/tmp","bytes":268435456}],"environment":[],"memory":2147483648,"processes":1024,"patience":10000},"passedTests":["file /etc/motd: exists","file /etc/none: exists"],"failedTests":["file /etc/motd: mode"]}""",
            predicate.GetRawText());
        Assert.Equal("FAILED", TestResultPredicate.FromPredicate(predicate).Result);
        Assert.Throws<FormatException>(() => TestResultPredicate.FromPredicate(JsonElement.Parse("[]")));
    }

    [Theory]
    [InlineData("", "WARNED")]
    [InlineData("file: {/etc/motd: {exists: true, skip: true}}", "WARNED")]
    [InlineData("file: {/etc/motd: {exists: true}}", "PASSED")]
    public async Task ARunInWhichNothingPassedIsNoPass(string goss, string result)
    {
        using var root = Root();
        Assert.Equal(result, TestResultPredicate.FromPredicate((await RunAsync(root, goss)).ToPredicate()).Result);
    }

    private static TestRoot Root()
    {
        var root = new TestRoot(("etc/passwd", Passwd), ("etc/group", Group), ("etc/motd", "hello\n"), ("home/web/x", ""),
            ("var/lib/dpkg/status", Dpkg));
        root.Link("etc/link", "motd");
        root.Link("etc/out", "../../outside");
        return root;
    }

    private static Task<TestReport> RunAsync(TestRoot root, string goss)
    {
        var diagnostics = new DiagnosticBag();
        var file = GossFile.Parse(new SourceText("goss.yaml", goss), diagnostics);
        Assert.Empty(diagnostics);
        return GossRunner.RunAsync(root.Root, new ContainerConfig(), [file], new SandboxOptions("/nonexistent", TimeProvider.System),
            TestContext.Current.CancellationToken);
    }
}
