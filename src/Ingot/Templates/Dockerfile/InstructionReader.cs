using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>One instruction before its arguments have been understood.</summary>
internal sealed record RawInstruction(InstructionRow Row, LogicalLine Line, SourceSpan Keyword, SourceSpan Span, string Text, Piece Arguments)
{
    public IReadOnlyDictionary<string, Word> Flags { get; init; } = new Dictionary<string, Word>();

    public IReadOnlyList<(Heredoc Document, string Raw)> Heredocs { get; init; } = [];

    public Word? Flag(string name) => Flags.GetValueOrDefault(name);
}

/// <summary>Reads the arguments of each instruction.</summary>
internal sealed partial class InstructionReader(SourceText source, DiagnosticBag diagnostics, DockerfileLines lines)
{
    private char Escape => lines.Escape;

    /// <summary>The instruction of a logical line; null after a mistake in it, which has been reported.</summary>
    public Instruction? Read(LogicalLine line, Action<InstructionRow, SourceSpan> started)
    {
        var whole = line.Whole.Trim();
        int end = 0;
        while (end < whole.Text.Length && !DockerfileWords.IsBlank(whole.Text[end]))
            end++;

        var keyword = whole.Slice(0, end);
        var row = InstructionRow.Find(keyword.Text);
        if (row is null)
        {
            Unknown(line, keyword, started);
            return null;
        }

        started(row, line.Span(keyword));
        if (row.Later)
        {
            diagnostics.Error(DockerfileCodes.NotSupportedYet, $"{row.Keyword} is not supported yet", line.Span(keyword), row.Cure);
            if (row.TakesHeredocs)
                SkipHeredocs(line);
            return null;
        }

        return ReadArguments(row, line, keyword, whole.Slice(end).Trim());
    }

    private void Unknown(LogicalLine line, Piece keyword, Action<InstructionRow, SourceSpan> started)
    {
        string? cure = Suggestion.For(keyword.Text, InstructionRow.All.Select(r => r.Keyword));
        diagnostics.Error(DockerfileCodes.UnknownInstruction, $"unknown instruction '{keyword.Text}'", line.Span(keyword), cure);
        SkipHeredocs(line);
        // What follows belongs to the stage that was meant.
        if (cure == Suggestion.For("FROM", ["FROM"]))
            started(InstructionRow.Find("FROM")!, line.Span(keyword));
    }

    private Instruction? ReadArguments(InstructionRow row, LogicalLine line, Piece keyword, Piece all)
    {
        int before = diagnostics.ErrorCount;
        var (flags, arguments) = DockerfileWords.Flags(all, Escape);
        bool exec = DockerfileWords.Json(arguments.Text, out _) is not null;
        var heredocs = row.TakesHeredocs && !exec ? ReadHeredocs(line) : [];
        RawInstruction raw = new(row, line, line.Span(keyword), Span(line, keyword, heredocs.Count > 0), OneLine(row, all, heredocs), arguments)
        {
            Flags = ReadFlags(row, line, flags),
            Heredocs = heredocs,
        };
        // After a mistake in the flags, what is missing may be in them.
        var instruction = diagnostics.ErrorCount > before && arguments.Text.Length == 0 ? null : Understand(raw);
        return diagnostics.ErrorCount == before ? instruction : null;
    }

    private Instruction? Understand(RawInstruction raw) => raw.Row.Keyword switch
    {
        "ARG" => ReadArg(raw),
        "CMD" => ReadCommand(raw) is { } command ? new CmdInstruction(raw.Span, raw.Text, command) : null,
        "COPY" => ReadCopy(raw),
        "ENTRYPOINT" => ReadCommand(raw) is { } command ? new EntrypointInstruction(raw.Span, raw.Text, command) : null,
        "ENV" => ReadPairs(raw) is { } pairs ? new EnvInstruction(raw.Span, raw.Text, pairs) : null,
        "EXPOSE" => ReadExpose(raw),
        "FROM" => ReadFrom(raw),
        "HEALTHCHECK" => ReadHealthcheck(raw),
        "LABEL" => ReadPairs(raw) is { } pairs ? new LabelInstruction(raw.Span, raw.Text, pairs) : null,
        "RUN" => ReadRun(raw),
        "USER" => ReadUser(raw),
        _ => ReadWhole(raw) is { } path ? new WorkdirInstruction(raw.Span, raw.Text, path) : null,
    };

