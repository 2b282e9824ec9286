using System.Security.Cryptography;

namespace Ingot.Transparency;

/// <summary>A private key that signs notes. Owns the key; not for two threads at once.</summary>
public sealed class NoteSigner : IDisposable
{
    private readonly ECDsa _key;

    /// <summary>Takes an ECDSA P-256 key and gives it a name, by convention the log's origin.</summary>
    public NoteSigner(string name, ECDsa key)
    {
        if (!SignedNote.IsKeyName(name))
            throw new ArgumentException($"'{name}' is not the name of a key: expected no space and no '+'", nameof(name));

        _key = key;
        Verifier = NoteVerifier.FromPublicKey(name, key.ExportSubjectPublicKeyInfo());
    }

    /// <summary>The public half.</summary>
    public NoteVerifier Verifier { get; }

    /// <summary>Signs the bytes of a note's text.</summary>
    public byte[] Sign(ReadOnlySpan<byte> text) => _key.SignData(text, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    /// <inheritdoc/>
    public void Dispose()
    {
        _key.Dispose();
        Verifier.Dispose();
    }
}
