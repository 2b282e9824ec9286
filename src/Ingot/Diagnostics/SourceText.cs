namespace Ingot.Diagnostics;

/// <summary>A file that a person wrote: its name as they know it, and its text.</summary>
public sealed class SourceText
{
    private readonly int[] _lineStarts;

    /// <summary>Holds <paramref name="text"/> under the name people know it by.</summary>
    public SourceText(string name, string text)
    {
        Name = name;
        Text = text;
        List<int> starts = [0];
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\n')
                starts.Add(i + 1);
        }

        _lineStarts = [.. starts];
    }

    /// <summary>The file's name, as given on the command line or relative to the project.</summary>
    public string Name { get; }

    /// <summary>The text.</summary>
    public string Text { get; }

    /// <summary>The number of lines, at least 1.</summary>
    public int LineCount => _lineStarts.Length;

    /// <summary>The 1-based line and column of an offset, in UTF-16 units; an offset past the end is the end.</summary>
    public (int Line, int Column) Position(int offset)
    {
        offset = Math.Clamp(offset, 0, Text.Length);
        int index = Array.BinarySearch(_lineStarts, offset);
        int line = index >= 0 ? index : ~index - 1;
        return (line + 1, offset - _lineStarts[line] + 1);
    }

    /// <summary>The offset at which a 1-based line starts.</summary>
    public int LineStart(int line) => _lineStarts[line - 1];

    /// <summary>A 1-based line without its line break.</summary>
    public string Line(int line) => Text.Substring(LineStart(line), LineLength(line));

    /// <summary>The length of a 1-based line without its line break.</summary>
    public int LineLength(int line)
    {
        int start = _lineStarts[line - 1];
        int end = line < _lineStarts.Length ? _lineStarts[line] : Text.Length;
        return Text.AsSpan(start, end - start).TrimEnd("\r\n").Length;
    }

    /// <summary>The span of <paramref name="length"/> units from <paramref name="start"/>.</summary>
    public SourceSpan Span(int start, int length) => new(this, start, length);

    /// <summary>The span of a whole 1-based line.</summary>
    public SourceSpan LineSpan(int line) => new(this, LineStart(line), LineLength(line));
}

/// <summary>A range of a <see cref="SourceText"/>, in UTF-16 units.</summary>
public readonly record struct SourceSpan(SourceText Source, int Start, int Length)
{
    /// <summary>1-based line of the start.</summary>
    public int Line => Source.Position(Start).Line;

    /// <summary>1-based column of the start.</summary>
    public int Column => Source.Position(Start).Column;

    /// <summary>The text in the range.</summary>
    public string Text => Source.Text.Substring(Start, Length);

    /// <summary><c>file:line:column</c>.</summary>
    public override string ToString() => $"{Source.Name}:{Line}:{Column}";
}
