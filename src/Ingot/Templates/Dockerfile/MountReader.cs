using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>Reads <c>--mount</c> of RUN: pairs with commas between them, in the quotes of CSV where one holds a comma.</summary>
/// <remarks>https://docs.docker.com/reference/dockerfile/#run---mount; what holds a variable is judged when it is expanded.</remarks>
internal sealed class MountReader(DiagnosticBag diagnostics, LogicalLine line, FlagWord flag, char escape)
{
    private static readonly string[] s_types = ["bind", "cache", "secret", "ssh", "tmpfs"];
    private static readonly string[] s_sharing = ["locked", "private", "shared"];

    // Key, what it stands for, and the types that take it; none for every type.
    private static readonly (string Key, string Canonical, string[] Types)[] s_keys =
    [
        ("type", "type", []),
        ("target", "target", []), ("dst", "target", []), ("destination", "target", []),
        ("source", "source", []), ("src", "source", []),
        ("from", "from", ["bind", "cache", "ssh", "tmpfs"]),
        ("readonly", "readonly", []), ("ro", "readonly", []),
        ("readwrite", "readwrite", []), ("rw", "readwrite", []),
        ("id", "id", []),
        ("env", "env", []),
        ("sharing", "sharing", ["cache"]),
        ("required", "required", ["secret", "ssh"]),
        ("size", "size", ["tmpfs"]),
        ("mode", "mode", ["cache", "secret", "ssh"]), ("uid", "uid", ["cache", "secret", "ssh"]), ("gid", "gid",
            ["cache", "secret", "ssh"]),
    ];

    private readonly List<(string Key, Word Name, Word? Value)> _options = [];

    /// <summary>The spelling that stands for a key: <c>target</c> for <c>dst</c>; the key itself when it is not known.</summary>
    public static string Canonical(string key) => Array.Find(s_keys, row => row.Key == key).Canonical ?? key;

    /// <summary>The mount; what is wrong with it has been reported.</summary>
    public MountSyntax Read()
    {
        int start = flag.Text.IndexOf('=', StringComparison.Ordinal) + 1;
        if (start == flag.Text.Length)
            Error("the mount says nothing", flag.Part(line, 0, flag.Text.Length), "such as --mount=type=cache,target=/root/.cache");
        else if (Fields(start) is { } fields)
            fields.ForEach(ReadField);

        CheckTogether();
        return new(line.Span(flag.Raw), [.. _options.Select(option => (option.Key, option.Value))]);
    }

    // RFC 4180, one record; null after a mistake. A field is its characters' places, because doubled quotes fall out.
    private List<List<int>>? Fields(int position)
    {
        List<List<int>> fields = [];
        while (true)
        {
            var (field, end) = position < flag.Text.Length && flag.Text[position] == '"' ? QuotedField(position) : PlainField(position);
            if (field is null)
                return null;

            fields.Add(field);
            if (end == flag.Text.Length)
                return fields;
            position = end + 1;
        }
    }

    private (List<int>? Field, int End) PlainField(int position)
    {
        int end = flag.Text.IndexOf(',', position);
        end = end < 0 ? flag.Text.Length : end;
        int quote = flag.Text.IndexOf('"', position, end - position);
        if (quote < 0)
            return ([.. Enumerable.Range(position, end - position)], end);

        Error("there is a quote inside a part of the mount", flag.Part(line, quote, 1), "quote the whole part: \\\"target=/a,b\\\"");
        return (null, end);
    }

    private (List<int>? Field, int End) QuotedField(int start)
    {
        List<int> field = [];
        for (int i = start + 1; i < flag.Text.Length; i++)
        {
            if (flag.Text[i] != '"')
            {
                field.Add(i);
            }
            else if (i + 1 < flag.Text.Length && flag.Text[i + 1] == '"')
            {
                field.Add(++i);
            }
            else if (i + 1 == flag.Text.Length || flag.Text[i + 1] == ',')
            {
                return (field, i + 1);
            }
            else
            {
                Error("a quote in the mount is followed by more text", flag.Part(line, i, 1), "write it twice to mean itself");
                return (null, i);
            }
        }

        Error("a quote in the mount has no end", flag.Part(line, start, 1), "add the closing \\\"");
        return (null, flag.Text.Length);
    }

