using FsCheck;
using FsCheck.Fluent;
using Ingot.Diagnostics;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Templates;

public class ProjectPropertyTests
{
    private static readonly string[] s_fragments =
    [
        "ingot: 1\n", "project: a\n", "images:\n", "services:\n", "stages:\n", "  a:\n", "    dockerfile: D\n", "    image: a\n",
        "    port: 80\n", "    listen: 8080\n", "    rollout:\n",
        "{", "}", "[", "]", ",", ":", ": ", "- ", "? ", "\n", "\r\n", "\t", " ", "  ", "#", "&a", "*a", "<<: *a", "!!str ", "!x ", "|",
        ">-\n", "\"", "'", "\\", "%", "@", "`", "---\n", "...\n",
        "1", "5%", "10m", "64Mi", "~", "\uFEFF", "🦊", "\ud800", "\u0085", "\u2028", "\0", "\u001b", "x-a", "canary", "blue-green",
    ];

    [Fact]
    public void ArbitraryTextGivesDiagnosticsAndNeverAnException() =>
        Prop.ForAll<string>(text => IsSound(text ?? "")).Holds(1000);

    [Fact]
    public void ArbitraryFragmentsGiveDiagnosticsAndNeverAnException() =>
        Prop.ForAll(Gen.Elements(s_fragments).ListOf().Select(string.Concat).ToArbitrary(), IsSound).Holds(5000);

    [Fact]
    public void MutatedFilesGiveDiagnosticsAndNeverAnException() =>
        Prop.ForAll(Mutations().ToArbitrary(), IsSound).Holds(5000);

    [Theory]
    [InlineData("[", 200_000)]
    [InlineData("{a: ", 200_000)]
    [InlineData("- ", 200_000)]
    [InlineData("? ", 200_000)]
    [InlineData("a:\n ", 2_000)]
    [InlineData("x-a: 1\n", 20_000)]
    [InlineData("&a ", 20_000)]
    [InlineData("\"", 20_001)]
    public void RepetitionEndsWithADiagnostic(string part, int times) =>
        Assert.True(IsSound("ingot: 1\n" + string.Concat(Enumerable.Repeat(part, times))));

    [Fact]
    public void ManyServicesThroughAliasesHaveABound()
    {
        string service = "{ image: a, port: 80, config: &c { "
            + string.Join(", ", Enumerable.Range(0, 400).Select(i => $"K{i}: v")) + " } }";
        string services = string.Concat(Enumerable.Range(0, 400).Select(i => $"  s{i}: *s\n"));
        DiagnosticBag diagnostics = [];
        Assert.Null(ProjectParser.Parse(
            new SourceText("ingot.yaml", $"ingot: 1\nproject: a\nx-s: &s {service}\nservices:\n{services}"), diagnostics));
        Assert.Equal(ProjectCodes.TooLarge, Assert.Single(diagnostics).Code);
    }

    [Fact]
    public void AFileThatIsNoProjectStopsAtAHundredErrors()
    {
        DiagnosticBag diagnostics = [];
        Assert.Null(ProjectParser.Parse(
            new SourceText("ingot.yaml", string.Concat(Enumerable.Range(0, 500).Select(i => $"key{i}: 1\n"))), diagnostics));
        Assert.Equal(101, diagnostics.Count);
        Assert.Equal(ProjectCodes.TooManyErrors, diagnostics.Last().Code);
    }

    [Fact]
    public void WarningsAloneLeaveAProject()
    {
        DiagnosticBag diagnostics = [];
        Assert.NotNull(ProjectParser.Parse(
            new SourceText("ingot.yaml",
                "ingot: 1\nproject: a\nimages: { a: { dockerfile: D, version: 1.0.0 } }\nservices: { a: { image: a, port: 80 } }\n"),
            diagnostics));
        Assert.Equal(Severity.Warning, Assert.Single(diagnostics).Severity);
    }

    [Fact]
    public void EarlierErrorsOfOtherFilesDoNotSpoilAProject()
    {
        DiagnosticBag diagnostics = [];
        diagnostics.Error("other", "something else is wrong");
        Assert.NotNull(ProjectParser.Parse(new SourceText("ingot.yaml", "ingot: 1\nproject: a\n"), diagnostics));
    }

    private static bool IsSound(string text)
    {
        SourceText source = new("ingot.yaml", text);
        DiagnosticBag diagnostics = [];
        var project = ProjectParser.Parse(source, diagnostics);
        _ = DiagnosticRenderer.Render(diagnostics);
        return project is null == diagnostics.HasErrors
            && diagnostics.All(d =>
                d.Span is { } s && s.Start >= 0 && s.Length >= 0 && s.Start + s.Length <= text.Length && !d.Summary.Contains('\n'));
    }

    private static Gen<string> Mutations()
    {
        string[] files = [.. Vector.All("project").Select(vector => vector.Input).Where(input => input.Length is > 0 and < 4000)];
        return Gen.Elements(files).SelectMany(file => Gen.Choose(0, file.Length)
            .SelectMany(from => Gen.Choose(0, 12).SelectMany(length => Gen.Elements(s_fragments).Select(fragment =>
                file[..from] + fragment + file[Math.Min(file.Length, from + length)..]))));
    }
}
