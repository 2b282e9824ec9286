using System.Collections.Concurrent;
using System.Text.Json;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

/// <summary>Whole lists of tags as they were last sent, each good until the ledger has an entry about its repository.</summary>
internal sealed class TagLists(LedgerStore ledger)
{
    private const int MaxBytes = 8 << 20;

    private readonly ConcurrentDictionary<string, (long Size, byte[] Json)> _kept = new(StringComparer.Ordinal);

    /// <summary>All tags of a repository as the answer to a client; null when there is no such repository.</summary>
    public byte[]? Find(string repository)
    {
        bool isKept = _kept.TryGetValue(repository, out var kept);
        bool isGood = false;
        long size = 0;
        var names = ledger.Read(view =>
        {
            isGood = isKept && !view.HasEntrySince(repository, kept.Size);
            size = view.Size;
            return isGood ? null : Names(view, repository);
        });
        if (isGood)
            return kept.Json;
        if (names is null)
            return null;

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(new TagList(repository, names), RegistryJson.Readable.TagList);
        Keep(repository, size, json);
        return json;
    }

    private static IReadOnlyList<string>? Names(LedgerView view, string repository) =>
        view.HasRepository(repository) ? view.TagNames(repository) : null;

    private void Keep(string repository, long size, byte[] json)
    {
        if (_kept.Sum(kept => (long)kept.Value.Json.Length) + json.Length > MaxBytes)
            _kept.Clear();
        if (json.Length <= MaxBytes)
            _kept[repository] = (size, json);
    }
}
