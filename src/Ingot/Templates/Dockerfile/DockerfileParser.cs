using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// Reads a Dockerfile as BuildKit does. Everything wrong is reported at once; what Docker knows and Ingot does not do yet is an error
/// that says so, never ignored. It does not throw for any text.
/// </summary>
public static class DockerfileParser
{
    /// <summary>Reads <paramref name="source"/>; the result is whole only when <paramref name="diagnostics"/> got no errors.</summary>
    /// <param name="source">The file.</param>
    /// <param name="diagnostics">Gets everything there is to say.</param>
    /// <param name="projectImages">The names of the project's images, which COPY --from may name beside the stages; null for none.</param>
    public static DockerfileSyntax Parse(SourceText source, DiagnosticBag diagnostics, IReadOnlyCollection<string>? projectImages = null) =>
        new DockerfileReader(source, diagnostics, projectImages ?? []).Read();

    /// <summary>Reads what a base image wants done first (<c>ONBUILD</c>).</summary>
    /// <param name="triggers">The instructions, as the image's configuration keeps them.</param>
    /// <param name="sourceName">What messages call the place where they stand.</param>
    /// <param name="diagnostics">Gets everything there is to say.</param>
    public static IReadOnlyList<Instruction> ParseTriggers(IReadOnlyList<string> triggers, string sourceName, DiagnosticBag diagnostics)
    {
        SourceText source = new(sourceName, $"FROM scratch\n{string.Join('\n', triggers)}\n");
        return [.. Parse(source, diagnostics).Stages.SelectMany(stage => stage.Instructions)];
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

    public DockerfileReader(SourceText source, DiagnosticBag diagnostics, IReadOnlyCollection<string> projectImages)
    {
        _source = source;
        _diagnostics = diagnostics;
        _errorsBefore = diagnostics.ErrorCount;
        _lines = new(source, diagnostics);
        _instructions = new(source, diagnostics, _lines);
        _names = new(diagnostics, projectImages);
    }

    public DockerfileSyntax Read()
    {
        int nul = _source.Text.IndexOf('\0', StringComparison.Ordinal);
        if (nul >= 0)
            _diagnostics.Error(DockerfileCodes.NotText, $"'{_source.Name}' is not a text file: it holds a zero byte", _source.Span(nul, 1));
        else
            ReadInstructions();

        List<StageSyntax> stages = [.. _stages.Select(stage => new StageSyntax(stage.From, stage.Instructions))];
        return new(_globalArguments, stages, _source) { Escape = _lines.Escape };
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
                _diagnostics.Error(DockerfileCodes.TooManyErrors, "the rest of the file was not read: there are too many mistakes", _source.Span(_lines.Position, 0));
                return;
            }
        }

        _names.CheckReferences();
        if (!any)
            _diagnostics.Error(DockerfileCodes.NoStage, "the file has no instructions", _source.Span(0, 0), "start with FROM image");
        else if (!_fromSeen && !_beforeFromReported)
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
            _diagnostics.Error(DockerfileCodes.BeforeFrom, $"{row.Keyword} stands before the first FROM", keyword, "only ARG may");
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
                if (instruction is CopyInstruction copy)
                    _names.Reference(copy);
                // After a FROM that could not be read the instructions belong to no stage; the file is refused anyway.
                if (_stages.Count > 0)
                    _stages[^1].Instructions.Add(instruction);
                break;
        }
    }
}
