namespace Ingot.Architecture.Tests.Scripts;

/// <summary>The launcher, with a compiler that writes down its calls and leaves a program that prints its arguments.</summary>
public sealed class LauncherTests : IDisposable
{
    private const string Compiler =
        """
        echo "$*" >> "$HERE/compiled"
        [ ! -e "$HERE/broken" ] || { echo "error CS1002: ; expected"; exit 1; }
        while [ $# -gt 0 ]; do [ "$1" != --output ] || output=$2; shift; done
        mkdir -p "$output"
        cp "$HERE/program" "$output/Ingot.Cli"
        """;

    private readonly Script _script = new();

    public LauncherTests()
    {
        _script.Copy("ingot");
        _script.Copy("scripts/prerequisites");
        _script.Write("src/Ingot/Tools/prerequisites.tsv", "package\tneeds\twhere\treason\n");
        _script.Write("src/Ingot.Cli/Program.cs", "one");
        _script.Write("src/Ingot.Cli/Other.cs", "two");
        foreach (string file in new[] { "Directory.Build.props", "Directory.Packages.props", "global.json", ".editorconfig",
            "BannedSymbols.txt" })
            _script.Write(file, "");
        _script.WriteProgram("bin/dotnet", Compiler);
        _script.WriteProgram("program", """printf '[%s]' "$@"; exit 7""");
    }

    private int Builds => _script.Read("compiled").Split('\n').Length - 1;

    public void Dispose() => _script.Dispose();

    [Fact]
    public void TheFirstStartBuildsAndBecomesTheProgram()
    {
        var result = _script.Run("ingot", "status", "a b", "", "*", "--output=json");

        Assert.Equal(new ScriptResult(7, "[status][a b][][*][--output=json]", "building ingot...\n"), result);
        Assert.Contains("--configuration Release", _script.Read("compiled"), StringComparison.Ordinal);
    }

    [Fact]
    public void ANativeProgramIsBuiltForWhoAsksForIt()
    {
        _script.Run("ingot", "a");
        Assert.DoesNotContain("IngotNative", _script.Read("compiled"), StringComparison.Ordinal);
        var asked = new Dictionary<string, string> { ["INGOT_NATIVE"] = "1" };
        Assert.Equal("[b]", _script.Run(asked, "ingot", "b").Output);
        Assert.Contains("-p:IngotNative=true", _script.Read("compiled"), StringComparison.Ordinal);
        Assert.Equal(2, Builds);

        // It is there: whoever does not ask has it too.
        _script.Run(asked, "ingot", "c");
        _script.Run("ingot", "d");
        Assert.Equal(2, Builds);
    }

    [Fact]
    public void ABuildSaysWhatItIsDoing()
    {
        _script.Write("src/Ingot.Cli/Ingot.Cli.csproj", "");
        _script.Write("src/Ingot/Ingot.csproj", "");
        const string Said =
            """
            say() { echo "  $1"; n=$((n + 1)); until [ -e "$HERE/seen-$n" ]; do sleep 0.05; done; }
            say 'All projects are up-to-date for restore.'
            say 'Ingot -> /src/artifacts/bin/Ingot/release/Ingot.dll'
            say 'Ingot.Cli -> /src/artifacts/bin/Ingot.Cli/release/Ingot.Cli.dll'

            """;
        _script.WriteProgram("bin/dotnet", Said + Compiler);
        using var start = _script.Start("ingot", "a");
        var lines = new List<string>();
        for (int phase = 0; phase <= 3; phase++)
        {
            lines.Add(start.StandardError.ReadLine()!);
            _script.Write($"seen-{phase}", "");
        }

        Assert.Equal("[a]", start.StandardOutput.ReadToEnd());
        Assert.Equal(
            ["building ingot...", "  compiling 1 of 2 projects", "  compiling 2 of 2 projects",
                "  compiling ahead of time, so that it starts fast"],
            lines.Select(line => line.Split(" (after")[0]));
    }

    [Fact]
    public void ASecondStartDoesNotBuild()
    {
        _script.Run("ingot");

        Assert.Equal(new ScriptResult(7, "[status]", ""), _script.Run("ingot", "status"));
        Assert.Equal(1, Builds);
    }

