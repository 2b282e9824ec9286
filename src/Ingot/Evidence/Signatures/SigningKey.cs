using System.Security.Cryptography;

namespace Ingot.Evidence.Signatures;

/// <summary>A private key that statements are signed with: ECDSA on P-256 with SHA-256.</summary>
public sealed class SigningKey : IDisposable
{
    private readonly ECDsa _key;
    // The platform's key objects are not promised to be usable from two threads at once.
    private readonly Lock _gate = new();

    private SigningKey(ECDsa key)
    {
        _key = key;
        PublicKey = PublicKey.Of(key);
    }

    /// <summary>The other half, to be given away.</summary>
    public PublicKey PublicKey { get; }

    /// <summary>The key's name, see <see cref="PublicKey.Id"/>.</summary>
    public string Id => PublicKey.Id;

    /// <summary>Draws a new key.</summary>
    public static SigningKey Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Signs <paramref name="data"/>; the signature is ASN.1 DER.</summary>
    public byte[] Sign(ReadOnlySpan<byte> data)
    {
        lock (_gate)
            return _key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    /// <summary>The key as PEM (<c>ENCRYPTED PRIVATE KEY</c>: PKCS#8 under PBES2 with AES-256 and PBKDF2), ended by a line break.</summary>
    public string ToEncryptedPem(string password, int iterations)
    {
        var parameters = new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, iterations);
        return _key.ExportEncryptedPkcs8PrivateKeyPem(password, parameters) + "\n";
    }

    /// <summary>Reads what <see cref="ToEncryptedPem"/> wrote, or throws <see cref="KeyException"/>;
    /// <paramref name="name"/> is what messages call it.</summary>
    public static SigningKey FromEncryptedPem(string pem, string password, string name)
    {
        if (!PemEncoding.TryFind(pem, out var fields) || pem[fields.Label] != "ENCRYPTED PRIVATE KEY")
            throw new KeyException($"'{name}' holds no 'ENCRYPTED PRIVATE KEY' in PEM: it is damaged, or not a key of Ingot");

        var key = ECDsa.Create();
        try
        {
            key.ImportEncryptedPkcs8PrivateKey(password, Convert.FromBase64String(pem[fields.Base64Data]), out _);
            return key.KeySize == 256
                ? new SigningKey(key)
                : throw new KeyException($"'{name}' is an ECDSA key of {key.KeySize} bits: expected P-256");
        }
        catch (CryptographicException e)
        {
            key.Dispose();
            throw new KeyException($"'{name}' could not be decrypted: the password is wrong, or the file is damaged", e);
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
