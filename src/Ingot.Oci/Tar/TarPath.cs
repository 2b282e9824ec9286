using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Ingot.Oci.Tar;

/// <summary>Linux file names as text. A name is any bytes but NUL; valid UTF-8 becomes the same text, and every other byte <c>0xNN</c> the
/// lone surrogate <c>U+DCNN</c>, so that no two names become one and every name comes back byte for byte
/// (<see href="https://peps.python.org/pep-0383/">PEP 383</see> does the same).</summary>
public static class TarPath
{
    private const char FirstEscape = '\uDC80';
    private const char LastEscape = '\uDCFF';
    private const int EscapeBase = 0xDC00;

    private static readonly SearchValues<char> s_surrogates = SearchValues.Create(
        [.. Enumerable.Range(0xD800, 0x800).Select(c => (char)c)]);

    /// <summary>The text of a name's bytes.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);

        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            bool valid = Rune.DecodeFromUtf8(bytes, out var rune, out int consumed) == OperationStatus.Done;
            if (valid)
                text.Append(rune.ToString());
            else
                AppendEscaped(text, bytes[..consumed]);
            bytes = bytes[consumed..];
        }

        return text.ToString();
    }

    /// <summary>The bytes of a name's text; throws <see cref="ArgumentException"/> for a surrogate that stands for no byte.</summary>
    public static byte[] Encode(string text)
    {
        if (!text.AsSpan().ContainsAny(s_surrogates))
            return Encoding.UTF8.GetBytes(text);

        var bytes = new List<byte>(text.Length * 2);
        Span<byte> utf8 = stackalloc byte[4];
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out int consumed) == OperationStatus.Done)
                bytes.AddRange(utf8[..rune.EncodeToUtf8(utf8)]);
            else if (rest[0] is >= FirstEscape and <= LastEscape)
                bytes.Add((byte)(rest[0] - EscapeBase));
            else
                throw new ArgumentException($"'{text}' cannot be a file name: U+{(int)rest[0]:X4} stands for no byte", nameof(text));
            rest = rest[consumed..];
        }

        return [.. bytes];
    }

    /// <summary>The order of entries in a layer: component by component, each by its bytes. A directory comes before,
    /// and next to, everything in it.</summary>
    public static int Compare(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
            return left.Length.CompareTo(right.Length);

        char a = left[common], b = right[common];
        if (a == '/' || b == '/')
            return a == '/' ? -1 : 1;

        // UTF-16 orders surrogates before U+E000, UTF-8 after; escapes are single bytes.
        return char.IsSurrogate(a) || char.IsSurrogate(b)
            ? Encode(left).AsSpan().SequenceCompareTo(Encode(right))
            : a.CompareTo(b);
    }

    /// <summary>The path of the directory that holds <paramref name="path"/>; the root, which is empty, holds itself.</summary>
    public static string Parent(string path)
    {
        int slash = path.LastIndexOf('/');
        return slash < 0 ? "" : path[..slash];
    }

    /// <summary>The last component of <paramref name="path"/>.</summary>
    public static string Name(string path) => path[(path.LastIndexOf('/') + 1)..];

    /// <summary>The path of <paramref name="name"/> in <paramref name="directory"/>.</summary>
    public static string Join(string directory, string name) =>
        directory.Length == 0 ? name : name.Length == 0 ? directory : $"{directory}/{name}";

    /// <summary>The path without leading, trailing and doubled slashes and without <c>.</c> components;
    /// null when it has a <c>..</c> or a NUL.</summary>
    public static string? Normalise(string path)
    {
        if (IsNormal(path))
            return path;

        if (path.Contains('\0'))
            return null;

        var parts = path.Split('/').Where(part => part is not ("" or ".")).ToList();
        return parts.Contains("..") ? null : string.Join('/', parts);
    }

    // The common case, without an allocation: components are neither empty nor begin with a dot.
    private static bool IsNormal(string path)
    {
        bool atStart = true;
        foreach (char c in path)
        {
            if (c == '\0' || (atStart && c is '/' or '.'))
                return false;
            atStart = c == '/';
        }

        return !atStart || path.Length == 0;
    }

    private static void AppendEscaped(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
            text.Append((char)(EscapeBase + b));
    }
}
