using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>One instruction before its arguments have been understood.</summary>
internal sealed record RawInstruction(
    InstructionRow Row, LogicalLine Line, SourceSpan Keyword, SourceSpan Span, string Text, Piece Arguments)
{
    public IReadOnlyList<GivenFlag> Flags { get; init; } = [];

    public IReadOnlyList<(Heredoc Document, string Raw)> Heredocs { get; init; } = [];

    /// <summary>The value of a flag that may stand once; null when it was not given, or given nothing.</summary>
    public Word? Flag(string name) => Find(name) is { Value: { Text.Length: > 0 } value } ? value : null;

    /// <summary>The value of a switch; null when it was not given. What is no switch has been reported.</summary>
    public bool? Switch(string name) =>
        Find(name) is { } flag ? !"false".Equals(flag.Value?.Text, StringComparison.OrdinalIgnoreCase) : null;

    public IEnumerable<GivenFlag> All(string name) => Flags.Where(flag => flag.Row.Name == name);

    private GivenFlag? Find(string name) => Flags.FirstOrDefault(flag => flag.Row.Name == name);
}

/// <summary>A flag as it was given; a switch may have no value.</summary>
internal sealed record GivenFlag(FlagRow Row, FlagWord Written, Word? Value);

/// <summary>Reads the arguments of each instruction.</summary>
internal sealed partial class InstructionReader(SourceText source, DiagnosticBag diagnostics, DockerfileLines lines)
{
    private char Escape => lines.Escape;

    /// <summary>The instruction of a logical line; null after a mistake in it, which has been reported.</summary>
    public Instruction? Read(LogicalLine line, Action<InstructionRow, SourceSpan> started)
    {
        var (keyword, arguments) = Split(line.Whole);
        if (InstructionRow.Find(keyword.Text) is not { } row)
        {
            Unknown(line, keyword, started);
            return null;
        }

        started(row, line.Span(keyword));
        return ReadArguments(row, line, keyword, arguments);
    }

    private static (Piece Keyword, Piece Arguments) Split(Piece whole)
    {
        whole = whole.Trim();
        int end = 0;
        while (end < whole.Text.Length && !DockerfileWords.IsBlank(whole.Text[end]))
            end++;
        return (whole.Slice(0, end), whole.Slice(end).Trim());
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
        // The here-documents of ONBUILD are those of the instruction in it.
        var heredocs = row.TakesHeredocs && row.Keyword != "ONBUILD" && !exec ? ReadHeredocs(line) : [];
        RawInstruction raw = new(row, line, line.Span(keyword), Span(line, keyword, heredocs.Count > 0),
            OneLine(row, all, heredocs), arguments)
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
        "ADD" => ReadAdd(raw),
        "ARG" => ReadArg(raw),
        "CMD" => ReadCommand(raw) is { } command ? new CmdInstruction(raw.Span, raw.Text, command) : null,
        "COPY" => ReadCopy(raw),
        "ENTRYPOINT" => ReadCommand(raw) is { } command ? new EntrypointInstruction(raw.Span, raw.Text, command) : null,
        "ENV" => ReadPairs(raw) is { } pairs ? new EnvInstruction(raw.Span, raw.Text, pairs) : null,
        "EXPOSE" => ReadExpose(raw),
        "FROM" => ReadFrom(raw),
        "HEALTHCHECK" => ReadHealthcheck(raw),
        "LABEL" => ReadPairs(raw) is { } pairs ? new LabelInstruction(raw.Span, raw.Text, pairs) : null,
        "MAINTAINER" => raw.Arguments.Text.Length > 0
            ? new MaintainerInstruction(raw.Span, raw.Text, raw.Line.Word(raw.Arguments))
            : Missing<Instruction>(raw, "a name"),
        "ONBUILD" => ReadOnbuild(raw),
        "RUN" => ReadRun(raw),
        "SHELL" => ReadShell(raw),
        "STOPSIGNAL" => ReadStopsignal(raw),
        "USER" => ReadUser(raw),
        "VOLUME" => ReadVolume(raw),
        _ => ReadWhole(raw, "a path") is { } path ? new WorkdirInstruction(raw.Span, raw.Text, path) : null,
    };

