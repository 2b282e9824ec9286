using System.Globalization;
using Ingot.Server.Storage;

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
        var columns = db.Query("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid",
            r => (Name: r.Text(0), Key: (int)r.Integer(1)), name);
        _columns = [.. columns.Select(column => column.Name)];
        _key = [.. Enumerable.Range(0, columns.Count).Where(i => columns[i].Key > 0).OrderBy(i => columns[i].Key)];
        _entry = Array.IndexOf(_columns, "entry");
    }

    public string Name { get; }

    /// <summary>Every table that follows from the entries. The entries, their checkpoints and the bytes of documents are checked one by one
    /// instead.</summary>
    public static IEnumerable<TableComparison> Tables(SqliteDatabase replay) =>
        replay.Query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('entries', 'checkpoints', "
                + "'document_bytes') ORDER BY name",
            r => r.Text(0))
            .Select(name => new TableComparison(replay, name));

    /// <summary>The rows that differ: those of <paramref name="actual"/> that should not be, those that are missing, those with another
    /// value. Rows that say they were written by an entry in <paramref name="unknown"/> are passed over.</summary>
    public IEnumerable<LedgerProblem> Compare(SqliteDatabase actual, SqliteDatabase expected, IReadOnlySet<long> unknown)
    {
        string sql = $"SELECT * FROM {Name} ORDER BY {string.Join(", ", _key.Select(i => _columns[i]))}";
        using var have = actual.Read(sql);
        using var want = expected.Read(sql);
        bool isThere = have.Read(), isWanted = want.Read();
        while (isThere || isWanted)
        {
            int order = !isThere ? 1 : !isWanted ? -1 : CompareKeys(have, want);
            bool isUnknown = order <= 0 && EntryOf(have) is { } writer && unknown.Contains(writer);
            if (!isUnknown && Difference(order, have, want) is { } problem)
                yield return problem;

            if (order <= 0)
                isThere = have.Read();
            if (order >= 0)
                isWanted = want.Read();
        }
    }

    private LedgerProblem? Difference(int order, SqliteStatement have, SqliteStatement want)
    {
        if (order < 0)
            return new LedgerProblem(EntryOf(have), $"the table '{Name}' has a row that no entry wrote: {Describe(have)}");
        if (order > 0)
            return new LedgerProblem(EntryOf(want), $"the table '{Name}' lacks the row {Describe(want)}");

        return FirstDifference(have, want) is { } column
            ? new LedgerProblem(EntryOf(want), $"the table '{Name}', row {Describe(want)}: "
                + $"'{_columns[column]}' is '{(column < have.Columns ? Show(have, column) : "missing")}' and the entries say "
                + $"'{Show(want, column)}'")
            : null;
    }

    private int CompareKeys(SqliteStatement left, SqliteStatement right)
    {
        foreach (int i in _key)
        {
            int order = Compare(left, right, i);
            if (order != 0)
                return order;
        }

        return 0;
    }

    private static int? FirstDifference(SqliteStatement left, SqliteStatement right)
    {
        int columns = left.Columns;
        for (int i = 0; i < right.Columns; i++)
        {
            if (i >= columns || Compare(left, right, i) != 0)
                return i;
        }

        return null;
    }

    private long? EntryOf(SqliteStatement row) =>
        _entry >= 0 && _entry < row.Columns && row.TypeOf(_entry) == ColumnType.Integer ? row.Integer(_entry) : null;

    private string Describe(SqliteStatement row) =>
        string.Join(", ", _key.Where(i => i < row.Columns).Select(i => $"{_columns[i]} '{Show(row, i)}'"));

    /// <summary>In SQLite's own order. Text is compared as bytes: malformed UTF-8 must not read like its replacement.</summary>
    private static int Compare(SqliteStatement left, SqliteStatement right, int column)
    {
        var type = left.TypeOf(column);
        int order = type.CompareTo(right.TypeOf(column));
        if (order != 0)
            return order;

        return type switch
        {
            ColumnType.Null => 0,
            ColumnType.Integer => left.Integer(column).CompareTo(right.Integer(column)),
            ColumnType.Float =>
                BitConverter.DoubleToInt64Bits(left.Float(column)).CompareTo(BitConverter.DoubleToInt64Bits(right.Float(column))),
            _ => left.Bytes(column).SequenceCompareTo(right.Bytes(column)),
        };
    }

    private static string Show(SqliteStatement row, int column) => row.TypeOf(column) switch
    {
        ColumnType.Integer => row.Integer(column).ToString(CultureInfo.InvariantCulture),
        ColumnType.Text => row.Text(column),
        _ => Convert.ToBase64String(row.Bytes(column)),
    };
}
