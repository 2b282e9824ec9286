using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Oci.Content;

/// <summary>The name of some bytes: <c>sha256:</c> and 64 lower-case hex digits
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests">image specification, digests</see>).</summary>
[JsonConverter(typeof(DigestJsonConverter))]
public readonly record struct Digest : IComparable<Digest>
{
    private const string Prefix = "sha256:";
    private const int HexLength = 64;
    private static readonly SearchValues<char> s_hexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? _hex;

    private Digest(string hex) => _hex = hex;

    /// <summary>The 64 hex digits, without the algorithm. Throws for <c>default</c>, which names nothing.</summary>
    public string Hex => _hex ?? throw new InvalidOperationException("this digest names nothing");

    /// <summary>Whether this is <c>default</c>: the name of nothing.</summary>
    public bool IsEmpty => _hex is null;

    /// <summary>The first 12 hex digits, for people.</summary>
    public string Short => Hex[..12];

    /// <summary>The digest of <paramref name="bytes"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes) => FromHash(SHA256.HashData(bytes));

    /// <summary>The digest of everything left in <paramref name="stream"/>.</summary>
    public static async Task<Digest> OfAsync(Stream stream, CancellationToken cancellationToken = default) =>
        FromHash(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));

    /// <summary>The digest whose SHA-256 value is <paramref name="hash"/> (32 bytes).</summary>
    public static Digest FromHash(ReadOnlySpan<byte> hash) => hash.Length == 32
        ? new Digest(Convert.ToHexStringLower(hash))
        : throw new ArgumentException($"a SHA-256 value has 32 bytes, not {hash.Length}", nameof(hash));

    /// <summary>Reads a digest; false when the text is not one.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Digest digest)
    {
        digest = default;
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            return false;

        var hex = text[Prefix.Length..];
        if (hex.Length != HexLength || hex.ContainsAnyExcept(s_hexDigits))
            return false;

        digest = new Digest(hex.ToString());
        return true;
    }

    /// <summary>Reads a digest, or throws a <see cref="FormatException"/> that says what one looks like.</summary>
    public static Digest Parse(string text) => TryParse(text, out var digest)
        ? digest
        : throw new FormatException($"'{text}' is not a digest: expected sha256: followed by 64 lower-case hex digits");

    /// <summary>The 32 bytes of the SHA-256 value.</summary>
    public byte[] ToHash() => Convert.FromHexString(Hex);

    /// <inheritdoc/>
    public int CompareTo(Digest other) => string.CompareOrdinal(_hex, other._hex);

    // default(Digest) must not look like the name of something.
    /// <inheritdoc/>
    public override string ToString() => _hex is null ? "(no digest)" : Prefix + _hex;

    /// <summary>Orders by hex digits.</summary>
    public static bool operator <(Digest left, Digest right) => left.CompareTo(right) < 0;

    /// <summary>Orders by hex digits.</summary>
    public static bool operator >(Digest left, Digest right) => left.CompareTo(right) > 0;

    /// <summary>Orders by hex digits.</summary>
    public static bool operator <=(Digest left, Digest right) => left.CompareTo(right) <= 0;

    /// <summary>Orders by hex digits.</summary>
    public static bool operator >=(Digest left, Digest right) => left.CompareTo(right) >= 0;
}

/// <summary>A digest in JSON is its text, as a value and as a property's name.</summary>
public sealed class DigestJsonConverter : JsonConverter<Digest>
{
    /// <inheritdoc/>
    public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Parse(reader.GetString());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());

    /// <inheritdoc/>
    public override Digest ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Parse(reader.GetString());

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value.ToString());

    private static Digest Parse(string? text) => text is not null && Digest.TryParse(text, out var digest)
        ? digest
        : throw new JsonException($"'{text}' is not a digest: expected sha256: followed by 64 lower-case hex digits");
}
