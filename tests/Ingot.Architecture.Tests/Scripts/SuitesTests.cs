namespace Ingot.Architecture.Tests.Scripts;

/// <summary>The gate counts what suites report, and takes nothing for a success that did not say so.</summary>
public sealed class SuitesTests : IDisposable
{
    private readonly Script _script = new();

    public SuitesTests() => _script.Copy("scripts/run-suites");

    public void Dispose() => _script.Dispose();

    [Fact]
    public void CountsAreSummedOverAllSuites()
    {
        Suite("a", Result(passed: 10, skipped: 2), 0);
        Suite("b", Result(passed: 5), 0);

        Assert.Equal((0, "15 passed, 0 failed, 2 skipped"), Run("a", "b"));
    }

    [Fact]
    public void AFailedTestFailsTheGateAndShowsWhatTheSuiteSaid()
    {
        Suite("a", Result(passed: 1, failed: 2), 1, "expected 1, got 2");
        Suite("b", Result(passed: 5), 0, "all is well");

        Assert.Equal((1, "6 passed, 2 failed, 0 skipped"), Run("a", "b"));
        Assert.Contains("expected 1, got 2", _output, StringComparison.Ordinal);
        Assert.DoesNotContain("all is well", _output, StringComparison.Ordinal);
    }

    [Fact]
    public void FailuresOfBeforeAreAdded()
    {
        Suite("a", Result(passed: 1), 0);

        Assert.Equal((1, "1 passed, 3 failed, 0 skipped"), RunAfter(3, "a"));
    }

    [Fact]
    public void AnErrorOutsideOfATestIsAFailure()
    {
        Suite("a", Result(passed: 3, errors: 1), 1);

        Assert.Equal((1, "3 passed, 1 failed, 0 skipped"), Run("a"));
    }

    [Theory]
    [InlineData("", 134, "ended with exit code 134 and left no whole result file")]
    [InlineData("", 0, "ended with exit code 0 and left no whole result file")]
    [InlineData("<assemblies><assembly passed=\"5\" failed=\"0\" skipped=\"0\" errors=\"0\"><test", 139,
        "ended with exit code 139 and left no whole result file")]
    [InlineData("not xml", 0, "ended with exit code 0 and left no whole result file")]
    [InlineData("<assemblies><assembly passed=\"5\" failed=\"0\" skipped=\"0\" errors=\"0\"/></assemblies>", 134,
        "ended with exit code 134 though no test failed")]
    [InlineData("<assemblies><assembly passed=\"0\" failed=\"0\" skipped=\"0\" errors=\"0\"/></assemblies>", 0, "found no tests")]
    public void ASuiteThatCrashedOrFoundNothingIsAFailure(string result, int code, string problem)
    {
        Suite("a", result, code, "Segmentation fault");
        Suite("b", Result(passed: 5), 0);

        var (exit, last) = Run("a", "b");

        Assert.Equal(1, exit);
        Assert.Matches("^(5|10) passed, 1 failed, 0 skipped$", last);
        Assert.Contains("a " + problem, _output, StringComparison.Ordinal);
        Assert.Contains("Segmentation fault", _output, StringComparison.Ordinal);
    }

    [Fact]
    public void ASuiteThatHangsIsStopped()
    {
        _script.WriteProgram("a", "sleep 60");

        Assert.Equal((1, "0 passed, 1 failed, 0 skipped"), Run("a"));
        Assert.Contains("a was stopped: it took longer than 1s", _output, StringComparison.Ordinal);
    }

    [Fact]
    public void AProgramThatIsNotThereIsAFailure() => Assert.Equal((1, "0 passed, 1 failed, 0 skipped"), Run("nothing"));

    [Fact]
    public void AResultOfAnEarlierRunDoesNotCount()
    {
        Suite("a", Result(passed: 5), 0);
        Run("a");
        _script.WriteProgram("a", "exit 0");

        Assert.Equal((1, "0 passed, 1 failed, 0 skipped"), Run("a"));
    }

