using System.Text;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// A pattern of a substitution: <c>*</c> is any run of characters, <c>?</c> one, neither a line break; a backslash takes the meaning of
/// <c>*</c>, <c>?</c> and itself, and is dropped before <c>/</c> and <c>}</c>.
/// </summary>
/// <remarks>
/// Matching follows all possibilities at once, so that it takes at most pattern times text steps; the steps are counted, and after
/// <see cref="MaximumWork"/> nothing matches any more.
/// </remarks>
internal sealed class GlobPattern
{
    /// <summary>The steps that one text may cost, some tenths of a second.</summary>
    public const long MaximumWork = 1L << 26;

    private const int Star = -1;
    private const int Any = -2;

    private readonly int[] _tokens;
    private bool[] _states;
    private bool[] _next;

    private GlobPattern(int[] tokens)
    {
        _tokens = tokens;
        _states = new bool[tokens.Length + 1];
        _next = new bool[tokens.Length + 1];
    }

    /// <summary>Null when a backslash stands before something that needs none.</summary>
    public static GlobPattern? TryParse(string pattern)
    {
        int[] characters = CodePoints.Of(pattern);
        List<int> tokens = [];
        for (int i = 0; i < characters.Length; i++)
        {
            int c = characters[i];
            if (c == '\\')
            {
                if (++i == characters.Length || characters[i] is not ('*' or '?' or '\\' or '/' or '}'))
                    return null;
                tokens.Add(characters[i]);
            }
            else if (c != '*' || tokens.Count == 0 || tokens[^1] != Star)
            {
                // Two stars in a row mean what one means.
                tokens.Add(c == '*' ? Star : c == '?' ? Any : c);
            }
        }

        return new([.. tokens]);
    }

    /// <summary>The length, in UTF-16 units, of the shortest or longest match at the start or the end of a text;
    /// null when there is none.</summary>
    public int? Match(string text, bool atEnd, bool longest, ref long work)
    {
        int[] points = CodePoints.Of(text);
        if (!atEnd)
            return MatchFrom(points, 0, longest, ref work) is { } length ? CodePoints.Text(points.AsSpan(0, length)).Length : null;

        GlobPattern backwards = new([.. _tokens.Reverse()]);
        Array.Reverse(points);
        return backwards.MatchFrom(points, 0, longest, ref work) is { } found ? CodePoints.Text(points.AsSpan(0, found)).Length : null;
    }

    /// <summary>The text with its first match, or all of them, replaced;
    /// longer than <paramref name="maximum"/> as soon as it would be.</summary>
    public string Replace(string text, string replacement, bool all, int maximum, ref long work)
    {
        int[] points = CodePoints.Of(text);
        StringBuilder result = new();
        int copied = 0;
        for (int position = 0; position <= points.Length && work < MaximumWork && result.Length <= maximum;)
        {
            int? length = MatchFrom(points, position, longest: true, ref work);
            // Nothing, right behind what was just replaced, is no match of its own.
            if (length is { } found && (found > 0 || position == 0 || position > copied))
            {
                result.Append(CodePoints.Text(points.AsSpan(copied, position - copied))).Append(replacement);
                copied = position + found;
                if (!all)
                    break;
            }

            position = Math.Max(copied, length is > 0 ? copied : position + 1);
        }

        return result.Append(CodePoints.Text(points.AsSpan(copied))).ToString();
    }

    private int? MatchFrom(int[] text, int start, bool longest, ref long work)
    {
        work++;
        bool mayStart = _tokens.Length == 0 || _tokens[0] < 0 || (start < text.Length && _tokens[0] == text[start]);
        if (!mayStart)
            return null;

        Array.Clear(_states);
        _states[0] = true;
        PassStars(_states);
        int? best = null;
        for (int position = start; ; position++)
        {
            if (_states[^1])
                best = position - start;
            if (position == text.Length || (best is not null && !longest) || work >= MaximumWork || !Step(text[position]))
                return best;

            work += _tokens.Length + 1;
        }
    }

    // Whether anything can still match.
    private bool Step(int character)
    {
        Array.Clear(_next);
        bool alive = false;
        for (int i = 0; i < _tokens.Length; i++)
        {
            int token = _tokens[i];
            if (!_states[i] || (token >= 0 ? token != character : character == '\n'))
                continue;

            _next[token == Star ? i : i + 1] = true;
            alive = true;
        }

        PassStars(_next);
        (_states, _next) = (_next, _states);
        return alive;
    }

    // A run may be of no characters.
    private void PassStars(bool[] states)
    {
        for (int i = 0; i < _tokens.Length; i++)
        {
            if (states[i] && _tokens[i] == Star)
                states[i + 1] = true;
        }
    }
}
