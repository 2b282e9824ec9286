using System.Diagnostics;
using Ingot.Diagnostics;
using Ingot.Testing;

namespace Ingot.Tests.Diagnostics;

public sealed class ProjectDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public ProjectDirectoryTests()
    {
        _directory.Make("project", "sub", "deep");
        _directory.Make("outside");
        File.WriteAllText(_directory.At("outside", "secret"), "a secret\n");
        File.WriteAllText(_directory.At("project", "file"), "a file\n");
        File.WriteAllText(_directory.At("project", "sub", "inner"), "inner\n");
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("file", "a file\n")]
    [InlineData("./sub/../file", "a file\n")]
    [InlineData("sub/inner", "inner\n")]
    [InlineData("in", "inner\n")]
    [InlineData("up", "a file\n")]
    [InlineData("by/inner", "inner\n")]
    [InlineData("chain", "inner\n")]
    public void LinksAreFollowedInside(string path, string expected)
    {
        Link("in", "sub/inner");
        Link("sub/up", "../file");
        Link("up", "sub/up");
        Link("by", "sub");
        Link("chain", "by/../in");
        using var project = Open();
        Assert.Equal(expected, project.FindText(path)!.Text);
    }

    [Theory]
    [InlineData("x", "../outside", "outside-project")]
    [InlineData("x/new/file", "../outside", "outside-project")]
    [InlineData("x/secret", "../outside", "outside-project")]
    [InlineData("sub/../x/new", "/tmp", "outside-project")]
    [InlineData("x", "/dev/stdout", "outside-project")]
    [InlineData("x", "/nowhere/at/all", "outside-project")]
    [InlineData("x/file", "sub", null)]
    [InlineData("x", "file", null)]
    [InlineData("sub/new/file", null, null)]
    [InlineData("file", null, null)]
    [InlineData("../outside/new", null, null)]
    [InlineData("/tmp", null, null)]
    [InlineData(".", null, null)]
    public void NothingIsWrittenOverALinkThatLeadsOut(string path, string? link, string? code)
    {
        if (link is not null)
            Link("x", link);
        string project = _directory.At("project"), full = Path.GetFullPath(path, project);
        var thrown = Record.Exception(() => ProjectDirectory.CheckDestination(project, full, path));
        Assert.Equal(code, (thrown as InvalidInputException)?.Diagnostics[0].Code);
    }

    [Theory]
    [InlineData("x", "../outside/secret")]
    [InlineData("x", "/etc/passwd")]
    [InlineData("x", "sub/../../outside/secret")]
    [InlineData("x", "/proc/self/root/etc/passwd")]
    [InlineData("x", "/proc/self/environ")]
    [InlineData("x", "/dev/stdin")]
    [InlineData("x/secret", "../outside")]
    [InlineData("x/passwd", "/etc")]
    [InlineData("x/outside/secret", "..")]
    [InlineData("x/../../outside/secret", "sub")]
    [InlineData("x", "x")]
    [InlineData("../outside/secret", null)]
    [InlineData("sub/../../outside/secret", null)]
    [InlineData("/etc/passwd", null)]
    public void WhatLeadsOutIsRefused(string path, string? link)
    {
        if (link is not null)
            Link("x", link);
        using var project = Open();
        var problem = Assert.Throws<InvalidInputException>(() => project.FindText(path));
        Assert.Equal("outside-project", Assert.Single(problem.Diagnostics).Code);
        Assert.Contains($"'{path}' leads out of", problem.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => project.FindFile(path));
        Assert.Throws<InvalidInputException>(() => project.FindDirectory(path));
    }

    // The absolute path of a file inside leads out: whoever has the project elsewhere has another file there.
    [Fact]
    public void AnAbsoluteLinkLeadsOutWhereverItLeads()
    {
        Link("x", _directory.At("project", "file"));
        using var project = Open();
        Assert.Throws<InvalidInputException>(() => project.FindText("x"));
    }

    [Theory]
    [InlineData("mkfifo x")]
    [InlineData("mknod x c 1 5")]
    [InlineData("mkdir x")]
    [InlineData("mkfifo pipe; ln -s pipe x")]
    public void WhatIsNoFileIsRefusedAndNotWaitedFor(string script)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root");
        Shell(script);
        using var project = Open();
        var clock = Stopwatch.StartNew();
        Assert.Contains("'x' is a ", Assert.Throws<InvalidInputException>(() => project.FindText("x")).Message, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("file/x")]
    [InlineData("dangling")]
    public void WhatIsNotThereIsMissing(string path)
    {
        Link("dangling", "sub/nothing");
        using var project = Open();
        Assert.Null(project.FindText(path));
    }

    [Fact]
    public void AFileIsReadUpToALimit()
    {
        using var project = Open();
        Assert.Equal("a file\n"u8.ToArray(), project.FindBytes("file", "file", 7));
        Assert.Contains("larger than", Assert.Throws<InvalidInputException>(() => project.FindBytes("file", "file", 6)).Message,
            StringComparison.Ordinal);
        Shell("truncate -s 20M x");
        Assert.Throws<InvalidInputException>(() => project.FindText("x"));
    }

    // Each answer is the file or a refusal, never the secret, however often the names are exchanged.
    [Fact]
    public async Task ALinkThatIsExchangedMeanwhileLeadsNowhere()
    {
        Directory.CreateDirectory(_directory.At("project", "a"));
        await File.WriteAllTextAsync(_directory.At("project", "a", "secret"), "harmless\n", TestContext.Current.CancellationToken);
        using var swap = Process.Start(new ProcessStartInfo("sh",
            ["-c", "while :; do mv a b 2>/dev/null; ln -s ../outside a; rm a; mv b a; done"])
        {
            WorkingDirectory = _directory.At("project"),
            RedirectStandardError = true,
        })!;
        try
        {
            using var project = Open();
            for (int i = 0; i < 3000; i++)
                Assert.NotEqual("a secret\n", TryRead(project, "a/secret"));
        }
        finally
        {
            swap.Kill(entireProcessTree: true);
            await swap.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void AResolvedPathHasNoLinkLater()
    {
        using var project = Open();
        string path = project.FindFile("sub/inner")!;
        Assert.Equal("inner\n", ProjectDirectory.ReadResolved(path));
        Shell("mv sub was; mkdir ../outside/sub; echo secret > ../outside/sub/inner; ln -s ../outside/sub sub");
        Assert.Contains("symbolic link", Assert.Throws<InvalidInputException>(() => ProjectDirectory.ReadResolved(path)).Message,
            StringComparison.Ordinal);
        Shell("rm sub");
        Assert.Contains("it is gone", Assert.Throws<InvalidInputException>(() => ProjectDirectory.ReadResolved(path)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sub/inner", "project", "sub/inner")]
    [InlineData("./x", "project", "x")]
    [InlineData("..x", "project", "..x")]
    [InlineData("../outside/secret", "outside", "secret")]
    [InlineData("../outside", "outside", ".")]
    [InlineData("../outside/nothing", "outside", "nothing")]
    [InlineData("../link", "outside", "secret")]
    public void APersonsWordMayBeAnywhereAndAProjectsLinkMayNot(string typed, string root, string name)
    {
        File.CreateSymbolicLink(_directory.At("link"), _directory.At("outside", "secret"));
        Assert.Equal((_directory.At(root), name), (ProjectDirectory.RootOfTyped(_directory.At("project"), typed, out string found), found));
    }

    private ProjectDirectory Open() => new(_directory.At("project"));

    private void Link(string name, string target) => File.CreateSymbolicLink(_directory.At("project", name), target);

    private void Shell(string script)
    {
        using var process =
            Process.Start(new ProcessStartInfo("sh", ["-e", "-c", script]) { WorkingDirectory = _directory.At("project") })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private static string? TryRead(ProjectDirectory project, string path)
    {
        try
        {
            return project.FindText(path)?.Text;
        }
        catch (InvalidInputException)
        {
            return null;
        }
    }
}
