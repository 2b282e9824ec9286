using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>Cuts a Dockerfile into logical lines: directives, comments, continuations, and the lines of here-documents.</summary>
internal sealed class DockerfileLines
{
    private readonly SourceText _source;
    private readonly DiagnosticBag _diagnostics;
    private readonly HashSet<string> _directives = new(StringComparer.OrdinalIgnoreCase);
    private int _position;

    public DockerfileLines(SourceText source, DiagnosticBag diagnostics)
    {
        _source = source;
        _diagnostics = diagnostics;
        _position = source.Text.StartsWith('\uFEFF') ? 1 : 0;
        ReadDirectives();
    }

    /// <summary>The escape and continuation character: a backslash unless <c># escape=`</c>.</summary>
    public char Escape { get; private set; } = '\\';

    /// <summary>Where the next line starts.</summary>
    public int Position => _position;

    /// <summary>The next instruction; null at the end of the file.</summary>
    public LogicalLine? Next()
    {
        while (_position < _source.Text.Length)
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

    /// <summary>The lines up to the one that is only <paramref name="delimiter"/>; null, with nothing read, when there is no such line.</summary>
    public SourceSpan? ReadHeredoc(string delimiter, bool stripTabs)
    {
        int start = _position;
        while (_position < _source.Text.Length)
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
    public void SkipAll() => _position = _source.Text.Length;

    private void ReadContinuation(LogicalLine line)
    {
        bool continues = true;
        while (continues && _position < _source.Text.Length)
        {
            var (start, length) = ReadLine();
            var trimmed = _source.Text.AsSpan(start, length).TrimStart();
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
        int end = _source.Text.IndexOf('\n', start);
        _position = end < 0 ? _source.Text.Length : end + 1;
        end = end < 0 ? _source.Text.Length : end;
        while (end > start && _source.Text[end - 1] == '\r')
            end--;
        return (start, end - start);
    }

    private (int Start, int Length) TrimStart((int Start, int Length) line)
    {
        int blank = line.Length - _source.Text.AsSpan(line.Start, line.Length).TrimStart().Length;
        return (line.Start + blank, line.Length - blank);
    }

    // Directives stand at the very top; the first line that is not one ends them.
    private void ReadDirectives()
    {
        while (_position < _source.Text.Length)
        {
            int lineStart = _position;
            var (start, length) = TrimStart(ReadLine());
            if (Directive.TryParse(_source, start, length) is not { } directive)
            {
                _position = lineStart;
                return;
            }

            if (!_directives.Add(directive.Name))
                _diagnostics.Error(DockerfileCodes.BadDirective, $"the directive '{directive.Name}' stands more than once", directive.Span, "leave one of them");
            else if (directive.Name == "escape")
                SetEscape(directive);
        }
    }

    private void SetEscape(Directive directive)
    {
        if (directive.Value is "\\" or "`")
            Escape = directive.Value[0];
        else
            _diagnostics.Error(DockerfileCodes.BadDirective, $"'{directive.Value}' cannot be the escape character", directive.Span, "write # escape=\\ or # escape=`");
    }

    private sealed record Directive(string Name, string Value, SourceSpan Span)
    {
        public static Directive? TryParse(SourceText source, int start, int length)
        {
            string line = source.Text.Substring(start, length);
            int equals = line.IndexOf('=');
            if (!line.StartsWith('#') || equals < 0)
                return null;

            string name = line[1..equals].Trim().ToLowerInvariant();
            string value = line[(equals + 1)..].Trim();
            bool known = name is "syntax" or "escape" or "check";
            return known && value.Length > 0 ? new(name, value, source.Span(start, line.TrimEnd().Length)) : null;
        }
    }
}
