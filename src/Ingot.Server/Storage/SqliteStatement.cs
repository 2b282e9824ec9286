using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Ingot.Server.Storage;

/// <summary>A prepared statement without the ADO.NET layer, which costs several times what SQLite does: for statements that run a million
/// times and rows that are read by the million.</summary>
/// <remarks>Text is bytes in UTF-8, as it is stored: malformed text does not read like its replacement. For one thread at a time.</remarks>
public sealed class SqliteStatement : IDisposable
{
    private const int StackBytes = 1024;

    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    internal SqliteStatement(sqlite3 database, string sql)
    {
        _database = database;
        Check(raw.sqlite3_prepare_v2(database, sql, out _statement));
    }

    /// <summary>How many columns a row has.</summary>
    public int Columns => raw.sqlite3_column_count(_statement);

    /// <summary>Runs it to its end; returns how many rows it changed.</summary>
    public int Run(ReadOnlySpan<object> arguments)
    {
        Bind(arguments);
        try
        {
            while (Read())
            {
                // A pragma answers with a row that nobody asked for.
            }

            return raw.sqlite3_changes(_database);
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    /// <summary>Gives the parameters <c>?1</c>, <c>?2</c>, … their values.</summary>
    public void Bind(ReadOnlySpan<object> arguments)
    {
        for (int i = 0; i < arguments.Length; i++)
            Check(Bind(i + 1, arguments[i]));
    }

    /// <summary>Moves to the next row; false when there is none.</summary>
    public bool Read() => raw.sqlite3_step(_statement) switch
    {
        raw.SQLITE_ROW => true,
        raw.SQLITE_DONE => false,
        int error => throw ErrorOf(error),
    };

    /// <summary>What a column of the row holds.</summary>
    public ColumnType TypeOf(int column) => raw.sqlite3_column_type(_statement, column) switch
    {
        raw.SQLITE_NULL => ColumnType.Null,
        raw.SQLITE_INTEGER => ColumnType.Integer,
        raw.SQLITE_FLOAT => ColumnType.Float,
        raw.SQLITE_TEXT => ColumnType.Text,
        _ => ColumnType.Bytes,
    };

    /// <summary>A column's number.</summary>
    public long Integer(int column) => raw.sqlite3_column_int64(_statement, column);

    /// <summary>A column's number with a fraction.</summary>
    public double Float(int column) => raw.sqlite3_column_double(_statement, column);

    /// <summary>A column's bytes or its text in UTF-8. Good until the next row is read.</summary>
    public ReadOnlySpan<byte> Bytes(int column) => raw.sqlite3_column_blob(_statement, column);

    /// <summary>A column's text.</summary>
    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    /// <inheritdoc/>
    public void Dispose() => _statement.Dispose();

    private int Bind(int index, object value) => value switch
    {
        long number => raw.sqlite3_bind_int64(_statement, index, number),
        int number => raw.sqlite3_bind_int64(_statement, index, number),
        bool flag => raw.sqlite3_bind_int64(_statement, index, flag ? 1 : 0),
        // The one of bytes takes none for null.
        "" => raw.sqlite3_bind_text(_statement, index, ""),
        string text => BindText(index, text),
        byte[] { Length: 0 } => raw.sqlite3_bind_zeroblob(_statement, index, 0),
        byte[] bytes => raw.sqlite3_bind_blob(_statement, index, bytes),
        _ => throw new ArgumentException($"a {value?.GetType().Name ?? "null"} is no value of a database", nameof(value)),
    };

    private int BindText(int index, string text)
    {
        int most = Encoding.UTF8.GetMaxByteCount(text.Length);
        Span<byte> bytes = most <= StackBytes ? stackalloc byte[most] : new byte[most];
        return raw.sqlite3_bind_text(_statement, index, bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }

    private void Check(int result)
    {
        if (result != raw.SQLITE_OK)
            throw ErrorOf(result);
    }

    private SqliteException ErrorOf(int result)
    {
        try
        {
            SqliteException.ThrowExceptionForRC(result, _database);
        }
        catch (SqliteException e)
        {
            return e;
        }

        return new SqliteException($"SQLite answered {result}", result);
    }
}
