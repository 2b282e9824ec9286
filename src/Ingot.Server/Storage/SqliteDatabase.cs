using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Ingot.Server.Storage;

/// <summary>A connection to a SQLite database that keeps its prepared statements.</summary>
public sealed class SqliteDatabase : IDatabase
{
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _statements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SqliteStatement> _prepared = new(StringComparer.Ordinal);

    private SqliteDatabase(SqliteConnection connection) => _connection = connection;

    /// <summary>SQLite's own handle.</summary>
    internal SQLitePCL.sqlite3? Handle => _connection.Handle;

    /// <inheritdoc/>
    public long? SchemaVersion =>
        Number("PRAGMA user_version") is not 0 and var version ? version : Exists("SELECT 1 FROM sqlite_schema") ? 0 : null;

    /// <inheritdoc/>
    public bool IsInTransaction => SQLitePCL.raw.sqlite3_get_autocommit(_connection.Handle) == 0;

    /// <summary>Opens a database for the one writer, and makes it when it is missing.</summary>
    public static SqliteDatabase OpenWriter(string path)
    {
        var database = Open(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWriteCreate });
        // FULL: a commit is on disk before it is acknowledged.
        database.Pragma("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000",
            "journal_size_limit = 67108864", "wal_autocheckpoint = 4000");
        return database;
    }

    /// <summary>Opens a database that another connection may be writing to.
    /// Every answer of one transaction comes from one moment.</summary>
    public static SqliteDatabase OpenReader(string path)
    {
        var database = Open(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly });
        database.Pragma("busy_timeout = 10000", "query_only = ON");
        return database;
    }

    /// <summary>Opens a database nobody trusts yet: the schema's own text may not call functions,
    /// and cells are checked as they are read.</summary>
    public static SqliteDatabase OpenUntrusted(string path)
    {
        try
        {
            return OpenUntrustedSource(path);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == SQLitePCL.raw.SQLITE_CANTOPEN && !File.Exists(path + "-wal"))
        {
            // On a read-only medium SQLite cannot make the file through which readers and writers meet; there is no writer either.
            return OpenUntrustedSource($"file:{Uri.EscapeDataString(path)}?immutable=1");
        }
    }

    /// <summary>Opens a database of what can be made again, for one writer, and makes it when it is missing: a power cut may take its last
    /// rows, and leaves the others whole.</summary>
    public static SqliteDatabase OpenCache(string path)
    {
        var database = Open(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWriteCreate });
        database.Pragma("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 10000", "journal_size_limit = 16777216");
        return database;
    }

    /// <summary>Opens an empty database that is nobody else's and gone when it is closed.</summary>
    public static SqliteDatabase OpenTemporary()
    {
        var database = Open(new SqliteConnectionStringBuilder { DataSource = "" });
        database.Pragma("foreign_keys = ON", "journal_mode = MEMORY", "synchronous = OFF");
        return database;
    }

    /// <inheritdoc/>
    public void Create(DatabaseSchema schema) =>
        ExecuteScript($"PRAGMA application_id = {schema.Application}; PRAGMA user_version = {schema.Version}; {schema.Tables}");

    /// <inheritdoc/>
    public void Begin() => Execute("BEGIN IMMEDIATE");

    /// <inheritdoc/>
    public void BeginReading() => Execute("BEGIN");

    /// <inheritdoc/>
    public void Commit() => Execute("COMMIT");

    /// <inheritdoc/>
    public void Rollback() => Execute("ROLLBACK");

    /// <inheritdoc/>
    public int Execute(string sql, params ReadOnlySpan<object> arguments)
    {
        if (!_prepared.TryGetValue(sql, out var statement))
            _prepared.Add(sql, statement = new SqliteStatement(_connection.Handle!, sql));
        return statement.Run(arguments);
    }

    /// <inheritdoc/>
    public List<T> Query<T>(string sql, Func<Row, T> read, params ReadOnlySpan<object> arguments)
    {
        using var reader = Bind(sql, arguments).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
            rows.Add(read(new Row(reader)));
        return rows;
    }

    /// <inheritdoc/>
    public T? First<T>(string sql, Func<Row, T> read, params ReadOnlySpan<object> arguments)
    {
        using var reader = Bind(sql, arguments).ExecuteReader();
        return reader.Read() ? read(new Row(reader)) : default;
    }

    /// <inheritdoc/>
    public long Number(string sql, params ReadOnlySpan<object> arguments) =>
        Bind(sql, arguments).ExecuteScalar() is { } value and not DBNull ? Convert.ToInt64(value, CultureInfo.InvariantCulture) : 0;

    /// <inheritdoc/>
    public bool Exists(string sql, params ReadOnlySpan<object> arguments)
    {
        using var reader = Bind(sql, arguments).ExecuteReader();
        return reader.Read();
    }

    /// <summary>A cursor over a query, for tables too large for <see cref="Query"/>. The caller disposes it.</summary>
    public SqliteStatement Read(string sql, params ReadOnlySpan<object> arguments)
    {
        var statement = new SqliteStatement(_connection.Handle!, sql);
        statement.Bind(arguments);
        return statement;
    }

    /// <summary>Runs statements that are used once, such as a schema.</summary>
    public void ExecuteScript(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var statement in _prepared.Values)
            statement.Dispose();
        foreach (var statement in _statements.Values)
            statement.Dispose();
        _connection.Dispose();
    }

    private static SqliteDatabase OpenUntrustedSource(string source)
    {
        var database = Open(new SqliteConnectionStringBuilder { DataSource = source, Mode = SqliteOpenMode.ReadOnly });
        database.Pragma("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "busy_timeout = 10000", "query_only = ON");
        return database;
    }

    private static SqliteDatabase Open(SqliteConnectionStringBuilder settings)
    {
        SqliteLibrary.Use();
        settings.Pooling = false;
        var connection = new SqliteConnection(settings.ToString());
        try
        {
            connection.Open();
            return new SqliteDatabase(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void Pragma(params ReadOnlySpan<string> settings)
    {
        try
        {
            foreach (string setting in settings)
                ExecuteScript($"PRAGMA {setting}");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private SqliteCommand Bind(string sql, ReadOnlySpan<object> arguments)
    {
        if (!_statements.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (int i = 0; i < arguments.Length; i++)
                command.Parameters.Add(new SqliteParameter { ParameterName = $"?{i + 1}" });
            _statements.Add(sql, command);
        }

        for (int i = 0; i < arguments.Length; i++)
            command.Parameters[i].Value = arguments[i];
        return command;
    }
}
