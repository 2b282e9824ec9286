using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>A piece of a logical line: its text, and where it starts in that line.</summary>
internal readonly record struct Piece(string Text, int Start)
{
    public int End => Start + Text.Length;

    public Piece Slice(int start) => new(Text[start..], Start + start);

    public Piece Slice(int start, int length) => new(Text.Substring(start, length), Start + start);

    public Piece Trim()
    {
        int start = 0;
        while (start < Text.Length && char.IsWhiteSpace(Text[start]))
            start++;
        return new(Text[start..].TrimEnd(), Start + start);
    }
}

/// <summary>The lines of one instruction joined at their continuations, and the way back to the file.</summary>
internal sealed class LogicalLine
{
    private readonly SourceText _source;
    private readonly List<(int Start, int Offset)> _parts = [];
    private readonly System.Text.StringBuilder _text = new();
    private string? _joined;

    public LogicalLine(SourceText source) => _source = source;

    public string Text => _joined ??= _text.ToString();

    public Piece Whole => new(Text, 0);

    /// <summary>Adds the part of the file from <paramref name="offset"/>.</summary>
    public void Add(int offset, int length)
    {
        _parts.Add((_text.Length, offset));
        _text.Append(_source.Text, offset, length);
        _joined = null;
    }

    /// <summary>Where a piece stands in the file; a piece that was continued includes the line breaks inside it.</summary>
    public SourceSpan Span(int start, int length)
    {
        int from = Offset(start);
        return length == 0 ? _source.Span(from, 0) : _source.Span(from, Offset(start + length - 1) + 1 - from);
    }

    public SourceSpan Span(Piece piece) => Span(piece.Start, piece.Text.Length);

    public Word Word(Piece piece) => new(piece.Text, Span(piece));

    private int Offset(int position)
    {
        int low = 0;
        int high = _parts.Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_parts[middle].Start <= position)
                low = middle;
            else
                high = middle - 1;
        }

        return _parts[low].Offset + position - _parts[low].Start;
    }
}
