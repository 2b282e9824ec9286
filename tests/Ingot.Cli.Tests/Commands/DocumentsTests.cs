using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.Cli.Commands;
using Ingot.Testing;

namespace Ingot.Cli.Tests.Commands;

/// <summary>What is written from the table of commands: completion in real shells, the manual, help and version.</summary>
public sealed partial class DocumentsTests : IDisposable
{
    // What a test is called in evidence.
    private const string NoVariable = "INGOT_BUILD_REPRODUCED";

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-documents-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("ingot sta", "status")]
    [InlineData("ingot log sh", "show")]
    [InlineData("ingot -o json log ver", "verify")]
    [InlineData("ingot --output=json keys ro", "rotate")]
    [InlineData("ingot build --no-ca", "--no-cache --no-cache-filter")]
    [InlineData("ingot build --verb", "--verbose")]
    [InlineData("ingot log show --fol", "--follow")]
    [InlineData("ingot status -o js", "json")]
    [InlineData("ingot status --output = js", "json")]
    [InlineData("ingot status --output = ", "json sarif text")]
    [InlineData("ingot export x y --format docker", "docker-archive")]
    [InlineData("ingot completion ", "bash zsh fish")]
    [InlineData("ingot import fi", "file with spaces")]
    [InlineData("ingot test x --file fi", "file with spaces")]
    [InlineData("ingot log sta", "")]
    [InlineData("ingot generate", "")]
    [InlineData("ingot status --no-ca", "")]
    [InlineData("ingot --why log", "logs log")]
    [InlineData("ingot promote --why log sh", "")]
    public async Task BashCompletes(string line, string expected)
    {
        File.WriteAllText(Path.Combine(_directory, "file with spaces"), "");
        string script = Path.Combine(_directory, "ingot.bash");
        File.WriteAllText(script, (await ProgramRun.Of("completion", "bash")).Output);
        string[] words = line.Split(' ');
        string typed = string.Join(' ', words.Select(w => $"'{w}'"));
        string program = $"source '{script}'; compopt() {{ :; }}; COMP_WORDS=({typed}); COMP_CWORD={words.Length - 1}; "
            + "_ingot; printf '%s\\n' \"${COMPREPLY[@]}\"";
        var (exitCode, output, error) = Run("bash", ["--norc", "-c", program], _directory);
        Assert.Equal((0, ""), (exitCode, error));
        string[] expectedWords = expected.StartsWith("file", StringComparison.Ordinal)
            ? [expected]
            : expected.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expectedWords, output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("bash", "bash", "-n")]
    [InlineData("zsh", "zsh", "-n")]
    [InlineData("fish", "fish", "--no-execute")]
    public async Task EveryScriptIsReadByItsShell(string shell, params string[] command)
    {
        string script = Path.Combine(_directory, "script");
        var run = await ProgramRun.Of("completion", shell);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        File.WriteAllText(script, run.Output);
        Assert.SkipUnless(Has(command[0]), $"{command[0]} is not here");
        Assert.Equal((0, "", ""), Run(command[0], [.. command[1..], script], _directory));
    }

    [Fact]
    public async Task TheManualHasAPageForEveryCommandAndNoMistake()
    {
        Assert.Equal(0, (await ProgramRun.Of("generate-docs", _directory)).ExitCode);
        var pages = CommandPage.Of(CommandTable.Root(new GlobalSymbols(), CommandTable.All, act => (_, _) => Task.FromResult(0))).ToList();
        var names = pages.Select(p => p.Path.Length == 0 ? "ingot.1" : $"ingot-{p.Path.Replace(' ', '-')}.1");
        string[] expected = [.. names.Order(StringComparer.Ordinal)];
        string[] files = [.. Directory.GetFiles(Path.Combine(_directory, "man")).Order(StringComparer.Ordinal)];
        Assert.Equal(expected, files.Select(Path.GetFileName));
        Assert.Contains("\\-\\-no\\-cache", File.ReadAllText(Path.Combine(_directory, "man", "ingot-build.1")), StringComparison.Ordinal);
        string logs = File.ReadAllText(Path.Combine(_directory, "man", "ingot-logs.1"));
        Assert.Contains(".B ingot logs SERVICE\n", logs, StringComparison.Ordinal);
        Assert.DoesNotContain('`', logs);
        foreach (var (code, _) in ExitCode.All)
            Assert.Contains(FormattableString.Invariant($"\\fB{code}\\fR\n"), logs, StringComparison.Ordinal);
        string commands = File.ReadAllText(Path.Combine(_directory, "cli.md"));
        Assert.Contains("\n## ingot logs SERVICE\n", commands, StringComparison.Ordinal);
        Assert.Contains("\n## ingot logs build [IMAGE]\n", commands, StringComparison.Ordinal);
        Assert.SkipUnless(Has("groff"), "groff is not here");
        foreach (string file in files)
            Assert.Equal((0, "", ""), Run("groff", ["-man", "-Kutf8", "-ww", "-z", file], _directory));
    }

    [Theory]
    [InlineData("build")]
    [InlineData("log", "show")]
    [InlineData("log")]
    [InlineData]
    public async Task HelpIsWhatTheOptionPrints(params string[] path)
    {
        var help = await ProgramRun.Of(["help", .. path]);
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        Assert.Equal((await ProgramRun.Of([.. path, "--help"])).Output, help.Output);
    }

    [Fact]
    public async Task TheVersionNamesTheRuntime()
    {
        var run = await ProgramRun.Of("version");
        Assert.Equal(0, run.ExitCode);
        Assert.Matches("^ingot    0\\.1\\.0\ncommit   .+\nruntime  \\.NET 10\\.", run.Output);
        using var document = JsonDocument.Parse((await ProgramRun.Of("version", "-o", "json")).Output);
        Assert.Equal("0.1.0", document.RootElement.GetProperty("version").GetString());
        Assert.True(document.RootElement.TryGetProperty("commit", out _));
    }

    [Fact]
    public void EveryVariableThatIsReadStandsOnThePage()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "environment.md"));
        string[] files =
        [
            .. Sources("src"), .. Sources("benchmarks"),
            .. Directory.GetFiles(Path.Combine(Repository.Root, "scripts")),
            Path.Combine(Repository.Root, "ingot"), Path.Combine(Repository.Root, "benchmarks", "run"),
        ];
        var matches = files.SelectMany(file => Variable().Matches(File.ReadAllText(file)));
        string[] read = [.. matches.Select(m => m.Value).Where(name => name != NoVariable).Distinct().Order(StringComparer.Ordinal)];
        Assert.Contains("INGOT_HOME", read);
        Assert.DoesNotContain(read, name => !page.Contains($"`{name}`", StringComparison.Ordinal));
        string tests = string.Concat(Sources("tests").Select(File.ReadAllText));
        var told = Variable().Matches(page).Select(m => m.Value);
        Assert.DoesNotContain(told, name => !read.Contains(name) && !tests.Contains(name, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"\bINGOT_[A-Z][A-Z_]*[A-Z]\b")]
    private static partial Regex Variable();

    private static string[] Sources(string directory) =>
        Directory.GetFiles(Path.Combine(Repository.Root, directory), "*.cs", SearchOption.AllDirectories);

    private static bool Has(string program) =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(directory => File.Exists(Path.Combine(directory, program)));

    private static (int ExitCode, string Output, string Error) Run(string program, string[] arguments, string directory)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory,
        };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