    [Fact]
    public void EachReasonForSkippingIsSaidOnce()
    {
        Suite("a", Result(passed: 1, skipped: 3, tests:
            """
            <test name="x" result="Skip"><reason><![CDATA[no dockerd answers]]></reason></test>
            <test name="y" result="Skip"><reason><![CDATA[needs root]]></reason></test>
            <test name="z" result="Fail"><failure><message><![CDATA[not a reason]]></message></failure></test>
            <test name="z" result="Skip"><reason><![CDATA[no dockerd answers]]></reason></test>
            """), 0);

        Run("a");

        Assert.Contains("  skipped 2: no dockerd answers\n  skipped 1: needs root\n", _output, StringComparison.Ordinal);
        Assert.DoesNotContain("not a reason", _output, StringComparison.Ordinal);
    }

    [Fact]
    public void TextInATestsNameIsNotACount()
    {
        Suite("a", Result(passed: 1, tests: """<test name="says &lt;assembly failed=&quot;7&quot; failed='7'" result="Pass"/>"""), 0);

        Assert.Equal((0, "1 passed, 0 failed, 0 skipped"), Run("a"));
    }

    [Fact]
    public void OneProgramMayBeMoreSuites()
    {
        Suite("a", Result(passed: 3), 0, "of $*");
        Suite("b", Result(passed: 5, failed: 1), 1, "of $*");

        Assert.Equal((1, "11 passed, 1 failed, 0 skipped"), Run("a#first -class A", "a#second", "b -class B"));
        Assert.Contains("first: 3 passed", _output, StringComparison.Ordinal);
        Assert.Contains("second: 3 passed", _output, StringComparison.Ordinal);
        Assert.Matches("of -noColor -noLogo -xml [^ ]*b.xml -class B\n", _output);
    }

    // Each waits for what the other does.
    [Fact]
    public void TwoSuitesRunAtTheSameTime()
    {
        static string Wait(string mine, string other) => $"touch $HERE/{mine}; for i in 1 2 3 4 5 6 7 8 9; "
            + $"do [ -f $HERE/{other} ] && break; sleep 0.1; done; [ -f $HERE/{other} ] || exit 1";
        _script.Write("a.result", Result(passed: 1));
        _script.WriteProgram("a", $"{Wait("a.began", "b.began")}\ncp \"$HERE/a.result\" \"$4\"");
        _script.WriteProgram("b", $"{Wait("b.began", "a.began")}\ncp \"$HERE/a.result\" \"$4\"");

        Assert.Equal((0, "2 passed, 0 failed, 0 skipped"), Run("a", "+b"));
    }

    private string _output = "";

    private (int ExitCode, string LastLine) Run(params string[] suites) => RunAfter(0, suites);

    private (int ExitCode, string LastLine) RunAfter(int failures, params string[] suites)
    {
        var result = _script.Run("scripts/run-suites", [_script.PathOf("results"), $"{failures}",
            .. suites.Select(suite => suite.StartsWith('+') ? "+" + _script.PathOf(suite[1..]) : _script.PathOf(suite))]);
        _output = result.Output;
        return (result.ExitCode, result.Output.TrimEnd('\n').Split('\n')[^1]);
    }

    // The suite gets: -noColor -noLogo -xml FILE.
    private void Suite(string name, string result, int exitCode, string says = "")
    {
        _script.Write(name + ".result", result);
        string copy = result.Length == 0 ? "" : $"cp \"$HERE/{name}.result\" \"$4\"";
        _script.WriteProgram(name, $"echo \"{says}\"\n{copy}\nexit {exitCode}");
    }

    private static string Result(int passed, int failed = 0, int skipped = 0, int errors = 0, string tests = "") =>
        $"""
        <?xml version="1.0" encoding="utf-8"?><assemblies schema-version="3" timestamp="now"><assembly name="/a/b.dll" errors="{errors}" failed="{failed}" not-run="0" passed="{passed}" skipped="{skipped}" total="{passed + failed + skipped}"><collection failed="9" passed="9">{tests}</collection></assembly></assemblies>
        """;
}
