using System.Text.Json;

namespace Ingot.Evidence.Signatures;

/// <summary>An envelope as sigstore's clients store it
/// (<see href="https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_bundle.proto">bundle 0.3</see>), signed by a key: no
/// certificate, no log entry.</summary>
/// <remarks>Readers of bundles refuse members they do not know: nothing of our own may be added.</remarks>
public static class SigstoreBundle
{
    /// <summary>The media type of the bundle, of the layer that holds it, and the artifact type of its manifest.</summary>
    public const string MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";

    private static readonly JsonDocumentOptions s_reading = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    /// <summary>The bundle of an envelope that <paramref name="key"/> signed; equal envelopes have equal bundles.</summary>
    public static byte[] Write(Envelope envelope, PublicKey key)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("mediaType"u8, MediaType);
            json.WriteStartObject("verificationMaterial"u8);
            json.WriteStartObject("publicKey"u8);
            json.WriteString("hint"u8, key.Hint);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WritePropertyName("dsseEnvelope"u8);
            envelope.Write(json);
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>The envelope in a bundle, or a <see cref="FormatException"/>. Nothing is verified.</summary>
    public static Envelope Read(ReadOnlyMemory<byte> bundle)
    {
        try
        {
            using var document = JsonDocument.Parse(bundle, s_reading);
            return Read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new FormatException($"the bundle is not JSON: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static Envelope Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new FormatException("the bundle is not an object");

        if (Statement.Text(root, "mediaType"u8) is not MediaType)
            throw new FormatException($"'{Statement.Text(root, "mediaType"u8)}' is not the bundle's media type: expected '{MediaType}'");

        if (!root.TryGetProperty("dsseEnvelope"u8, out var envelope))
            throw new FormatException("the bundle holds no 'dsseEnvelope'");

        return Envelope.Read(envelope);
    }
}
