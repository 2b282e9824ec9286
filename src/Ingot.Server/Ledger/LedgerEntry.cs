using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Server.Ledger;

/// <summary>One entry of the ledger.</summary>
/// <param name="Format">The version of the form below, 1.</param>
/// <param name="Seq">The entry's place in the log, from 0: its leaf's index in the tree.</param>
/// <param name="Time">When it was appended, to the millisecond, UTC.</param>
/// <param name="Actor">Who caused it: a person, or a part of the server.</param>
/// <param name="Event">What happened.</param>
/// <remarks>
/// <para>The bytes of an entry, which the tree is over, are JSON in UTF-8 without white space, members in the order
/// <c>v</c>, <c>seq</c>, <c>time</c>, <c>actor</c>, <c>event</c>; in the event <c>kind</c> first and then the kind's members in the order
/// its record declares them, in snake case, absent ones left out. Escaped are control characters, quotation mark, backslash and what lies
/// outside Unicode's basic plane. Parsing the bytes and writing the result gives the same bytes: that is checked,
/// so there is one way to write an entry.</para>
/// </remarks>
public sealed record LedgerEntry(
    [property: JsonPropertyName("v")] int Format, long Seq, DateTimeOffset Time, string Actor, LedgerEvent Event)
{
    /// <summary>The largest entry in bytes: entry bundles give a length 16 bits.</summary>
    public const int MaxBytes = ushort.MaxValue;

    /// <summary>The version this code writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Reads an entry, or throws <see cref="FormatException"/> when the bytes are not its canonical form.</summary>
    public static LedgerEntry Parse(ReadOnlySpan<byte> json)
    {
        LedgerEntry? entry;
        try
        {
            entry = JsonSerializer.Deserialize(json, LedgerJson.Entries.LedgerEntry);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or FormatException)
        {
            throw new FormatException($"the bytes are not an entry of the ledger: {IngotException.ReasonOf(e)}", e);
        }

        if (entry is null || entry.Format != CurrentFormat)
            throw new FormatException($"the entry has format {entry?.Format}: expected {CurrentFormat}");

        return entry.ToBytes().AsSpan().SequenceEqual(json) ? entry : throw new FormatException("the entry is not in canonical form");
    }

    /// <summary>The canonical bytes.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, LedgerJson.Entries.LedgerEntry);

    /// <summary>Names the entry and what it says, as <see cref="LedgerView.Mark"/> does.</summary>
    [JsonIgnore]
    public string Mark => $"{Seq} {Convert.ToHexString(Transparency.MerkleTree.HashLeaf(ToBytes()).ToArray())}";

    /// <summary>The time as the entry writes it.</summary>
    [JsonIgnore]
    public string TimeText => Rfc3339Converter.Format(Time);
}

/// <summary>How entries are written. Strict both ways: what is not expected is an error, not ignored.</summary>
public static class LedgerJson
{
    internal static LedgerJsonContext Entries { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        AllowDuplicateProperties = false,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new Rfc3339Converter() },
    });

    /// <summary>The JSON of an event alone, for interfaces.</summary>
    public static JsonElement ToElement(LedgerEvent value) => JsonSerializer.SerializeToElement(value, Entries.LedgerEvent);
}

[JsonSerializable(typeof(LedgerEntry))]
[JsonSerializable(typeof(LedgerEvent))]
[JsonSerializable(typeof(IReadOnlyList<GateRecord>))]
[JsonSerializable(typeof(IReadOnlyList<AppliedImage>))]
[JsonSerializable(typeof(DocumentName))]
internal sealed partial class LedgerJsonContext : JsonSerializerContext;

/// <summary>Times as <c>2026-01-31T23:59:59.123Z</c> and in no other way.</summary>
internal sealed class Rfc3339Converter : JsonConverter<DateTimeOffset>
{
    private const string Form = "0000-00-00T00:00:00.000Z";

    public static string Format(DateTimeOffset time) => string.Create(Form.Length, time.UtcDateTime, Write);

    public static DateTimeOffset Parse(string text)
    {
        if (text.Length != Form.Length || !HasForm(text))
            throw new FormatException($"'{text}' is not a time such as '2026-01-31T23:59:59.123Z'");

        try
        {
            return new DateTimeOffset(
                Number(text, 0, 4), Number(text, 5, 2), Number(text, 8, 2), Number(text, 11, 2), Number(text, 14, 2), Number(text, 17, 2),
                Number(text, 20, 3), TimeSpan.Zero);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new FormatException($"'{text}' is not a time that exists", e);
        }
    }

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Parse(reader.GetString() ?? "");

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<char> text = stackalloc char[Form.Length];
        Write(text, value.UtcDateTime);
        writer.WriteStringValue(text);
    }

    // By hand: every entry has a time, and the library's way for any form takes several times as long.
    private static void Write(Span<char> text, DateTime time)
    {
        Form.CopyTo(text);
        Write(text[..4], time.Year);
        Write(text[5..7], time.Month);
        Write(text[8..10], time.Day);
        Write(text[11..13], time.Hour);
        Write(text[14..16], time.Minute);
        Write(text[17..19], time.Second);
        Write(text[20..23], time.Millisecond);
    }

    private static void Write(Span<char> digits, int number)
    {
        for (int i = digits.Length - 1; i >= 0; i--, number /= 10)
            digits[i] = (char)('0' + (number % 10));
    }

    private static bool HasForm(string text)
    {
        for (int i = 0; i < Form.Length; i++)
        {
            if (Form[i] == '0' ? !char.IsAsciiDigit(text[i]) : text[i] != Form[i])
                return false;
        }

        return true;
    }

    private static int Number(string text, int start, int length)
    {
        int number = 0;
        for (int i = start; i < start + length; i++)
            number = (number * 10) + (text[i] - '0');
        return number;
    }
}
