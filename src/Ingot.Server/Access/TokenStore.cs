using System.Security.Cryptography;
using System.Text;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;

namespace Ingot.Server.Access;

/// <summary>What is known of a named token; its secret is not.</summary>
public sealed record TokenFacts(string Name, Role Roles, DateTimeOffset Created, string CreatedBy, DateTimeOffset? Expires, bool IsRevoked);

/// <summary>The tokens of a home, and whose they are.</summary>
/// <remarks>
/// The ledger says which tokens there are, what they may do and which are revoked; a file for each holds the SHA-256 of its secret, so that
/// neither alone lets anybody in. The home's own token stands readable in a file, because commands of the home's owner show it.
/// </remarks>
public sealed class TokenStore : IDisposable
{
    private const string Prefix = "ingot_";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerDirectory = OwnerOnly | UnixFileMode.UserExecute;

    private readonly ServerHome _home;
    private readonly LedgerStore _ledger;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _creating = new(1, 1);
    private readonly Lock _reloading = new();
    private volatile IReadOnlyList<Issued> _issued = [];

    /// <summary>Reads what the home holds, and makes its own token when it has none yet.</summary>
    public TokenStore(ServerHome home, LedgerStore ledger, TimeProvider time)
    {
        (_home, _ledger, _time) = (home, ledger, time);
        Directory.CreateDirectory(home.Private, OwnerDirectory);
        Directory.CreateDirectory(home.Tokens, OwnerDirectory);
        OwnToken = ReadOrCreateOwn();
        Own = new Principal(Principal.NameOf(Environment.UserName), Role.Administrator);
        PullToken = NewSecret();
        Reload();
    }

    /// <summary>The owner of the home: the principal of its own token.</summary>
    public Principal Own { get; }

    /// <summary>The home's own token.</summary>
    public string OwnToken { get; }

    /// <summary>What container engines of this host pull with. It reads, and ends with this process.</summary>
    public string PullToken { get; }

    /// <summary>The name that goes with <see cref="PullToken"/>.</summary>
    public static string PullName => "ingot";

    /// <summary>Makes no token any more.</summary>
    public void Dispose() => _creating.Dispose();

    /// <summary>Whose a token is; null when it is nobody's, or no longer. A user name that is given must be the token's own.</summary>
    public Principal? Find(string? user, string token)
    {
        byte[] hash = HashOf(token);
        Principal? found = null;
        // Every token is compared, each in constant time: how long it takes says nothing.
        foreach (var issued in _issued)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, issued.Hash) && !IsExpired(issued.Facts))
                found = new Principal(issued.Facts.Name, issued.Facts.Roles);
        }

        if (CryptographicOperations.FixedTimeEquals(hash, HashOf(OwnToken)))
            found = Own;
        if (CryptographicOperations.FixedTimeEquals(hash, HashOf(PullToken)))
            found = new Principal(PullName, Role.Viewer);
        return user is null || user == found?.Name ? found : null;
    }

    /// <summary>Every token that was ever made, by name.</summary>
    public IReadOnlyList<TokenFacts> List() => _ledger.Read(Facts);

    /// <summary>Makes a token and returns its secret, which is kept nowhere. Null when the name was given before:
    /// one name is one person, for ever.</summary>
    public async Task<string?> CreateAsync(string by, string name, Role roles, DateTimeOffset? expires, CancellationToken cancellationToken)
    {
        if (!Principal.IsName(name) || name == Own.Name || roles == Role.None)
            throw new ArgumentException($"'{name}' cannot be given to a token", nameof(name));

        // One at a time, and this process is the only one that serves the home: between the look and the entry nobody takes the name.
        await _creating.WaitAsync(cancellationToken);
        try
        {
            if (List().Any(t => t.Name == name))
                return null;

            string secret = NewSecret();
            // Before the entry: a token on the ledger has its secret's hash, and a hash without an entry lets nobody in.
            Write(Path.Combine(_home.Tokens, name), Convert.ToHexStringLower(HashOf(secret)), replace: true);
            await _ledger.AppendAsync(by, new LedgerEvent.TokenCreated(name, Roles.Names(roles), expires), cancellationToken);
            Reload();
            return secret;
        }
        finally
        {
            _creating.Release();
        }
    }

    /// <summary>Takes a token back; false when there is none of that name, or it is revoked already.</summary>
    public async Task<bool> RevokeAsync(string by, string name, string reason, CancellationToken cancellationToken)
    {
        var entries = await _ledger.AppendAsync(
            by, view => Facts(view).Any(t => t.Name == name && !t.IsRevoked) ? [new LedgerEvent.TokenRevoked(name, reason)] : [],
            cancellationToken);
        Reload();
        if (entries.Count > 0)
            File.Delete(Path.Combine(_home.Tokens, name));
        return entries.Count > 0;
    }

    private bool IsExpired(TokenFacts token) => token.Expires is { } end && end <= _time.GetUtcNow();

    // Who reads first also writes first: an older list never takes the place of one that knows of a revocation.
    private void Reload()
    {
        lock (_reloading)
            _issued = [.. List().Where(t => !t.IsRevoked && Principal.IsName(t.Name) && t.Name != Own.Name).Select(Read).OfType<Issued>()];
    }

    private Issued? Read(TokenFacts facts)
    {
        string path = Path.Combine(_home.Tokens, facts.Name);
        if (!File.Exists(path))
            return null;

        string text = File.ReadAllText(path).Trim();
        return text.Length == 2 * SHA256.HashSizeInBytes && text.All(char.IsAsciiHexDigit)
            ? new Issued(facts, Convert.FromHexString(text))
            : null;
    }

    private static IReadOnlyList<TokenFacts> Facts(LedgerView view)
    {
        var facts = new Dictionary<string, TokenFacts>(StringComparer.Ordinal);
        foreach (var entry in view.Entries(0, int.MaxValue, new LedgerFilter { Kind = "token-created" }))
        {
            if (entry.Event is LedgerEvent.TokenCreated made)
                facts.TryAdd(made.Name,
                    new TokenFacts(made.Name, Roles.Parse(made.Roles) ?? Role.None, entry.Time, entry.Actor, made.Expires, false));
        }

        foreach (var entry in view.Entries(0, int.MaxValue, new LedgerFilter { Kind = "token-revoked" }))
        {
            if (entry.Event is LedgerEvent.TokenRevoked revoked && facts.TryGetValue(revoked.Name, out var known))
                facts[revoked.Name] = known with { IsRevoked = true };
        }

        return [.. facts.Values.OrderBy(t => t.Name, StringComparer.Ordinal)];
    }

    private string ReadOrCreateOwn()
    {
        if (!File.Exists(_home.Token))
            Write(_home.Token, NewSecret(), replace: false);
        return File.ReadAllText(_home.Token).Trim() is { Length: >= 32 } token
            ? token
            : throw new LedgerException($"the home's own token in '{_home.Token}' is damaged; remove the file and start again");
    }

    private static void Write(string path, string text, bool replace)
    {
        // No token can have that name.
        string temporary = Path.Combine(Path.GetDirectoryName(path)!, "~" + Path.GetFileName(path));
        try
        {
            File.Delete(temporary);
            using (var file = new FileStream(temporary,
                new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
            {
                file.Write(Encoding.ASCII.GetBytes(text + "\n"));
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, replace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LedgerException($"the token could not be kept in '{path}': {IngotException.ReasonOf(e)}", e);
        }
    }

    private static string NewSecret() => Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    private static byte[] HashOf(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    private sealed record Issued(TokenFacts Facts, byte[] Hash);
}