    [Theory]
    [InlineData("src/Ingot.Cli/Program.cs")]
    [InlineData("src/Ingot/Tools/prerequisites.tsv")]
    [InlineData("Directory.Build.props")]
    [InlineData("Directory.Packages.props")]
    [InlineData("global.json")]
    [InlineData(".editorconfig")]
    [InlineData("BannedSymbols.txt")]
    public void AChangedSourceBuildsAgain(string file)
    {
        _script.Run("ingot");
        File.AppendAllText(_script.PathOf(file), "\n");
        _script.Run("ingot");
        _script.Run("ingot");

        Assert.Equal(2, Builds);
    }

    [Fact]
    public void ASourceThatCameWithAnOldTimeBuildsAgain()
    {
        _script.Run("ingot");
        _script.Write("src/Ingot.Cli/Program.cs", "older");
        File.SetLastWriteTimeUtc(_script.PathOf("src/Ingot.Cli/Program.cs"), DateTime.UnixEpoch);
        _script.Run("ingot");

        Assert.Equal(2, Builds);
    }

    [Fact]
    public void ASourceThatWentBuildsAgain()
    {
        _script.Run("ingot");
        File.Delete(_script.PathOf("src/Ingot.Cli/Other.cs"));
        _script.Run("ingot");

        Assert.Equal(2, Builds);
    }

    [Fact]
    public void ATestOrADocumentDoesNotBuild()
    {
        _script.Run("ingot");
        _script.Write("tests/Some.cs", "new");
        _script.Write("README.md", "new");
        _script.Run("ingot");

        Assert.Equal(1, Builds);
    }

    [Fact]
    public void ItIsFoundThroughSymbolicLinks()
    {
        Directory.CreateDirectory(_script.PathOf("else/where"));
        File.CreateSymbolicLink(_script.PathOf("else/ingot"), "../ingot");
        File.CreateSymbolicLink(_script.PathOf("else/where/i"), _script.PathOf("else/ingot"));

        Assert.Equal("[a]", _script.Run("else/where/i", "a").Output);
        Assert.True(File.Exists(_script.PathOf("artifacts/ingot/current")));
    }

    [Fact]
    public void TwoStartsAtOnceBuildOnce()
    {
        _script.WriteProgram("bin/dotnet", "sleep 0.3\n" + Compiler);
        var starts = Enumerable.Range(0, 4).Select(_ => _script.Start("ingot", "a")).ToList();

        Assert.All(starts.Select(Script.Wait), result => Assert.Equal((7, "[a]"), (result.ExitCode, result.Output)));
        Assert.Equal(1, Builds);
    }

    [Fact]
    public void ABuildThatFailsShowsTheMessagesAndStartsNothing()
    {
        _script.Run("ingot");
        _script.Write("broken", "");
        _script.Write("src/Ingot.Cli/Program.cs", "changed");

        var result = _script.Run("ingot", "status");

        Assert.Equal((3, ""), (result.ExitCode, result.Output));
        Assert.Contains("error CS1002: ; expected", result.Error, StringComparison.Ordinal);
        File.Delete(_script.PathOf("broken"));
        Assert.Equal(7, _script.Run("ingot").ExitCode);
    }

    [Fact]
    public void ABuildIsTriedAgainAfterItWasKilled()
    {
        _script.WriteProgram("bin/dotnet", "kill -9 $PPID\n" + Compiler);
        _script.Run("ingot");
        _script.WriteProgram("bin/dotnet", Compiler);

        Assert.Equal("[a]", _script.Run("ingot", "a").Output);
    }

    [Fact]
    public void WithoutTheSdkItSaysWhatToInstall()
    {
        File.Delete(_script.PathOf("bin/dotnet"));

        var result = _script.Run("ingot", "--version");

        Assert.Equal((3, ""), (result.ExitCode, result.Output));
        Assert.Equal(
            "error: ingot must be built, and there is no 'dotnet': install the .NET SDK 10 and put it on the PATH\n", result.Error);
    }

