using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Evidence.Signatures;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Ledger;

/// <summary>Trusts and retires keys, on the ledger. What may not be throws <see cref="KeyException"/>.</summary>
public sealed class KeyBook(LedgerStore ledger, KeyStore store)
{
    private const string Actor = "ingot";
    private const int MaxText = 2000;
    private const int MaxKey = 8192;

    /// <summary>The ring as it stands, with the home's own key taken up.</summary>
    public async Task<KeyRing> ReadAsync(CancellationToken cancellationToken = default)
    {
        await TakeUpAsync(cancellationToken);
        return ledger.Read(KeyRing.Of);
    }

    /// <summary>Trusts a key in roles; a key that is trusted under this name already has these roles from now on.</summary>
    public async Task<RingKey> TrustAsync(
        string name, string pem, IReadOnlyCollection<string> roles, string by, CancellationToken cancellationToken = default)
    {
        CheckPlain("name", name);
        CheckName(name);
        foreach (string role in roles)
            CheckPlain("role", role);
        var key = PublicKey.FromPem(pem, name);
        if (key.ToPem().Length > MaxKey)
            throw new KeyException($"the key '{name}' has {key.ToPem().Length} characters: the ledger keeps keys of at most {MaxKey}; "
                + "use one of an ordinary size");
        var predicates = KeyRole.Predicates(roles);
        await TakeUpAsync(cancellationToken);
        await ledger.AppendAsync(by, view =>
        {
            var ring = KeyRing.Of(view);
            if (Objection(ring, name, key) is { } objection)
                throw new KeyException(objection);

            bool isSaid = ring.Find(key.Id) is { } known && Same(known.Predicates, predicates);
            return isSaid ? [] : [new KeyTrusted(key.Id, KeyRing.EvidencePurpose, key.ToPem(), name, predicates)];
        }, cancellationToken);
        return ledger.Read(KeyRing.Of).Find(key.Id)!;
    }

    /// <summary>Retires a key, by name or id, for good. The home's own is put out of use too: the next use makes a new one.</summary>
    public async Task<RingKey> RetireAsync(string nameOrId, string why, string by, CancellationToken cancellationToken = default)
    {
        if (string.IsNullOrWhiteSpace(why))
            throw new KeyException("retiring a key needs a reason: say why");
        CheckPlain("key", nameOrId);
        CheckPlain("reason", why);

        await TakeUpAsync(cancellationToken);
        RingKey? retired = null;
        await ledger.AppendAsync(by, view =>
        {
            retired = ToRetire(KeyRing.Of(view), nameOrId);
            return [new KeyRetired(retired.Id, why)];
        }, cancellationToken);
        // It is retired from now on, whether the caller still waits or not.
        await store.SetAsideAsync(retired!.Id, CancellationToken.None);
        return ledger.Read(KeyRing.Of).Find(retired.Id)!;
    }

    /// <summary>Records the keys that were made here and that the ledger does not know: the log's,
    /// and the signing key while no other one is in use.</summary>
    /// <remarks>A public key that replaces the file of one that is in use is not trusted: that one is retired first,
    /// on the record.</remarks>
    public async Task TakeUpAsync(CancellationToken cancellationToken = default)
    {
        await TakeUpLogAsync(cancellationToken);
        if (await store.PublicKeyAsync(cancellationToken) is not { } own)
            return;

        var ring = ledger.Read(KeyRing.Of);
        if (ring.Find(own.Id) is { Retired: not null })
            await store.SetAsideAsync(own.Id, cancellationToken);
        else if (MayBecomeOwn(ring, own))
            await ledger.AppendAsync(
                Actor,
                view => MayBecomeOwn(KeyRing.Of(view), own)
                    ? [new KeyCreated(own.Id, KeyRing.EvidencePurpose, own.ToPem(), KeyRing.OwnName)]
                    : [],
                cancellationToken);
    }

    private async Task TakeUpLogAsync(CancellationToken cancellationToken)
    {
        string id = ledger.Verifier.KeyId.ToString("x8", CultureInfo.InvariantCulture);
        if (ledger.Read(KeyRing.Of).Find(id) is null)
            await ledger.AppendAsync(
                Actor,
                view => KeyRing.Of(view).Find(id) is null
                    ? [new KeyCreated(id, KeyRing.LogPurpose, ledger.Verifier.ToString(), ledger.Origin)]
                    : [],
                cancellationToken);
    }

    private static bool MayBecomeOwn(KeyRing ring, PublicKey key) => ring.Own is null && ring.Find(key.Id) is null;

    private static string? Objection(KeyRing ring, string name, PublicKey key)
    {
        if (ring.Keys.FirstOrDefault(k => k.Id == key.Id) is { } known)
        {
            if (known.Retired is { } retired)
                return $"the key {key.Id[..12]} was retired as '{known.Name}' by {retired.By} on {retired.Time:yyyy-MM-dd}: {known.Why}; "
                    + "a retired key is not trusted again: use a new one";
            if (known.IsOwn)
                return $"the key {key.Id[..12]} is this home's own: it has all roles";
            if (known.Name != name)
                return $"the key {key.Id[..12]} is trusted as '{known.Name}': change its roles under that name, or retire it";
        }

        return ring.Keys.FirstOrDefault(k => k.Name == name && k.Id != key.Id && k.Retired is null) is { } other
            ? $"'{name}' names the key {Short(other.Id)}: retire that first with 'ingot keys retire {name} --why \"…\"', "
                + "or choose another name"
            : null;
    }

    private static RingKey ToRetire(KeyRing ring, string nameOrId)
    {
        if (ring.Find(nameOrId) is not { } key)
            throw new KeyException($"no key '{nameOrId}' is in use: see 'ingot keys list'");
        if (key.Purpose != KeyRing.EvidencePurpose)
            throw new KeyException($"the key '{nameOrId}' signs the ledger and cannot be retired: a new key would be a new ledger");
        return key.Retired is { } retired
            ? throw new KeyException($"the key '{key.Name}' was retired by {retired.By} already: {key.Why}")
            : key;
    }

    private static void CheckName(string name)
    {
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || name.StartsWith('.'))
            throw new KeyException($"'{name}' is not a name for a key: use letters, digits, '-', '_' and '.'");
        if (name == KeyRing.OwnName)
            throw new KeyException($"'{name}' is the name of the home's own key: choose another");
    }

    // The API looks at what callers send it; commands come here without it.
    private static void CheckPlain(string what, string text)
    {
        if (text.Length > MaxText)
            throw new KeyException($"the {what} has {text.Length} characters: the ledger keeps at most {MaxText} of them");
        if (!PlainText.IsPlain(text))
            throw new KeyException(
                $"the {what} '{PlainText.Visible(text)}' has invisible characters: write one line without control characters");
    }

    private static bool Same(IReadOnlyList<string>? left, IReadOnlyList<string>? right) =>
        left is null || right is null ? left is null && right is null : left.SequenceEqual(right, StringComparer.Ordinal);

    private static string Short(string id) => id.Length > 12 ? id[..12] : id;
}
