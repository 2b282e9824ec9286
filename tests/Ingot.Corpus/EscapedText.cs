using System.Globalization;
using System.Text;
using Ingot.Oci.Tar;

namespace Ingot.Corpus;

/// <summary>Words and bytes as the corpus's text files write them: bare, or in double quotes with <c>\n</c>, <c>\t</c>, <c>\r</c>,
/// <c>\"</c>, <c>\\</c> and <c>\xNN</c>.</summary>
public static class EscapedText
{
    private const int HexDigits = 2;

    /// <summary>The words of a line; what stands in quotes is one word with its escapes resolved to bytes.</summary>
    public static IReadOnlyList<byte[]> Words(string line)
    {
        var words = new List<byte[]>();
        for (int at = 0; ;)
        {
            while (at < line.Length && line[at] == ' ')
                at++;
            if (at == line.Length)
                return words;
            words.Add(line[at] == '"' ? Quoted(line, ref at) : Bare(line, ref at));
        }
    }

    /// <summary>Bytes in quotes, in the form that <see cref="Words"/> reads.</summary>
    public static string Quote(ReadOnlySpan<byte> bytes) => $"\"{Escape(TarPath.Decode(bytes), '"')}\"";

    /// <summary>A path on a line of its own: what no terminal shows is escaped.</summary>
    public static string Path(string path) => Escape(path, '\\');

    private static byte[] Bare(string line, ref int at)
    {
        int end = line.IndexOf(' ', at) is var space and >= 0 ? space : line.Length;
        string word = line[at..end];
        at = end;
        return Encoding.UTF8.GetBytes(word);
    }

    private static byte[] Quoted(string line, ref int at)
    {
        var bytes = new List<byte>();
        for (at++; at < line.Length && line[at] != '"';)
        {
            int begin = at;
            if (line[at] == '\\')
            {
                bytes.Add(Escaped(line, ref at));
                continue;
            }

            while (at < line.Length && line[at] is not ('"' or '\\'))
                at++;
            bytes.AddRange(Encoding.UTF8.GetBytes(line[begin..at]));
        }

        if (at == line.Length)
            throw new FormatException($"a quote has no end in '{line}'");
        at++;
        return [.. bytes];
    }

    private static byte Escaped(string line, ref int at)
    {
        char kind = line[at + 1];
        at += 2;
        if (kind != 'x')
            return (byte)(kind switch { 'n' => '\n', 't' => '\t', 'r' => '\r', _ => kind });

        at += HexDigits;
        return byte.Parse(line.AsSpan(at - HexDigits, HexDigits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    private static string Escape(string text, char special)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            escaped.Append(c switch
            {
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                '\\' => "\\\\",
                _ when c == special => $"\\{c}",
                _ when char.IsControl(c) => $"\\x{(int)c:x2}",
                // How Ingot keeps the bytes of names that are no text.
                >= '\uDC80' and <= '\uDCFF' => $"\\x{c - 0xDC00:x2}",
                _ => c.ToString(),
            });
        }

        return escaped.ToString();
    }
}