    private SourceSpan Span(LogicalLine line, Piece keyword, bool toHere)
    {
        var start = line.Span(keyword);
        var end = line.Span(line.Whole.Trim());
        int length = toHere
            ? source.Text.AsSpan(0, lines.Position).TrimEnd("\r\n").Length - start.Start
            : end.Start + end.Length - start.Start;
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

    private List<GivenFlag> ReadFlags(InstructionRow row, LogicalLine line, List<FlagWord> flags)
    {
        List<GivenFlag> known = [];
        foreach (var flag in flags)
        {
            int equals = flag.Text.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? flag.Text[2..] : flag.Text[2..equals];
            if (row.Flag(name) is not { } found)
                UnknownFlag(row, line.Span(flag.Raw), name);
            else if (found.Kind != FlagKind.List && known.Exists(other => other.Row == found))
                diagnostics.Error(DockerfileCodes.BadFlag, $"the flag '--{name}' appears more than once", line.Span(flag.Raw),
                    "keep one of them");
            else if (ReadFlag(found, line, flag, equals) is { } given)
                known.Add(given);
        }

        return known;
    }

    private GivenFlag? ReadFlag(FlagRow row, LogicalLine line, FlagWord flag, int equals)
    {
        var value = equals < 0 ? null : FlagValue(line, flag, equals);
        if (row.Kind == FlagKind.Switch)
        {
            if (value is null || value.Text.ToLowerInvariant() is "true" or "false")
                return new(row, flag, value);
            diagnostics.Error(DockerfileCodes.BadFlag, $"'{value.Text}' does not switch '--{row.Name}'", value.Span,
                $"write --{row.Name}, --{row.Name}=true or --{row.Name}=false");
            return null;
        }

        if (value is not null)
            return new(row, flag, value);
        diagnostics.Error(DockerfileCodes.BadFlag, $"the flag '--{row.Name}' needs a value", line.Span(flag.Raw),
            $"write --{row.Name}=value");
        return null;
    }

    private void UnknownFlag(InstructionRow row, SourceSpan span, string name)
    {
        if (row.LabsFlags.Contains(name))
            diagnostics.Error(
                DockerfileCodes.Experimental,
                $"{row.Keyword} --{name} is an experiment of the labs channel of Docker's front end, which Ingot does not follow",
                span,
                "the stable language has no such flag");
        else
            diagnostics.Error(DockerfileCodes.UnknownFlag, $"{row.Keyword} has no flag '--{name}'", span,
                Suggestion.For(name, row.Flags.Select(flag => flag.Name)) ?? FlagsCure(row));
    }

    private static string FlagsCure(InstructionRow row) =>
        row.Flags.Count == 0
            ? "a word that starts with -- is read as a flag; put -- before it"
            : $"it has --{string.Join(", --", row.Flags.Select(flag => flag.Name))}";

    private static Word FlagValue(LogicalLine line, FlagWord flag, int equals)
    {
        int written = flag.Raw.Text.IndexOf('=', StringComparison.Ordinal);
        return new(flag.Text[(equals + 1)..], line.Span(flag.Raw.Slice(Math.Max(0, written + 1))));
    }

    private List<(Heredoc Document, string Raw)> ReadHeredocs(LogicalLine line)
    {
        List<(Heredoc, string)> heredocs = [];
        foreach (var word in HeredocWord.FindAll(line.Text))
        {
            if (lines.ReadHeredoc(word.Name, word.StripTabs) is not { } content)
            {
                diagnostics.Error(DockerfileCodes.BadHeredoc, $"the here-document '{word.Name}' has no end", line.Span(line.Whole.Trim()),
                    $"write {word.Name} alone on a line after it");
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
