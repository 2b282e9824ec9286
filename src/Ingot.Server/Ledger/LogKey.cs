using System.Security.Cryptography;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>The key that signs checkpoints. It is made once, with the ledger, and never replaced: a new key would be a new log.</summary>
internal static class LogKey
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OthersMayRead = UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupWrite
        | UnixFileMode.OtherWrite;

    /// <summary>Opens the home's key; makes it when <paramref name="isNewLedger"/>.</summary>
    public static NoteSigner Open(ServerHome home, bool isNewLedger)
    {
        if (File.Exists(home.LogKey))
            return Read(home);
        if (!isNewLedger)
            throw new LedgerException(
                $"the ledger '{home.Database}' cannot be continued: its key '{home.LogKey}' is missing; restore it from a backup");

        if (LedgerHead.SizeIn(home) is > 0 and var remembered)
            throw new LedgerException($"this home remembers {remembered} entries of its log, and the ledger '{home.Database}' and its key "
                + $"'{home.LogKey}' are missing: restore both from a backup, or choose another home with INGOT_HOME");

        Create(home);
        return Read(home);
    }

    /// <summary>Reads the verifier key alone, which is no secret.</summary>
    public static NoteVerifier ReadVerifier(ServerHome home)
    {
        try
        {
            return NoteVerifier.Parse(File.ReadAllText(home.LogPublicKey).Trim());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new LedgerException(
                $"the log's verifier key could not be read from '{home.LogPublicKey}': {IngotException.ReasonOf(e)}", e);
        }
    }

    private static NoteSigner Read(ServerHome home)
    {
        if ((File.GetUnixFileMode(home.LogKey) & OthersMayRead) != 0)
            throw new LedgerException($"others than the owner may read '{home.LogKey}': run 'chmod 600 {home.LogKey}'");

        using var verifier = ReadVerifier(home);
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(home.LogKey));
            var signer = new NoteSigner(verifier.Name, key);
            return signer.Verifier.ToString() == verifier.ToString()
                ? signer
                : throw new LedgerException(
                    $"'{home.LogKey}' and '{home.LogPublicKey}' are not halves of one key: restore them from one backup");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException or IOException)
        {
            key.Dispose();
            throw new LedgerException($"the log's key could not be read from '{home.LogKey}': {IngotException.ReasonOf(e)}", e);
        }
    }

    private static void Create(ServerHome home)
    {
        Directory.CreateDirectory(home.Keys, OwnerOnly | UnixFileMode.UserExecute);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var unnamed = NoteVerifier.FromPublicKey("unnamed", key.ExportSubjectPublicKeyInfo());
        // The origin must differ between any two logs, or their checkpoints could be mistaken for each other's.
        using var verifier = NoteVerifier.FromPublicKey($"ingot.local/{unnamed.KeyId:x8}", key.ExportSubjectPublicKeyInfo());
        // The private half last: where it is, the public one is too, and something is remembered of the log.
        Write(home.LogPublicKey, verifier + "\n");
        using (var signer = new NoteSigner(verifier.Name, Copy(key)))
            LedgerHead.Create(home, signer);
        Write(home.LogKey, key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    // A signer disposes the key it is given.
    private static ECDsa Copy(ECDsa key) => ECDsa.Create(key.ExportParameters(includePrivateParameters: true));

    private static void Write(string path, string text)
    {
        string temporary = path + ".new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary,
            new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            file.Write(System.Text.Encoding.ASCII.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
