using System.Text;

namespace Ingot.Builds.Files;

/// <summary>A pattern of one path component, as Go's <c>filepath.Match</c> reads it: <c>*</c>, <c>?</c>, <c>[a-z]</c>, <c>[^a-z]</c>, and
/// <c>\</c> before a character that is to mean itself (<see href="https://pkg.go.dev/path/filepath#Match">Match</see>).</summary>
internal sealed class GoPattern
{
    private readonly List<Token> _tokens;

    private GoPattern(List<Token> tokens) => _tokens = tokens;

    /// <summary>The text when the pattern can match only one; else null.</summary>
    public string? Literal =>
        _tokens.TrueForAll(t => t.Kind == TokenKind.Character) ? string.Concat(_tokens.Select(t => t.Character.ToString())) : null;

    /// <summary>Reads a pattern; null when it is not one.</summary>
    public static GoPattern? TryParse(string pattern)
    {
        var tokens = new List<Token>();
        var runes = pattern.EnumerateRunes().ToList();
        for (int i = 0; i < runes.Count; i++)
        {
            switch (runes[i].Value)
            {
                case '*':
                    tokens.Add(new Token(TokenKind.Any, default, null, false));
                    break;
                case '?':
                    tokens.Add(new Token(TokenKind.One, default, null, false));
                    break;
                case '[':
                    if (ReadClass(runes, ref i) is not { } token)
                        return null;
                    tokens.Add(token);
                    break;
                case '\\':
                    if (++i == runes.Count)
                        return null;
                    tokens.Add(new Token(TokenKind.Character, runes[i], null, false));
                    break;
                default:
                    tokens.Add(new Token(TokenKind.Character, runes[i], null, false));
                    break;
            }
        }

        return new GoPattern(tokens);
    }

    /// <summary>Whether the whole name matches. Takes time in proportion to pattern times name.</summary>
    public bool Matches(string name)
    {
        var runes = name.EnumerateRunes().ToList();
        int token = 0, at = 0, star = -1, starAt = 0;
        while (at < runes.Count)
        {
            if (token < _tokens.Count && _tokens[token].Kind == TokenKind.Any)
            {
                (star, starAt) = (token++, at);
            }
            else if (token < _tokens.Count && _tokens[token].Matches(runes[at]))
            {
                token++;
                at++;
            }
            else if (star >= 0)
            {
                token = star + 1;
                at = ++starAt;
            }
            else
            {
                return false;
            }
        }

        return _tokens.Skip(token).All(t => t.Kind == TokenKind.Any);
    }

    private static Token? ReadClass(List<Rune> runes, ref int i)
    {
        int at = i + 1;
        bool negated = at < runes.Count && runes[at].Value == '^';
        if (negated)
            at++;

        var ranges = new List<(Rune, Rune)>();
        while (at < runes.Count && (runes[at].Value != ']' || ranges.Count == 0))
        {
            if (ReadCharacter(runes, ref at) is not { } low)
                return null;

            var high = low;
            if (at < runes.Count && runes[at].Value == '-')
            {
                at++;
                if (ReadCharacter(runes, ref at) is not { } end)
                    return null;
                high = end;
            }

            ranges.Add((low, high));
        }

        if (at >= runes.Count)
            return null;

        i = at;
        return new Token(TokenKind.Class, default, ranges, negated);
    }

    private static Rune? ReadCharacter(List<Rune> runes, ref int at)
    {
        if (at >= runes.Count || runes[at].Value is '-' or ']')
            return null;
        if (runes[at].Value == '\\' && ++at == runes.Count)
            return null;
        return runes[at++];
    }

    private enum TokenKind
    {
        Character,
        One,
        Any,
        Class,
    }

    private sealed record Token(TokenKind Kind, Rune Character, List<(Rune Low, Rune High)>? Ranges, bool Negated)
    {
        public bool Matches(Rune rune) => Kind switch
        {
            TokenKind.Character => rune == Character,
            TokenKind.Class => Ranges!.Exists(r => r.Low <= rune && rune <= r.High) != Negated,
            _ => Kind == TokenKind.One,
        };
    }
}
