using System.Text;
using Ingot.Cli.Output;
using Ingot.Diagnostics;

namespace Ingot.Cli.Tests.Output;

public sealed class TerminalTests : IDisposable
{
    private const string Hostile = "x\u001b]0;title\a\u001b[2J\r\nerror: fake\n\u009b1Apromote  web admitted\u202e\u2028x";

    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public void TextFromElsewhereNeitherSteersATerminalNorBeginsALine()
    {
        var terminal = New(isTerminal: true);
        terminal.Line(Hostile);
        terminal.Progress(Hostile);
        terminal.Line(terminal.Bad(Hostile));
        terminal.Table([Hostile], [[Hostile]]);
        terminal.Fault(Hostile);
        terminal.Fault([new Diagnostic(Severity.Error, "code", Hostile, Hostile)]);
        string all = Regex(_output.ToString()) + _error;
        Assert.DoesNotContain('\u001b', all);
        Assert.DoesNotContain(all, c => c is '\r' or '\a' or '\u009b' or '\u202e' or '\u2028');
        Assert.DoesNotContain("\nerror: fake", all, StringComparison.Ordinal);
        Assert.DoesNotContain("\npromote", all, StringComparison.Ordinal);
        Assert.DoesNotContain("\n\\x9b1Apromote", all, StringComparison.Ordinal);
    }

    [Fact]
    public void OurColoursStay()
    {
        var terminal = New(isTerminal: true);
        terminal.Line($"{terminal.Good("good")} {terminal.Bad("\u001b[1mbad")} {terminal.Faint("faint")}");
        Assert.Equal("\u001b[32mgood\u001b[0m \u001b[31m\\x1b[1mbad\u001b[0m \u001b[2mfaint\u001b[0m\n", _output.ToString());
    }

    [Fact]
    public void WhatRunsIsShownInOneLineWithoutControlCharacters()
    {
        var terminal = New(isTerminal: true);
        terminal.Status("step \u001b[31mred\nnext\b\b");
        Assert.Equal("\r\u001b[K" + "step \\x1b[31mred\\x0anext\\x08\\x08", _output.ToString());
    }

    [Fact]
    public void SeveralLinesAreTakenAwayBeforeALineOfProgressAndDrawnAgain()
    {
        var terminal = New(isTerminal: true);
        terminal.Show(["one", "two\u001b[9A\tx", new string('\u6f22', 300)]);
        _output.GetStringBuilder().Clear();
        terminal.Progress("done");
        string[] parts = _output.ToString().Split("done\n");
        Assert.Equal("\u001b[2A\r\u001b[J", parts[0]);
        Assert.Equal(["one", "two\\x1b[9A x"], parts[1].Split('\n').Take(2));
        Assert.True(parts[1].Split('\n')[2].Length < 300);
        _output.GetStringBuilder().Clear();
        terminal.Status(null);
        Assert.Equal("\u001b[2A\r\u001b[J", _output.ToString());
    }

    [Fact]
    public void TheLinesOfADocumentStayItsOwn()
    {
        New(isTerminal: false).Document("{\n  \"a\": \"\u001b\"\n}");
        Assert.Equal("{\n  \"a\": \"\\x1b\"\n}\n", _output.ToString());
    }

    [Fact]
    public void JsonEscapesByItself()
    {
        var terminal = New(isTerminal: true, json: true);
        terminal.TryJson(new ErrorDocument(new ErrorBody("code", Hostile, [])), OutputJson.Default.ErrorDocument);
        string json = _output.ToString();
        Assert.DoesNotContain(json.TrimEnd('\n'), c => c is < ' ' or > '~');
        Assert.Equal(Hostile,
            System.Text.Json.JsonDocument.Parse(json).RootElement.GetProperty("error").GetProperty("message").GetString());
    }

    [Fact]
    public void NoBytesFromElsewhereBecomeAnEscapeOrALineOfOurs()
    {
        var random = new Random(5);
        var terminal = New(isTerminal: true);
        for (int i = 0; i < 3000; i++)
        {
            var bytes = new byte[random.Next(1, 40)];
            random.NextBytes(bytes);
            // Line breaks, escapes and what begins a colour of ours come up often.
            for (int at = 0; at < bytes.Length; at++)
                bytes[at] = random.Next(4) switch { 0 => (byte)"\n\r\u001b\u0001["[random.Next(5)], _ => bytes[at] };
            string text = Encoding.UTF8.GetString(bytes);
            _output.GetStringBuilder().Clear();
            terminal.Line("say      " + text);
            var lines = _output.ToString().TrimEnd('\n').Split('\n');
            Assert.StartsWith("say      ", lines[0], StringComparison.Ordinal);
            Assert.All(lines.Skip(1), line => Assert.StartsWith("  ", line, StringComparison.Ordinal));
            Assert.DoesNotContain(_output.ToString(), c => c != '\n' && c != '\t' && char.IsControl(c));
        }
    }

    private Terminal New(bool isTerminal, bool json = false) => new(_output, _error, json, isTerminal, isTerminal, noColor: false);

    // Without the colours that are ours.
    private static string Regex(string text) => System.Text.RegularExpressions.Regex.Replace(text, "\u001b\\[(31|0)m", "");
}
