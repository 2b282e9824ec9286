using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Signatures;

/// <summary>The older form of an image signature, which cosign 1 and 2 look for under the tag <c>sha256-HEX.sig</c>
/// (<see href="https://github.com/sigstore/cosign/blob/v2.5.0/specs/SIGNATURE_SPEC.md">cosign signature specification</see>).</summary>
public static class SimpleSigning
{
    /// <summary>The media type of a payload.</summary>
    public const string MediaType = "application/vnd.dev.cosign.simplesigning.v1+json";

    /// <summary>The media type of an envelope in an <c>.att</c> manifest.</summary>
    public const string EnvelopeMediaType = "application/vnd.dsse.envelope.v1+json";

    /// <summary>The annotation that holds the base64 of the signature over the payload.</summary>
    public const string SignatureAnnotation = "dev.cosignproject.cosign/signature";

    /// <summary>The tag of an image's signatures.</summary>
    public static string SignatureTag(Digest image) => $"sha256-{image.Hex}.sig";

    /// <summary>The tag of an image's attestations.</summary>
    public static string AttestationTag(Digest image) => $"sha256-{image.Hex}.att";

    /// <summary>The bytes that are signed for <paramref name="image"/>; equal arguments give equal bytes.</summary>
    public static byte[] Payload(Digest image, string reference)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("critical"u8);
            json.WriteStartObject("identity"u8);
            json.WriteString("docker-reference"u8, reference);
            json.WriteEndObject();
            json.WriteStartObject("image"u8);
            json.WriteString("docker-manifest-digest"u8, image.ToString());
            json.WriteEndObject();
            json.WriteString("type"u8, "cosign container image signature");
            json.WriteEndObject();
            json.WriteNull("optional"u8);
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
