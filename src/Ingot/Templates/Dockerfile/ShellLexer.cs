using System.Text;

namespace Ingot.Templates.Dockerfile;

/// <summary>What is wrong with a text to expand, and where in it.</summary>
internal sealed record LexerProblem(string Code, string Summary, string? Detail, int Start, int Length);

/// <summary>Reads one text once; see <see cref="VariableExpander"/> for the language.</summary>
internal sealed class ShellLexer(string text, Func<string, string?> lookup, char escape)
{
    // ${a:-${b:-…}} nests by recursion: a hostile file must not reach the end of the stack.
    private const int MaximumDepth = 64;

    private readonly List<string> _words = [];
    private readonly StringBuilder _word = new();
    private int _position;
    private int _depth;
    private int _produced;
    private long _compared;
    private bool _keepEscapes;

    /// <summary>Quotes stay in the result.</summary>
    public bool KeepQuotes { get; init; }

    /// <summary>Escape characters stay in the result.</summary>
    public bool KeepEscapes
    {
        get => _keepEscapes;
        init => _keepEscapes = value;
    }

    /// <summary>A variable that is not set stays as it is written.</summary>
    public bool KeepUnset { get; init; }

    /// <summary>Quotes have no meaning.</summary>
    public bool QuotesAreOrdinary { get; init; }

    /// <summary>Only the syntax matters: a required variable may be missing.</summary>
    public bool OnlyChecks { get; init; }

    /// <summary>Told of each variable that is used as if it were set, and is not.</summary>
    public Action<string>? Missing { get; init; }

    /// <summary>The first mistake; null when there is none.</summary>
    public LexerProblem? Problem { get; private set; }

    /// <summary>After <see cref="Process"/>: the result split at white space that is not quoted.</summary>
    public IReadOnlyList<string> Words => _words;

    private bool AtEnd => _position >= text.Length;

    /// <summary>The whole text, expanded.</summary>
    public string Process()
    {
        StringBuilder result = new();
        while (!AtEnd)
            ReadOne(text[_position], result, splits: true);
        EndWord();
        return result.ToString();
    }

    // A pattern keeps its escapes: it has a meaning for them itself.
    private string? ReadPattern(char end)
    {
        bool before = _keepEscapes;
        _keepEscapes = true;
        string? pattern = ReadTo(end);
        _keepEscapes = before;
        return pattern;
    }

    // The word of a substitution, up to its closing brace; null when there is none.
    private string? ReadToBrace() => ReadTo('}');

    private string? ReadTo(char end)
    {
        StringBuilder result = new();
        while (!AtEnd)
        {
            if (text[_position] == end)
            {
                _position++;
                return result.ToString();
            }

            ReadOne(text[_position], result, splits: false);
        }

        return null;
    }

    private void ReadOne(char c, StringBuilder result, bool splits)
    {
        if (c == '$')
        {
            string value = ReadDollar();
            result.Append(value);
            if (splits)
                AddSplitting(value);
        }
        else if (c is '\'' or '"' && !QuotesAreOrdinary)
        {
            string quoted = c == '"' ? ReadDoubleQuoted() : ReadSingleQuoted();
            result.Append(quoted);
            if (splits)
                _word.Append(quoted);
        }
        else if (c == '<' && _position + 1 < text.Length && text[_position + 1] == '<')
        {
            Append(ReadHeredocOperator(), result, splits);
        }
        else if (c == escape)
        {
            ReadEscaped(result, splits);
        }
        else
        {
            _position++;
            result.Append(c);
            if (splits)
                AddSplitting(c);
        }
    }

    private void Append(string raw, StringBuilder result, bool splits)
    {
        result.Append(raw);
        if (splits)
            _word.Append(raw);
    }

    // White space between << and the delimiter belongs to the word.
    private string ReadHeredocOperator()
    {
        int start = _position;
        _position += 2;
        while (!AtEnd && text[_position] is ' ' or '\t' or '\r')
            _position++;
        return text[start.._position];
    }

    private void ReadEscaped(StringBuilder result, bool splits)
    {
        int start = _position++;
        if (KeepEscapes)
            Append(text[start.._position], result, splits);
        // An escape at the end escapes nothing and is dropped.
        if (!AtEnd)
            Append(text[_position++].ToString(), result, splits);
    }

