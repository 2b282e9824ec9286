using System.Text.Json;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;

namespace Ingot.Cli.Tests.Commands;

/// <summary>What is proposed for Dockerfiles that are there.</summary>
public sealed class InitTests : IDisposable
{
    private readonly string _directory = Path.Combine(Directory.CreateTempSubdirectory("ingot-init-").FullName, "My Shop");

    public InitTests() => Directory.CreateDirectory(_directory);

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_directory)!, recursive: true);

    [Fact]
    public async Task WhatIsWrittenIsAProject()
    {
        Write("Dockerfile", "FROM scratch\nARG PORT=9000\nEXPOSE 53/udp $PORT\n"
            + "HEALTHCHECK --interval=5s --timeout=1500ms --retries=4 CMD curl -f http://localhost:9000/healthz || exit 1\n");
        Write("worker/Dockerfile", "FROM scratch\n");
        Write("api.Dockerfile", "FROM scratch AS build\nEXPOSE 1\nFROM scratch\nEXPOSE 80\n");
        Write("Dockerfile.dockerignore", "*");
        Write("node_modules/x/Dockerfile", "FROM scratch\n");
        Write(".git/Dockerfile", "FROM scratch\n");
        var run = await ProgramRun.Of("-C", _directory, "init");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains("ingot.yaml, from Dockerfile, api.Dockerfile, worker/Dockerfile", run.Output, StringComparison.Ordinal);
        Assert.Contains("ingot up", run.Output, StringComparison.Ordinal);

        var project = Parse(File.ReadAllText(Path.Combine(_directory, "ingot.yaml")));
        Assert.Equal("my-shop", project.Name);
        // Without it the Docker of Debian 12 pulls nothing.
        Assert.Equal("gzip", project.Compression?.Name);
        Assert.Equal(["my-shop", "api", "worker"], project.Images.Select(i => i.Name));
        Assert.Equal([("my-shop", 9000), ("api", 80)], project.Services.Select(s => (s.Name, s.Port)));
        Assert.Equal([9000, 8080], project.Services.Select(s => s.Listen["production"].Port));
        var health = project.Services[0].Health;
        Assert.Equal(("/healthz", 5.0, 1.5, 4), (health.Path, health.Interval.TotalSeconds, health.Timeout.TotalSeconds, health.Unhealthy));
        Assert.Equal("/", project.Services[1].Health.Path);
    }

    [Theory]
    [InlineData("ingot.yaml")]
    [InlineData("ingot.yml")]
    public async Task WhatExistsIsNotChanged(string name)
    {
        Write("Dockerfile", "FROM scratch\n");
        Write(name, "mine");
        var run = await ProgramRun.Of("-C", _directory, "init");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"{name}' already exists and is not overwritten", run.Error, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_directory, name)));
        Assert.Equal(2, Directory.GetFiles(_directory).Length);
    }

    [Fact]
    public async Task ALinkThatLeadsNowhereIsThereToo()
    {
        Write("Dockerfile", "FROM scratch\n");
        string target = Path.Combine(Path.GetDirectoryName(_directory)!, "elsewhere");
        File.CreateSymbolicLink(Path.Combine(_directory, "ingot.yaml"), target);
        Assert.Equal(2, (await ProgramRun.Of("-C", _directory, "init")).ExitCode);
        Assert.False(File.Exists(target));
    }

    [Fact]
    public async Task ADryRunPrintsAndWritesNothing()
    {
        Write("Dockerfile", "FROM scratch\nEXPOSE 8080\n");
        var run = await ProgramRun.Of("init", _directory, "--dry-run");
        Assert.Equal(0, run.ExitCode);
        Assert.Single(Parse(run.Output).Services);
        Assert.Single(Directory.GetFiles(_directory));

        using var document = JsonDocument.Parse((await ProgramRun.Of("init", _directory, "--dry-run", "-o", "json")).Output);
        Assert.False(document.RootElement.GetProperty("written").GetBoolean());
        Assert.Equal(run.Output.Trim(), document.RootElement.GetProperty("text").GetString()!.Trim());
    }

    [Fact]
    public async Task WithoutADockerfileItIsSaidWhatWasLookedFor()
    {
        Write("readme.md", "");
        var run = await ProgramRun.Of("-C", _directory, "init");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("looked for Dockerfile and Containerfile, NAME.Dockerfile", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMistakeInADockerfileIsSaidWithItsLine()
    {
        Write("Dockerfile", "FROM scratch\nCOPPY . .\n");
        var run = await ProgramRun.Of("-C", _directory, "init");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Dockerfile:2:1: error:", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_directory, "ingot.yaml")));
    }

    [Theory]
    [InlineData("", "Dockerfile")]
    [InlineData("---", "Dockerfile")]
    [InlineData("123", "456/Dockerfile")]
    [InlineData("ÄÖÜ", "ß/Dockerfile")]
    [InlineData("a b\"c'd: #e", "x y: \"z\" #/Dockerfile")]
    [InlineData("verylongverylongverylongverylongverylongverylongverylongverylongverylongverylong", "Dockerfile")]
    [InlineData("true", "null/Dockerfile")]
    [InlineData("shop", "shop/Dockerfile")]
    public void WhateverTheNamesAreItParses(string directory, string path)
    {
        const string Text = "FROM scratch\nEXPOSE 65535\nHEALTHCHECK CMD [\"wget\", \"http://127.0.0.1/a b\"]\n";
        var syntax = DockerfileParser.Parse(new SourceText(path, Text), []);
        string[] paths = [path, "Dockerfile.shop", "shop.Dockerfile", "a/shop/Dockerfile"];
        var found = paths.Select(p => new FoundDockerfile(p, syntax)).ToList();
        var project = Parse(ProjectProposal.Write(directory, found));
        Assert.Equal(4, project.Images.Select(i => i.Name).Distinct().Count());
        Assert.Equal(4, project.Services.Select(s => s.Listen["production"].Port).Distinct().Count());
        Assert.Equal(path, ((DockerfileImage)project.Images[0]).Dockerfile);
    }

    [Theory]
    [InlineData("EXPOSE 0", null)]
    [InlineData("EXPOSE 53/udp", null)]
    [InlineData("EXPOSE $UNKNOWN", null)]
    [InlineData("ENV P=81\nEXPOSE ${P}/tcp", 81)]
    [InlineData("EXPOSE 7000-7005", 7000)]
    public void OnlyAPortThatIsKnownMakesAService(string instructions, int? port)
    {
        var syntax = DockerfileParser.Parse(new SourceText("Dockerfile", $"FROM scratch\n{instructions}\n"), []);
        var project = Parse(ProjectProposal.Write("shop", [new FoundDockerfile("Dockerfile", syntax)]));
        Assert.Equal(port, project.Services.Select(s => (int?)s.Port).SingleOrDefault());
    }

    private static ProjectDefinition Parse(string text)
    {
        DiagnosticBag diagnostics = [];
        var project = ProjectParser.Parse(new SourceText("ingot.yaml", text), diagnostics);
        Assert.True(project is not null && diagnostics.Count == 0, string.Join('\n', diagnostics) + '\n' + text);
        return project!;
    }

    private void Write(string path, string text)
    {
        string file = Path.Combine(_directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
