using System.Buffers;
using System.Text;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>A command of a shell's text, as far as checks need it: its words without quotes,
/// and whether the command before pipes into it.</summary>
/// <remarks>It is a reading of the shell's language by its punctuation; what a variable or a substitution makes is not known.</remarks>
internal sealed record ShellCommand(IReadOnlyList<string> Words, bool IsPiped)
{
    private static readonly SearchValues<char> s_nameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    // What stands before a command and is none.
    private static readonly HashSet<string> s_prefixes = new(
        ["sudo", "exec", "time", "nice", "env", "command", "then", "do", "else", "if", "elif", "while", "until", "!", "{", "eval", "nohup"],
        StringComparer.Ordinal);

    /// <summary>The program without its directory; empty when there is none.</summary>
    public string Program => Rest is [var program, ..] ? program[(program.LastIndexOf('/') + 1)..] : "";

    /// <summary>What the program is given.</summary>
    public IReadOnlyList<string> Arguments => [.. Rest.Skip(1)];

    /// <summary>The first argument that is no option; empty when there is none.</summary>
    public string Verb => Arguments.FirstOrDefault(argument => !argument.StartsWith('-')) ?? "";

    /// <summary>Whether sudo stands before the program.</summary>
    public bool UsesSudo => Words.Take(Words.Count - Rest.Count).Contains("sudo");

    private List<string> Rest => [.. Words.SkipWhile((word, index) => IsPrefix(word, index))];

    /// <summary>Whether an option is given: a long one by itself, or a letter among others.</summary>
    public bool Has(params string[] options) => Arguments.Any(argument => options.Any(option =>
        argument == option || (option.StartsWith("--", StringComparison.Ordinal)
            ? argument.StartsWith(option + "=", StringComparison.Ordinal)
            : option.Length == 2 && argument.Length > 2 && argument[0] == '-' && argument[1] != '-'
                && argument.AsSpan(1).IndexOf(option[1]) >= 0 && argument.AsSpan(1).IndexOfAnyExceptInRange('A', 'z') < 0)));

    /// <summary>The commands of a text, in order.</summary>
    public static IReadOnlyList<ShellCommand> Split(string text)
    {
        Reader reader = new(text);
        return reader.Read();
    }

    private static bool IsPrefix(string word, int index)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        bool isAssignment = equals > 0 && !word.AsSpan(0, equals).ContainsAnyExcept(s_nameCharacters);
        // Options of sudo and its like belong to them: sudo -E apt-get.
        return isAssignment || s_prefixes.Contains(word) || (word.StartsWith('-') && index > 0);
    }

    private sealed class Reader(string text)
    {
        private readonly List<ShellCommand> _commands = [];
        private readonly StringBuilder _word = new();
        private List<string> _words = [];
        private bool _inWord;
        private bool _piped;

        public IReadOnlyList<ShellCommand> Read()
        {
            for (int i = 0; i < text.Length; i++)
                i = Character(i);
            EndCommand(piped: false);
            return _commands;
        }

        private int Character(int i)
        {
            char c = text[i];
            switch (c)
            {
                case '\'':
                case '"':
                    return Quoted(i);
                case '\\' when i + 1 < text.Length:
                    Append(text[i + 1] == '\n' ? ' ' : text[i + 1]);
                    return i + 1;
                case '#' when !_inWord:
                    int end = text.IndexOf('\n', i);
                    return (end < 0 ? text.Length : end) - 1;
                case ' ' or '\t' or '\r':
                    EndWord();
                    return i;
                case '|':
                    bool isOr = i + 1 < text.Length && text[i + 1] == '|';
                    EndCommand(piped: !isOr);
                    return isOr ? i + 1 : i;
                case '&' when _inWord && text[i - 1] is '>' or '<':
                    Append(c);
                    return i;
                case ';' or '\n' or '&' or '(' or ')':
                    EndCommand(piped: false);
                    return i;
                default:
                    Append(c);
                    return i;
            }
        }

        private int Quoted(int start)
        {
            char quote = text[start];
            _inWord = true;
            for (int i = start + 1; i < text.Length; i++)
            {
                if (text[i] == quote)
                    return i;
                if (quote == '"' && text[i] == '\\' && i + 1 < text.Length)
                    i++;
                _word.Append(text[i]);
            }

            return text.Length;
        }

        private void Append(char c)
        {
            _inWord = true;
            _word.Append(c);
        }

        private void EndWord()
        {
            if (_inWord)
                _words.Add(_word.ToString());
            _word.Clear();
            _inWord = false;
        }

        private void EndCommand(bool piped)
        {
            EndWord();
            if (_words.Count > 0)
                _commands.Add(new(_words, _piped));
            _words = [];
            _piped = piped;
        }
    }
}