    private void AddSplitting(string value)
    {
        foreach (char c in value)
            AddSplitting(c);
    }

    private void AddSplitting(char c)
    {
        if (char.IsWhiteSpace(c))
            EndWord();
        else
            _word.Append(c);
    }

    private void EndWord()
    {
        if (_word.Length == 0)
            return;

        _words.Add(_word.ToString());
        _word.Clear();
    }

    private string ReadSingleQuoted()
    {
        int start = _position;
        int end = text.IndexOf('\'', start + 1);
        if (end < 0)
            return Fail(DockerfileCodes.UnmatchedQuote, "a single quote has no end", "add the closing ', or escape it", start, 1);

        _position = end + 1;
        return KeepQuotes ? text[start.._position] : text[(start + 1)..end];
    }

    private string ReadDoubleQuoted()
    {
        StringBuilder result = new();
        int start = _position++;
        if (KeepQuotes)
            result.Append('"');
        while (!AtEnd)
        {
            char c = text[_position];
            if (c == '$')
            {
                result.Append(ReadDollar());
                continue;
            }

            _position++;
            if (c == '"')
                return (KeepQuotes ? result.Append('"') : result).ToString();

            result.Append(c == escape ? ReadEscapedInQuotes() : c.ToString());
        }

        return Fail(DockerfileCodes.UnmatchedQuote, "a double quote has no end", "add the closing \", or escape it", start, 1);
    }

    // Inside double quotes the escape has a meaning only before these three; elsewhere it is an ordinary character.
    private string ReadEscapedInQuotes()
    {
        if (AtEnd)
            return "";

        char next = text[_position];
        if (next is not ('"' or '$') && next != escape)
            return KeepEscapes ? $"{escape}{escape}" : escape.ToString();

        _position++;
        return KeepEscapes ? $"{escape}{next}" : next.ToString();
    }

    private string ReadDollar()
    {
        int start = _position++;
        if (AtEnd || text[_position] != '{')
        {
            string plain = ReadName();
            return plain.Length == 0 ? "$" : Needed(plain) ?? (KeepUnset ? $"${plain}" : "");
        }

        _position++;
        if (_depth == MaximumDepth)
            return Fail(DockerfileCodes.BadSubstitution, $"substitutions are nested deeper than {MaximumDepth}", null, start, 2);

        _depth++;
        string result = ReadBraced(start);
        _depth--;
        return result;
    }

    private string ReadBraced(int start)
    {
        if (AtEnd)
            return MissingBrace(start);
        if (text[_position] is '{' or '}' or ':')
            return Fail(DockerfileCodes.BadSubstitution, "a substitution has no variable name", "write ${name}", start,
                _position + 1 - start);

        string name = ReadName();
        if (AtEnd)
            return MissingBrace(start);

        int operatorStart = _position;
        char c = text[_position++];
        if (c == '}')
            return Needed(name) ?? (KeepUnset ? $"${{{name}}}" : "");

        bool emptyIsUnset = c == ':';
        if (emptyIsUnset)
        {
            if (AtEnd)
                return MissingBrace(start);
            c = text[_position++];
        }

        string modifier = text[operatorStart.._position];
        if (c is '-' or '+' or '?')
            return Substitute(start, name, modifier, emptyIsUnset);
        if (c is '#' or '%' && !emptyIsUnset)
            return Trim(start, name, c);
        if (c == '/' && !emptyIsUnset)
            return Replace(start, name);

        if (modifier.Any(char.IsControl))
            return MissingBrace(start);

        return Fail(DockerfileCodes.BadSubstitution, $"'{modifier}' is not a substitution",
            "known: :-, -, :+, +, :?, ?, #, ##, %, %%, / and //", operatorStart, modifier.Length);
    }

    private string Substitute(int start, string name, string modifier, bool emptyIsUnset)
    {
        if (ReadToBrace() is not { } word)
            return MissingBrace(start);

        string? value = Value(name);
        if (KeepUnset && value is null)
            return $"${{{name}{modifier}{word}}}";

        bool unset = value is null || (emptyIsUnset && value.Length == 0);
        return modifier[^1] switch
        {
            '-' => unset ? word : value!,
            '+' => unset ? "" : word,
            _ when unset && !OnlyChecks => Required(start, name, word, value),
            _ => value ?? "",
        };
    }

