using Ingot.Oci.Linux;

namespace Ingot.Cli.Tests.Commands;

/// <summary>Where a project is found, and by which names.</summary>
public sealed class ProjectFilesTests : IDisposable
{
    private const string Project = "ingot: 1\nproject: shop\nimages:\n"
        + "  web: { dockerfile: web/Dockerfile, version: 1.0.0, tests: [goss.yaml, no/such.yaml] }\n";
    private const string Broken = "ingot: 1\nproject: Shop\n";

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-place-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("ingot.yaml")]
    [InlineData("ingot.yml")]
    public async Task EitherNameIsAProject(string name)
    {
        Write(name, Broken);
        var run = await ProgramRun.Of("-C", _directory, "build");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"{name}:2:10: error: project: 'Shop' is not a name", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("build")]
    [InlineData("up")]
    [InlineData("down")]
    public async Task BothNamesAreAnErrorThatNamesBoth(string command)
    {
        Write("ingot.yaml", Project);
        Write("ingot.yml", Project);
        var run = await ProgramRun.Of("-C", _directory, command);
        Assert.Equal(2, run.ExitCode);
        Assert.Matches("there are both '.*ingot.yaml' and '.*ingot.yml'", run.Error);
    }

    [Fact]
    public async Task TheNearestAboveIsFoundAndNamedAsOneWouldTypeIt()
    {
        Write("ingot.yaml", Broken);
        await using var program = Program(Below("web/src"));
        var run = await program.RunAsync("build");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("../../ingot.yaml:2:10: error:", run.Error, StringComparison.Ordinal);

        Write("web/ingot.yml", Broken);
        Assert.Contains("../ingot.yml:2:10: error:", (await program.RunAsync("build")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADockerfileIsNamedAsOneWouldTypeItToo()
    {
        Write("ingot.yaml", Project);
        Write("web/Dockerfile", "FROM scratch\nCOPPY . .\n");
        await using var below = Program(Below("web/src"));
        Assert.StartsWith("../Dockerfile:2:1: error:", (await below.RunAsync("build")).Error, StringComparison.Ordinal);
        Assert.StartsWith("../Dockerfile:2:1: error:", (await below.RunAsync("build", "--check")).Output, StringComparison.Ordinal);

        await using var above = Program(Path.GetDirectoryName(_directory)!);
        string name = Path.GetFileName(_directory);
        Assert.StartsWith($"{name}/web/Dockerfile:2:1: error:", (await above.RunAsync("-C", name, "build")).Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADirectoryThatIsGivenIsExact()
    {
        Write("ingot.yaml", Broken);
        await using var program = Program(Below("web"));
        var run = await program.RunAsync("-C", ".", "build");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("there is no ingot.yaml in", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("above", run.Error, StringComparison.Ordinal);
        Assert.Contains("there is no ingot.yaml in", (await program.RunAsync("up", ".")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAnyItIsSaidWhereItWasLookedFor()
    {
        await using var program = Program(_directory);
        var run = await program.RunAsync("build");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"there is no ingot.yaml in '{_directory}' or a directory above it", run.Error, StringComparison.Ordinal);
        Assert.Contains("ingot init", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SomebodyElsesProjectAboveIsNotCarriedOutUnasked()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give a file to somebody else");
        Write("ingot.yaml", Project);
        Assert.Equal(0, Libc.LChOwn(LinuxPath.Terminated(Path.Combine(_directory, "ingot.yaml")), 12345, 12345));
        await using var program = Program(Below("web"));
        var run = await program.RunAsync("build");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("belongs to the user 12345", run.Error, StringComparison.Ordinal);
        Assert.Contains($"ingot -C {_directory}", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("belongs to", (await program.RunAsync("-C", "..", "build")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALinkAboveIsNotFollowedUnaskedWhoeverOwnsWhatItLeadsTo()
    {
        Write("elsewhere/ingot.yaml", Project);
        File.CreateSymbolicLink(Path.Combine(_directory, "ingot.yaml"), Path.Combine(_directory, "elsewhere", "ingot.yaml"));
        await using var program = Program(Below("web"));
        foreach (string command in (string[])["build", "up", "down", "logs web"])
        {
            var run = await program.RunAsync(command.Split(' '));
            Assert.Equal(2, run.ExitCode);
            Assert.Contains($"'{_directory}/ingot.yaml' is a link", run.Error, StringComparison.Ordinal);
            Assert.Contains($"ingot -C {_directory}", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task UnderSudoThePersonsOwnProjectIsTheirs()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give a file to somebody else");
        Write("ingot.yaml", Broken);
        Assert.Equal(0, Libc.LChOwn(LinuxPath.Terminated(Path.Combine(_directory, "ingot.yaml")), 12345, 12345));
        await using var program = Program(Below("web"));
        program.Environment["SUDO_UID"] = "12345";
        Assert.Contains("ingot.yaml:2:10: error:", (await program.RunAsync("build")).Error, StringComparison.Ordinal);
        foreach (string other in (string[])["12346", "", "-1", "root"])
        {
            program.Environment["SUDO_UID"] = other;
            Assert.Contains("belongs to the user 12345", (await program.RunAsync("build")).Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task WhatNeedsNoProjectDoesWithoutAForeignOneAbove()
    {
        Write("elsewhere/ingot.yaml", Broken);
        File.CreateSymbolicLink(Path.Combine(_directory, "ingot.yaml"), Path.Combine(_directory, "elsewhere", "ingot.yaml"));
        Write("web/Dockerfile", "FROM scratch\nLABEL a=b\n");
        await using var program = Program(Below("web"));
        Assert.DoesNotContain("is a link", (await program.RunAsync("build", "--check")).Error, StringComparison.Ordinal);
        var inspect = await program.RunAsync("inspect", "nothing");
        Assert.Contains("the local store has no image 'nothing'", inspect.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("is a link", (await program.RunAsync("status", "web")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATestFileThatIsMissingIsFoundBeforeAnythingIsBuilt()
    {
        Write("ingot.yaml", Project);
        Write("goss.yaml", "file: {}\n");
        var run = await ProgramRun.Of("-C", _directory, "up");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("ingot.yaml:4:73: error: images/web/tests: there is no test file", run.Error, StringComparison.Ordinal);
        Assert.Contains("no/such.yaml", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("goss.yaml'", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ImagesThatAreNotThereAreAnsweredWithThoseThatAre()
    {
        Write("ingot.yaml", Project);
        var run = await ProgramRun.Of("-C", _directory, "build", "wbe");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("the project 'shop' has no image 'wbe'", run.Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'web'? images: web", run.Error, StringComparison.Ordinal);
    }

    private string Below(string path) => Directory.CreateDirectory(Path.Combine(_directory, path)).FullName;

    private void Write(string path, string text)
    {
        string file = Path.Combine(_directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private static ChildProgram Program(string directory) => new() { WorkingDirectory = directory };
}
