namespace Ingot.Templates.Dockerfile;

/// <summary>
/// One pattern of an ignore file, as a small automaton over code points: <c>*</c> and <c>?</c> stop at <c>/</c>, <c>**</c> does not,
/// <c>[…]</c> is one of some characters. Matching takes time in proportion to pattern times path, whatever the pattern.
/// </summary>
internal sealed class IgnorePattern
{
    private readonly List<Token> _tokens;

    // Most patterns are a name, or a name in any directory: **/name. A context has many files, and strings compare quickly.
    private readonly string? _name;
    private readonly bool _inAnyDirectory;

    private IgnorePattern(List<Token> tokens, bool includes)
    {
        _tokens = tokens;
        Includes = includes;
        _inAnyDirectory = tokens is [{ Kind: Kind.OptionalDirectories }, { Kind: Kind.Directories }, ..];
        var name = tokens.Skip(_inAnyDirectory ? 2 : 0);
        if (name.All(token => token.Kind == Kind.Character))
            _name = CodePoints.Text([.. name.Select(token => token.Character)]);
    }

    private enum Kind
    {
        Character,
        AnyInPart,
        RunInPart,
        Anything,
        OptionalDirectories,
        Directories,
        Class,
    }

    /// <summary>Whether it starts with <c>!</c>.</summary>
    public bool Includes { get; }

    /// <summary>Null when the pattern cannot be read.</summary>
    public static IgnorePattern? TryParse(string pattern, bool includes)
    {
        int[] characters = CodePoints.Of(pattern);
        List<Token> tokens = [];
        for (int i = 0; i < characters.Length; i++)
        {
            switch (characters[i])
            {
                case '*' when i + 1 < characters.Length && characters[i + 1] == '*':
                    AddDoubleStar(tokens, characters, ref i);
                    break;
                case '*':
                    tokens.Add(new(Kind.RunInPart));
                    break;
                case '?':
                    tokens.Add(new(Kind.AnyInPart));
                    break;
                case '[':
                    if (ReadClass(characters, ref i) is not { } token)
                        return null;
                    tokens.Add(token);
                    break;
                case '\\' when i + 1 == characters.Length:
                    return null;
                case '\\':
                    tokens.Add(new(Kind.Character, characters[++i]));
                    break;
                default:
                    tokens.Add(new(Kind.Character, characters[i]));
                    break;
            }
        }

        return new(tokens, includes);
    }

    /// <summary>Whether the path matches, or a directory it is in.</summary>
    public bool MatchesOrParent(string path) => _name is null ? Run(path, stopsInMatch: true)[_tokens.Count] : HoldsName(path, _name);

    /// <summary>For each part of a path, whether the path up to its end matches.</summary>
    public bool[] MatchesUpTo(string path, int parts)
    {
        var matches = new bool[parts];
        var states = new bool[_tokens.Count + 1];
        var next = new bool[_tokens.Count + 1];
        states[0] = true;
        PassEmpty(states);
        int part = 0;
        for (int position = 0; position < path.Length && states.AsSpan().Contains(true);)
        {
            int character = CodePoints.Next(path, ref position);
            if (character == '/')
                matches[part++] = states[_tokens.Count];
            Advance(states, next, character);
            (states, next) = (next, states);
        }

        matches[part] |= part == parts - 1 && states[_tokens.Count];
        return matches;
    }

    /// <summary>Whether some path below a directory can match.</summary>
    public bool MayMatchBelow(string directory) => Run(directory + "/", stopsInMatch: false).Contains(true);

    private bool HoldsName(string path, string name)
    {
        if (!_inAnyDirectory)
            return path.StartsWith(name, StringComparison.Ordinal) && EndsPart(path, name.Length);

        for (int at = path.IndexOf(name, StringComparison.Ordinal); at >= 0; at = path.IndexOf(name, at + 1, StringComparison.Ordinal))
        {
            if ((at == 0 || path[at - 1] == '/') && EndsPart(path, at + name.Length))
                return true;
        }

        return false;
    }

    private static bool EndsPart(string path, int end) => end == path.Length || path[end] == '/';

