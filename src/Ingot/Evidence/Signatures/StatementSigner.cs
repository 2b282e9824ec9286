namespace Ingot.Evidence.Signatures;

/// <summary>Makes envelopes of statements.</summary>
public static class StatementSigner
{
    /// <summary>Signs <paramref name="statement"/>. ECDSA draws a random number: two signatures of one statement differ,
    /// and both are good.</summary>
    public static Envelope Sign(Statement statement, SigningKey key)
    {
        var payload = statement.ToBytes();
        var signature = key.Sign(Envelope.PreAuthenticationEncoding(Envelope.InTotoPayload, payload));
        return new Envelope(Envelope.InTotoPayload, payload, [new EnvelopeSignature(signature)]);
    }
}
