using System.Security.Cryptography;
using System.Text;
using Ingot.Oci.Linux;

namespace Ingot.Evidence.Signatures;

/// <summary>The signing key of one Ingot home, made on first use.</summary>
/// <remarks>
/// <c>signing.key</c> holds the private key, encrypted, mode 0600; <c>signing.pub</c> the public one, for others;
/// <c>password</c> a random password when none is configured; <c>retired/</c> keys that are used no more.
/// Several processes may use one directory: whoever comes second uses what the first one made.
/// Which keys are believed, no file here says: the ledger does.
/// </remarks>
public sealed class KeyStore
{
    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OfOthers = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    // What a person chose may be guessed, and each guess must cost; 256 random bits cannot be, and the key is opened by every command.
    private const int ChosenPasswordIterations = 600_000;
    private const int RandomPasswordIterations = 10_000;

    private readonly string? _password;

    /// <summary>Keys in <paramref name="directory"/>, made when missing; <paramref name="password"/> is the configured one, null for a
    /// random one kept beside the key.</summary>
    public KeyStore(string directory, string? password = null)
    {
        if (password is { Length: 0 })
            throw new KeyException(
                "the configured password of the signing key is empty: give one, or configure none to have a random one made");

        Directory = Path.GetFullPath(directory);
        _password = password;
    }

    /// <summary>Where the keys are.</summary>
    public string Directory { get; }

    /// <summary>The file of the private key.</summary>
    public string SigningKeyPath => Path.Combine(Directory, "signing.key");

    /// <summary>The file of the public key, to be given away.</summary>
    public string PublicKeyPath => Path.Combine(Directory, "signing.pub");

    /// <summary>The file of the random password.</summary>
    public string PasswordPath => Path.Combine(Directory, "password");

    /// <summary>Where earlier versions looked for the public keys of others.</summary>
    public string TrustedDirectory => Path.Combine(Directory, "trusted");

    /// <summary>The directory of own keys that are retired.</summary>
    public string RetiredDirectory => Path.Combine(Directory, "retired");

    /// <summary>The signing key, owned by the caller; it is made when there is none.</summary>
    public async Task<SigningKey> LoadOrCreateAsync(CancellationToken cancellationToken = default)
    {
        System.IO.Directory.CreateDirectory(Directory, PrivateFile | UnixFileMode.UserExecute);
        string password = await PasswordAsync(cancellationToken);
        if (!File.Exists(SigningKeyPath))
            await CreateAsync(password, cancellationToken);

        var key = SigningKey.FromEncryptedPem(await ReadPrivateAsync(SigningKeyPath, cancellationToken), password, SigningKeyPath);
        if (!File.Exists(PublicKeyPath))
            WriteOnce(PublicKeyPath, key.PublicKey.ToPem(), PrivateFile | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        if (await PublicKeyAsync(cancellationToken) is { } published && !published.Equals(key.PublicKey))
        {
            key.Dispose();
            throw new KeyException($"'{PublicKeyPath}' is not the public half of '{SigningKeyPath}': find out who changed it, "
                + "and remove it to have it written again");
        }

        return key;
    }

    /// <summary>The public half of the signing key, without opening the private one; null when no key was made yet.</summary>
    public async Task<PublicKey?> PublicKeyAsync(CancellationToken cancellationToken = default) =>
        File.Exists(PublicKeyPath)
            ? PublicKey.FromPem(await File.ReadAllTextAsync(PublicKeyPath, cancellationToken), PublicKeyPath)
            : null;

    /// <summary>Public keys that earlier versions believed because their files lie here. Nothing believes them now: they are to be trusted
    /// by name, on the ledger.</summary>
    public IReadOnlyList<string> Leftovers() => System.IO.Directory.Exists(TrustedDirectory)
        ? [.. System.IO.Directory.EnumerateFiles(TrustedDirectory, "*.pub").Order(StringComparer.Ordinal)]
        : [];

    /// <summary>Puts a key that is retired out of use, when it is the one here: the next use makes a new one.
    /// Done twice it is done once.</summary>
    public async Task SetAsideAsync(string id, CancellationToken cancellationToken = default)
    {
        if ((await PublicKeyAsync(cancellationToken))?.Id != id)
            return;

        System.IO.Directory.CreateDirectory(RetiredDirectory, PrivateFile | UnixFileMode.UserExecute);
        // The public half first: were we ended in between, the next use writes it again and whoever comes then finds both.
        File.Move(PublicKeyPath, Path.Combine(RetiredDirectory, id + ".pub"), overwrite: true);
        if (File.Exists(SigningKeyPath))
            File.Move(SigningKeyPath, Path.Combine(RetiredDirectory, id + ".key"), overwrite: true);
        if ((await PublicKeyAsync(cancellationToken))?.Id == id)
            File.Delete(PublicKeyPath);
    }

    private async Task<string> PasswordAsync(CancellationToken cancellationToken)
    {
        if (_password is not null)
            return _password;

        if (!File.Exists(PasswordPath))
        {
            // A key without its password was encrypted under one that somebody chose: a new random one could never open it.
            if (File.Exists(SigningKeyPath))
                throw new KeyException(
                    $"'{SigningKeyPath}' is encrypted and '{PasswordPath}' is missing: configure the password, or restore that file");

            WriteOnce(PasswordPath, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)) + "\n", PrivateFile);
        }

        string password = (await ReadPrivateAsync(PasswordPath, cancellationToken)).Trim();
        return password.Length > 0 ? password : throw new KeyException($"'{PasswordPath}' is empty: restore it, or configure the password");
    }

    private async Task CreateAsync(string password, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var key = SigningKey.Create();
        int iterations = _password is null ? RandomPasswordIterations : ChosenPasswordIterations;
        string pem = await Task.Run(() => key.ToEncryptedPem(password, iterations), cancellationToken);
        WriteOnce(SigningKeyPath, pem, PrivateFile);
    }

    private static async Task<string> ReadPrivateAsync(string path, CancellationToken cancellationToken)
    {
        var mode = File.GetUnixFileMode(path);
        if ((mode & OfOthers) != 0)
            throw new KeyException($"'{path}' may be read or changed by others (mode {Convert.ToString((int)mode, 8).PadLeft(4, '0')}): "
                + $"run 'chmod 600 {path}' and consider the key compromised");

        return await File.ReadAllTextAsync(path, cancellationToken);
    }

    // The file appears whole and under its name once: a link fails when somebody else was first, and then theirs is used.
    private static void WriteOnce(string path, string text, UnixFileMode mode)
    {
        string temporary = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        try
        {
            using (var file = new FileStream(temporary,
                new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
            {
                file.Write(Encoding.UTF8.GetBytes(text));
                file.Flush(flushToDisk: true);
            }

            if (Libc.Link(LinuxPath.Terminated(temporary), LinuxPath.Terminated(path)) != 0 && LinuxError.Last != Kernel.EEXIST)
                throw new KeyException($"'{path}' could not be written: {LinuxError.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyException($"'{path}' could not be written: {IngotException.ReasonOf(e)}", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
