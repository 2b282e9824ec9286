using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Evidence.Tests;

/// <summary>Regular expressions in Go's syntax (<see href="https://github.com/google/re2/wiki/Syntax">RE2</see>),
/// matched in linear time.</summary>
/// <remarks>What the two languages write alike and mean differently is rewritten; what Go does not have is refused, so that a file means
/// the same here and in goss.</remarks>
public sealed class GoRegex
{
    private const string WordRanges = "0-9A-Za-z_";
    private const string SpaceRanges = "\\t\\n\\f\\r ";

    private static readonly Dictionary<string, string> s_classes = new(StringComparer.Ordinal)
    {
        ["alnum"] = "0-9A-Za-z",
        ["alpha"] = "A-Za-z",
        ["ascii"] = "\\x00-\\x7F",
        ["blank"] = "\\t ",
        ["cntrl"] = "\\x00-\\x1F\\x7F",
        ["digit"] = "0-9",
        ["graph"] = "!-~",
        ["lower"] = "a-z",
        ["print"] = " -~",
        ["punct"] = "!-/:-@\\[-`{-~",
        ["space"] = "\\t\\n\\v\\f\\r ",
        ["upper"] = "A-Z",
        ["word"] = WordRanges,
        ["xdigit"] = "0-9A-Fa-f",
    };

    // Inside a class there is no 'not' for a part of it: the other ranges are written out.
    private static readonly Dictionary<char, string> s_insideClass = new()
    {
        ['d'] = "0-9",
        ['D'] = "\\x00-/:-\\uFFFF",
        ['w'] = WordRanges,
        ['W'] = "\\x00-/:-@\\[-\\^`{-\\uFFFF",
        ['s'] = SpaceRanges,
        ['S'] = "\\x00-\\x08\\x0B\\x0E-\\x1F!-\\uFFFF",
    };

    private readonly Regex _regex;

    private GoRegex(string pattern, Regex regex)
    {
        Pattern = pattern;
        _regex = regex;
    }

    /// <summary>The pattern as it was written.</summary>
    public string Pattern { get; }

    /// <summary>Whether some part of <paramref name="text"/> matches.</summary>
    public bool IsMatch(string text) => _regex.IsMatch(text);