    // ${name#pattern} takes the shortest match away from the start, ## the longest; % and %% do it at the end.
    private string Trim(int start, string name, char side)
    {
        if (ReadPattern('}') is not { } word)
            return MissingBrace(start);

        string? value = Needed(name);
        if (KeepUnset && value is null)
            return $"${{{name}{side}{word}}}";

        bool longest = word.StartsWith(side);
        if (Pattern(longest ? word[1..] : word, start) is not { } pattern)
            return "";

        value ??= "";
        int? length = pattern.Match(value, atEnd: side == '%', longest, ref _compared);
        if (TooMuchWork(start))
            return "";
        return length is null ? value : side == '#' ? value[length.Value..] : value[..^length.Value];
    }

    // ${name/pattern/text} replaces the first match, the longest at its place; // replaces all.
    private string Replace(int start, string name)
    {
        bool all = !AtEnd && text[_position] == '/';
        _position += all ? 1 : 0;
        if (ReadPattern('/') is not { } word)
            return Fail(DockerfileCodes.BadSubstitution, "a replacement has no second '/'", "write ${name/pattern/text}", start,
                Math.Min(2, text.Length - start));
        if (ReadPattern('}') is not { } replacement)
            return MissingBrace(start);

        string? value = Needed(name);
        if (KeepUnset && value is null)
            return $"${{{name}/{(all ? "/" : "")}{word}/{replacement}}}";
        if (Pattern(word, start) is not { } pattern)
            return "";

        string result = pattern.Replace(value ?? "", replacement, all, VariableExpander.MaximumLength, ref _compared);
        if (result.Length > VariableExpander.MaximumLength)
            return TooLong();
        return TooMuchWork(start) ? "" : result;
    }

    private GlobPattern? Pattern(string word, int start)
    {
        var pattern = GlobPattern.TryParse(word);
        if (pattern is null)
            Fail(DockerfileCodes.BadSubstitution, $"'{word}' is not a pattern", "a '\\' goes before '*', '?', '\\', '/' or '}'",
                start, _position - start);
        return pattern;
    }

    private bool TooMuchWork(int start)
    {
        if (_compared < GlobPattern.MaximumWork)
            return false;

        Fail(DockerfileCodes.ExpansionTooLong, "the text and its patterns are too long to be compared", null, start, _position - start);
        return true;
    }

    private string Required(int start, string name, string message, string? value)
    {
        string why = value is null ? "is not set" : "is empty";
        return Fail(DockerfileCodes.VariableRequired, $"the variable '{name}' {why}{(message.Length == 0 ? "" : ": " + message)}", null,
            start, _position - start);
    }

    private string MissingBrace(int start) =>
        Fail(DockerfileCodes.BadSubstitution, "a substitution has no end", "add the closing }", start, Math.Min(2, text.Length - start));

    private string ReadName()
    {
        int start = _position;
        if (AtEnd)
            return "";
        if (char.IsDigit(text[start]))
            return ReadWhile(char.IsDigit);
        if (text[start] is '@' or '*' or '#' or '?' or '-' or '$' or '!')
            return text[_position++].ToString();

        return ReadWhile(static c => char.IsLetterOrDigit(c) || c == '_');
    }

    private string ReadWhile(Func<char, bool> belongs)
    {
        int start = _position;
        while (!AtEnd && belongs(text[_position]))
            _position++;
        return text[start.._position];
    }

    private string? Needed(string name)
    {
        string? value = Value(name);
        if (value is null)
            Missing?.Invoke(name);
        return value;
    }

    private string? Value(string name)
    {
        string? value = lookup(name);
        _produced += value?.Length ?? 0;
        return _produced > VariableExpander.MaximumLength ? TooLong() : value;
    }

    private string TooLong() =>
        Fail(DockerfileCodes.ExpansionTooLong,
            $"the text becomes longer than {VariableExpander.MaximumLength} characters when its variables are expanded",
            null, 0, text.Length);

    // Moving to the end ends every loop; the first mistake is the one that counts.
    private string Fail(string code, string summary, string? detail, int start, int length)
    {
        Problem ??= new LexerProblem(code, summary, detail, start, length);
        _position = text.Length;
        return "";
    }
}
