using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Ingot.Oci.Content;

/// <summary>Refuses documents that two readers may read differently: a digest names bytes, and they must mean one thing to us, to
/// registries, to engines and to scanners.</summary>
/// <remarks>
/// Readers differ in names that occur twice (the first or the last counts, or both are merged), in names that differ in case (Go's reader
/// takes <c>Layers</c> for <c>layers</c>), in text that is not Unicode, in what follows the end, and in depth. Names that are data
/// (annotations, labels) may differ in case, as they do for Go's maps.
/// </remarks>
public static class StrictJson
{
    /// <summary>How deep objects and lists may lie in each other.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonReaderOptions s_options = new()
    {
        MaxDepth = MaxDepth,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
    };

    /// <summary>Checks a whole document, or throws a <see cref="FormatException"/> that says why it has no single reading.</summary>
    public static void Check(ReadOnlySpan<byte> json, JsonShape shape)
    {
        if (json.StartsWith("\uFEFF"u8))
            throw new FormatException("the document begins with a byte order mark, which JSON does not have");
        if (!Utf8.IsValid(json))
            throw new FormatException("the document is not UTF-8: readers replace what is not, each in its own way");

        try
        {
            Walk(json, shape);
        }
        catch (JsonException e)
        {
            throw new FormatException($"the document is not JSON: {IngotException.ReasonOf(e)}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException("the document has half of a surrogate pair in its text, which is not a character", e);
        }
    }

    /// <summary>A name as Go's reader compares it: ASCII letters without case, and the two other characters that fold to one.</summary>
    public static string Fold(string name) => string.Create(name.Length, name, (folded, text) =>
    {
        for (int i = 0; i < text.Length; i++)
            folded[i] = text[i] switch { '\u017F' => 's', '\u212A' => 'k', var c => char.ToLowerInvariant(c) };
    });

    private static void Walk(ReadOnlySpan<byte> json, JsonShape shape)
    {
        var reader = new Utf8JsonReader(json, s_options);
        var open = new Stack<Level>();
        var next = shape;
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    open.Push(new Level(next, IsList: false));
                    break;
                case JsonTokenType.StartArray:
                    open.Push(new Level(next, IsList: true));
                    break;
                case JsonTokenType.PropertyName:
                    next = open.Peek().Enter(reader.GetString()!);
                    continue;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    open.Pop().Leave();
                    break;
                default:
                    Value(ref reader, open);
                    break;
            }

            // The next item of a list is what the list is of.
            next = open.TryPeek(out var level) && level.IsList ? level.Shape : shape;
        }
    }

    private static void Value(ref Utf8JsonReader reader, Stack<Level> open)
    {
        string? text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        if (open.TryPeek(out var level) && level is { IsList: false, Shape.IsDescriptor: true })
            level.Take(
                text, reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long number) ? number : null, reader.TokenType);
    }

    /// <summary>One object or list that is being read.</summary>
    private sealed record Level(JsonShape Shape, bool IsList)
    {
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);
        private string _name = "";
        private string? _digest;
        private string? _data;
        private long? _size;

        /// <summary>A name was read: what its value is.</summary>
        public JsonShape Enter(string name)
        {
            _name = name;
            string folded = Shape.IsKnown ? Fold(name) : name;
            if (!_names.Add(folded))
                throw new FormatException($"the name '{name}' occurs twice in one "
                    + $"object{(Shape.IsKnown ? ", or differs from another in case only" : "")}: readers disagree on which one counts");
            if (Shape.Foreign(folded) is { } other)
                throw new FormatException($"it has '{name}', by which others take it for {other}: it cannot be both at once");
            if (Shape.Known(folded) is { } known && known != name)
                throw new FormatException($"the name '{name}' is not '{known}', and some readers take it for that");
            return Shape.Member(name);
        }

        /// <summary>A value of a descriptor was read.</summary>
        public void Take(string? text, long? number, JsonTokenType type)
        {
            if (_name == "digest")
                _digest = text;
            else if (_name == "size")
                _size = number;
            else if (_name == "data" && type != JsonTokenType.Null)
                _data = text ?? throw new FormatException("a descriptor's 'data' is not text");
        }

        /// <summary>The end was read.</summary>
        public void Leave()
        {
            if (_data is null || !Digest.TryParse(_digest, out var digest))
                return;

            byte[] embedded = Decode(_data, digest);
            if (embedded.Length != _size || Digest.Of(embedded, digest) != digest)
                throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"the descriptor of '{digest}' says {_size} bytes "
                    + $"and embeds {embedded.Length} bytes of '{Digest.Of(embedded, digest)}'"));
        }

        // Only what every decoder takes: no white space, no missing or spare padding.
        private static byte[] Decode(string data, Digest digest)
        {
            byte[] bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(data.Length)];
            return Convert.TryFromBase64String(data, bytes, out int written) && Convert.ToBase64String(bytes.AsSpan(0, written)) == data
                ? bytes[..written]
                : throw new FormatException($"the descriptor of '{digest}' embeds data that is not base64");
        }
    }
}