    /// <summary>Reads a pattern; false with what is wrong when it is not Go's, or cannot be matched in linear time.</summary>
    public static bool TryParse(string pattern, out GoRegex? regex, out string problem)
    {
        regex = null;
        try
        {
            string translated = new Translator(pattern).Run();
            regex = new GoRegex(pattern, new Regex(translated, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
            problem = "";
            return true;
        }
        catch (Exception e) when (e is FormatException or ArgumentException or NotSupportedException)
        {
            problem = e is RegexParseException parse ? parse.Error.ToString() : e.Message;
            return false;
        }
    }

    private sealed class Translator(string pattern)
    {
        private readonly StringBuilder _result = new(pattern.Length + 16);
        // Whether '(?m)' holds, for each group that is open.
        private readonly Stack<bool> _multiline = new([false]);
        private int _at;

        public string Run()
        {
            while (_at < pattern.Length)
                Step();

            return _result.ToString();
        }

        private void Step()
        {
            char c = pattern[_at];
            switch (c)
            {
                case '\\':
                    Escape();
                    break;
                case '[':
                    Class();
                    break;
                case '(':
                    Group();
                    break;
                case ')':
                    if (_multiline.Count > 1)
                        _multiline.Pop();
                    Take();
                    break;
                case '$':
                    // .NET's '$' also stands before a last line break; Go's does not.
                    _result.Append(_multiline.Peek() ? "$" : "\\z");
                    _at++;
                    break;
                default:
                    Take();
                    break;
            }
        }

        private void Take() => _result.Append(pattern[_at++]);

        private char After() => _at + 1 < pattern.Length ? pattern[_at + 1] : throw new FormatException("the pattern ends in a backslash");

        private void Escape()
        {
            char c = After();
            switch (c)
            {
                case 'd' or 'w' or 's':
                    _result.Append('[').Append(s_insideClass[c]).Append(']');
                    _at += 2;
                    break;
                case 'D' or 'W' or 'S':
                    _result.Append("[^").Append(s_insideClass[char.ToLowerInvariant(c)]).Append(']');
                    _at += 2;
                    break;
                case 'Q':
                    Quoted();
                    break;
                case 'A' or 'z' or 'b' or 'B':
                    _result.Append('\\').Append(c);
                    _at += 2;
                    break;
                default:
                    Character();
                    break;
            }
        }

        private void Quoted()
        {
            int end = pattern.IndexOf("\\E", _at + 2, StringComparison.Ordinal);
            int stop = end < 0 ? pattern.Length : end;
            _result.Append(Regex.Escape(pattern[(_at + 2)..stop]));
            _at = end < 0 ? stop : stop + 2;
        }

        // An escape that is one character, or a class of Unicode, inside and outside of brackets.
        private void Character()
        {
            char c = After();
            if (c is 'p' or 'P')
                UnicodeClass(c);
            else if (c == 'x')
                Hexadecimal();
            else if (c is 'a' or 'f' or 'n' or 'r' or 't' or 'v' || (char.IsAscii(c) && !char.IsAsciiLetterOrDigit(c)))
                Pass(2);
            else if (c == '0'
                || (c is >= '1' and <= '7' && _at + 3 < pattern.Length && IsOctal(pattern[_at + 2]) && IsOctal(pattern[_at + 3])))
                Octal();
            else
                throw new FormatException($"'\\{c}' is not an escape in Go's regular expressions");
        }

        private void Pass(int length)
        {
            _result.Append(pattern, _at, length);
            _at += length;
        }

        private static bool IsOctal(char c) => c is >= '0' and <= '7';

        private void Octal()
        {
            int end = _at + 1;
            int value = 0;
            while (end < pattern.Length && end < _at + 4 && IsOctal(pattern[end]))
                value = (value * 8) + (pattern[end++] - '0');
            AppendCharacter(value);
            _at = end;
        }

        private void Hexadecimal()
        {
            int start = _at + 2;
            bool braces = start < pattern.Length && pattern[start] == '{';
            int end = braces ? pattern.IndexOf('}', start) : start + 2;
            if (end < 0 || end > pattern.Length
                || !int.TryParse(pattern.AsSpan(braces ? start + 1 : start, braces ? end - start - 1 : 2), NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture, out int value)
                || value > 0x10FFFF)
            {
                throw new FormatException("'\\x' needs two hex digits, or more in braces");
            }

            AppendCharacter(value);
            _at = braces ? end + 1 : end;
        }

        private void AppendCharacter(int value)
        {
            if (!Rune.TryCreate(value, out var rune))
                throw new FormatException($"U+{value:X4} is not a character");

            foreach (char unit in rune.ToString())
                _result.Append("\\u").Append(((int)unit).ToString("X4", CultureInfo.InvariantCulture));
        }

        private void UnicodeClass(char kind)
        {
            int start = _at + 2;
            if (start >= pattern.Length)
                throw new FormatException($"'\\{kind}' needs the name of a class");

            int end = pattern[start] == '{' ? pattern.IndexOf('}', start) : start;
            if (end < 0)
                throw new FormatException($"'\\{kind}{{' is not closed");

            string name = pattern[start] == '{' ? pattern[(start + 1)..end] : pattern[start..(start + 1)];
            bool negated = name.StartsWith('^');
            _result.Append('\\').Append(negated ? (kind == 'p' ? 'P' : 'p') : kind).Append('{').Append(name.TrimStart('^')).Append('}');
            _at = end + 1;
        }

        private void Class()
        {
            _result.Append('[');
            _at++;
            if (_at < pattern.Length && pattern[_at] == '^')
                Take();

            // A bracket that closes at once is a member.
            if (_at < pattern.Length && pattern[_at] == ']')
            {
                _result.Append("\\]");
                _at++;
            }

            while (_at < pattern.Length && pattern[_at] != ']')
                ClassMember();
            if (_at >= pattern.Length)
                throw new FormatException("'[' is not closed");

            Take();
        }

        private void ClassMember()
        {
            if (pattern[_at] == '[')
            {
                if (!NamedClass())
                {
                    // .NET would read '-[' as the beginning of a subtraction.
                    _result.Append("\\[");
                    _at++;
                }
            }
            else if (pattern[_at] == '\\' && s_insideClass.TryGetValue(After(), out var ranges))
            {
                _result.Append(ranges);
                _at += 2;
            }
            else if (pattern[_at] == '\\')
            {
                Character();
            }
            else
            {
                Take();
            }
        }

        private bool NamedClass()
        {
            int end = pattern.IndexOf(":]", _at, StringComparison.Ordinal);
            if (_at + 1 >= pattern.Length || pattern[_at + 1] != ':' || end < _at + 2)
                return false;

            string name = pattern[(_at + 2)..end];
            if (name.StartsWith('^') || !s_classes.TryGetValue(name, out var ranges))
                throw new FormatException($"'[:{name}:]' is not supported yet, or is not a class");

            _result.Append(ranges);
            _at = end + 2;
            return true;
        }

        private void Group()
        {
            _multiline.Push(_multiline.Peek());
            Take();
            if (_at >= pattern.Length || pattern[_at] != '?')
                return;

            var rest = pattern.AsSpan(_at);
            if (rest.StartsWith("?P<") || (rest.StartsWith("?<") && rest.Length > 2 && rest[2] is not ('=' or '!')))
                Named();
            else
                Flags();
        }

        private void Named()
        {
            int open = pattern.IndexOf('<', _at);
            int close = pattern.IndexOf('>', open);
            if (close < 0)
                throw new FormatException("the name of a group is not closed");

            _result.Append("?<").Append(pattern, open + 1, close - open);
            _at = close + 1;
        }

        // '(?flags)' holds to the end of the group around it, '(?flags:…)' for what it encloses.
        private void Flags()
        {
            int end = _at + 1;
            bool on = true;
            bool multiline = _multiline.Peek();
            while (end < pattern.Length && pattern[end] is 'i' or 'm' or 's' or '-')
            {
                on = pattern[end] != '-' && on;
                if (pattern[end] == 'm')
                    multiline = on;
                end++;
            }

            if (end >= pattern.Length || pattern[end] is not (')' or ':'))
                throw new FormatException($"'(?{(end < pattern.Length ? pattern[end] : ' ')}' is not supported: "
                    + "Go's regular expressions have no look-around, and 'U' is not supported yet");

            _multiline.Pop();
            if (pattern[end] == ')')
            {
                _multiline.Pop();
                _multiline.Push(multiline);
            }
            else
            {
                _multiline.Push(multiline);
            }

            Pass(end + 1 - _at);
        }
    }
}
