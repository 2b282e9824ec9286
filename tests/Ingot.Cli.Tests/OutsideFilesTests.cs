using System.Diagnostics;
using Ingot.Testing;

namespace Ingot.Cli.Tests;

/// <summary>Projects whose files are links to the host's, at every place where a project names or has a file. What is in those is never
/// said, and nothing is built of them.</summary>
public sealed class OutsideFilesTests : IDisposable
{
    private const string Secret = "zebra: mustang\n";

    private const string Project = "ingot: 1\nproject: shop\nimages:\n  app: { dockerfile: Dockerfile, context: ., tests: [goss.yaml] }\n";

    private readonly TemporaryDirectory _directory = new();

    public OutsideFilesTests()
    {
        _directory.Make("project", "sub");
        _directory.Make("outside");
        foreach (string name in (string[])["secret", "Dockerfile", ".dockerignore", "ingot.yaml", "goss.yaml"])
            File.WriteAllText(_directory.At("outside", name), Secret);
        Write("ingot.yaml", Project);
        Write("Dockerfile", "FROM scratch\nCOPY data /\n");
        Write("data", "data\n");
        Write("goss.yaml", "file: {}\n");
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("the project's file", "ln -sf ../outside/secret ingot.yaml", "build")]
    [InlineData("the project's file, for a command without a build", "ln -sf ../outside/secret ingot.yaml", "images")]
    [InlineData("the Dockerfile", "ln -sf ../outside/secret Dockerfile", "build")]
    [InlineData("the Dockerfile, absolute", "ln -sf $PWD/../outside/secret Dockerfile", "build")]
    [InlineData("the Dockerfile, through the kernel", "ln -sf /proc/self/root$PWD/../outside/secret Dockerfile", "build")]
    [InlineData("the Dockerfile, checked", "ln -sf ../outside/secret Dockerfile", "build", "--check")]
    [InlineData("the Dockerfile, typed", "ln -sf ../outside/secret Dockerfile", "build", "-f", "Dockerfile")]
    [InlineData("the Dockerfile, typed, through a directory", "ln -s ../outside x", "build", "-f", "x/Dockerfile")]
    [InlineData("the Dockerfile, named", "sed -i 's,dockerfile: D,dockerfile: ../outside/D,' ingot.yaml", "build")]
    [InlineData("the Dockerfile, in a directory", "ln -s ../outside x; sed -i 's,dockerfile: D,dockerfile: x/D,' ingot.yaml", "build")]
    [InlineData("the ignore file", "ln -s ../outside/secret .dockerignore", "build")]
    [InlineData("the ignore file, checked", "ln -s ../outside/secret .dockerignore", "build", "--check")]
    [InlineData("the Dockerfile's ignore file", "ln -s ../outside/secret Dockerfile.dockerignore", "build")]
    [InlineData("the context", "ln -s ../outside x; sed -i 's,context: .,context: x,' ingot.yaml", "build")]
    [InlineData("the context, named", "sed -i 's,context: .,context: ../outside,' ingot.yaml", "build")]
    [InlineData("the context, absolute", "sed -i 's,context: .,context: /etc,' ingot.yaml", "build")]
    [InlineData("the context, typed", "ln -s ../outside x", "build", "-f", "Dockerfile", "--context", "x")]
    [InlineData("another context, typed", "ln -s ../outside x; echo COPY --from=other secret / >> Dockerfile", "build",
        "--context", "other=x")]
    [InlineData("the lock", "ln -s ../outside/secret ingot.lock", "build")]
    [InlineData("a test file, typed", "ln -sf ../outside/secret goss.yaml", "test", "x", "-f", "goss.yaml")]
    [InlineData("a secret", "ln -s ../outside/secret token", "build", "--secret", "id=token,src=token")]
    [InlineData("what is copied", "ln -sf ../outside/secret data", "build")]
    [InlineData("what is copied, through a directory", "ln -s ../outside x; sed -i 's,COPY data,COPY x/secret,' Dockerfile", "build")]
    [InlineData("an archive", "printf 'FROM oci-archive:%s/outside/secret' $(dirname $PWD) > Dockerfile", "build")]
    [InlineData("an archive above", "echo FROM oci-archive:../outside/secret > Dockerfile", "build")]
    [InlineData("an archive by a link", "ln -s ../outside/secret a.tar; echo FROM docker-archive:a.tar > Dockerfile", "build")]
    [InlineData("a layout above", "echo FROM oci-layout://../outside > Dockerfile", "build")]
    [InlineData("a layout above, with a tag", "echo FROM oci-layout://../outside:1 > Dockerfile", "build")]
    [InlineData("a layout, copied from", "printf 'FROM scratch\\nCOPY --from=oci-layout://../outside secret /\\n' > Dockerfile", "build")]
    [InlineData("a layout by a link", "ln -s ../outside x; echo FROM oci-layout://x > Dockerfile", "build")]
    [InlineData("a layout of links",
        "mkdir x; ln -s ../../outside/secret x/index.json; ln -s index.json x/oci-layout; echo FROM oci-layout://x > Dockerfile", "build")]
    [InlineData("a pipe for the project's file", "rm ingot.yaml; mkfifo ingot.yaml", "build")]
    [InlineData("a pipe for the Dockerfile", "rm Dockerfile; mkfifo Dockerfile", "build")]
    [InlineData("a pipe for the ignore file", "mkfifo .dockerignore", "build")]
    [InlineData("a pipe for the lock", "mkfifo ingot.lock", "build")]
    [InlineData("a pipe for an archive", "mkfifo a.tar; echo FROM docker-archive:a.tar > Dockerfile", "build")]
    [InlineData("a huge Dockerfile", "truncate -s 1T Dockerfile", "build")]
    [InlineData("a huge project's file", "truncate -s 1T ingot.yaml", "build")]
    public async Task NoFileOfTheHostIsRead(string what, string script, params string[] command)
    {
        Shell(script);
        string[] arguments = command is ["images"]
            ? ["-C", _directory.At("project"), "inspect", "app"]
            : ["-C", _directory.At("project"), .. command];
        var run = await ProgramRun.Of(arguments).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.True(run.ExitCode is not 0, what);
        Assert.DoesNotContain("zebra", run.Output + run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("mustang", run.Output + run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("internal", run.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Matches("error: ", run.Error);
    }

    [Fact]
    public void ATestFileOfAProjectIsOneOfItsFiles()
    {
        Shell("ln -sf ../outside/secret goss.yaml");
        var problem = Assert.Throws<Ingot.Diagnostics.InvalidInputException>(() => LoadTests("goss.yaml"));
        Assert.Contains("leads out of", problem.Message, StringComparison.Ordinal);
        Assert.Throws<Ingot.Diagnostics.InvalidInputException>(() => LoadTests("../outside/goss.yaml"));
        Assert.Throws<Ingot.Diagnostics.InvalidInputException>(() => LoadTests("/etc/passwd"));
    }

    private void LoadTests(string path)
    {
        var source = new Ingot.Diagnostics.SourceText("ingot.yaml", "");
        var image = new Ingot.Templates.Project.DockerfileImage("app", source.Span(0, 0), "Dockerfile", ".", null, []) { Tests = [path] };
        Ingot.Projects.Examination.GossFiles.Load(_directory.At("project"),
            new Ingot.Templates.Project.ProjectDefinition("app", [image], [], [], source));
    }

    [Theory]
    [InlineData("a Dockerfile elsewhere", "true", "build", "--check", "-f", "../outside/good")]
    [InlineData("a link that a person typed", "ln -s outside/good ../link", "build", "--check", "-f", "../link")]
    [InlineData("links inside", "mv Dockerfile sub/real; ln -s sub/real Dockerfile; ln -s sub/ignore .dockerignore; echo x > sub/ignore",
        "build", "--check")]
    public async Task WhatAPersonTypesMayBeAnywhere(string what, string script, params string[] command)
    {
        await File.WriteAllTextAsync(_directory.At("outside", "good"), "FROM scratch\nCOPY data /\n",
            TestContext.Current.CancellationToken);
        Shell(script);
        var run = await ProgramRun.Of(["-C", _directory.At("project"), .. command]);
        Assert.True(run.ExitCode == 0, $"{what}: {run.Error}");
    }

    private void Write(string name, string text) => File.WriteAllText(_directory.At("project", name), text);

    private void Shell(string script)
    {
        using var process =
            Process.Start(new ProcessStartInfo("sh", ["-e", "-c", script]) { WorkingDirectory = _directory.At("project") })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
