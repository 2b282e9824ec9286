using System.Text;
using System.Text.Json;

namespace Ingot.Evidence.Signatures;

/// <summary>Bytes and a signature over them and over what they are
/// (<see href="https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md">DSSE envelope</see>).</summary>
/// <param name="PayloadType">What the payload is; signed with it.</param>
/// <param name="Payload">The payload's own bytes, not their base64.</param>
/// <param name="Signatures">The signatures. Ingot writes and accepts exactly one.</param>
public sealed record Envelope(string PayloadType, ReadOnlyMemory<byte> Payload, IReadOnlyList<EnvelopeSignature> Signatures)
{
    /// <summary>The payload type of in-toto statements.</summary>
    public const string InTotoPayload = "application/vnd.in-toto+json";

    private static readonly JsonDocumentOptions s_reading = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <summary>The bytes a signature covers: <c>DSSEv1 SP len(type) SP type SP len(body) SP body</c>
    /// (<see href="https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md#signature-definition">pre-authentication
    /// encoding</see>).</summary>
    public static byte[] PreAuthenticationEncoding(string payloadType, ReadOnlySpan<byte> payload)
    {
        int typeLength = Encoding.UTF8.GetByteCount(payloadType);
        var head = Encoding.UTF8.GetBytes($"DSSEv1 {typeLength} {payloadType} {payload.Length} ");
        return [.. head, .. payload];
    }

    /// <summary>The key among <paramref name="keys"/> that made the one signature; null when none did. Key ids in the envelope are hints
    /// and are not looked at.</summary>
    public PublicKey? Verify(IEnumerable<PublicKey> keys)
    {
        if (Signatures.Count != 1)
            return null;

        var signed = PreAuthenticationEncoding(PayloadType, Payload.Span);
        return keys.FirstOrDefault(key => key.Verify(signed, Signatures[0].Value.Span));
    }

    /// <summary>The envelope as JSON; equal envelopes have equal bytes.</summary>
    public byte[] ToBytes()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
            Write(json);
        return buffer.ToArray();
    }

    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteBase64String("payload"u8, Payload.Span);
        json.WriteString("payloadType"u8, PayloadType);
        json.WriteStartArray("signatures"u8);
        foreach (var signature in Signatures)
        {
            json.WriteStartObject();
            json.WriteBase64String("sig"u8, signature.Value.Span);
            if (signature.KeyId is not null)
                json.WriteString("keyid"u8, signature.KeyId);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Reads an envelope, or throws <see cref="FormatException"/>. Standard and URL-safe base64 are both read.</summary>
    public static Envelope Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, s_reading);
            return Read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new FormatException($"the envelope is not JSON: {IngotException.ReasonOf(e)}", e);
        }
    }

    internal static Envelope Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new FormatException("the envelope is not an object");

        string type = Statement.Text(root, "payloadType"u8) ?? throw new FormatException("the envelope has no 'payloadType'");
        var payload = Base64(Statement.Text(root, "payload"u8) ?? throw new FormatException("the envelope has no 'payload'"));
        if (!root.TryGetProperty("signatures"u8, out var list) || list.ValueKind != JsonValueKind.Array)
            throw new FormatException("the envelope has no 'signatures' list");

        List<EnvelopeSignature> signatures = [];
        foreach (var item in list.EnumerateArray())
            signatures.Add(ReadSignature(item));
        return new Envelope(type, payload, signatures);
    }

    private static EnvelopeSignature ReadSignature(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || Statement.Text(item, "sig"u8) is not { } text)
            throw new FormatException("a signature of the envelope has no 'sig'");

        return new EnvelopeSignature(Base64(text), Statement.Text(item, "keyid"u8));
    }

    // The envelope's text says: either standard or URL-safe encoding, and padding may be missing from the second.
    private static byte[] Base64(string text)
    {
        var standard = text.Replace('-', '+').Replace('_', '/').TrimEnd('=');
        var bytes = new byte[(standard.Length * 3 / 4) + 3];
        return Convert.TryFromBase64String(standard.PadRight((standard.Length + 3) / 4 * 4, '='), bytes, out int written)
            ? bytes[..written]
            : throw new FormatException("the envelope holds text that is not base64");
    }
}

/// <summary>One signature of an envelope.</summary>
/// <param name="Value">The signature: ASN.1 DER for ECDSA.</param>
/// <param name="KeyId">A hint at the key; not authenticated.</param>
public sealed record EnvelopeSignature(ReadOnlyMemory<byte> Value, string? KeyId = null);