    private void ReadField(List<int> field)
    {
        string text = string.Concat(field.Select(i => flag.Text[i]));
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        var name = Part(field, text, 0, equals < 0 ? text.Length : equals);
        string key = name.Text.ToLowerInvariant();
        if (text.Length == 0)
        {
            Error("a part of the mount is empty", name, "remove one of the commas");
            return;
        }

        if (Array.Find(s_keys, row => row.Key == key).Key is null)
        {
            Error($"a mount has no key '{name.Text}'", name,
                Suggestion.For(key, s_keys.Select(row => row.Key)) ?? $"it has {string.Join(", ", s_keys.Select(row => row.Key))}");
            return;
        }

        var value = equals < 0 ? null : Part(field, text, equals + 1, text.Length - equals - 1);
        if (value is null && Canonical(key) is not ("readonly" or "readwrite" or "required"))
            Error($"'{name.Text}' of a mount needs a value", name, $"write {key}=value");
        else if (value is null || VariableExpander.Check(value, diagnostics, escape))
            _options.Add((key, name, value));
        if (value is not null)
            CheckValue(key, value);
    }

    private Word Part(List<int> field, string text, int start, int length)
    {
        int first = start < field.Count ? field[start] : field.Count == 0 ? flag.Text.Length : field[^1] + 1;
        int last = length == 0 ? first : field[start + length - 1] + 1;
        return new(text.Substring(start, length), flag.Part(line, Math.Min(first, flag.Text.Length), last - first).Span);
    }

    private void CheckValue(string key, Word value)
    {
        if (value.Text.Contains('$', StringComparison.Ordinal))
        {
            if (key == "from" && value.Text.IndexOf('$', StringComparison.Ordinal) < value.Text.Length - 1)
                Error("variables have no meaning in 'from' of a mount", value, "write FROM $image AS name above, and from=name");
            return;
        }

        string? cure = Canonical(key) switch
        {
            "type" when !s_types.Contains(value.Text.ToLowerInvariant()) =>
                Suggestion.For(value.Text, s_types) ?? $"one of {string.Join(", ", s_types)}",
            "sharing" when !s_sharing.Contains(value.Text.ToLowerInvariant()) =>
                Suggestion.For(value.Text, s_sharing) ?? $"one of {string.Join(", ", s_sharing)}",
            "readonly" or "readwrite" or "required" when DockerfileValues.TryParseSwitch(value.Text) is null => "true or false",
            "size" when DockerfileValues.TryParseSize(value.Text) is null => "bytes, or such as 64m or 1g",
            "mode" when DockerfileValues.TryParseMode(value.Text) is null => "octal digits, such as 0400",
            "uid" or "gid" when DockerfileValues.TryParseId(value.Text) is null => "a number",
            _ => null,
        };
        if (cure is not null)
            Error($"'{value.Text}' is not a value for '{key}' of a mount", value, cure);
    }

    // What the parts must be to each other; nothing is said when a variable decides what type it is.
    private void CheckTogether()
    {
        string type = Last("type") is { } word ? word.Text.ToLowerInvariant() : "bind";
        if (!s_types.Contains(type))
            return;

        foreach (var (key, name, value) in _options)
        {
            var types = Array.Find(s_keys, row => row.Key == key).Types;
            if (types.Length > 0 && !types.Contains(type) && value?.Text != "")
                Error($"a mount of type '{type}' has no '{key}'", name, $"the types that have it: {string.Join(", ", types)}");
        }

        var whole = flag.Part(line, 0, flag.Text.Length);
        bool secret = type == "secret";
        if (secret && Last("source") is { } source && Last("id") is not null)
            Error("a secret has either 'id' or 'source'", source, "they mean the same; keep one of them");
        else if (secret && Last("source") is null && Last("id") is null && Last("target") is null
            && flag.Text.Contains('=', StringComparison.Ordinal))
            Error("the mount does not say which secret", whole, "write --mount=type=secret,id=name");
    }

    private Word? Last(string canonical) =>
        _options.LastOrDefault(option => Canonical(option.Key) == canonical && option.Value is { Text.Length: > 0 }).Value;

    private void Error(string summary, Word where, string cure) => diagnostics.Error(DockerfileCodes.BadMount, summary, where.Span, cure);
}
