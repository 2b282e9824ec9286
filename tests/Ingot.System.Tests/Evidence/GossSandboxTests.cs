using System.Diagnostics;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Tests;
using Ingot.Oci.Images;
using Ingot.Tools;

namespace Ingot.SystemTests.Evidence;

public sealed class GossSandboxTests
{
    private static readonly ContainerConfig s_web = new()
    {
        User = "web",
        Entrypoint = ["/bin/httpd"],
        Cmd = ["-f", "-p", "8080", "-h", "/www"],
        Env = ["GREETING=hello"],
        WorkingDir = "/work/dir",
    };

    [Fact]
    public async Task AServiceIsSeenThroughItsProcessesPortsAnswersAndCommands()
    {
        var report = await RunAsync(s_web, """
            process:
              httpd: {running: true}
              nothing: {running: false}
            port:
              tcp6:8080: {listening: true, ip: ["::"]}
              tcp:9: {listening: false}
            http:
              http://localhost:8080/:
                status: 200
                body: [hello from inside, "/^second/", "!third"]
                headers: ["/^Content-Type: text.html/"]
              http://127.0.0.1:8080/none: {status: 404}
            command:
              id: {exit-status: 0, stdout: ["uid=1000(web) gid=1000(web) groups=44(media),1000(web)"]}
              cat /proc/self/status:
                exit-status: 0
                stdout: ["/^CapEff:\\s*0000000000000000$/", "/^CapBnd:\\s*0000000000000000$/", "/^NoNewPrivs:\\s*1$/"]
              touch /bin/x: {exit-status: 1, stderr: [Read-only file system]}
              touch /tmp/x: {exit-status: 0, stderr: ""}
              pwd && echo $GREETING $HOME: {exit-status: 0, stdout: "/work/dir\nhello /home/web\n"}
              wget -q -O - http://127.0.0.1:8080/: {exit-status: 0, stdout: [hello from inside]}
              list: {exec: [/bin/busybox, echo, "-n", a b], exit-status: 0, stdout: a b}
            """);

        AssertAll(report, TestOutcome.Pass);
        Assert.Null(report.SandboxOutput);
        Assert.True(report.Duration < TimeSpan.FromSeconds(9), $"took {report.Duration}");
    }