    [Fact]
    public void WithoutTheSdkABuiltProgramStarts()
    {
        _script.Run("ingot");
        File.Delete(_script.PathOf("bin/dotnet"));

        Assert.Equal("[a]", _script.Run("ingot", "a").Output);
    }

    [Fact]
    public void ACompilerThatStaysDoesNotKeepTheLock()
    {
        _script.WriteProgram("bin/dotnet", Compiler + "\nsleep 30 < /dev/null > /dev/null 2>&1 & echo $! > \"$HERE/server\"");
        _script.Run("ingot");
        File.AppendAllText(_script.PathOf("src/Ingot.Cli/Program.cs"), "\n");

        var second = _script.Start("ingot", "a");
        bool ended = second.WaitForExit(TimeSpan.FromSeconds(20));
        foreach (string id in _script.Read("server").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            _script.Run("/bin/sh", "-c", "kill " + id);
        Script.Wait(second);

        Assert.True(ended);
        Assert.Equal(2, Builds);
    }

    [Fact]
    public void OldBuildsGoExceptTheLastAndThoseThatRun()
    {
        File.Copy("/bin/sleep", _script.PathOf("program"), overwrite: true);
        Script.MakeExecutable(_script.PathOf("program"));
        using var running = _script.Start("ingot", "60");
        WaitUntil(() => (File.ResolveLinkTarget($"/proc/{running.Id}/exe", returnFinalTarget: false)?.FullName ?? "").EndsWith("/Ingot.Cli",
            StringComparison.Ordinal));
        string first = CurrentBuild();
        string second = Rebuild();
        string third = Rebuild();
        Assert.Equal([first, second, third], KeptBuilds());

        running.Kill();
        running.WaitForExit();
        string fourth = Rebuild();
        Assert.Equal([third, fourth], KeptBuilds());
    }

    [Theory]
    [InlineData("up examples/shop")]
    [InlineData("-C examples/shop up")]
    [InlineData("build web")]
    [InlineData("test web -f goss.yaml")]
    [InlineData("serve")]
    [InlineData("--output json up")]
    [InlineData("-o json -C shop up")]
    [InlineData("doctor --fix")]
    public void ACommandThatRunsProgramsInstallsThemFirst(string arguments)
    {
        NeedAMissingProgram();

        var result = _script.Run("ingot", arguments.Split(' '));

        Assert.Contains("mars-rover: digs", result.Error, StringComparison.Ordinal);
        Assert.Equal(3, result.ExitCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--version")]
    [InlineData("--help")]
    [InlineData("up --help")]
    [InlineData("up -h")]
    [InlineData("up --dry-run")]
    [InlineData("-C examples/shop up --dry-run")]
    [InlineData("up -?")]
    [InlineData("status")]
    [InlineData("-C up status")]
    [InlineData("log verify")]
    [InlineData("doctor")]
    [InlineData("explain up")]
    public void OtherCommandsInstallNothing(string arguments)
    {
        NeedAMissingProgram();

        var result = _script.Run("ingot", arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal((7, "building ingot...\n"), (result.ExitCode, result.Error));
    }

    private void NeedAMissingProgram() =>
        _script.Write("src/Ingot/Tools/prerequisites.tsv", "package\tneeds\twhere\treason\nmars-rover\trover\t-\tdigs\n");

    private string Rebuild()
    {
        File.AppendAllText(_script.PathOf("src/Ingot.Cli/Program.cs"), "\n");
        Assert.Equal(0, _script.Run("ingot", "0").ExitCode);
        return CurrentBuild();
    }

    private string CurrentBuild() => _script.Read("artifacts/ingot/current").Trim();

    private IEnumerable<string> KeptBuilds() => Directory.EnumerateDirectories(_script.PathOf("artifacts/ingot"))
        .Select(path => Path.GetFileName(path))
        .Order(StringComparer.Ordinal);

    private static void WaitUntil(Func<bool> condition)
    {
        for (int i = 0; !condition(); i++)
        {
            Assert.True(i < 1000, "it did not come true within 20 s");
            Thread.Sleep(20);
        }
    }
}
