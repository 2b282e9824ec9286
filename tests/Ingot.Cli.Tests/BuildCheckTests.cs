using System.Text.Json;
using Ingot.Templates.Dockerfile.Checks;

namespace Ingot.Cli.Tests;

public sealed class BuildCheckTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-check-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task FindingsAreShownWithTheirLineAndDoNotFailTheCommand()
    {
        var run = await CheckAsync("FROM debian\nRUN sudo make\n");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains("Dockerfile:1:6: warning: 'debian' can be a different image every day", run.Output, StringComparison.Ordinal);
        Assert.Contains("  2 | RUN sudo make", run.Output, StringComparison.Ordinal);
        Assert.Contains("2 warnings", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("FROM debian:13\n", 0)]
    [InlineData("# check=error=true\nFROM debian:13 as a\n", 1)]
    [InlineData("# check=error=true\nFROM debian\n", 0)]
    [InlineData("# check=error=true;skip=all\nFROM debian:13 as a\n", 0)]
    [InlineData("FROM debian:13\nRUN apt-get install a\n", 1)]
    [InlineData("FRM debian:13\n", 1)]
    [InlineData("", 1)]
    public async Task TheExitCodeSaysWhetherThereAreErrors(string file, int exitCode)
    {
        foreach (string format in new[] { "text", "json", "sarif" })
            Assert.Equal(exitCode, (await CheckAsync(file, "--output", format)).ExitCode);
    }

    [Fact]
    public async Task NothingFoundIsSaid() => Assert.Equal("nothing found\n", (await CheckAsync("FROM debian:13\n")).Output);

    [Fact]
    public async Task JsonSaysWhereEachFindingStartsAndEnds()
    {
        var report = JsonDocument.Parse((await CheckAsync("FROM debian\nUSER root\nCMD [\"a\"]\n", "-o", "json")).Output).RootElement;
        Assert.Equal((0, 2), (report.GetProperty("errors").GetInt32(), report.GetProperty("warnings").GetInt32()));
        var finding = report.GetProperty("findings")[0];
        Assert.Equal(("FloatingBase", "warning", Path.Combine(_directory, "Dockerfile"), "docs/checks/FloatingBase.md"),
            (Text(finding, "code"), Text(finding, "severity"), Text(finding, "file"), Text(finding, "page")));
        Assert.Equal([1, 6, 1, 12],
            new[] { "line", "column", "end_line", "end_column" }.Select(name => finding.GetProperty(name).GetInt32()));
    }

    // https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json:
    // what it requires of the parts that are there.
    [Fact]
    public async Task SarifHasARuleForEveryResultAndARegionInTheFile()
    {
        var log =
            JsonDocument.Parse((await CheckAsync("# syntax=other\nFROM debian\nRUN sudo a \\\n  b\n", "-o", "sarif")).Output).RootElement;
        Assert.Equal("2.1.0", Text(log, "version"));
        var run = Assert.Single(log.GetProperty("runs").EnumerateArray());
        var driver = run.GetProperty("tool").GetProperty("driver");
        Assert.Equal(("ingot", "utf16CodeUnits"), (Text(driver, "name"), Text(run, "columnKind")));

        List<JsonElement> rules = [.. driver.GetProperty("rules").EnumerateArray()];
        Assert.Equal(DockerfileChecks.All.Select(c => c.Id).Append("dockerfile-bad-directive"), rules.Select(rule => Text(rule, "id")));
        Assert.All(rules, rule => Assert.NotEmpty(Text(rule.GetProperty("help"), "text")));
        Assert.All(rules, rule => Assert.Contains(Text(rule.GetProperty("defaultConfiguration"), "level"), new[] { "error", "warning" }));

        List<JsonElement> results = [.. run.GetProperty("results").EnumerateArray()];
        Assert.Equal(["dockerfile-bad-directive", "FloatingBase", "SudoUsed"], results.Select(result => Text(result, "ruleId")));
        Assert.All(results, result => Assert.Equal(Text(result, "ruleId"), Text(rules[result.GetProperty("ruleIndex").GetInt32()], "id")));
        Assert.All(results, result => Assert.NotEmpty(Text(result.GetProperty("message"), "text")));
        var place = results[2].GetProperty("locations")[0].GetProperty("physicalLocation");
        Assert.Equal("Dockerfile", Text(place.GetProperty("artifactLocation"), "uri"));
        Assert.Equal([3, 1, 4, 4], new[] { "startLine", "startColumn", "endLine", "endColumn" }
            .Select(name => place.GetProperty("region").GetProperty(name).GetInt32()));
    }

    [Fact]
    public async Task AllDockerfilesOfAProjectAreLookedAtWithWhatTheProjectKnows()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "ingot.yaml"), "ingot: 1\nproject: x\nimages:\n  base: { debian: { suite: "
            + "trixie } }\n  a: { dockerfile: a.Dockerfile, args: { VERSION: \"13\" } }\n  b: { dockerfile: b.Dockerfile }\n");
        await File.WriteAllTextAsync(Path.Combine(_directory, "a.Dockerfile"),
            "ARG VERSION=\nFROM base\nFROM debian:${VERSION:-latest}\nCOPY secret /\n");
        await File.WriteAllTextAsync(Path.Combine(_directory, "a.Dockerfile.dockerignore"), "secret\n");
        await File.WriteAllTextAsync(Path.Combine(_directory, "b.Dockerfile"), "FROM alpine\n");
        await File.WriteAllTextAsync(Path.Combine(_directory, ".dockerignore"), "[\n");
        var run = await ProgramRun.Of("-C", _directory, "build", "--check", "-o", "json");
        Assert.Equal("", run.Error);
        var findings = JsonDocument.Parse(run.Output).RootElement.GetProperty("findings").EnumerateArray()
            .Select(f => $"{Text(f, "file")} {Text(f, "code")}");
        Assert.Equal([$"{_directory}/.dockerignore dockerignore-bad-pattern", $"{_directory}/a.Dockerfile CopyIgnoredFile"], findings);

        Assert.Equal(0, (await ProgramRun.Of("-C", _directory, "build", "a", "--check")).ExitCode);
        Assert.Equal(2, (await ProgramRun.Of("-C", _directory, "build", "c", "--check")).ExitCode);
    }

    [Theory]
    [InlineData("images")]
    [InlineData("doctor")]
    [InlineData("build")]
    public async Task OnlyTheChecksPrintSarif(string command)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "ingot.yaml"),
            "ingot: 1\nproject: x\nimages:\n  base: { debian: { suite: trixie } }\n");
        var run = await ProgramRun.Of("-C", _directory, command, "--output", "sarif");
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains("only 'ingot build --check' writes SARIF", run.Error, StringComparison.Ordinal);
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private async Task<ProgramRun> CheckAsync(string file, params string[] options)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "Dockerfile"), file);
        return await ProgramRun.Of(["-C", _directory, "build", "-f", "Dockerfile", "--check", .. options]);
    }
}
