using System.Text;

namespace Ingot.Builds.Secrets;

/// <summary>A byte string that gives a secret away.</summary>
/// <param name="Id">Which secret.</param>
/// <param name="Form">How it is written.</param>
/// <param name="Bytes">What is looked for.</param>
internal sealed record SecretPattern(string Id, string Form, byte[] Bytes);

/// <summary>The forms in which a secret may turn up.</summary>
internal static class SecretForms
{
    /// <summary>What is shorter, in bytes, is not looked for: it would be found everywhere.</summary>
    public const int MinLength = 8;

    private const int MaxLines = 200;
    private const int MaxLineBytes = 4096;
    // Encoders break lines, mostly after 60 to 76 characters: pieces this long are found between any two breaks.
    private const int PieceLength = 24;
    private const int MaxPieces = 8;

    // What keys of one kind have in common: https://github.com/openssh/openssh-portable/blob/V_9_9_P1/PROTOCOL.key in base64,
    // and RFC 7468 section 2.
    private static readonly byte[][] s_common = ["b3BlbnNzaC1rZXktdjE"u8.ToArray(), "-----"u8.ToArray()];

    /// <summary>Everything that is looked for. A value of several lines is looked for line by line.</summary>
    public static IEnumerable<SecretPattern> Of(string id, ReadOnlySpan<byte> value)
    {
        var patterns = new List<SecretPattern>();
        foreach (var line in LinesOf(value))
        {
            patterns.AddRange(Pieces(line, ByteMatcher.MaxLength, int.MaxValue).Select(p => new SecretPattern(id, "plain", p)));
            patterns.AddRange(
                Encoded(line).SelectMany(e => Pieces(e.Bytes, PieceLength, MaxPieces).Select(p => new SecretPattern(id, e.Form, p))));
        }

        return patterns;
    }

    private static List<byte[]> LinesOf(ReadOnlySpan<byte> value)
    {
        var lines = new List<byte[]>();
        foreach (var range in value.Split((byte)'\n'))
        {
            var line = value[range].Trim(" \t\r"u8);
            if (line.Length >= MinLength && lines.Count < MaxLines)
                lines.Add(line[..Math.Min(line.Length, MaxLineBytes)].ToArray());
        }

        // Other lines of a file of settings are words that any file may have.
        var telling = lines.Where(IsTelling).ToList();
        return lines.Count > 1 && telling.Count > 0 ? telling : lines;
    }

    private static bool IsTelling(byte[] line) =>
        !s_common.Any(c => line.AsSpan().StartsWith(c))
            && line.Any(b => b is >= (byte)'0' and <= (byte)'9')
            && line.Any(b => char.IsAsciiLetter((char)b));

    private static IEnumerable<(string Form, byte[] Bytes)> Encoded(byte[] line)
    {
        foreach (var base64 in Enumerable.Range(0, 3).Select(before => Base64(line, before)))
        {
            yield return ("base64", Encoding.ASCII.GetBytes(base64));
            if (base64.AsSpan().ContainsAny('+', '/'))
                yield return ("base64", Encoding.ASCII.GetBytes(base64.Replace('+', '-').Replace('/', '_')));
        }

        yield return ("hex", Encoding.ASCII.GetBytes(Convert.ToHexStringLower(line)));
        yield return ("hex", Encoding.ASCII.GetBytes(Convert.ToHexString(line)));
        foreach (string format in (string[])["X2", "x2"])
        {
            byte[] escaped = Escape(line, format);
            if (escaped.Length != line.Length)
                yield return ("URL-encoded", escaped);
        }
    }

    // What of the encoding does not depend on what stands before and behind: every character of it is six bits of the line.
    private static string Base64(byte[] line, int before)
    {
        string text = Convert.ToBase64String([.. new byte[before], .. line]);
        int first = before == 0 ? 0 : before + 1;
        return text[first..(8 * (before + line.Length) / 6)];
    }

    // https://www.rfc-editor.org/rfc/rfc3986#section-2.3
    private static byte[] Escape(byte[] line, string format)
    {
        var text = new StringBuilder();
        foreach (byte b in line)
        {
            if (char.IsAsciiLetterOrDigit((char)b) || "-._~".Contains((char)b, StringComparison.Ordinal))
                text.Append((char)b);
            else
                text.Append('%').Append(b.ToString(format, System.Globalization.CultureInfo.InvariantCulture));
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    // The last piece overlaps the one before, so that all of the text is covered.
    private static IEnumerable<byte[]> Pieces(byte[] text, int length, int most)
    {
        if (text.Length <= Math.Max(length, Math.Min(2 * length, ByteMatcher.MaxLength)))
            return [text];

        int whole = Math.Min(most, text.Length / length);
        var pieces = Enumerable.Range(0, whole).Select(i => text[(i * length)..((i + 1) * length)]).ToList();
        if (whole < most && text.Length % length != 0)
            pieces.Add(text[^length..]);
        return pieces;
    }
}
