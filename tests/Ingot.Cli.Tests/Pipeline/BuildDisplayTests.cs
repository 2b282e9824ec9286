using Ingot.Builds;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;

namespace Ingot.Cli.Tests.Pipeline;

public sealed class BuildDisplayTests : IDisposable
{
    private const string Hostile = "\u001b[2J\u001b]0;t\aline\nbuild    app is sha256:0\u009b1A\u202e\b";

    private static readonly StepLabel s_step = new("web", 2, 5, "RUN make");

    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public void PlainSaysEachLineWithItsStep()
    {
        using (var display = new BuildDisplay(Terminal(isTerminal: true), BuildProgressMode.Plain))
            Run(display, "one", "two");
        Assert.Equal(
            "build    [web 2/5] RUN make\nbuild    [web 2/5] one\nbuild    [web 2/5] two\nbuild    [web 2/5] RUN make (1.0 s, "
                + "3 B)\n\r\u001b[K",
            _output.ToString());
    }

    [Fact]
    public void ElsewhereALineForEachStepThatEnds()
    {
        using (var display = new BuildDisplay(Terminal(isTerminal: false), BuildProgressMode.Auto))
            Run(display, "one", "two");
        Assert.Equal("build    [web 2/5] RUN make (1.0 s, 3 B)\n", _output.ToString());
    }

    [Fact]
    public async Task ElsewhereAStepThatTakesLongSaysSoWithWhatItWroteLast()
    {
        using var output = new NoticedWriter();
        var terminal = new Terminal(output, _error, json: false, outputIsTerminal: false, errorIsTerminal: false, noColor: true);
        using (var display = new BuildDisplay(terminal, BuildProgressMode.Auto) { Patience = TimeSpan.FromMilliseconds(1) })
        {
            display.Report(new BuildEvent.StepStarted(s_step, []));
            display.Report(new BuildEvent.StepOutput(s_step, "one\r\u001b[1mtwo"));
            await output.Written.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        }

        Assert.Equal("build    [web 2/5] RUN make: still running after 0 s; two", output.ToString().Split('\n')[0]);
    }

    [Fact]
    public void QuietSaysNothing()
    {
        using (var display = new BuildDisplay(Terminal(isTerminal: false), BuildProgressMode.Quiet))
        {
            Run(display, "one");
            display.Report(new BuildEvent.Warning("careful"));
            display.Report(new BuildEvent.StepFailed(s_step, TimeSpan.Zero));
        }

        Assert.Equal("", _output.ToString());
    }

    [Fact]
    public void OnATerminalTheOutputOfAStepThatFailsIsShownWhole()
    {
        using (var display = new BuildDisplay(Terminal(isTerminal: true), BuildProgressMode.Auto))
        {
            display.Report(new BuildEvent.StepStarted(s_step, []));
            foreach (int i in Enumerable.Range(1, 100))
                display.Report(new BuildEvent.StepOutput(s_step, $"line {i}"));
            display.Report(new BuildEvent.StepFailed(s_step, TimeSpan.Zero));
        }

        Assert.Contains("build    [web 2/5] line 1\n", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("build    [web 2/5] line 100\n", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(BuildProgressMode.Plain))]
    [InlineData(nameof(BuildProgressMode.Auto))]
    public void OutputNeitherSteersATerminalNorLooksLikeALineOfOurs(string mode)
    {
        using (var display = new BuildDisplay(Terminal(isTerminal: true), Enum.Parse<BuildProgressMode>(mode)))
        {
            display.Report(new BuildEvent.StepStarted(s_step, []));
            display.Report(new BuildEvent.StepOutput(s_step, Hostile));
            display.Report(new BuildEvent.StepFailed(s_step, TimeSpan.Zero));
        }

        string said = _output.ToString().Replace("\r\u001b[K", "", StringComparison.Ordinal).Replace("\u001b[31m", "",
            StringComparison.Ordinal).Replace("\u001b[0m", "", StringComparison.Ordinal);
        Assert.DoesNotContain(said, c => c != '\n' && char.IsControl(c));
        Assert.DoesNotContain('\u202e', said);
        Assert.DoesNotContain("\nbuild    app is", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\u001b[1;31merror\u001b[0m: x", "error: x")]
    [InlineData("10%\r50%\r100%", "10%|50%|100%")]
    [InlineData("\r", "")]
    [InlineData("\u001b[", "\u001b[")]
    [InlineData("a\u001b]0;t\ab", "a\u001b]0;t\ab")]
    public void ColoursGoAndWhatWasWrittenOverIsSeveralLines(string line, string expected) =>
        Assert.Equal(expected, string.Join('|', OutputText.Lines(line)));

    [Theory]
    [InlineData("plan", "'plain'")]
    [InlineData("", "auto, plain, tty, quiet")]
    public void AnUnknownWayIsSaid(string mode, string said) =>
        Assert.Contains(said,
            Assert.Throws<Ingot.Diagnostics.InvalidInputException>(() => BuildProgressModes.Parse(mode)).Diagnostics[0].Detail,
                StringComparison.Ordinal);

    private static void Run(BuildDisplay display, params string[] lines)
    {
        display.Report(new BuildEvent.StepStarted(s_step, []));
        foreach (string line in lines)
            display.Report(new BuildEvent.StepOutput(s_step, line));
        display.Report(new BuildEvent.StepFinished(s_step, TimeSpan.FromSeconds(1), 3));
    }

    private Terminal Terminal(bool isTerminal) => new(_output, _error, json: false, isTerminal, isTerminal, noColor: false);

    private sealed class NoticedWriter : StringWriter
    {
        private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Written => _written.Task;

        public override void Flush() => _written.TrySetResult();
    }
}
