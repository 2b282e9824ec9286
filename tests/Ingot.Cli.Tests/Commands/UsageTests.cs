using System.CommandLine;
using System.Text.Json;
using Ingot.Cli.Commands;

namespace Ingot.Cli.Tests.Commands;

/// <summary>What is wrong with a command line, for every command that there is.</summary>
public sealed class UsageTests : IDisposable
{
    // No registry listens there, so that nothing is asked of anybody.
    private const string Word = "127.0.0.1:9/nothing:1";

    private static readonly string[] s_platformWords = ["Exception", "System.", "inner", "Nullable", "Int32", "Int64", "NullReference"];

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-usage-").FullName;

    public static TheoryData<string> Paths => [.. Commands().Select(p => p.Path)];

    /// <summary>Those that take only what they know; 'exec' refuses whatever it is given.</summary>
    public static TheoryData<string> StrictPaths => [.. Commands().Where(p => p.Command.TreatUnmatchedTokensAsErrors).Select(p => p.Path)];

    public static TheoryData<string> Groups =>
        [.. Pages().Where(p => p.Subcommands.Count > 0 && p.Command.Arguments.Count == 0).Select(p => p.Path)];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [MemberData(nameof(StrictPaths))]
    public async Task AnUnknownOptionIsAnErrorOfEveryCommand(string path)
    {
        var run = await ProgramRun.Of([.. path.Split(' '), "--no-such-option"]);
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.StartsWith($"error: 'ingot {path}' has no option '--no-such-option'", run.Error, StringComparison.Ordinal);
        Assert.EndsWith($"see 'ingot {path} --help'\n", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(StrictPaths))]
    public async Task InJsonModeItIsADocumentOfEveryCommand(string path)
    {
        var run = await ProgramRun.Of(["-o", "json", .. path.Split(' '), "-Z"]);
        Assert.Equal((2, ""), (run.ExitCode, run.Error));
        var error = ErrorOf(run);
        Assert.Equal("usage", error.GetProperty("code").GetString());
        Assert.Contains("'-Z'", error.GetProperty("diagnostics")[0].GetProperty("summary").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task WhatEveryCommandLacksIsADocumentInJsonMode(string path)
    {
        var run = await ProgramRun.Of(["-C", _directory, .. WithValues(path), "--output=json"]);
        if (run.ExitCode == 0)
            return;

        using var document = JsonDocument.Parse(run.Output);
        Assert.DoesNotContain(s_platformWords, word => run.Output.Contains(word, StringComparison.Ordinal));
        if (path != "doctor")
            Assert.NotEqual("fault", ErrorOf(run).GetProperty("code").GetString());
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public async Task AnUnknownCommandIsNamedWithWhatMayHaveBeenMeant(string path)
    {
        string[] words = path.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var page = Pages().Single(p => p.Path == path);
        string misspelt = page.Subcommands[0].Name + "x";
        var run = await ProgramRun.Of([.. words, misspelt, "--whatever"]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"'{misspelt}'", run.Error, StringComparison.Ordinal);
        Assert.Contains($"did you mean '{page.Subcommands[0].Name}'?", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("--whatever", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("status --json", "'ingot status' has no option '--json'; did you mean '--output json'?")]
    [InlineData("build --no-cahe", "did you mean '--no-cache'?")]
    [InlineData("images --verbos", "did you mean '--verbose'?")]
    [InlineData("status --all=yes", "has no option '--all'")]
    [InlineData("promote web --stga x", "did you mean '--stage'?")]
    [InlineData("promote web --stage --json", "'--stage' needs a value, and '--json' after it looks like an option")]
    [InlineData("promote web --stage", "'--stage' needs a value: STAGE")]
    [InlineData("promote web --stage a --stage b", "'--stage' was given 2 times")]
    [InlineData("promote", "'ingot promote' needs IMAGE")]
    [InlineData("promote web", "'ingot promote' needs --stage STAGE")]
    [InlineData("log prove first", "'first' is not a whole number")]
    [InlineData("log show --tail x", "'x', given for '--tail', is not a whole number")]
    [InlineData("log show --tail 99999999999999999999", "is not a whole number")]
    [InlineData("status -o xml", "'xml' is not a value of '-o' (one of: json, sarif, text)")]
    [InlineData("status -o jsno", "did you mean 'json'?")]
    [InlineData("logs web extra", "'extra' is one argument too many for 'ingot logs'")]
    [InlineData("logs web --stge x", "did you mean '--stage'?")]
    [InlineData("tokens create Ann --role reader", "'Ann' is not a name for a token: use lower-case letters")]
    [InlineData("status a b", "'b' is one argument too many for 'ingot status'")]
    [InlineData("export x y --format zip", "one of: docker-archive, oci, oci-archive, rootfs")]
    [InlineData("log", "'ingot log' needs a command (one of: show, verify")]
    [InlineData("", "no command was given")]
    [InlineData("help deplyo", "did you mean 'deploy'?")]
    [InlineData("help log shwo", "'ingot log' has no command 'shwo'")]
    [InlineData("status --quiet --verbose", "'--quiet' and '--verbose' contradict each other")]
    public async Task WhatIsWrongIsNamed(string line, string expected)
    {
        var run = await ProgramRun.Of(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(s_platformWords, word => run.Error.Contains(word, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("-o json status --jsn")]
    [InlineData("--output json status --jsn")]
    [InlineData("status --output=json --jsn")]
    [InlineData("status --output:json --jsn")]
    [InlineData("-ojson status --jsn")]
    [InlineData("status --jsn -o=json")]
    public async Task JsonIsAskedForInEveryWay(string line)
    {
        var run = await ProgramRun.Of(line.Split(' '));
        Assert.Equal("usage", ErrorOf(run).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("status --jsn -- -o json")]
    [InlineData("status --jsn")]
    public async Task WhereJsonIsNotAskedForItIsText(string line) => Assert.Empty((await ProgramRun.Of(line.Split(' '))).Output);

    [Fact]
    public async Task TwoDashesSayThatAnArgumentIsOne()
    {
        var run = await ProgramRun.Of("-C", _directory, "inspect", "--", "--odd");
        Assert.Contains("no image '--odd'", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFileOfWordsIsNotRead()
    {
        string file = Path.Combine(_directory, "words");
        File.WriteAllText(file, "--help");
        var run = await ProgramRun.Of("-C", _directory, "inspect", "@" + file);
        Assert.Contains($"'@{file}'", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("json")]
    [InlineData("text")]
    public async Task AFaultOfOurOwnSaysWhereItIsDescribed(string format)
    {
        StringWriter output = new(), error = new();
        var invocation = new Invocation(["boom", "-o", format], output, error, outputIsTerminal: false, errorIsTerminal: false);
        int exitCode = await invocation.RunAsync(
        [
            bind =>
            {
                var command = new Command("boom");
                command.SetAction(bind((_, _, _) => throw new InvalidCastException("Object reference not set")));
                return command;
            },
        ]);

        string said = format == "json"
            ? ErrorOf(new ProgramRun(exitCode, output.ToString(), "")).GetProperty("message").GetString()!
            : error.ToString();
        Assert.Equal(3, exitCode);
        Assert.Contains("please report it", said, StringComparison.Ordinal);
        Assert.DoesNotContain("Object reference", said, StringComparison.Ordinal);
        string file = said[(said.IndexOf('\'', StringComparison.Ordinal) + 1)..said.LastIndexOf('\'')];
        Assert.Contains("InvalidCastException", File.ReadAllText(file), StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public async Task QuietLeavesOutWhatToDoNextAndVerboseAddsPrograms()
    {
        File.WriteAllText(Path.Combine(_directory, "Dockerfile"), "FROM scratch\nEXPOSE 80\n");
        var loud = await ProgramRun.Of("init", _directory, "--dry-run", "-v");
        Assert.Equal(0, loud.ExitCode);
        var quiet = await ProgramRun.Of("-q", "init", _directory);
        Assert.DoesNotContain("next ", quiet.Output, StringComparison.Ordinal);
        Assert.Contains("wrote ", quiet.Output, StringComparison.Ordinal);
        Assert.Empty(quiet.Error);

        var status = await ProgramRun.Of("status", "-v");
        Assert.Contains("+ GET http://127.0.0.1:9/api/v1/status (", status.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("build --platform linux/foo", "'linux/foo' is not a platform")]
    [InlineData("build --platform linux/amd46", "did you mean 'linux/amd64'?")]
    [InlineData("build --platform plan9/amd64", "platforms: linux/amd64")]
    [InlineData("build --platform linux/riscv64/v9", "is not a platform")]
    [InlineData("up --platform linux/arm64/x", "is not a platform")]
    [InlineData("inspect x --platform linux", "")]
    [InlineData("history x --platform amd64/linux", "is not a platform")]
    public async Task APlatformThatNothingRunsOnIsAnError(string line, string expected)
    {
        var run = await ProgramRun.Of(["-C", _directory, .. line.Split(' ')]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exec -it web sh")]
    [InlineData("exec web sh -c id")]
    [InlineData("exec web -- sh -c id")]
    [InlineData("exec --user root --tty")]
    [InlineData("exec")]
    public async Task ExecIsRefusedWithItsReasonWhateverItIsGiven(string line)
    {
        var run = await ProgramRun.Of(line.Split(' '));
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("nothing is run in an instance: it never changes", run.Error, StringComparison.Ordinal);
        if (line.Contains(" web", StringComparison.Ordinal))
            Assert.Contains("'ingot logs web'", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("build")]
    [InlineData("version")]
    public async Task ADirectoryWithoutANameIsWrongInput(string command)
    {
        var run = await ProgramRun.Of("-C", "", command);
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains("'' is not a directory", run.Error, StringComparison.Ordinal);
    }

    private static JsonElement ErrorOf(ProgramRun run) => JsonDocument.Parse(run.Output).RootElement.GetProperty("error");

    // 'logs' does something itself and has a command behind it.
    private static IEnumerable<CommandPage> Commands() => Pages().Where(p => p.Path.Length > 0 && !p.IsGroup);

    private static List<CommandPage> Pages() =>
        [.. CommandPage.Of(CommandTable.Root(new GlobalSymbols(), CommandTable.All, act => (_, _) => Task.FromResult(0)))];

    // What is required, so that the command itself gets to say what is wrong.
    private static string[] WithValues(string path)
    {
        var page = Pages().Single(p => p.Path == path);
        var options = page.Options.Where(o => o.Required || o.Name == "--listen").SelectMany(o => CommandPage.IsSwitch(o)
            ? (string[])[o.Name]
            : [o.Name, CommandPage.ValuesOf(o) is [var first, ..] ? first : "nonsense"]);
        var arguments = page.Command.Arguments.Where(a => a.Arity.MinimumNumberOfValues > 0)
            .Select(a => a.ValueType == typeof(long) ? "7" : Word);
        return [.. path.Split(' '), .. arguments, .. options];
    }
}
