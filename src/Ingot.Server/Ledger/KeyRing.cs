using System.Data.Common;
using Ingot.Evidence.Signatures;
using Ingot.Server.Storage;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Ledger;

/// <summary>The keys as the ledger knows them: which are believed, in which roles, and which are retired. No file decides that.</summary>
public sealed class KeyRing
{
    /// <summary>The purpose of keys that sign evidence.</summary>
    public const string EvidencePurpose = "evidence";

    /// <summary>The purpose of the key that signs the ledger's checkpoints.</summary>
    public const string LogPurpose = "log";

    /// <summary>The name of a home's own signing key.</summary>
    public const string OwnName = "own";

    private static readonly string[] s_kinds = ["key-created", "key-trusted", "key-retired"];

    private KeyRing(IReadOnlyList<RingKey> keys, long version) => (Keys, Version) = (keys, version);

    /// <summary>Every key, oldest first, retired ones included.</summary>
    public IReadOnlyList<RingKey> Keys { get; }

    /// <summary>The entry that last changed a key; -1 when none did. Two rings with the same one are the same.</summary>
    public long Version { get; }

    /// <summary>The entry that last retired a key; -1 when none was.</summary>
    public long LastRetirement => Keys.Select(key => key.Retired?.Entry ?? -1).DefaultIfEmpty(-1).Max();

    /// <summary>The home's own signing key; null when there is none that is in use.</summary>
    public RingKey? Own => Keys.LastOrDefault(key => key is { IsOwn: true, Retired: null, Purpose: EvidencePurpose });

    /// <summary>The keys that sign evidence, for a reader of it; retired ones say that they are.</summary>
    public IReadOnlyList<TrustedKey> Trusted => [.. Keys.Where(key => key.Purpose == EvidencePurpose).Select(Trust).OfType<TrustedKey>()];

    /// <summary>What the ledger says at one moment.</summary>
    public static KeyRing Of(LedgerView view)
    {
        var entries = s_kinds
            .SelectMany(kind => view.Entries(0, int.MaxValue, new LedgerFilter { Kind = kind }))
            .OrderBy(entry => entry.Seq);
        var keys = new Dictionary<string, RingKey>(StringComparer.Ordinal);
        long version = -1;
        foreach (var entry in entries)
        {
            Apply(keys, entry);
            version = entry.Seq;
        }

        return new KeyRing([.. keys.Values.OrderBy(key => key.Since.Entry)], version);
    }

    /// <summary>What a home trusts, read beside the server that may be running; a home without a ledger trusts its own key alone.</summary>
    public static async Task<IReadOnlyList<TrustedKey>> TrustedAsync(
        ServerHome home, KeyStore store, CancellationToken cancellationToken = default)
    {
        var ring = Read(home);
        List<TrustedKey> trusted = [.. ring?.Trusted ?? []];
        // Where the ledger has an own key, a file that says otherwise is not trusted, as KeyBook does not take it up.
        if (await store.PublicKeyAsync(cancellationToken) is { } own && (ring is null || (ring.Own is null && ring.Find(own.Id) is null)))
            trusted.Insert(0, new TrustedKey(own, OwnName));
        return trusted;
    }

    /// <summary>Why a key's word of a type counts no longer, or never did; null when it counts.</summary>
    public string? Objection(string id, string predicateType)
    {
        if (Keys.FirstOrDefault(key => key.Id == id) is not { } key)
            return $"the key {Short(id)} is not trusted";
        if (key.Retired is { } retired)
            return $"the key '{key.Name}' ({Short(id)}) was retired by {retired.By}: {key.Why}";
        return key.Predicates is null || key.Predicates.Contains(predicateType, StringComparer.Ordinal)
            ? null
            : $"the key '{key.Name}' ({Short(id)}) may not issue '{predicateType}' any more";
    }

    /// <summary>A key of that name that is in use, or of that id; null when there is none.</summary>
    public RingKey? Find(string nameOrId) =>
        Keys.FirstOrDefault(key => key.Id == nameOrId) ?? Keys.LastOrDefault(key => key.Name == nameOrId && key.Retired is null);

    private static KeyRing? Read(ServerHome home)
    {
        var storage = home.Storage;
        if (!storage.IsThere)
            return null;

        try
        {
            using var database = storage.OpenReader();
            return Of(new LedgerView(database));
        }
        catch (Exception e) when (e is DbException or FormatException)
        {
            throw new LedgerException($"could not read which keys '{home.Database}' trusts: {IngotException.ReasonOf(e)}", e);
        }
    }

    // A retired key stays retired, whatever is said of it later.
    private static void Apply(Dictionary<string, RingKey> keys, LedgerEntry entry)
    {
        var mark = new KeyMark(entry.Seq, entry.Time, entry.Actor);
        switch (entry.Event)
        {
            case KeyCreated e:
                keys.TryAdd(e.KeyId, new RingKey(e.KeyId, e.Name ?? e.Purpose, e.Purpose, e.PublicKey, null, IsOwn: true, mark));
                break;
            case KeyTrusted e when keys.TryGetValue(e.KeyId, out var known):
                if (known.Retired is null)
                    keys[e.KeyId] = known with { Name = e.Name ?? known.Name, Predicates = e.Predicates, Since = mark };
                break;
            case KeyTrusted e:
                keys.Add(e.KeyId, new RingKey(e.KeyId, e.Name ?? Short(e.KeyId), e.Purpose, e.PublicKey, e.Predicates, IsOwn: false, mark));
                break;
            case KeyRetired e when keys.TryGetValue(e.KeyId, out var known):
                keys[e.KeyId] = known.Retired is null ? known with { Retired = mark, Why = e.Reason } : known;
                break;
        }
    }

    private static TrustedKey? Trust(RingKey key)
    {
        try
        {
            return new TrustedKey(PublicKey.FromPem(key.PublicKey, key.Name), key.Name)
            {
                Predicates = key.Predicates?.ToHashSet(StringComparer.Ordinal),
                Retired = key.Retired is null ? null : key.Why,
            };
        }
        catch (Exception e) when (e is KeyException or FormatException)
        {
            // What is no key verifies nothing.
            return null;
        }
    }

    private static string Short(string id) => id.Length > 12 ? id[..12] : id;
}

/// <summary>A key of the ring.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Purpose">What it signs: <c>evidence</c> or <c>log</c>.</param>
/// <param name="PublicKey">Its public half.</param>
/// <param name="Predicates">The predicate types it may issue; null for all.</param>
/// <param name="IsOwn">Whether it was made in this home.</param>
/// <param name="Since">Since when it is as it is.</param>
/// <param name="Retired">When it was retired; null while it is in use.</param>
/// <param name="Why">Why it was retired; null while it is in use.</param>
public sealed record RingKey(
    string Id, string Name, string Purpose, string PublicKey, IReadOnlyList<string>? Predicates, bool IsOwn, KeyMark Since,
    KeyMark? Retired = null, string? Why = null);

/// <summary>A change of a key: its entry, the time, and who made it.</summary>
public sealed record KeyMark(long Entry, DateTimeOffset Time, string By);
