using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Ingot.Transparency;

/// <summary>A public key that verifies notes: ECDSA P-256 over SHA-256, signatures in DER, type 0x02 of
/// <see href="https://c2sp.org/signed-note">C2SP signed-note</see>.</summary>
/// <remarks>Safe to use from several threads.</remarks>
public sealed class NoteVerifier : IDisposable
{
    private const byte EcdsaType = 2;

    private readonly byte[] _publicKey;
    private readonly ThreadLocal<ECDsa> _keys;

    private NoteVerifier(string name, byte[] publicKey)
    {
        Name = name;
        _publicKey = publicKey;
        KeyId = BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(publicKey));
        // An ECDsa object must not be used by two threads at once.
        _keys = new ThreadLocal<ECDsa>(() => Import(publicKey), trackAllValues: true);
    }

    /// <summary>The key's name, by convention the log's origin.</summary>
    public string Name { get; }

    /// <summary>The first four bytes of the SHA-256 of the key's SubjectPublicKeyInfo, big endian.</summary>
    public uint KeyId { get; }

    /// <summary>The key's SubjectPublicKeyInfo in DER.</summary>
    public ReadOnlyMemory<byte> PublicKey => _publicKey;

    /// <summary>Reads a verifier key, <c>NAME+HEX+BASE64</c>, or throws <see cref="FormatException"/>.</summary>
    public static NoteVerifier Parse(string verifierKey)
    {
        string[] parts = verifierKey.Split('+', 3);
        if (parts.Length != 3 || !SignedNote.IsKeyName(parts[0]) || !SignedNote.TryBase64(parts[2], out var key) || key.Length < 2)
            throw new FormatException($"'{verifierKey}' is not a verifier key: expected NAME+KEYID+BASE64");
        if (key[0] != EcdsaType)
            throw new FormatException($"the verifier key of '{parts[0]}' has type {key[0]}: only type {EcdsaType}, ECDSA P-256, is read");

        var verifier = FromPublicKey(parts[0], key.AsSpan(1));
        return verifier.KeyIdText == parts[1]
            ? verifier
            : throw new FormatException($"the verifier key of '{parts[0]}' says its id is '{parts[1]}' and it is '{verifier.KeyIdText}'");
    }

    /// <summary>A verifier for a key in SubjectPublicKeyInfo DER, or throws <see cref="FormatException"/>.</summary>
    public static NoteVerifier FromPublicKey(string name, ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        try
        {
            Import(subjectPublicKeyInfo).Dispose();
        }
        catch (CryptographicException e)
        {
            throw new FormatException($"the public key of '{name}' is not an ECDSA P-256 key in SubjectPublicKeyInfo", e);
        }

        return new NoteVerifier(name, subjectPublicKeyInfo.ToArray());
    }

    /// <summary>Whether <paramref name="signature"/> is this key's over <paramref name="text"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> text, ReadOnlySpan<byte> signature) =>
        _keys.Value!.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var key in _keys.Values)
            key.Dispose();
        _keys.Dispose();
    }

    /// <summary>The verifier key, as <see cref="Parse"/> reads it.</summary>
    public override string ToString() => $"{Name}+{KeyIdText}+{Convert.ToBase64String([EcdsaType, .. _publicKey])}";

    private string KeyIdText => KeyId.ToString("x8", CultureInfo.InvariantCulture);

    private static ECDsa Import(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out int read);
            if (read == subjectPublicKeyInfo.Length
                && key.ExportParameters(false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value)
                return key;

            throw new CryptographicException("the key is not on the curve P-256, or bytes follow it");
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }
}
