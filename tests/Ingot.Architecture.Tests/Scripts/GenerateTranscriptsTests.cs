namespace Ingot.Architecture.Tests.Scripts;

/// <summary>What documents show of commands is what they print, and the gate notices when it is not.</summary>
public sealed class GenerateTranscriptsTests : IDisposable
{
    private const string Marker = "<!-- transcript: tour/greet -->\n```console\n";
    private readonly Script _script = new();

    public GenerateTranscriptsTests()
    {
        foreach (string program in (string[])["git", "diff", "grep", "head", "id", "ln", "realpath", "sed", "tac", "tar", "wc"])
            _script.Link(program);
        _script.Copy("scripts/generate-transcripts");
        _script.Write("examples/shop/ingot.yaml", "ingot: 1\n");
        _script.WriteProgram("program", """printf 'hello %s, %s\n' "$1" "$(cat "$HERE/word")"; exit "${2:-0}" """);
        _script.Write("word", "this took 1.5 s and made sha256:" + new string('1', 64));
        _script.Write("docs/transcripts/tour.sh",
            "## port 7070\nNAME=reader\n\n## step greet exit 4\ningot $NAME\ningot 127.0.0.1:7070 4\necho $?\n");
        _script.Write("README.md", $"# A tour\n\n{Marker}```\n\nThe end.\n");
        _script.Run(_script.PathOf("bin/git"), "init", "--quiet");
        _script.Run(_script.PathOf("bin/git"), "add", "--all");
    }

    public void Dispose() => _script.Dispose();

    [Fact]
    public void CommandsAreWrittenWithWhatTheyPrint()
    {
        Assert.Equal((0, ""), Generate());

        string said = _script.Read("word");
        Assert.Equal(
            $"# A tour\n\n{Marker}$ ingot $NAME\nhello reader, {said}\n$ ingot 127.0.0.1:7070 4\nhello 127.0.0.1:7070, {said}\n$ echo $?\n"
                + "4\n```\n\nThe end.\n",
            _script.Read("README.md"));
        Assert.Equal((0, ""), Generate("--check"));
    }

    [Fact]
    public void OtherTimesAndDigestsAreNoDifferenceAndNothingIsWritten()
    {
        Generate();
        string written = _script.Read("README.md");
        _script.Write("word", "this took 12 s and made sha256:" + new string('2', 64));

        Assert.Equal((0, ""), Generate("--check"));
        Assert.Equal((0, ""), Generate());
        Assert.Equal(written, _script.Read("README.md"));
    }

    [Fact]
    public void AnotherWordIsShownAndLeftAloneByTheCheck()
    {
        Generate();
        string written = _script.Read("README.md");
        _script.Write("word", "this is new");

        var (exitCode, error) = Generate("--check");

        Assert.Equal(1, exitCode);
        Assert.Contains("+hello reader, this is new\n", error, StringComparison.Ordinal);
        Assert.Contains("tour: documents are out of date: run scripts/generate-transcripts tour", error, StringComparison.Ordinal);
        Assert.Equal(written, _script.Read("README.md"));
    }

    [Fact]
    public void ACommandThatEndsOtherwiseThanTheStepSaysIsAFailure()
    {
        _script.Write("docs/transcripts/tour.sh", "## step greet\ningot reader 3\n");

        var (exitCode, error) = Generate();

        Assert.Equal(1, exitCode);
        Assert.StartsWith("error: 'ingot reader 3' of greet ended with 3:\nhello reader, ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ABlockOfAStepThatIsNotThereIsAFailure()
    {
        _script.Write("docs/transcripts/tour.sh", "## step other\ningot reader\n");

        Assert.Equal((1, "README.md:4: 'tour/greet' is no step of docs/transcripts/tour.sh\n"), Generate("--check"));
    }

    [Theory]
    [InlineData("## needs a-program-that-is-nowhere", "it needs a-program-that-is-nowhere")]
    [InlineData("## slow", "it is slow")]
    public void AScenarioThatCannotRunIsLeftOutWithTheReason(string line, string reason)
    {
        _script.Write("docs/transcripts/tour.sh", line + "\n## step greet\ningot reader\n");

        var result = _script.Run("scripts/generate-transcripts", "--quick", "--check", "--program", _script.PathOf("program"));

        Assert.Equal(new ScriptResult(0, $"tour: left out: {reason}\n", ""), result);
    }

    [Fact]
    public void OfALongOutputTheBeginningAndTheEndAreShownAndNothingThatIsHidden()
    {
        _script.Write("word", "1\nhidden\n2\n3\n4\n5");
        _script.Write("docs/transcripts/tour.sh", "## step greet\ningot you\n");
        _script.Write("README.md", Marker.Replace(" -->", " first=2 last=1 hide=hidden -->", StringComparison.Ordinal) + "```\n");

        Generate();

        Assert.EndsWith("```console\n$ ingot you\nhello you, 1\n…\n5\n```\n", _script.Read("README.md"), StringComparison.Ordinal);
    }

    private (int ExitCode, string Error) Generate(params string[] options)
    {
        var result = _script.Run("scripts/generate-transcripts", [.. options, "--program", _script.PathOf("program")]);
        return (result.ExitCode, result.Error);
    }
}