    // The states after the whole path, or after the first directory that matches; state n stands before token n.
    private bool[] Run(string path, bool stopsInMatch)
    {
        var states = new bool[_tokens.Count + 1];
        var next = new bool[_tokens.Count + 1];
        states[0] = true;
        PassEmpty(states);
        for (int position = 0; position < path.Length;)
        {
            int character = CodePoints.Next(path, ref position);
            bool isInMatch = stopsInMatch && character == '/' && states[_tokens.Count];
            if (isInMatch || !states.AsSpan().Contains(true))
                break;

            Advance(states, next, character);
            (states, next) = (next, states);
        }

        return states;
    }

    private void Advance(bool[] states, bool[] next, int character)
    {
        Array.Clear(next);
        for (int i = 0; i < _tokens.Count; i++)
        {
            if (states[i])
                Step(i, character, next);
        }

        PassEmpty(next);
    }

    private void Step(int state, int character, bool[] next)
    {
        var token = _tokens[state];
        switch (token.Kind)
        {
            case Kind.OptionalDirectories:
                break;
            case Kind.Anything:
                next[state] = true;
                break;
            case Kind.Directories:
                // What follows stands after a slash.
                next[state] = true;
                next[state + 1] |= character == '/';
                break;
            case Kind.RunInPart:
                next[state] |= character != '/';
                break;
            default:
                next[state + 1] |= token.Accepts(character);
                break;
        }
    }

    // A run may be of no characters, and directories may be none; a directory that was begun must be ended.
    private void PassEmpty(bool[] states)
    {
        for (int i = 0; i < _tokens.Count; i++)
        {
            var kind = _tokens[i].Kind;
            if (states[i] && (kind is Kind.RunInPart or Kind.Anything or Kind.OptionalDirectories))
                states[i + 1] = true;
            if (states[i] && kind == Kind.OptionalDirectories)
                states[i + 2] = true;
        }
    }

    // At the end ** is everything; elsewhere it is whole directories, or none.
    private static void AddDoubleStar(List<Token> tokens, int[] characters, ref int i)
    {
        int next = i + 2;
        bool slash = next < characters.Length && characters[next] == '/';
        next += slash ? 1 : 0;
        // Docker tests **name by its end alone, so it also matches inside a file's name.
        bool isSuffix = i == 0 && !slash && !characters.AsSpan(next).ContainsAny("*?[]\\".Select(static c => (int)c).ToArray());
        i = next - 1;
        if (next == characters.Length || isSuffix)
            tokens.Add(new(Kind.Anything));
        else
            tokens.AddRange([new(Kind.OptionalDirectories), new(Kind.Directories)]);
    }

    private static Token? ReadClass(int[] characters, ref int i)
    {
        int position = i + 1;
        bool negated = position < characters.Length && characters[position] == '^';
        position += negated ? 1 : 0;
        List<(int, int)> ranges = [];
        while (position < characters.Length && (characters[position] != ']' || ranges.Count == 0))
        {
            if (ReadClassCharacter(characters, ref position) is not { } low)
                return null;

            int high = low;
            if (position < characters.Length && characters[position] == '-')
            {
                position++;
                if (ReadClassCharacter(characters, ref position) is not { } end)
                    return null;
                high = end;
            }

            if (high < low)
                return null;
            ranges.Add((low, high));
        }

        if (position >= characters.Length)
            return null;

        i = position;
        return new(Kind.Class) { Ranges = ranges, Negated = negated };
    }

    // As Go's path.Match: '-' and ']' must be escaped to stand for themselves.
    private static int? ReadClassCharacter(int[] characters, ref int position)
    {
        if (position >= characters.Length || characters[position] is '-' or ']')
            return null;
        if (characters[position] == '\\')
            position++;
        return position < characters.Length ? characters[position++] : null;
    }

    private sealed record Token(Kind Kind, int Character = 0)
    {
        public IReadOnlyList<(int Low, int High)> Ranges { get; init; } = [];

        public bool Negated { get; init; }

        public bool Accepts(int character) => Kind switch
        {
            Kind.Character => character == Character,
            Kind.AnyInPart => character != '/',
            _ => Ranges.Any(range => range.Low <= character && character <= range.High) != Negated,
        };
    }
}
