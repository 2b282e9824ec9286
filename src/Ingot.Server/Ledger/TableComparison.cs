using System.Text;
using Ingot.Server.Storage;
using Microsoft.Data.Sqlite;

namespace Ingot.Server.Ledger;

/// <summary>Compares a table with its replay, row by row in the order of the primary key, value by value with their types.</summary>
internal sealed class TableComparison
{
    private readonly string[] _columns;
    private readonly int[] _key;
    private readonly int _entry;

    private TableComparison(SqliteDatabase db, string name)
    {
        Name = name;
        var columns = db.Query("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid", r => (Name: r.GetString(0), Key: r.GetInt32(1)), name);
        _columns = [.. columns.Select(column => column.Name)];
        _key = [.. Enumerable.Range(0, columns.Count).Where(i => columns[i].Key > 0).OrderBy(i => columns[i].Key)];
        _entry = Array.IndexOf(_columns, "entry");
    }

    public string Name { get; }

    /// <summary>Every table that follows from the entries. The entries, their checkpoints and the bytes of documents are checked one by one instead.</summary>
    public static IEnumerable<TableComparison> Tables(SqliteDatabase replay) =>
        replay.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('entries', 'checkpoints', 'document_bytes') ORDER BY name", r => r.GetString(0))
            .Select(name => new TableComparison(replay, name));

    /// <summary>The rows that differ: those of <paramref name="actual"/> that should not be, those that are missing, those with another value.
    /// Rows that say they were written by an entry in <paramref name="unknown"/> are passed over.</summary>
    public IEnumerable<LedgerProblem> Compare(SqliteDatabase actual, SqliteDatabase expected, IReadOnlySet<long> unknown)
    {
        string sql = $"SELECT * FROM {Name} ORDER BY {string.Join(", ", _key.Select(i => _columns[i]))}";
        using var left = actual.Read(sql);
        using var right = expected.Read(sql);
        var have = Next(left);
        var want = Next(right);
        while (have is not null || want is not null)
        {
            int order = have is null ? 1 : want is null ? -1 : CompareKeys(have, want);
            bool isUnknown = order <= 0 && EntryOf(have!) is { } writer && unknown.Contains(writer);
            if (!isUnknown && Difference(order, have, want) is { } problem)
                yield return problem;

            if (order <= 0)
                have = Next(left);
            if (order >= 0)
                want = Next(right);
        }
    }

    private LedgerProblem? Difference(int order, Value[]? have, Value[]? want)
    {
        if (order < 0)
            return new LedgerProblem(EntryOf(have!), $"the table '{Name}' has a row that no entry wrote: {Describe(have!)}");
        if (order > 0)
            return new LedgerProblem(EntryOf(want!), $"the table '{Name}' lacks the row {Describe(want!)}");

        return FirstDifference(have!, want!) is { } column
            ? new LedgerProblem(EntryOf(want!), $"the table '{Name}', row {Describe(want!)}: '{_columns[column]}' is '{(column < have!.Length ? have[column] : "missing")}' and the entries say '{want![column]}'")
            : null;
    }

    private static Value[]? Next(SqliteDataReader reader)
    {
        if (!reader.Read())
            return null;

        var row = new Value[reader.FieldCount];
        for (int i = 0; i < row.Length; i++)
            row[i] = Value.Read(reader, i);
        return row;
    }

    private int CompareKeys(Value[] left, Value[] right)
    {
        foreach (int i in _key)
        {
            int order = left[i].CompareTo(right[i]);
            if (order != 0)
                return order;
        }

        return 0;
    }

    private static int? FirstDifference(Value[] left, Value[] right)
    {
        for (int i = 0; i < right.Length; i++)
        {
            if (i >= left.Length || left[i].CompareTo(right[i]) != 0)
                return i;
        }

        return null;
    }

    private long? EntryOf(Value[] row) => _entry >= 0 && _entry < row.Length ? row[_entry].Number : null;

    private string Describe(Value[] row) => string.Join(", ", _key.Where(i => i < row.Length).Select(i => $"{_columns[i]} '{row[i]}'"));

    /// <summary>A value as SQLite stores it. Text is compared as bytes: malformed UTF-8 must not read like its replacement.</summary>
    private readonly struct Value(int rank, long number, byte[] bytes) : IComparable<Value>
    {
        public long? Number => rank == 0 ? number : null;

        public static Value Read(SqliteDataReader reader, int column)
        {
            if (reader.IsDBNull(column))
                return new Value(-1, 0, []);

            var type = reader.GetFieldType(column);
            if (type == typeof(long))
                return new Value(0, reader.GetInt64(column), []);
            if (type == typeof(double))
                return new Value(1, BitConverter.DoubleToInt64Bits(reader.GetDouble(column)), []);

            return new Value(type == typeof(string) ? 2 : 3, 0, reader.GetFieldValue<byte[]>(column));
        }

        // SQLite's own order of types: numbers, text, bytes.
        public int CompareTo(Value other)
        {
            int order = rank.CompareTo(other.Rank);
            if (order == 0)
                order = number.CompareTo(other.Raw);
            return order != 0 ? order : bytes.AsSpan().SequenceCompareTo(other.Bytes);
        }

        public override string ToString() => rank switch
        {
            0 => number.ToString(System.Globalization.CultureInfo.InvariantCulture),
            2 => Encoding.UTF8.GetString(bytes),
            _ => Convert.ToBase64String(bytes),
        };

        private int Rank => rank;

        private long Raw => number;

        private byte[] Bytes => bytes;
    }
}
