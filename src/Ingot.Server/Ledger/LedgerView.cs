using System.Globalization;
using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Storage;
using Microsoft.Data.Sqlite;

namespace Ingot.Server.Ledger;

/// <summary>The ledger and its projections at one moment. Valid only inside the call it was given to.</summary>
public sealed partial class LedgerView
{
    private readonly SqliteDatabase _db;

    internal LedgerView(SqliteDatabase db) => _db = db;

    /// <summary>The number of entries.</summary>
    public long Size => _db.Number("SELECT coalesce(max(seq) + 1, 0) FROM entries");

    /// <summary>An entry; null when the log is not that long.</summary>
    public LedgerEntry? Entry(long seq) =>
        _db.First("SELECT json FROM entries WHERE seq = ?1", r => r.GetFieldValue<byte[]>(0), seq) is { } json ? LedgerEntry.Parse(json) : null;

    /// <summary>The bytes of an entry, which the tree is over; null when the log is not that long.</summary>
    public byte[]? EntryBytes(long seq) => _db.First("SELECT json FROM entries WHERE seq = ?1", r => r.GetFieldValue<byte[]>(0), seq);

    /// <summary>Entries that match, in order, from <paramref name="from"/> on, <paramref name="count"/> at most.</summary>
    public IReadOnlyList<LedgerEntry> Entries(long from, int count, LedgerFilter? filter = null)
    {
        var (sql, arguments) = Select(filter ?? new LedgerFilter(), "seq >= ?1", "ASC", from, count);
        return _db.Query(sql, r => LedgerEntry.Parse(r.GetFieldValue<byte[]>(0)), arguments);
    }

    /// <summary>Entries that match, the latest first, from before <paramref name="before"/> (null: from the end), <paramref name="count"/> at most.</summary>
    public IReadOnlyList<LedgerEntry> Latest(int count, long? before = null, LedgerFilter? filter = null)
    {
        var (sql, arguments) = Select(filter ?? new LedgerFilter(), "seq < ?1", "DESC", before ?? long.MaxValue, count);
        return _db.Query(sql, r => LedgerEntry.Parse(r.GetFieldValue<byte[]>(0)), arguments);
    }

    private static (string Sql, object[] Arguments) Select(LedgerFilter filter, string range, string order, long bound, int count)
    {
        var sql = new StringBuilder($"SELECT json FROM entries WHERE {range}");
        var arguments = new List<object> { bound, count };
        foreach (var (type, value) in filter.Terms)
        {
            arguments.Add(type);
            arguments.Add(value);
            sql.Append(CultureInfo.InvariantCulture, $" AND seq IN (SELECT entry FROM subjects WHERE type = ?{arguments.Count - 1} AND value = ?{arguments.Count})");
        }

        return ($"{sql} ORDER BY seq {order} LIMIT ?2", [.. arguments]);
    }

    private static JsonElement Json(SqliteDataReader row, int column)
    {
        string text = row.GetString(column);
        using var document = JsonDocument.Parse(text.Length == 0 ? "null" : text);
        return document.RootElement.Clone();
    }

    private static string? Optional(SqliteDataReader row, int column) => row.GetString(column) is { Length: > 0 } text ? text : null;

    private static Digest DigestAt(SqliteDataReader row, int column) => Digest.Parse(row.GetString(column));

    private static DateTimeOffset TimeAt(SqliteDataReader row, int column) => Rfc3339Converter.Parse(row.GetString(column));
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
                (SubjectType.Project, Project), (SubjectType.Service, Service), (SubjectType.Repository, Repository),
                (SubjectType.Digest, Digest?.ToString()), (SubjectType.Rollout, Rollout), (SubjectType.Kind, Kind),
            ];
            return all.Where(term => term.Item2 is not null).Select(term => (term.Item1, term.Item2!));
        }
    }
}
