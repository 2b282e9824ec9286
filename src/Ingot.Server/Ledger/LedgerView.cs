using System.Globalization;
using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>The ledger and its projections at one moment. Valid only inside the call it was given to.</summary>
public sealed partial class LedgerView
{
    private readonly IDatabase _db;

    internal LedgerView(IDatabase db) => _db = db;

    /// <summary>The number of entries.</summary>
    public long Size => _db.Number("SELECT coalesce(max(seq) + 1, 0) FROM entries");

    /// <summary>An entry; null when the log is not that long.</summary>
    public LedgerEntry? Entry(long seq) => _db.First("SELECT seq, json, leaf FROM entries WHERE seq = ?1", EntryAt, seq);

    /// <summary>The bytes of an entry, which the tree is over; null when the log is not that long.</summary>
    public byte[]? EntryBytes(long seq) => _db.First("SELECT json FROM entries WHERE seq = ?1", r => r.Bytes(0), seq);

    /// <summary>Entries that match, in order, from <paramref name="from"/> on, <paramref name="count"/> at most.</summary>
    public IReadOnlyList<LedgerEntry> Entries(long from, int count, LedgerFilter? filter = null)
    {
        var (sql, arguments) = Select(filter, ">= ?1", "ASC", from, count);
        return _db.Query(sql, EntryAt, arguments);
    }

    /// <summary>Entries that match, the latest first, from before <paramref name="before"/> (null: from the end),
    /// <paramref name="count"/> at most.</summary>
    public IReadOnlyList<LedgerEntry> Latest(int count, long? before = null, LedgerFilter? filter = null)
    {
        var (sql, arguments) = Select(filter, "< ?1", "DESC", before ?? long.MaxValue, count);
        return _db.Query(sql, EntryAt, arguments);
    }

    /// <summary>The subjects' primary key holds the entries of a subject in order: the first term drives the search,
    /// the others are looked up.</summary>
    private static (string Sql, object[] Arguments) Select(LedgerFilter? filter, string range, string order, long bound, int count)
    {
        List<(string Type, string Value)> terms = [.. filter?.Terms ?? []];
        var arguments = new List<object> { bound, count };
        foreach (var (type, value) in terms)
            arguments.AddRange([type, value]);
        if (terms.Count == 0)
            return ($"SELECT seq, json, leaf FROM entries WHERE seq {range} ORDER BY seq {order} LIMIT ?2", [.. arguments]);

        var sql = new StringBuilder("SELECT seq, json, leaf FROM subjects AS s JOIN entries ON seq = s.entry");
        sql.Append(CultureInfo.InvariantCulture, $" WHERE s.type = ?3 AND s.value = ?4 AND s.entry {range}");
        for (int i = 1; i < terms.Count; i++)
            sql.Append(CultureInfo.InvariantCulture,
                $" AND EXISTS (SELECT 1 FROM subjects WHERE type = ?{(2 * i) + 3} AND value = ?{(2 * i) + 4} AND entry = s.entry)");
        return ($"{sql} ORDER BY s.entry {order} LIMIT ?2", [.. arguments]);
    }

    // What is acted on is what the tree is over: bytes that are not those of their leaf say nothing.
    private static LedgerEntry EntryAt(Row row)
    {
        long seq = row.Integer(0);
        try
        {
            byte[] json = row.Bytes(1);
            if (!row.Bytes(2).AsSpan().SequenceEqual(MerkleTree.HashLeaf(json).ToArray()))
                throw new FormatException("its bytes are not those of its leaf");

            var entry = LedgerEntry.Parse(json);
            return entry.Seq == seq ? entry : throw new FormatException($"it says that it is entry {entry.Seq}");
        }
        catch (Exception e) when (e is FormatException or InvalidCastException)
        {
            throw new LedgerException($"entry {seq} of the ledger is damaged: {IngotException.ReasonOf(e)}; run 'ingot log verify'", e);
        }
    }

    private static JsonElement Json(Row row, int column)
    {
        string text = row.Text(column);
        try
        {
            using var document = JsonDocument.Parse(text.Length == 0 ? "null" : text);
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new LedgerException($"a table of the ledger is damaged: {IngotException.ReasonOf(e)}; run 'ingot log verify'", e);
        }
    }

    private static string? Optional(Row row, int column) => row.Text(column) is { Length: > 0 } text ? text : null;

    private static Digest DigestAt(Row row, int column) => Digest.Parse(row.Text(column));

    private static DateTimeOffset TimeAt(Row row, int column) => Rfc3339Converter.Parse(row.Text(column));
}

/// <summary>Which entries are meant: those about everything that is set.</summary>
public sealed record LedgerFilter
{
    /// <summary>A project's name.</summary>
    public string? Project { get; init; }

    /// <summary>A service, as <c>project/service</c>.</summary>
    public string? Service { get; init; }

    /// <summary>A repository's name.</summary>
    public string? Repository { get; init; }

    /// <summary>Content.</summary>
    public Digest? Digest { get; init; }

    /// <summary>A rollout's id.</summary>
    public string? Rollout { get; init; }

    /// <summary>The name of a kind, such as <c>tag-bound</c>.</summary>
    public string? Kind { get; init; }

    internal IEnumerable<(string Type, string Value)> Terms
    {
        get
        {
            (string, string?)[] all =
            [
                // The rarest first.
                (SubjectType.Rollout, Rollout), (SubjectType.Digest, Digest?.ToString()), (SubjectType.Repository, Repository),
                (SubjectType.Service, Service), (SubjectType.Kind, Kind), (SubjectType.Project, Project),
            ];
            return all.Where(term => term.Item2 is not null).Select(term => (term.Item1, term.Item2!));
        }
    }
}
