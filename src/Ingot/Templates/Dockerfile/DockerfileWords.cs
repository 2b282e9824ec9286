using System.Text;
using System.Text.Json;

namespace Ingot.Templates.Dockerfile;

/// <summary>A flag without its quotes and escapes, and for each of its characters the place in the flag as it is written.</summary>
internal sealed record FlagWord(string Text, Piece Raw, IReadOnlyList<int> Origins)
{
    /// <summary>A part of the flag, and where it stands; a part without characters stands before the character that follows it.</summary>
    public Word Part(LogicalLine line, int start, int length)
    {
        int first = start < Origins.Count ? Origins[start] : Raw.Text.Length;
        int last = length == 0 ? first : Origins[start + length - 1] + 1;
        return new(Text.Substring(start, length), line.Span(Raw.Slice(first, last - first)));
    }
}

/// <summary>How the arguments of instructions are cut into words; each instruction uses one of these.</summary>
internal static class DockerfileWords
{
    /// <summary>Cuts at blanks; quotes have no meaning.</summary>
    public static List<Piece> Blank(Piece arguments)
    {
        List<Piece> words = [];
        int position = 0;
        while (position < arguments.Text.Length)
        {
            if (IsBlank(arguments.Text[position]))
            {
                position++;
                continue;
            }

            int end = position;
            while (end < arguments.Text.Length && !IsBlank(arguments.Text[end]))
                end++;
            words.Add(arguments.Slice(position, end - position));
            position = end;
        }

        return words;
    }

    /// <summary>Cuts at white space outside quotes; quotes and escapes stay in the words.</summary>
    public static List<Piece> Quoted(Piece arguments, char escape)
    {
        List<Piece> words = [];
        string text = arguments.Text;
        int position = 0;
        while (position < text.Length)
        {
            if (char.IsWhiteSpace(text[position]))
            {
                position++;
                continue;
            }

            int end = EndOfQuoted(text, position, escape, escapesInSingleQuotes: false, out bool loneEscape);
            // An escape at the very end escapes nothing.
            int length = end - position - (loneEscape ? 1 : 0);
            if (length > 0)
                words.Add(arguments.Slice(position, length));
            position = end;
        }

        return words;
    }

    /// <summary>The strings of an exec form; null when the text is not a JSON array, and then it is a shell form.</summary>
    /// <param name="text">The arguments.</param>
    /// <param name="notStrings">Whether it is an array that holds something else than strings, which is a mistake in either form.</param>
    public static List<string>? Json(string text, out bool notStrings)
    {
        notStrings = false;
        text = text.TrimStart();
        if (!text.StartsWith('['))
            return null;

        try
        {
            using var document = JsonDocument.Parse(Encoding.UTF8.GetBytes(text));
            List<string> strings = [];
            foreach (var element in document.RootElement.EnumerateArray())
            {
                if (element.ValueKind != JsonValueKind.String)
                {
                    notStrings = true;
                    return null;
                }

                strings.Add(element.GetString()!);
            }

            return strings;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: half of a surrogate pair, which no argument can hold.
            return null;
        }
    }

    public static bool IsBlank(char c) => c is ' ' or '\t' or '\v' or '\f' or '\r';

    /// <summary>The flags before the arguments, <c>--name=value</c>, with quotes and escapes taken away; and what follows them.</summary>
    public static (List<FlagWord> Flags, Piece Arguments) Flags(Piece arguments, char escape)
    {
        List<FlagWord> flags = [];
        string text = arguments.Text;
        int position = SkipWhiteSpace(text, 0);
        while (string.CompareOrdinal(text, position, "--", 0, 2) == 0)
        {
            int end = EndOfQuoted(text, position, escape, escapesInSingleQuotes: true, out _);
            var raw = arguments.Slice(position, end - position);
            position = SkipWhiteSpace(text, end);
            if (raw.Text == "--")
                break;

            flags.Add(Unquote(raw, escape));
        }

        return (flags, arguments.Slice(position).Trim());
    }

    private static int SkipWhiteSpace(string text, int position)
    {
        while (position < text.Length && char.IsWhiteSpace(text[position]))
            position++;
        return position;
    }

    private static FlagWord Unquote(Piece raw, char escape)
    {
        StringBuilder result = new();
        List<int> origins = [];
        char quote = '\0';
        for (int i = 0; i < raw.Text.Length; i++)
        {
            char c = raw.Text[i];
            bool escaped = c == escape;
            if (escaped && ++i == raw.Text.Length)
                break;

            if (!escaped && quote == '\0' && c is '\'' or '"')
            {
                quote = c;
            }
            else if (!escaped && c == quote)
            {
                quote = '\0';
            }
            else
            {
                result.Append(raw.Text[i]);
                origins.Add(i);
            }
        }

        return new(result.ToString(), raw, origins);
    }

    private static int EndOfQuoted(string text, int position, char escape, bool escapesInSingleQuotes, out bool loneEscape)
    {
        loneEscape = false;
        char quote = '\0';
        for (; position < text.Length; position++)
        {
            char c = text[position];
            if (quote == '\0' && char.IsWhiteSpace(c))
                return position;

            // In words nothing can be escaped inside single quotes; in flags it can.
            if (c == escape && (quote != '\'' || escapesInSingleQuotes))
                loneEscape = ++position == text.Length;
            else if (quote == '\0' && c is '\'' or '"')
                quote = c;
            else if (c == quote)
                quote = '\0';
        }

        return text.Length;
    }
}
