using System.Text;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Which signatures and statements under the tags of tools without referrers a trusted key made about the image of the
/// tag.</summary>
internal sealed class AccessoryTrust(KeyBook keys)
{
    /// <summary>The key and what it signed; null when no trusted key did, or when it signed something about another image.</summary>
    public async Task<string?> SignatureAsync(
        string image, Descriptor descriptor, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var trusted = (await keys.ReadAsync(cancellationToken)).Trusted;
        return descriptor.MediaType == SimpleSigning.EnvelopeMediaType
            ? OfEnvelope(image, content, trusted)
            : OfPayload(image, descriptor, content, trusted);
    }

    private static string? OfPayload(string image, Descriptor descriptor, ReadOnlyMemory<byte> payload, IReadOnlyList<TrustedKey> trusted)
    {
        string text = descriptor.Annotations?.GetValueOrDefault(SimpleSigning.SignatureAnnotation) ?? "";
        byte[] signature = new byte[text.Length];
        return Convert.TryFromBase64String(text, signature, out int length)
            ? Identity(image, payload,
                MayIssue(trusted, PredicateType.Signature).FirstOrDefault(key => key.Verify(payload.Span, signature.AsSpan(0, length))))
            : null;
    }

    private static string? OfEnvelope(string image, ReadOnlyMemory<byte> content, IReadOnlyList<TrustedKey> trusted)
    {
        try
        {
            var envelope = Envelope.Parse(content);
            string type = Statement.Parse(envelope.Payload).PredicateType;
            return Identity(image, envelope.Payload, envelope.Verify(MayIssue(trusted, type)));
        }
        catch (FormatException)
        {
            return null;
        }
    }

    // A key that is retired, or has another role, fills no tag either.
    private static IEnumerable<PublicKey> MayIssue(IReadOnlyList<TrustedKey> trusted, string type) =>
        trusted.Where(key => key.MayIssue(type)).Select(key => key.Key);

    // What is signed names the image by its digest; signatures of other images would fill the tag as well as forged ones.
    private static string? Identity(string image, ReadOnlyMemory<byte> payload, PublicKey? signer) =>
        signer is not null && payload.Span.IndexOf(Encoding.ASCII.GetBytes(image)) >= 0 ? $"{signer.Id} {Digest.Of(payload.Span)}" : null;
}
