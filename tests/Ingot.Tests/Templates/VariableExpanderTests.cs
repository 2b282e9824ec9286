using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;

namespace Ingot.Tests.Templates;

public class VariableExpanderTests
{
    private static readonly Dictionary<string, string> s_variables = new()
    {
        ["name"] = "web",
        ["empty"] = "",
        ["spaced"] = " a  b ",
        ["quoted"] = "\"$name\"",
        ["имя"] = "сеть",
        ["A1_b"] = "ok",
        ["path"] = "/a/b/a/b.tar.gz",
        ["part"] = "a",
        ["braces"] = "{a*b?}",
        ["fox"] = "🦊x",
        ["lines"] = "a\nb",
    };

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("", "")]
    [InlineData("$name", "web")]
    [InlineData("x$name.y", "xweb.y")]
    [InlineData("${name}s", "webs")]
    [InlineData("$names", "")]
    [InlineData("$A1_b-$A1_b", "ok-ok")]
    [InlineData("$имя", "сеть")]
    [InlineData("${missing}", "")]
    [InlineData("$", "$")]
    [InlineData("a$ b", "a$ b")]
    [InlineData("$.", "$.")]
    [InlineData("$1x", "x")]
    [InlineData("$12x", "x")]
    [InlineData("$@@", "@")]
    [InlineData("${1:-one}", "one")]
    [InlineData("${name:-other}", "web")]
    [InlineData("${empty:-other}", "other")]
    [InlineData("${empty-other}", "")]
    [InlineData("${missing-other}", "other")]
    [InlineData("${name:+other}", "other")]
    [InlineData("${empty:+other}", "")]
    [InlineData("${empty+other}", "other")]
    [InlineData("${missing+other}", "")]
    [InlineData("${name:?must be there}", "web")]
    [InlineData("${empty?must be there}", "")]
    [InlineData("${missing:-${name}}", "web")]
    [InlineData("${missing:-${missing:-a b}}", "a b")]
    [InlineData("${missing:-'}'}", "}")]
    [InlineData("${missing:-\\}}", "}")]
    [InlineData("${missing:-{}x", "{x")]
    [InlineData("${name}}", "web}")]
    [InlineData("${path#/a}", "/b/a/b.tar.gz")]
    [InlineData("${path#*/}", "a/b/a/b.tar.gz")]
    [InlineData("${path##*/}", "b.tar.gz")]
    [InlineData("${path#b}", "/a/b/a/b.tar.gz")]
    [InlineData("${path%.*}", "/a/b/a/b.tar")]
    [InlineData("${path%%.*}", "/a/b/a/b")]
    [InlineData("${path%/*}", "/a/b/a")]
    [InlineData("${path%%/*}", "")]
    [InlineData("${path%gz}", "/a/b/a/b.tar.")]
    [InlineData("${path%.}", "/a/b/a/b.tar.gz")]
    [InlineData("${path##}", "/a/b/a/b.tar.gz")]
    [InlineData("${path#}", "/a/b/a/b.tar.gz")]
    [InlineData("${path##*}", "")]
    [InlineData("${path#*}", "/a/b/a/b.tar.gz")]
    [InlineData("${path#??}", "/b/a/b.tar.gz")]
    [InlineData("${path/b/x}", "/a/x/a/b.tar.gz")]
    [InlineData("${path//b/x}", "/a/x/a/x.tar.gz")]
    [InlineData("${path//b/}", "/a//a/.tar.gz")]
    [InlineData("${path/a*b/x}", "/x.tar.gz")]
    [InlineData("${path//?.*/x}", "/a/b/a/x")]
    [InlineData("${path//\\//.}", ".a.b.a.b.tar.gz")]
    [InlineData("${path/\\/a/}", "/b/a/b.tar.gz")]
    [InlineData("${path/q/x}", "/a/b/a/b.tar.gz")]
    [InlineData("${path/$part/$name}", "/web/b/a/b.tar.gz")]
    [InlineData("${path##*$part}", "r.gz")]
    [InlineData("${name//*/x}", "x")]
    [InlineData("${name//}/x}", "web")]
    [InlineData("${name///-}", "-w-e-b-")]
    [InlineData("${braces%\\}}", "{a*b?")]
    [InlineData("${braces/\\*/+}", "{a+b?}")]
    [InlineData("${braces/\\?/+}", "{a*b+}")]
    [InlineData("${missing#a}${missing%a}${missing/a/b}", "")]
    [InlineData("${name/'e'/\"x y\"}", "wx yb")]
    [InlineData("${fox#?}", "x")]
    [InlineData("${fox%?}", "🦊")]
    [InlineData("${fox/🦊/f}", "fx")]
    [InlineData("${lines#*b}", "a\nb")]
    [InlineData("${lines##*}", "\nb")]
    [InlineData("${lines//?/x}", "x\nx")]
    [InlineData("'$name'", "$name")]
    [InlineData("\"$name\"", "web")]
    [InlineData("\"'$name'\"", "'web'")]
    [InlineData("'\"$name\"'", "\"$name\"")]
    [InlineData("a'b'\"c\"d", "abcd")]
    [InlineData("\\$name", "$name")]
    [InlineData("\\\\$name", "\\web")]
    [InlineData("\"\\$name\"", "$name")]
    [InlineData("\"\\n\\\\\\\"\"", "\\n\\\"")]
    [InlineData("'\\'", "\\")]
    [InlineData("a\\", "a")]
    [InlineData("a\\ b", "a b")]
    [InlineData("$quoted", "\"$name\"")]
    [InlineData("$spaced", " a  b ")]
    public void WordsAreExpandedAsDockerDoes(string text, string expected) => Assert.Equal(expected, Expand(text));

    [Theory]
    [InlineData("it's", 2, 1, DockerfileCodes.UnmatchedQuote)]
    [InlineData("a\"b", 1, 1, DockerfileCodes.UnmatchedQuote)]
    [InlineData("\"a\\\"", 0, 1, DockerfileCodes.UnmatchedQuote)]
    [InlineData("${name", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("x${", 1, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${}", 0, 3, DockerfileCodes.BadSubstitution)]
    [InlineData("${:-a}", 0, 3, DockerfileCodes.BadSubstitution)]
    [InlineData("${{name}", 0, 3, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:x}", 6, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:=x}", 6, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name x}", 6, 1, DockerfileCodes.BadSubstitution)]
    [InlineData("${.}", 2, 1, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:-${empty:-x}", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:-'}", 8, 1, DockerfileCodes.UnmatchedQuote)]
    [InlineData("a${missing?}", 1, 11, DockerfileCodes.VariableRequired)]
    [InlineData("${empty:?give one}", 0, 18, DockerfileCodes.VariableRequired)]
    [InlineData("${name:#w}", 6, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:%w}", 6, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name:/a/b}", 6, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name#w", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name%", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name/a}", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name/a/b", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("${name//", 0, 2, DockerfileCodes.BadSubstitution)]
    [InlineData("x${name#\\a}y", 1, 10, DockerfileCodes.BadSubstitution)]
    [InlineData("${name/\\ /x}", 0, 12, DockerfileCodes.BadSubstitution)]
    [InlineData("${name#'w}", 7, 1, DockerfileCodes.UnmatchedQuote)]
    public void MistakesAreReportedWhereTheyStand(string text, int start, int length, string code)
    {
        SourceText source = new("Dockerfile", "FROM " + text);
        DiagnosticBag diagnostics = [];
        string result = VariableExpander.Expand(text, Lookup, source.Span(5, text.Length), diagnostics);
        var diagnostic = Assert.Single(diagnostics);
        Assert.Equal((code, 5 + start, length), (diagnostic.Code, diagnostic.Span!.Value.Start, diagnostic.Span.Value.Length));
        Assert.Equal(text, result);
    }

    [Theory]
    [InlineData("a b", "a|b")]
    [InlineData("  a\tb ", "a|b")]
    [InlineData("x$spaced.y", "x|a|b|.y")]
    [InlineData("x\"$spaced\".y", "x a  b .y")]
    [InlineData("'a b' c", "a b|c")]
    [InlineData("a\\ b", "a b")]
    [InlineData("$missing", "")]
    [InlineData("\"\"", "")]
    [InlineData("$empty a ${name}", "a|web")]
    [InlineData("${missing:-80 90}", "80|90")]
    public void SomeWordsSplitAfterTheSubstitution(string text, string expected)
    {
        DiagnosticBag diagnostics = [];
        SourceText source = new("Dockerfile", text);
        var words = VariableExpander.ExpandWords(new Word(text, source.Span(0, text.Length)), Lookup, diagnostics);
        Assert.Empty(diagnostics);
        Assert.Equal(expected, string.Join('|', words));
    }

    [Theory]
    [InlineData("it's $name", "it's web")]
    [InlineData("\"$name", "\"web")]
    [InlineData("\\$name \\n", "$name n")]
    [InlineData("${name:+'x'}", "'x'")]
    public void QuotesInDocumentsAreOrdinaryCharacters(string content, string expected) =>
        Assert.Equal(expected, ExpandContent(content, expand: true));

    [Fact]
    public void ADocumentWithAQuotedDelimiterStaysAsItIs() => Assert.Equal("${name \\$x", ExpandContent("${name \\$x", expand: false));

    [Fact]
    public void TheEscapeCanBeABacktick() =>
        Assert.Equal("c:\\dir $name", VariableExpander.Expand("c:\\dir `$name", Lookup, default, [], '`'));

    [Fact]
    public void WhatIsSubstitutedIsNotReadAgain()
    {
        DiagnosticBag diagnostics = [];
        Assert.Equal("${x'", VariableExpander.Expand("$v", _ => "${x'", default, diagnostics));
        Assert.Empty(diagnostics);
    }

    [Fact]
    public void NestingHasABound()
    {
        string text = string.Concat(Enumerable.Repeat("${a:-", 100_000));
        Assert.Equal(DockerfileCodes.BadSubstitution, Problem(text, _ => null));
        Assert.Equal("x", Expand(string.Concat(Enumerable.Repeat("${q:-", 60)) + "x" + new string('}', 60)));
    }

    [Fact]
    public void TheResultHasABound()
    {
        string half = new('x', (VariableExpander.MaximumLength / 2) + 1);
        Assert.Equal(DockerfileCodes.ExpansionTooLong, Problem("$v$v", _ => half));
        Assert.Null(Problem("$v", _ => half));
    }

    private static string? Lookup(string name) => s_variables.GetValueOrDefault(name);

    private static string Expand(string text)
    {
        DiagnosticBag diagnostics = [];
        string result = VariableExpander.Expand(text, Lookup, new SourceText("Dockerfile", text).Span(0, text.Length), diagnostics);
        Assert.Empty(diagnostics);
        return result;
    }

    private static string ExpandContent(string content, bool expand)
    {
        DiagnosticBag diagnostics = [];
        SourceText source = new("Dockerfile", content);
        string result = VariableExpander.ExpandContent(new Heredoc("EOF", expand, content, source.Span(0, content.Length)),
            Lookup, diagnostics);
        Assert.Empty(diagnostics);
        return result;
    }

    private static string? Problem(string text, Func<string, string?> lookup)
    {
        DiagnosticBag diagnostics = [];
        VariableExpander.Expand(text, lookup, new SourceText("Dockerfile", text).Span(0, text.Length), diagnostics);
        return diagnostics.SingleOrDefault()?.Code;
    }
}
