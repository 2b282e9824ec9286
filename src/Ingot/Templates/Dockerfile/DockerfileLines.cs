using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>Cuts a Dockerfile into logical lines: directives, comments, continuations, and the lines of here-documents.</summary>
internal sealed class DockerfileLines
{
    private readonly SourceText _source;
    private readonly List<SourceSpan> _emptyContinuations = [];
    private readonly int _end;
    private int _position;

    /// <summary>The lines of a whole file, below its directives.</summary>
    public DockerfileLines(SourceText source, DiagnosticBag diagnostics)
        : this(source, 0, source.Text.Length)
    {
        DirectiveReader directives = new(source, diagnostics);
        directives.Read();
        Escape = directives.Escape;
        Check = directives.Check;
        _position = directives.End;
    }

    /// <summary>The lines of a part of a file that has no directives.</summary>
    public DockerfileLines(SourceText source, int start, int end)
    {
        _source = source;
        _position = start;
        _end = end;
    }

    /// <summary>What <c># check=</c> says; null when it is not there.</summary>
    public CheckDirective? Check { get; }

    /// <summary>Empty lines inside continued ones, as far as was read.</summary>
    public IReadOnlyList<SourceSpan> EmptyContinuations => _emptyContinuations;

    /// <summary>The escape and continuation character: a backslash unless <c># escape=`</c>.</summary>
    public char Escape { get; } = '\\';

    /// <summary>Where the next line starts.</summary>
    public int Position => _position;

    /// <summary>The next instruction; null at the end of the file.</summary>
    public LogicalLine? Next()
    {
        while (_position < _end)
        {
            var (start, length) = TrimStart(ReadLine());
            if (length > 0 && _source.Text[start] == '#')
                continue;

            bool continues = DropContinuation(start, ref length);
            if (!continues && length == 0)
                continue;

            LogicalLine line = new(_source);
            line.Add(start, length);
            if (continues)
                ReadContinuation(line);
            if (!string.IsNullOrWhiteSpace(line.Text))
                return line;
        }

        return null;
    }

    /// <summary>The lines up to the one that is only <paramref name="delimiter"/>; null, with nothing read,
    /// when there is no such line.</summary>
    public SourceSpan? ReadHeredoc(string delimiter, bool stripTabs)
    {
        int start = _position;
        while (_position < _end)
        {
            var (lineStart, length) = ReadLine();
            var line = _source.Text.AsSpan(lineStart, length);
            if ((stripTabs ? line.TrimStart('\t') : line).SequenceEqual(delimiter))
                return _source.Span(start, lineStart - start);
        }

        _position = start;
        return null;
    }

    /// <summary>Passes over the rest of the file.</summary>
    public void SkipAll() => _position = _end;

    private void ReadContinuation(LogicalLine line)
    {
        bool continues = true;
        while (continues && _position < _end)
        {
            var (start, length) = ReadLine();
            var trimmed = _source.Text.AsSpan(start, length).TrimStart();
            if (trimmed.IsEmpty)
                _emptyContinuations.Add(_source.Span(start, length));
            // Comments and empty lines inside an instruction do not end it.
            if (trimmed.IsEmpty || trimmed[0] == '#')
                continue;

            continues = DropContinuation(start, ref length);
            line.Add(start, length);
        }
    }

    // https://docs.docker.com/reference/dockerfile/#escape: the last character that is not blank, unless it is itself escaped.
    private bool DropContinuation(int start, ref int length)
    {
        var line = _source.Text.AsSpan(start, length).TrimEnd(" \t");
        if (line.IsEmpty || line[^1] != Escape || (line.Length > 1 && line[^2] == Escape))
            return false;

        length = line.Length - 1;
        return true;
    }

    private (int Start, int Length) ReadLine()
    {
        int start = _position;
        int end = _source.Text.IndexOf('\n', start, _end - start);
        _position = end < 0 ? _end : end + 1;
        end = end < 0 ? _end : end;
        while (end > start && _source.Text[end - 1] == '\r')
            end--;
        return (start, end - start);
    }

    private (int Start, int Length) TrimStart((int Start, int Length) line)
    {
        int blank = line.Length - _source.Text.AsSpan(line.Start, line.Length).TrimStart().Length;
        return (line.Start + blank, line.Length - blank);
    }
}
