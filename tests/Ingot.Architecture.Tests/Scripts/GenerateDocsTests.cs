namespace Ingot.Architecture.Tests.Scripts;

/// <summary>Documents made from the program are written, and the gate notices when they were not.</summary>
public sealed class GenerateDocsTests : IDisposable
{
    private readonly Script _script = new();

    public GenerateDocsTests()
    {
        _script.Copy("scripts/generate-docs");
        _script.Write("src/Ingot/Tools/prerequisites.tsv",
            "package\tneeds\twhere\treason\nmars-rover\trover\t-\tdigs\nparser\tp\t/sys/x\tparses\n");
        _script.Write("commands", "# Commands\n");
        _script.WriteProgram("program",
            """[ "$1" = generate-docs ] && mkdir -p "$2/schemas" && cp "$HERE/commands" "$2/cli.md" && echo {} > "$2/schemas/status.schema.json" """);
    }

    public void Dispose() => _script.Dispose();

    [Fact]
    public void EveryDocumentIsWritten()
    {
        Assert.Equal(new ScriptResult(0, "", ""), Generate());

        Assert.Equal("# Commands\n", _script.Read("docs/cli.md"));
        Assert.Equal("{}\n", _script.Read("docs/schemas/status.schema.json"));
        Assert.Contains("| mars-rover | `rover` | digs |\n| parser | `p`, where `/sys/x` exists | parses |\n",
            _script.Read("docs/prerequisites.md"), StringComparison.Ordinal);
        Assert.Equal(new ScriptResult(0, "", ""), Generate("--check"));
    }

    [Fact]
    public void ADocumentThatIsOutOfDateIsNamedAndLeftAlone()
    {
        Generate();
        _script.Write("commands", "# More commands\n");

        Assert.Equal(new ScriptResult(1, "", "docs/cli.md is out of date: run scripts/generate-docs\n"), Generate("--check"));
        Assert.Equal("# Commands\n", _script.Read("docs/cli.md"));
        Generate();
        Assert.Equal("# More commands\n", _script.Read("docs/cli.md"));
    }

    [Fact]
    public void AMissingDocumentIsOutOfDate()
    {
        Generate();
        File.Delete(_script.PathOf("docs/prerequisites.md"));

        Assert.Equal(1, Generate("--check").ExitCode);
    }

    [Fact]
    public void ASchemaThatIsNoLongerMadeIsRemovedAndOtherDocumentsAreNot()
    {
        Generate();
        _script.Write("docs/schemas/old.schema.json", "{}");
        _script.Write("docs/by-hand.md", "text");

        Assert.Equal(new ScriptResult(1, "", "docs/schemas/old.schema.json is out of date: run scripts/generate-docs\n"),
            Generate("--check"));
        Generate();
        Assert.False(File.Exists(_script.PathOf("docs/schemas/old.schema.json")));
        Assert.True(File.Exists(_script.PathOf("docs/by-hand.md")));
    }

    [Fact]
    public void AProgramThatFailsIsNoSuccess()
    {
        Generate();
        _script.WriteProgram("program", "exit 2");

        Assert.Equal(2, Generate("--check").ExitCode);
    }

    private ScriptResult Generate(params string[] options) => _script.Run("scripts/generate-docs", [.. options, _script.PathOf("program")]);
}
