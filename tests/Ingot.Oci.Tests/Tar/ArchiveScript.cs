using System.Globalization;
using System.Text;

namespace Ingot.Oci.Tests.Tar;

/// <summary>Builds archives byte by byte from a text, independently of the writer under test,
/// so that they can be wrong in any way.</summary>
/// <remarks>
/// One instruction a line. <c>header FIELD=VALUE …</c> writes a header block; <c>data TEXT</c> content and its padding;
/// <c>pax KEY=VALUE …</c> an extended header with its records, <c>global …</c> a global one, <c>records TEXT</c> an extended header with
/// exactly these bytes; <c>longname</c> and <c>longlink</c> GNU's; <c>zeros N</c> and <c>raw TEXT</c> bytes; <c>end</c> the end mark.
/// Values know the escapes <c>\xNN</c>, <c>\n</c>, <c>\s</c> (space), <c>\\</c>, and <c>TEXT*N</c> repeats.
/// </remarks>
internal static class ArchiveScript
{
    private const int Block = 512;

    public static byte[] Build(IEnumerable<string> lines)
    {
        var archive = new MemoryStream();
        foreach (string line in lines.Where(line => line.Length > 0 && line[0] != '#'))
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            string verb = space < 0 ? line : line[..space];
            string rest = space < 0 ? "" : line[(space + 1)..];
            archive.Write(Instruction(verb, rest));
        }

        return archive.ToArray();
    }

    private static byte[] Instruction(string verb, string rest) => verb switch
    {
        "header" => Header(rest),
        "data" => Padded(Bytes(rest)),
        "pax" => Extension('x', Records(rest)),
        "global" => Extension('g', Records(rest)),
        "records" => Extension('x', Bytes(rest)),
        "longname" => Extension('L', [.. Bytes(rest), 0]),
        "longlink" => Extension('K', [.. Bytes(rest), 0]),
        "zeros" => new byte[int.Parse(rest, CultureInfo.InvariantCulture)],
        "raw" => Bytes(rest),
        "end" => new byte[2 * Block],
        _ => throw new FormatException($"'{verb}' is not an instruction"),
    };

    private static byte[] Header(string rest)
    {
        var fields = rest.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(field => field.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => Bytes(pair[1]));
        byte[] block = new byte[Block];
        string Text(string name, string otherwise) =>
            fields.TryGetValue(name, out byte[]? value) ? Encoding.Latin1.GetString(value) : otherwise;
        void Put(int at, int length, string name, string otherwise)
        {
            byte[] bytes = Encoding.Latin1.GetBytes(Text(name, otherwise));
            bytes.AsSpan(0, Math.Min(length, bytes.Length)).CopyTo(block.AsSpan(at));
        }

        Put(0, 100, "name", "");
        Put(100, 8, "mode", "0000644");
        Put(108, 8, "uid", "0000000");
        Put(116, 8, "gid", "0000000");
        Put(124, 12, "size", "00000000000");
        Put(136, 12, "mtime", "00000000000");
        Put(156, 1, "type", "0");
        Put(157, 100, "link", "");
        Put(257, 8, "magic", "ustar\u000000");
        Put(329, 8, "major", "");
        Put(337, 8, "minor", "");
        Put(345, 155, "prefix", "");
        Put(508, 4, "trailer", "");

        int signed = Text("sum", "") == "signed" ? 1 : 0;
        int sum = block.Where((_, i) => i is < 148 or >= 156).Sum(b => signed == 1 ? (sbyte)b : b) + (8 * ' ');
        string checksum = Text("sum", "") is var given and not ("" or "signed") ? given : Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ";
        Encoding.Latin1.GetBytes(checksum).CopyTo(block, 148);
        return block;
    }

    private static byte[] Records(string rest)
    {
        var all = new List<byte>();
        foreach (string record in rest.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            byte[] bytes = Bytes(record);
            int length = bytes.Length + 2;
            while (length != bytes.Length + 2 + length.ToString(CultureInfo.InvariantCulture).Length)
                length++;
            all.AddRange([.. Encoding.ASCII.GetBytes($"{length} "), .. bytes, (byte)'\n']);
        }

        return [.. all];
    }

    private static byte[] Extension(char type, byte[] body)
    {
        string size = Convert.ToString(body.Length, 8).PadLeft(11, '0');
        return [.. Header($"name=extension type={type} size={size}"), .. Padded(body)];
    }

    private static byte[] Padded(byte[] bytes) => [.. bytes, .. new byte[-bytes.Length & (Block - 1)]];

    private static byte[] Bytes(string text)
    {
        if (text.LastIndexOf('*') is > 0 and var star
            && int.TryParse(text.AsSpan(star + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int times))
            return [.. Enumerable.Repeat(Bytes(text[..star]), times).SelectMany(bytes => bytes)];

        var result = new List<byte>();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                result.AddRange(Encoding.UTF8.GetBytes(text[i].ToString()));
                continue;
            }

            char escape = text[++i];
            if (escape == 'x')
            {
                result.Add(byte.Parse(text.AsSpan(i + 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                i += 2;
            }
            else
            {
                result.Add(escape switch { 'n' => (byte)'\n', 's' => (byte)' ', '0' => 0, _ => (byte)escape });
            }
        }

        return [.. result];
    }
}
