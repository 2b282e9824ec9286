using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// Reads a Dockerfile as BuildKit's stable front end does. Everything wrong is reported at once, and nothing is ignored. It does not throw
/// for any text.
/// </summary>
public static class DockerfileParser
{
    /// <summary>Reads <paramref name="source"/>; the result is whole only when <paramref name="diagnostics"/> got no errors.</summary>
    public static DockerfileSyntax Parse(SourceText source, DiagnosticBag diagnostics) => new DockerfileReader(source, diagnostics).Read();

    /// <summary>Reads the triggers that a base image keeps, one instruction each;
    /// those that cannot be read are reported and left out.</summary>
    /// <param name="triggers">The texts, as <see cref="OnbuildInstruction.Trigger"/> gave them to the image.</param>
    /// <param name="sourceName">What they are called in diagnostics: the image's name.</param>
    /// <param name="diagnostics">Gets everything there is to say; its places are in a text made of the triggers.</param>
    public static IReadOnlyList<Instruction> ParseTriggers(IReadOnlyList<string> triggers, string sourceName, DiagnosticBag diagnostics)
    {
        SourceText source = new(sourceName, string.Concat(triggers.Select(trigger => trigger + "\n")));
        List<Instruction> instructions = [];
        int start = 0;
        foreach (string trigger in triggers)
        {
            if (ReadTrigger(source, start, trigger.Length, diagnostics) is { } instruction)
                instructions.Add(instruction);
            start += trigger.Length + 1;
        }

        return instructions;
    }

    private static Instruction? ReadTrigger(SourceText source, int start, int length, DiagnosticBag diagnostics)
    {
        DockerfileLines lines = new(source, start, start + length);
        string? refused = null;
        int before = diagnostics.ErrorCount;
        var instruction = lines.Next() is { } line
            ? new InstructionReader(source, diagnostics, lines).Read(line,
                (row, _) => refused = row.Keyword is "FROM" or "MAINTAINER" or "ONBUILD" ? row.Keyword : null)
            : null;
        bool onlyOne = lines.Next() is null;
        if (refused is null && onlyOne && (instruction is not null || diagnostics.ErrorCount > before))
            return instruction;

        diagnostics.Error(
            DockerfileCodes.BadTrigger,
            refused is null ? "a trigger is not one instruction" : $"{refused} cannot be a trigger",
            source.Span(start, length),
            "the base image was built that way: build it again");
        return null;
    }
}

/// <summary>Walks over the instructions of one file and puts them in stages.</summary>
internal sealed class DockerfileReader
{
    // A file that is not a Dockerfile has a mistake on every line; nobody reads more.
    private const int MaximumErrors = 100;

    private readonly SourceText _source;
    private readonly DiagnosticBag _diagnostics;
    private readonly int _errorsBefore;
    private readonly DockerfileLines _lines;
    private readonly InstructionReader _instructions;
    private readonly StageNames _names;
    private readonly List<ArgInstruction> _globalArguments = [];
    private readonly List<(FromInstruction From, List<Instruction> Instructions)> _stages = [];
    private bool _fromSeen;
    private bool _beforeFromReported;

    public DockerfileReader(SourceText source, DiagnosticBag diagnostics)
    {
        _source = source;
        _diagnostics = diagnostics;
        _errorsBefore = diagnostics.ErrorCount;
        _lines = new(source, diagnostics);
        _instructions = new(source, diagnostics, _lines);
        _names = new(diagnostics);
    }

    public DockerfileSyntax Read()
    {
        int nul = _source.Text.IndexOf('\0', StringComparison.Ordinal);
        if (nul >= 0)
            _diagnostics.Error(DockerfileCodes.NotText, $"'{_source.Name}' is not a text file: it holds a zero byte", _source.Span(nul, 1));
        else
            ReadInstructions();

        List<StageSyntax> stages = [.. _stages.Select(stage => new StageSyntax(stage.From, stage.Instructions))];
        return new(_globalArguments, stages, _source)
        {
            Escape = _lines.Escape,
            Check = _lines.Check,
            EmptyContinuations = _lines.EmptyContinuations,
        };
    }

    private void ReadInstructions()
    {
        bool any = false;
        while (_lines.Next() is { } line)
        {
            any = true;
            Place(_instructions.Read(line, StartOfInstruction));
            if (_diagnostics.ErrorCount - _errorsBefore >= MaximumErrors)
            {
                _diagnostics.Error(DockerfileCodes.TooManyErrors, "the rest of the file was not read: there are too many mistakes",
                    _source.Span(_lines.Position, 0));
                return;
            }
        }

        _names.CheckReferences();
        if (!any && _diagnostics.ErrorCount == _errorsBefore)
            _diagnostics.Error(DockerfileCodes.NoStage, "the file has no instructions", _source.Span(0, 0), "start with FROM image");
        else if (any && !_fromSeen && !_beforeFromReported)
            _diagnostics.Error(DockerfileCodes.NoStage, "the file has no FROM", _source.Span(0, 0), "FROM image starts a stage");
    }

    // Called with each known keyword before its arguments are read, so that a FROM with a mistake still starts a stage.
    private void StartOfInstruction(InstructionRow row, SourceSpan keyword)
    {
        if (row.Keyword == "FROM")
        {
            _fromSeen = true;
        }
        else if (!_fromSeen && row.Keyword != "ARG")
        {
            _beforeFromReported = true;
            _diagnostics.Error(DockerfileCodes.BeforeFrom, $"{row.Keyword} comes before the first FROM", keyword, "only ARG may");
        }
    }

    private void Place(Instruction? instruction)
    {
        switch (instruction)
        {
            case null:
                break;
            case FromInstruction from:
                _names.Add(from);
                _stages.Add((from, []));
                break;
            case ArgInstruction arg when !_fromSeen:
                _globalArguments.Add(arg);
                break;
            default:
                _names.Reference(instruction);
                // After a FROM that could not be read the instructions belong to no stage; the file is refused anyway.
                if (_stages.Count > 0)
                    _stages[^1].Instructions.Add(instruction);
                break;
        }
    }
}