    [Fact]
    public async Task RequestsCarryWhatTheFileSays()
    {
        var report = await RunAsync(s_web, """
            http:
              followed: {url: "http://localhost:8080/cgi-bin/moved", status: 200, body: [hello from inside]}
              not followed: {url: "http://localhost:8080/cgi-bin/moved", status: 302, no-follow-redirects: true, headers: ["Location: /index.html"]}
              posted:
                url: http://localhost:8080/cgi-bin/mirror
                method: POST
                request-body: a=b
                request-headers: ["User-Agent: somebody", "Content-Type: text/plain"]
                status: 200
                body: [method POST, agent somebody, "a=b"]
              elsewhere: {url: "http://example.org/", status: 200}
            """);

        AssertAll(report with { Results = [.. report.Results.Where(r => r.ResourceId != "elsewhere")] }, TestOutcome.Pass);
        var elsewhere = Assert.Single(report.Results, r => r.ResourceId == "elsewhere");
        Assert.Contains("'example.org' has no address", elsewhere.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AServiceThatStartsSlowlyIsWaitedFor()
    {
        var slow = s_web with { Entrypoint = ["/bin/sh", "-c", "sleep 1; exec httpd -f -p 8080 -h /www"], Cmd = null };
        var report = await RunAsync(slow, "port: {tcp6:8080: {listening: true}}\nhttp: {'http://localhost:8080/': {status: 200}}");
        AssertAll(report, TestOutcome.Pass);
    }

    [Fact]
    public async Task PatienceHasAnEnd()
    {
        var report = await RunAsync(
            s_web with { Entrypoint = ["/bin/sleep", "60"], Cmd = null },
            "port: {8080: {listening: true, ip: [127.0.0.1]}}",
            with: o => o with { Patience = TimeSpan.FromMilliseconds(300) });
        Assert.Equal([TestOutcome.Fail, TestOutcome.Skip], report.Results.Select(r => r.Outcome));
        Assert.InRange(report.Duration, TimeSpan.FromMilliseconds(300), TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task AnEntryPointThatEndsIsToldWithItsOutputAndCommandsRunWithoutIt()
    {
        var report = await RunAsync(s_web with { Entrypoint = ["/bin/sh", "-c", "echo no configuration >&2; exit 3"], Cmd = null }, """
            port: {tcp6:8080: {listening: true}}
            process: {httpd: {running: false}}
            http: {'http://localhost:8080/': {status: 200}}
            command:
              echo still here: {exit-status: 0, stdout: [still here]}
              id -u: {exit-status: 0, stdout: ["1000"]}
            """);

        Assert.Equal(
            [TestOutcome.Fail, TestOutcome.Fail, TestOutcome.Fail, TestOutcome.Pass, TestOutcome.Pass, TestOutcome.Pass, TestOutcome.Pass],
            report.Results.Select(r => r.Outcome));
        Assert.All(report.Results.Take(3), r => Assert.Contains("exit code 3:\nno configuration", r.Summary, StringComparison.Ordinal));
        Assert.Contains("no configuration", report.SandboxOutput!, StringComparison.Ordinal);
        Assert.True(report.Duration < TimeSpan.FromSeconds(9), $"took {report.Duration}");
    }

    [Fact]
    public async Task ACommandIsNotJudgedByTheEndOfTheEntryPointBesideIt()
    {
        var report = await RunAsync(
            s_web with { Entrypoint = ["/bin/sh", "-c", "sleep 0.5"], Cmd = null },
            "command: {'sleep 1; echo done': {exit-status: 0, stdout: [done]}}");
        AssertAll(report, TestOutcome.Pass);
    }

    [Fact]
    public async Task AnImageWithoutAShellRunsPrograms()
    {
        var report = await RunAsync(s_web with { Entrypoint = null, Cmd = null }, """
            command:
              line: {exec: echo hi, exit-status: 0}
              program: {exec: [busybox, echo, hi], exit-status: 0, stdout: [hi]}
              nothing: {exec: [/bin/nothing], exit-status: 0}
            """, shell: false);

        Assert.Contains("the image has no shell", report.Results[0].Summary, StringComparison.Ordinal);
        Assert.Equal([TestOutcome.Fail, TestOutcome.Pass, TestOutcome.Pass, TestOutcome.Fail], report.Results.Select(r => r.Outcome));
        Assert.Contains("no such file or directory", report.Results[3].Summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nobody-of-that-name", "/bin/httpd", "no such name")]
    [InlineData("web", "/bin/missing", "no such file or directory")]
    [InlineData("web", "/www/index.html", "permission denied")]
    public async Task AnImageThatCannotRunFailsItsChecksAndSaysWhy(string user, string program, string why)
    {
        var report = await RunAsync(s_web with { User = user, Entrypoint = [program] }, "process: {httpd: {running: true}}");
        Assert.Contains(why, Assert.Single(report.Results).Summary, StringComparison.Ordinal);
        AssertAll(report, TestOutcome.Fail);
    }

    // What an entry point writes must not be taken for what the host could not do.
    [Theory]
    [InlineData("mount: permission denied")]
    [InlineData("runc run failed: no")]
    [InlineData("unshare: level=error")]
    public async Task AnEntryPointThatEndsWithTheWordsOfToolsIsStillTheImages(string words)
    {
        var report = await RunAsync(s_web with { Entrypoint = ["/bin/sh", "-c", $"echo '{words}' >&2; exit 1"], Cmd = null },
            "process: {httpd: {running: true}}");
        Assert.Contains(words, Assert.Single(report.Results).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AHostThatCannotRunASandboxIsAnErrorAndNoResult()
    {
        using var root = await RootAsync();
        // A mount point that is a file: runc can make no container of it.
        var options = new SandboxOptions(root.Scratch, TimeProvider.System)
        {
            Writable = new Dictionary<string, long> { ["/bin/busybox"] = 1 << 20 },
        };
        var error = await Assert.ThrowsAsync<ToolException>(() => GossRunner.RunAsync(root.Root, s_web,
            [Parse("process: {httpd: {running: true}}")], options, TestContext.Current.CancellationToken));
        Assert.Contains("the sandbox could not be started", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(root.Scratch));
    }

    [Fact]
    public async Task ACommandThatDoesNotEndIsGivenUp()
    {
        var report = await RunAsync(s_web,
            "command: {sleep 60: {exit-status: 0, timeout: 300}, 'yes | tr -d \"\\n\"': {exit-status: 0, timeout: 500}}");
        AssertAll(report, TestOutcome.Fail);
        Assert.Contains("did not end within 300 ms", report.Results[0].Summary, StringComparison.Ordinal);
        Assert.True(report.Duration < TimeSpan.FromSeconds(8), $"took {report.Duration}");
    }

    [Fact]
    public async Task ACommandIsTriedAgainAsOftenAsItSays()
    {
        var report = await RunAsync(s_web,
            "command: {'echo x >> /tmp/n; test $(cat /tmp/n | wc -l) -ge 3': {exit-status: 0, retry_count: 1, retry_delay: 10ms}}");
        AssertAll(report, TestOutcome.Fail);

        report = await RunAsync(s_web,
            "command: {'echo x >> /tmp/n; cat /tmp/n | tr -d \"\\n\"': {exit-status: 0, stdout: xxx, retry_count: 5, retry_delay: 10ms}}");
        AssertAll(report, TestOutcome.Pass);
    }

    [Fact]
    public async Task ThereIsNoNetworkButTheLoopback()
    {
        var report = await RunAsync(s_web, "command: {cat /proc/net/dev: {exit-status: 0, stdout: {consist-of: []}}}");
        string found = report.Results[1].Found!;
        Assert.Contains("lo:", found, StringComparison.Ordinal);
        Assert.DoesNotContain("eth", found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/data")]
    [InlineData("/tmp")]
    public async Task OnlyWhatAServiceMayWriteCanBeWritten(string writable)
    {
        using var root = await RootAsync();
        var options = new SandboxOptions(root.Scratch, TimeProvider.System)
        {
            Writable = new Dictionary<string, long> { [writable] = 16 << 20 },
        };
        string other = writable == "/data" ? "/tmp" : "/data";
        string goss = $$"""
            command:
              touch {{writable}}/x: { exit-status: 0 }
              touch {{other}}/x: { exit-status: 1 }
              /bin/busybox dd if=/dev/zero of={{writable}}/large bs=1M count=20: { exit-status: 1 }
              /bin/busybox rm -f {{writable}}/large; /bin/busybox cp /bin/busybox {{writable}}/sh && {{writable}}/sh true: { exit-status: 126 }
            """;
        var report = await GossRunner.RunAsync(root.Root, s_web, [Parse(goss)], options, TestContext.Current.CancellationToken);
        AssertAll(report, TestOutcome.Pass);
        Assert.Equal([new WritableDirectory(writable, 16 << 20)], report.Sandbox.Writable);
    }

    [Fact]
    public async Task TheImageIsAsItWas()
    {
        using var root = await RootAsync();
        var before = root.Root.Walk().ToList();
        await GossRunner.RunAsync(root.Root, s_web, [Parse("command: {touch /x /work/y /tmp/z: {exit-status: 1}}")],
            new SandboxOptions(root.Scratch, TimeProvider.System), TestContext.Current.CancellationToken);
        Assert.Equal(before, root.Root.Walk());
    }

    [Fact]
    public async Task CancellingEndsEverythingAndLeavesNothing()
    {
        using var root = await RootAsync();
        using var stop = new CancellationTokenSource();
        string marker = $"3{Environment.ProcessId}";
        var run = GossRunner.RunAsync(
            root.Root, s_web with { Entrypoint = ["/bin/sleep", marker], Cmd = null }, [Parse("port: {8080: {listening: true}}")],
            new SandboxOptions(root.Scratch, TimeProvider.System) { Patience = TimeSpan.FromMinutes(5) }, stop.Token);
        await UntilAsync(() => IsRunning(marker));
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await UntilAsync(() => !IsRunning(marker));
        Assert.Empty(Directory.EnumerateFileSystemEntries(root.Scratch));
    }

    [Fact]
    public async Task WhatAKilledRunLeftIsRemovedAndWhatALivingOneHasIsNot()
    {
        using var root = await RootAsync();
        Directory.CreateDirectory(Path.Combine(root.Scratch, "sandbox-dead", "upper", "x"));
        File.WriteAllBytes(Path.Combine(root.Scratch, "sandbox-dead.lock"), []);
        Directory.CreateDirectory(Path.Combine(root.Scratch, "sandbox-alive"));
        using (new FileStream(Path.Combine(root.Scratch, "sandbox-alive.lock"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            await GossRunner.RunAsync(root.Root, s_web, [Parse("command: {'true': {exit-status: 0}}")],
                new SandboxOptions(root.Scratch, TimeProvider.System), TestContext.Current.CancellationToken);
            Assert.Equal(["sandbox-alive", "sandbox-alive.lock"],
                Directory.EnumerateFileSystemEntries(root.Scratch).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task TwoRunsShareAScratchDirectory()
    {
        using var root = await RootAsync();
        var options = new SandboxOptions(root.Scratch, TimeProvider.System);
        var file = Parse("http: {'http://localhost:8080/': {status: 200}}");
        var reports = await Task.WhenAll(Enumerable.Range(0, 3)
            .Select(_ => GossRunner.RunAsync(root.Root, s_web, [file], options, TestContext.Current.CancellationToken)));
        Assert.All(reports, r => AssertAll(r, TestOutcome.Pass));
        Assert.Empty(Directory.EnumerateFileSystemEntries(root.Scratch));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; i < 400 && !condition(); i++)
            await Task.Delay(25, TestContext.Current.CancellationToken);
        Assert.True(condition());
    }

    private static bool IsRunning(string marker) => Process.GetProcesses().Any(p =>
    {
        try
        {
            return File.ReadAllText($"/proc/{p.Id}/cmdline") == $"/bin/sleep\0{marker}\0";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    });

    private static async Task<TestReport> RunAsync(
        ContainerConfig config, string goss, bool shell = true, Func<SandboxOptions, SandboxOptions>? with = null)
    {
        using var root = await RootAsync(shell);
        var options = new SandboxOptions(root.Scratch, TimeProvider.System);
        var report = await GossRunner.RunAsync(root.Root, config, [Parse(goss)], with?.Invoke(options) ?? options,
            TestContext.Current.CancellationToken);
        Assert.Empty(Directory.EnumerateFileSystemEntries(root.Scratch));
        return report;
    }

    private static async Task<BusyboxRoot> RootAsync(bool shell = true)
    {
        Assert.SkipUnless(Environment.UserName == "root", "a sandbox needs root");
        Assert.SkipUnless(File.Exists("/usr/sbin/runc") || File.Exists("/usr/bin/runc"), "a sandbox needs runc");
        var root = await BusyboxRoot.CreateAsync(shell);
        Assert.SkipWhen(root is null, "neither /bin/busybox nor the package busybox-static can be had");
        return root!;
    }

    private static GossFile Parse(string text)
    {
        var diagnostics = new DiagnosticBag();
        var file = GossFile.Parse(new SourceText("goss.yaml", text), diagnostics);
        Assert.Empty(diagnostics);
        return file;
    }

    private static void AssertAll(TestReport report, TestOutcome outcome) =>
        Assert.All(report.Results, r => Assert.True(r.Outcome == outcome, r.Summary + "\n" + report.SandboxOutput));
}
