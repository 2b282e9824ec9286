using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ingot.Evidence.Tests;

/// <summary>A value that was found in an image, or that a goss file expects.</summary>
public abstract record GossValue
{
    private GossValue()
    {
    }

    /// <summary>A truth value.</summary>
    public sealed record Truth(bool Value) : GossValue;

    /// <summary>A number.</summary>
    public sealed record Number(double Value) : GossValue;

    /// <summary>A text.</summary>
    public sealed record Text(string Value) : GossValue;

    /// <summary>A list.</summary>
    public sealed record Items(IReadOnlyList<GossValue> Values) : GossValue
    {
        /// <summary>A list of texts.</summary>
        public static Items Of(IEnumerable<string> texts) => new([.. texts.Select(GossValue (t) => new Text(t))]);

        /// <inheritdoc/>
        public bool Equals(Items? other) => other is not null && Values.SequenceEqual(other.Values);

        /// <inheritdoc/>
        public override int GetHashCode() => Values.Count;

        /// <inheritdoc/>
        public override string ToString() => Json;
    }

    /// <summary>The value as JSON, for messages; a long text is cut.</summary>
    public string Json
    {
        get
        {
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
                Write(json);
            return Encoding.UTF8.GetString(buffer.ToArray());
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Json;

    // How goss turns any value to text before a text matcher sees it: a list becomes its elements by lines.
    internal string AsText() => this switch
    {
        Truth truth => truth.Value ? "true" : "false",
        Number number => number.Value.ToString("R", CultureInfo.InvariantCulture),
        Text text => text.Value,
        Items items => string.Join('\n', items.Values.Select(v => v.AsText())),
        _ => "",
    };

    // How goss turns a value to a number; null when it is none.
    internal double? AsNumber() => this switch
    {
        Number number => number.Value,
        Truth => null,
        _ => double.TryParse(AsText().Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : null,
    };

    // How goss turns a value to a list: a text becomes its lines. Null for what cannot be one.
    internal IReadOnlyList<GossValue>? AsItems() => this switch
    {
        Items items => items.Values,
        Text text => Items.Of(text.Value.Split('\n')).Values,
        _ => null,
    };

    internal void Write(Utf8JsonWriter json)
    {
        switch (this)
        {
            case Truth truth:
                json.WriteBooleanValue(truth.Value);
                break;
            case Number number:
                json.WriteRawValue(number.AsText());
                break;
            case Text text:
                json.WriteStringValue(Shorten(text.Value));
                break;
            case Items items:
                json.WriteStartArray();
                foreach (var item in items.Values)
                    item.Write(json);
                json.WriteEndArray();
                break;
        }
    }

    private static string Shorten(string text)
    {
        const int Longest = 400;
        if (text.Length <= Longest)
            return text;

        int end = char.IsHighSurrogate(text[Longest - 1]) ? Longest - 1 : Longest;
        return $"{text.AsSpan(0, end)}… ({text.Length} characters)";
    }
}
