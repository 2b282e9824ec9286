using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Testing;

namespace Ingot.Tests.Templates;

/// <summary>The patterns of substitutions, held against regular expressions that try every part of the text.</summary>
public class SubstitutionPropertyTests
{
    private static readonly string[] s_patternParts = ["a", "b", "*", "?", "\\*", "\\?", "\\\\", ".", "["];
    private static readonly string[] s_textParts = ["a", "b", "*", "?", "\\", ".", "[", "\n", "ab"];

    [Fact]
    public void WhatIsTakenAwayIsTheShortestOrLongestMatch() =>
        Prop.ForAll(Patterns().ToArbitrary(), Texts().ToArbitrary(), (pattern, text) =>
        {
            List<int> atStart = [.. Enumerable.Range(0, text.Length + 1).Where(n => Matches(pattern, text[..n]))];
            List<int> atEnd = [.. Enumerable.Range(0, text.Length + 1).Where(n => Matches(pattern, text[n..]))];
            return Expand($"${{v#{pattern}}}", text) == (atStart.Count == 0 ? text : text[atStart[0]..])
                && Expand($"${{v##{pattern}}}", text) == (atStart.Count == 0 ? text : text[atStart[^1]..])
                && Expand($"${{v%{pattern}}}", text) == (atEnd.Count == 0 ? text : text[..atEnd[^1]])
                && Expand($"${{v%%{pattern}}}", text) == (atEnd.Count == 0 ? text : text[..atEnd[0]]);
        }).Holds(3000);

    [Fact]
    public void WhatIsReplacedIsTheFirstLongestMatchOrAllOfThem() =>
        Prop.ForAll(Patterns().Where(pattern => pattern.Length > 0).ToArbitrary(), Texts().ToArbitrary(), (pattern, text) =>
            Expand($"${{v/{pattern}/+}}", text) == Replace(pattern, text, all: false)
                && Expand($"${{v//{pattern}/+}}", text) == Replace(pattern, text, all: true))
            .Holds(3000);

    [Theory]
    [InlineData("${v//a/b}", 1 << 20)]
    [InlineData("${v##*a*a*a*a*a*a*a*b}", 1 << 17)]
    [InlineData("${v%%b*a*a*a*a*a*a*a}", 1 << 17)]
    [InlineData("${v//*a*b/x}", 1 << 12)]
    public void ALongValueIsNoTrap(string text, int length)
    {
        DiagnosticBag diagnostics = [];
        SourceText source = new("x", text);
        string value = new('a', length);
        string result = VariableExpander.Expand(new Word(text, source.Span(0, text.Length)), _ => value, diagnostics);
        Assert.True(result.Length <= length, "no longer than the value");
    }

    [Fact]
    public void WorkThatWouldTakeTooLongIsAnError()
    {
        DiagnosticBag diagnostics = [];
        string text = "${v//" + string.Concat(Enumerable.Repeat("*a", 200)) + "b/x}";
        VariableExpander.Expand(new Word(text, new SourceText("x", text).Span(0, text.Length)), _ => new string('a', 1 << 19), diagnostics);
        Assert.Equal(DockerfileCodes.ExpansionTooLong, Assert.Single(diagnostics).Code);
    }

    [Fact]
    public void AReplacementThatGrowsTooLongIsAnError()
    {
        DiagnosticBag diagnostics = [];
        string text = "${v//a/" + new string('b', 100) + "}";
        VariableExpander.Expand(new Word(text, new SourceText("x", text).Span(0, text.Length)), _ => new string('a', 100_000), diagnostics);
        Assert.Equal(DockerfileCodes.ExpansionTooLong, Assert.Single(diagnostics).Code);
    }

    private static string Expand(string text, string value)
    {
        DiagnosticBag diagnostics = [];
        string result = VariableExpander.Expand(new Word(text, new SourceText("x", text).Span(0, text.Length)), _ => value, diagnostics);
        Assert.Empty(diagnostics);
        return result;
    }

    private static string Replace(string pattern, string text, bool all)
    {
        string result = "";
        int copied = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            var lengths = Enumerable.Range(0, text.Length - i + 1)
                .Where(n => Matches(pattern, text.Substring(i, n)) && (n > 0 || i == 0 || i > copied))
                .ToList();
            if (lengths.Count == 0)
                continue;

            result += text[copied..i] + "+";
            copied = i + lengths[^1];
            if (!all)
                break;
            i += Math.Max(0, lengths[^1] - 1);
        }

        return result + text[copied..];
    }

    private static bool Matches(string pattern, string text)
    {
        string regex = Regex.Replace(pattern, @"\\.|[^\\]", match => match.Value switch
        {
            "*" => "[^\n]*",
            "?" => "[^\n]",
            ['\\', var c] => Regex.Escape(c.ToString()),
            var c => Regex.Escape(c),
        });
        return Regex.IsMatch(text, $@"\A(?:{regex})\z");
    }

    private static Gen<string> Patterns() => Gen.Elements(s_patternParts).ListOf().Select(parts => string.Concat(parts.Take(6)));

    private static Gen<string> Texts() => Gen.Elements(s_textParts).ListOf().Select(parts => string.Concat(parts.Take(8)));
}
