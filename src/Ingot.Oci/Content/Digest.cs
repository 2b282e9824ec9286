using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Oci.Content;

/// <summary>The name of some bytes: <c>sha256:</c> and 64 lower-case hex digits, or <c>sha512:</c> and 128
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests">image specification,
/// digests</see>).</summary>
/// <remarks>What is made here is named by SHA-256. SHA-512 is read where others may name content by it: in documents,
/// registries and layouts.</remarks>
[JsonConverter(typeof(DigestJsonConverter))]
public readonly record struct Digest : IComparable<Digest>
{
    /// <summary>The algorithm of everything that is made here.</summary>
    public const string Sha256 = "sha256";

    /// <summary>The other algorithm of the specification.</summary>
    public const string Sha512 = "sha512";

    private const int Sha256Digits = 64;
    private const int Sha512Digits = 128;
    private static readonly SearchValues<char> s_hexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? _hex;

    private Digest(string hex) => _hex = hex;

    /// <summary>The hex digits, without the algorithm. Throws for <c>default</c>, which names nothing.</summary>
    public string Hex => _hex ?? throw new InvalidOperationException("this digest names nothing");

    /// <summary>The algorithm: <see cref="Sha256"/> or <see cref="Sha512"/>. Throws for <c>default</c>.</summary>
    public string Algorithm => Hex.Length == Sha512Digits ? Sha512 : Sha256;

    /// <summary>Whether this names its bytes by SHA-256, as everything must that is promoted or released: one image has one name.</summary>
    public bool IsSha256 => _hex is { Length: Sha256Digits };

    /// <summary>Whether this names its bytes by SHA-512.</summary>
    public bool IsSha512 => _hex is { Length: Sha512Digits };

    /// <summary>Whether this is <c>default</c>: the name of nothing.</summary>
    public bool IsEmpty => _hex is null;

    /// <summary>The first 12 hex digits, for people.</summary>
    public string Short => Hex[..12];

    /// <summary>The digest of <paramref name="bytes"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes) => FromHash(SHA256.HashData(bytes));

    /// <summary>The digest of <paramref name="bytes"/> by the algorithm of <paramref name="like"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes, Digest like) => like.IsSha512 ? FromHash(SHA512.HashData(bytes)) : Of(bytes);

    /// <summary>The digest of everything left in <paramref name="stream"/>.</summary>
    public static async Task<Digest> OfAsync(Stream stream, CancellationToken cancellationToken = default) =>
        FromHash(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));

    /// <summary>The digest of everything left in <paramref name="stream"/> by the algorithm of <paramref name="like"/>.</summary>
    public static async Task<Digest> OfAsync(Stream stream, Digest like, CancellationToken cancellationToken = default) => like.IsSha512
        ? FromHash(await SHA512.HashDataAsync(stream, cancellationToken).ConfigureAwait(false))
        : await OfAsync(stream, cancellationToken).ConfigureAwait(false);

    /// <summary>The digest whose SHA-256 value (32 bytes) or SHA-512 value (64 bytes) is <paramref name="hash"/>.</summary>
    public static Digest FromHash(ReadOnlySpan<byte> hash) => hash.Length is 32 or 64
        ? new Digest(Convert.ToHexStringLower(hash))
        : throw new ArgumentException($"a SHA-256 value has 32 bytes and a SHA-512 value 64, not {hash.Length}", nameof(hash));

    /// <summary>Begins a hash by this digest's algorithm, to be compared with it.</summary>
    public IncrementalHash BeginHash() => IncrementalHash.CreateHash(IsSha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);

    /// <summary>Reads a digest; false when the text is not one.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Digest digest)
    {
        digest = default;
        int colon = text.IndexOf(':');
        int digits = colon < 0 ? 0 : text[..colon] switch { Sha256 => Sha256Digits, Sha512 => Sha512Digits, _ => 0 };
        if (digits == 0)
            return false;

        var hex = text[(colon + 1)..];
        if (hex.Length != digits || hex.ContainsAnyExcept(s_hexDigits))
            return false;

        digest = new Digest(hex.ToString());
        return true;
    }

    /// <summary>Reads a digest, or throws a <see cref="FormatException"/> that says what one looks like.</summary>
    public static Digest Parse(string text) => TryParse(text, out var digest)
        ? digest
        : throw new FormatException($"'{text}' is not a digest: expected sha256: followed by 64 lower-case hex digits");

    /// <summary>The bytes of the hash's value: 32 or 64.</summary>
    public byte[] ToHash() => Convert.FromHexString(Hex);

    /// <inheritdoc/>
    public int CompareTo(Digest other) => string.CompareOrdinal(_hex, other._hex);

    // default(Digest) must not look like the name of something.
    /// <inheritdoc/>
    public override string ToString() => _hex is null ? "(no digest)" : $"{Algorithm}:{_hex}";

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
