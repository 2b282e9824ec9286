using System.Security.Cryptography;
using System.Text;

namespace Ingot.Server.Storage;

/// <summary>Where a server keeps what it must not lose. Only names: nothing is made until it is used.</summary>
public sealed record ServerHome
{
    /// <summary>Names the home at <paramref name="root"/>.</summary>
    public ServerHome(string root) => Root = Path.GetFullPath(root);

    /// <summary>The directory itself.</summary>
    public string Root { get; }

    /// <summary>Where the ledger is kept: the one place that chooses.</summary>
    public IStorage Storage => new SqliteStorage(this);

    /// <summary>The ledger and its projections.</summary>
    public string Database => Path.Combine(Root, "ledger.db");

    /// <summary>Held by the one process that writes here.</summary>
    public string Lock => Path.Combine(Root, "server.lock");

    /// <summary>Keys; readable by the owner only.</summary>
    public string Keys => Path.Combine(Root, "keys");

    /// <summary>The key that signs checkpoints, PKCS#8 in PEM.</summary>
    public string LogKey => Path.Combine(Keys, "log.key");

    /// <summary>The verifier key of the log, <c>NAME+KEYID+BASE64</c>.</summary>
    public string LogPublicKey => Path.Combine(Keys, "log.pub");

    /// <summary>What is remembered of the log's end: the signed checkpoint of the last commit.</summary>
    public string LogHead => Path.Combine(Keys, "log.head");

    /// <summary>What tells this home from any other, for as long as it keeps its log:
    /// the beginning of the digest of the log's verifier key.</summary>
    public string ReadId() =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(File.ReadAllText(LogPublicKey).Trim())))[..12];

    /// <summary>The content-addressed store, an OCI image layout; builders on this host write to it too.</summary>
    public string Content => Path.Combine(Root, "content");

    /// <summary>Unfinished uploads. On the same file system as <see cref="Content"/>, so that finishing one is a rename.</summary>
    public string Uploads => Path.Combine(Root, "uploads");

    /// <summary>What is counted between entries of the ledger, a file each; it may be deleted at any time.</summary>
    public string Working => Path.Combine(Root, "working");

    /// <summary>Tokens and the server's socket; only the owner can enter.</summary>
    public string Private => Path.Combine(Root, "server");

    /// <summary>The home's own token, as it is shown.</summary>
    public string Token => Path.Combine(Private, "token");

    /// <summary>The hashes of named tokens, a file each.</summary>
    public string Tokens => Path.Combine(Private, "tokens");

    /// <summary>Where the server listens for commands of the home's owner.</summary>
    public string Socket => Path.Combine(Private, "ingot.sock");

    /// <summary>What the registry can make again from <see cref="Content"/>; it may be deleted while no server runs.</summary>
    public string ReferrerNotes => Path.Combine(Root, "referrers.db");

    /// <summary><c>$INGOT_HOME</c>; without it <c>/var/lib/ingot</c> for root and <c>~/.local/share/ingot</c> for others.</summary>
    public static ServerHome FromEnvironment()
    {
        if (Environment.GetEnvironmentVariable("INGOT_HOME") is { Length: > 0 } home)
            return new ServerHome(home);

        return new ServerHome(Environment.UserName == "root"
            ? "/var/lib/ingot"
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "share", "ingot"));
    }
}
