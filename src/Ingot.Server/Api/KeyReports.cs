using Ingot.Evidence.Signatures;
using Ingot.Server.Ledger;

namespace Ingot.Server.Api;

/// <summary>Keys as they are shown.</summary>
public static class KeyReports
{
    /// <summary>The ring.</summary>
    public static KeysReply Of(KeyRing ring, IReadOnlyList<string> notes) => new([.. ring.Keys.Select(Of)], notes);

    /// <summary>One key.</summary>
    public static KeyReply Of(RingKey key)
    {
        var last = key.Retired ?? key.Since;
        var roles = key.Purpose == KeyRing.LogPurpose ? ["log"] : KeyRole.NamesOf(key.Predicates);
        return new KeyReply(key.Name, key.Id, key.Purpose, key.IsOwn, roles, key.Retired is null ? "in use" : "retired",
            last.Time, last.By, key.Why);
    }

    /// <summary>What lies beside the ledger and is not trusted, with what to do about it.</summary>
    public static async Task<IReadOnlyList<string>> NotesAsync(KeyRing ring, KeyStore store, CancellationToken cancellationToken)
    {
        List<string> notes = [];
        if (await store.PublicKeyAsync(cancellationToken) is { } file && ring.Find(file.Id) is null && ring.Own is { } own)
            notes.Add($"'{store.PublicKeyPath}' is the key {file.Id[..12]}, and the ledger knows {own.Id[..12]} as this home's own: "
                + $"it is not trusted; 'ingot keys retire {own.Id[..12]} --why \"…\"' makes way for it");

        notes.AddRange(store.Leftovers().Select(path =>
            $"'{path}' is not trusted: the ledger says which keys are; 'ingot keys trust {Path.GetFileNameWithoutExtension(path)} {path} "
            + "--role ROLE' puts it there"));
        return notes;
    }
}
