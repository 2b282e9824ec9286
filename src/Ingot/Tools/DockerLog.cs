using System.Globalization;
using System.Text;

namespace Ingot.Tools;

/// <summary>Which lines of a container's log.</summary>
/// <param name="Tail">How many of the last; null for all.</param>
/// <param name="Since">From when on; null for the beginning.</param>
/// <param name="Follow">Whether to wait for more until the container ends.</param>
public sealed record DockerLogQuery(int? Tail = null, DateTimeOffset? Since = null, bool Follow = false);

/// <summary>A line a container wrote.</summary>
/// <param name="Time">When; null when the Engine does not say.</param>
/// <param name="IsError">Whether it was written to standard error.</param>
/// <param name="Text">The line as it was written, without its end.</param>
public sealed record DockerLogLine(DateTimeOffset? Time, bool IsError, string Text);

/// <summary>Puts lines together from the pieces in which the Engine brings them: each begins with a time,
/// and a long line comes in several.</summary>
internal sealed class DockerLogLines
{
    /// <summary>A line without end is cut here.</summary>
    internal const int LongestLine = 256 << 10;

    private readonly Pending[] _pending = [new(false), new(true)];

    public IEnumerable<DockerLogLine> Add(bool isError, byte[] piece)
    {
        var pending = _pending[isError ? 1 : 0];
        string text = pending.Take(piece);
        int begin = 0;
        for (int end; (end = text.IndexOf('\n', begin)) >= 0; begin = end + 1)
        {
            if (pending.Finish(text.AsSpan(begin, end - begin)) is { } line)
                yield return line;
        }

        pending.Keep(text.AsSpan(begin));
        if (pending.IsFull && pending.Finish("") is { } cut)
            yield return cut;
    }

    /// <summary>What was written without an end.</summary>
    public IEnumerable<DockerLogLine> Rest() => _pending.Where(pending => !pending.IsEmpty).Select(pending => pending.Finish("")!);

    private sealed class Pending(bool isError)
    {
        private readonly StringBuilder _text = new();
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
        private DateTimeOffset? _time;

        public bool IsEmpty => _text.Length == 0;

        public bool IsFull => _text.Length >= LongestLine;

        // "2026-01-31T12:00:00.123456789Z text". Only the first time of a line counts.
        public string Take(byte[] piece)
        {
            int space = piece.AsSpan(0, Math.Min(piece.Length, 40)).IndexOf((byte)' ');
            int from = 0;
            if (space > 0 && DateTimeOffset.TryParse(Encoding.ASCII.GetString(piece, 0, space), CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal, out var time))
            {
                _time = IsEmpty ? time : _time ?? time;
                from = space + 1;
            }

            char[] chars = new char[Encoding.UTF8.GetMaxCharCount(piece.Length - from)];
            return new string(chars, 0, _decoder.GetChars(piece, from, piece.Length - from, chars, 0));
        }

        public void Keep(ReadOnlySpan<char> rest) => _text.Append(rest);

        public DockerLogLine Finish(ReadOnlySpan<char> rest)
        {
            _text.Append(rest);
            if (_text.Length > 0 && _text[^1] == '\r')
                _text.Length--;
            var line = new DockerLogLine(_time, isError, _text.ToString());
            _text.Clear();
            return line;
        }
    }
}
