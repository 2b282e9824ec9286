using System.Security.Cryptography;

namespace Ingot.Evidence.Signatures;

/// <summary>A public key that signatures are checked with: ECDSA on P-256 with SHA-256.</summary>
public sealed class PublicKey : IEquatable<PublicKey>
{
    private const int CurveBits = 256;
    private readonly byte[] _spki;

    private PublicKey(byte[] spki)
    {
        _spki = spki;
        Id = Convert.ToHexStringLower(SHA256.HashData(spki));
    }

    /// <summary>The key's name: the SHA-256 of its SubjectPublicKeyInfo (DER), in hex.</summary>
    public string Id { get; }

    /// <summary>What sigstore's clients put into a bundle to point at a key: the same hash in base64.</summary>
    public string Hint => Convert.ToBase64String(SHA256.HashData(_spki));

    /// <summary>The key as PEM (<c>PUBLIC KEY</c>), as cosign and openssl read it, ended by a line break.</summary>
    public string ToPem() => PemEncoding.WriteString("PUBLIC KEY", _spki) + "\n";

    /// <summary>Reads a PEM <c>PUBLIC KEY</c>, or throws <see cref="KeyException"/>;
    /// <paramref name="name"/> is what messages call it.</summary>
    public static PublicKey FromPem(string pem, string name)
    {
        if (!PemEncoding.TryFind(pem, out var fields) || pem[fields.Label] != "PUBLIC KEY")
            throw new KeyException($"'{name}' holds no 'PUBLIC KEY' in PEM");

        using var ecdsa = ECDsa.Create();
        try
        {
            ecdsa.ImportSubjectPublicKeyInfo(Convert.FromBase64String(pem[fields.Base64Data]), out _);
        }
        catch (CryptographicException e)
        {
            throw new KeyException($"'{name}' is not an ECDSA P-256 public key: {IngotException.ReasonOf(e)}", e);
        }

        return ecdsa.KeySize == CurveBits
            ? Of(ecdsa)
            : throw new KeyException($"'{name}' is an ECDSA key of {ecdsa.KeySize} bits: expected P-256");
    }

    internal static PublicKey Of(ECDsa key) => new(key.ExportSubjectPublicKeyInfo());

    /// <summary>Whether <paramref name="signature"/> (ASN.1 DER) is this key's over <paramref name="data"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(_spki, out _);
        return ecdsa.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    /// <inheritdoc/>
    public bool Equals(PublicKey? other) => other is not null && Id == other.Id;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Id);

    /// <inheritdoc/>
    public override string ToString() => Id;
}

/// <summary>A key whose statements are believed, and which of them; or one that was, and why it is no longer.</summary>
/// <param name="Key">The key.</param>
/// <param name="Name">What people call it.</param>
public sealed record TrustedKey(PublicKey Key, string Name)
{
    /// <summary>The predicate types the key may issue; null for all.</summary>
    public IReadOnlySet<string>? Predicates { get; init; }

    /// <summary>Why the key is no longer trusted; null while it is.</summary>
    public string? Retired { get; init; }

    /// <summary>Whether the key may issue statements of this predicate type.</summary>
    public bool MayIssue(string predicateType) => Retired is null && (Predicates is null || Predicates.Contains(predicateType));
}
