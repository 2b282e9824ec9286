using System.Text.Json;

namespace Ingot.Cli.Tests;

public sealed class ApplicationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-cli-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task TheVersionIsOneLine()
    {
        var run = await ProgramRun.Of("--version");
        Assert.Equal((0, "0.1.0\n", ""), (run.ExitCode, run.Output, run.Error));
    }

    [Fact]
    public async Task HelpNamesEveryCommand()
    {
        var run = await ProgramRun.Of("--help");
        Assert.Equal(0, run.ExitCode);
        foreach (var command in new[] { "up", "down", "build", "test", "scan", "images", "promote", "approve", "explain", "deploy",
            "rollback", "status", "log", "keys", "serve", "doctor" })
            Assert.Contains($"  {command}", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("generate-docs", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("deplyo")]
    [InlineData("status", "--output", "xml")]
    [InlineData("promote", "web")]
    [InlineData("approve", "web", "--stage", "production")]
    [InlineData("log", "prove", "first")]
    public async Task WrongUsageEndsWithTwoAndPointsToHelp(params string[] arguments)
    {
        var run = await ProgramRun.Of(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("--help'", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task ADirectoryThatIsNotThereIsNamed()
    {
        var run = await ProgramRun.Of("-C", Path.Combine(_directory, "nowhere"), "build");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("nowhere", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("up")]
    [InlineData("build")]
    [InlineData("down")]
    public async Task WithoutAProjectFileNothingIsTried(string command)
    {
        var run = await ProgramRun.Of("-C", _directory, command);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("there is no ingot.yaml", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--source-date-epoch", "yesterday", "'yesterday' is not an epoch")]
    [InlineData("--epoch", "-1", "'-1' is not an epoch")]
    [InlineData("--no-rule", "pip-cahce", "did you mean 'pip-cache'?")]
    [InlineData("--no-rule", "pip-cache@2", "there is no rule 'pip-cache@2'")]
    public async Task AnEpochOrARuleThatIsNoneIsNamed(string option, string value, string expected)
    {
        var run = await ProgramRun.Of("-C", _directory, "build", option, value);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryErrorOfAProjectFileIsShownWithItsLine()
    {
        File.WriteAllText(Path.Combine(_directory, "ingot.yaml"),
            "ingot: 1\nproject: shop\nimagse: {}\nstages:\n  test: { gates: [no-secrts] }\n");
        var run = await ProgramRun.Of("-C", _directory, "up");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("ingot.yaml:3:1: error:", run.Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'images'?", run.Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'no-secrets'?", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InJsonModeAnErrorIsADocumentOnStandardOutput()
    {
        File.WriteAllText(Path.Combine(_directory, "ingot.yaml"), "ingot: 1\nproject: Shop\n");
        var run = await ProgramRun.Of("-C", _directory, "up", "--output", "json");
        Assert.Equal(2, run.ExitCode);
        using var document = JsonDocument.Parse(run.Output);
        var first = document.RootElement.GetProperty("error").GetProperty("diagnostics")[0];
        Assert.Equal("error", first.GetProperty("severity").GetString());
        Assert.Equal(2, first.GetProperty("line").GetInt32());
    }

    [Theory]
    [InlineData("status")]
    [InlineData("log", "verify")]
    [InlineData("log", "show")]
    public async Task WithoutAServerTheEnvironmentIsWrong(params string[] arguments)
    {
        var run = await ProgramRun.Of(arguments);
        Assert.Equal(3, run.ExitCode);
        Assert.Contains("127.0.0.1:9", run.Error, StringComparison.Ordinal);
        Assert.Contains("ingot serve", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("web@sha256:abc")]
    [InlineData(":1.0.0")]
    public async Task AnImageThatCannotBeNamedSoIsWrongInput(string image)
    {
        File.WriteAllText(Path.Combine(_directory, "ingot.yaml"), "ingot: 1\nproject: shop\n");
        var run = await ProgramRun.Of("-C", _directory, "explain", image, "--stage", "test");
        Assert.Equal(2, run.ExitCode);
    }
}
