using System.Text;

namespace Ingot.Tools;

/// <summary>The text of a git configuration, read as text: what it would include is not read, and nothing that it names is run.</summary>
/// <remarks><see href="https://git-scm.com/docs/git-config#_syntax"/>.</remarks>
internal static class GitConfig
{
    /// <summary>Its values by name, <c>section.key</c> or <c>section.subsection.key</c>, section and key in lower case; of a name that
    /// stands several times the last. A line that cannot be read is none.</summary>
    public static Dictionary<string, string> Parse(string text)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        string section = "";
        int at = 0;
        while (at < text.Length)
        {
            SkipSpace(text, ref at);
            if (at >= text.Length)
                break;
            if (text[at] is '#' or ';')
                SkipLine(text, ref at);
            else if (text[at] == '[')
                section = Section(text, ref at);
            else
                ReadValue(text, ref at, section, values);
        }

        return values;
    }

    private static void SkipSpace(string text, ref int at)
    {
        while (at < text.Length && (char.IsWhiteSpace(text[at]) || text[at] == '\uFEFF'))
            at++;
    }

    private static void SkipLine(string text, ref int at)
    {
        int end = text.IndexOf('\n', at);
        at = end < 0 ? text.Length : end + 1;
    }

    // [section], [section "sub.section"]
    private static string Section(string text, ref int at)
    {
        var name = new StringBuilder();
        bool isQuoted = false;
        for (at++; at < text.Length && text[at] != '\n' && (isQuoted || text[at] != ']'); at++)
        {
            if (text[at] == '"')
                isQuoted = !isQuoted;
            else if (isQuoted && text[at] == '\\' && at + 1 < text.Length)
                name.Append(text[++at]);
            else if (isQuoted)
                name.Append(text[at]);
            else if (char.IsWhiteSpace(text[at]))
                name.Append('.');
            else
                name.Append(char.ToLowerInvariant(text[at]));
        }

        at = Math.Min(at + 1, text.Length);
        return name.ToString();
    }

    private static void ReadValue(string text, ref int at, string section, Dictionary<string, string> values)
    {
        int start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '-'))
            at++;
        string key = text[start..at].ToLowerInvariant();
        while (at < text.Length && text[at] is ' ' or '\t')
            at++;
        bool hasValue = at < text.Length && text[at] == '=';
        if (key.Length == 0 || (!hasValue && at < text.Length && text[at] is not ('\n' or '\r' or '#' or ';')))
        {
            SkipLine(text, ref at);
            return;
        }

        at += hasValue ? 1 : 0;
        string rest = Rest(text, ref at);
        values[$"{section}.{key}"] = hasValue ? rest : "true";
    }

    // To the end of the line, without comment and quotes; a backslash at its end goes on with the next.
    private static string Rest(string text, ref int at)
    {
        var value = new StringBuilder();
        int kept = 0;
        bool isQuoted = false;
        for (; at < text.Length && text[at] != '\n'; at++)
        {
            char c = text[at];
            if (!isQuoted && c is '#' or ';' && !isQuoted)
            {
                SkipLine(text, ref at);
                at--;
                break;
            }

            if (c == '"')
                isQuoted = !isQuoted;
            else if (c == '\\' && at + 1 < text.Length)
                Escaped(text, ref at, value);
            else
                value.Append(c);
            if (isQuoted || !char.IsWhiteSpace(c))
                kept = value.Length;
        }

        at = Math.Min(at + 1, text.Length);
        return value.ToString(0, Math.Min(kept, value.Length)).TrimStart(' ', '\t');
    }

    private static void Escaped(string text, ref int at, StringBuilder value)
    {
        char c = text[++at];
        if (c == '\r' && at + 1 < text.Length && text[at + 1] == '\n')
            at++;
        else if (c != '\n')
            value.Append(c switch { 'n' => '\n', 't' => '\t', 'b' => '\b', _ => c });
    }
}