    private SourceSpan Span(LogicalLine line, Piece keyword, bool toHere)
    {
        var start = line.Span(keyword);
        var end = line.Span(line.Whole.Trim());
        int length = toHere ? source.Text.AsSpan(0, lines.Position).TrimEnd("\r\n").Length - start.Start : end.Start + end.Length - start.Start;
        return start with { Length = Math.Max(length, start.Length) };
    }

    private static string OneLine(InstructionRow row, Piece arguments, List<(Heredoc Document, string Raw)> heredocs)
    {
        string text = ControlCharacters().Replace($"{row.Keyword} {arguments.Text}".TrimEnd(), " ");
        string summary = heredocs.Count == 0 ? "" : Summary(heredocs[0].Document.Content);
        return summary.Length == 0 ? text : $"{text} ({summary})";
    }

    private static string Summary(string content)
    {
        string[] written = content.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string first = written.Length == 0 ? "" : ControlCharacters().Replace(written[0], " ");
        if (first.Length > 60)
            first = first[..60] + "…";
        return written.Length > 1 && !first.EndsWith('…') ? first + "…" : first;
    }

    private Dictionary<string, Word> ReadFlags(InstructionRow row, LogicalLine line, List<(string Text, Piece Raw)> flags)
    {
        Dictionary<string, Word> known = [];
        foreach (var (text, raw) in flags)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? text[2..] : text[2..equals];
            if (row.LaterFlags.Contains(name))
                diagnostics.Error(DockerfileCodes.NotSupportedYet, $"{row.Keyword} --{name} is not supported yet", line.Span(raw));
            else if (!row.Flags.Contains(name))
                diagnostics.Error(DockerfileCodes.UnknownFlag, $"{row.Keyword} has no flag '--{name}'", line.Span(raw), Suggestion.For(name, [.. row.Flags, .. row.LaterFlags]) ?? FlagsCure(row));
            else if (equals < 0 || equals + 1 == text.Length)
                diagnostics.Error(DockerfileCodes.BadFlag, $"the flag '--{name}' needs a value", line.Span(raw), $"write --{name}=value");
            else if (!known.TryAdd(name, FlagValue(line, text[(equals + 1)..], raw)))
                diagnostics.Error(DockerfileCodes.BadFlag, $"the flag '--{name}' stands more than once", line.Span(raw), "leave one of them");
        }

        return known;
    }

    private static string FlagsCure(InstructionRow row) =>
        row.Flags.Length == 0 ? "a word that starts with -- is read as a flag; put -- before it" : $"it has --{string.Join(", --", row.Flags)}";

    private static Word FlagValue(LogicalLine line, string value, Piece raw)
    {
        int equals = raw.Text.IndexOf('=', StringComparison.Ordinal);
        return new(value, line.Span(raw.Slice(Math.Max(0, equals + 1))));
    }

    private List<(Heredoc Document, string Raw)> ReadHeredocs(LogicalLine line)
    {
        List<(Heredoc, string)> heredocs = [];
        foreach (var word in HeredocWord.FindAll(line.Text))
        {
            if (lines.ReadHeredoc(word.Name, word.StripTabs) is not { } content)
            {
                diagnostics.Error(DockerfileCodes.BadHeredoc, $"the here-document '{word.Name}' has no end", line.Span(line.Whole.Trim()), $"write {word.Name} alone on a line after it");
                lines.SkipAll();
                break;
            }

            string text = content.Text;
            heredocs.Add((new Heredoc(word.Name, word.Expand, word.StripTabs ? HeredocWord.StripLeadingTabs(text) : text, content), text));
        }

        return heredocs;
    }

    // So that the content of a here-document is not read as instructions after a mistake in the line that opens it.
    private void SkipHeredocs(LogicalLine line)
    {
        foreach (var word in HeredocWord.FindAll(line.Text))
        {
            if (lines.ReadHeredoc(word.Name, word.StripTabs) is null)
                return;
        }
    }

    [GeneratedRegex(@"[\x00-\x1f\x7f]")]
    private static partial Regex ControlCharacters();
}
