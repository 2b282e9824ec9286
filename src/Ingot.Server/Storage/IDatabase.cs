namespace Ingot.Server.Storage;

/// <summary>A connection to a database, for one thread at a time.</summary>
/// <remarks>
/// Statements name their parameters <c>?1</c>, <c>?2</c>, … in the order of the arguments. Columns hold 64-bit integers, text and bytes;
/// there are no nulls. What fails throws a <see cref="System.Data.Common.DbException"/>, of which <see cref="DatabaseFailure"/> knows the
/// kinds.
/// </remarks>
public interface IDatabase : IDisposable
{
    /// <summary>The version of the tables; null while there are none.</summary>
    long? SchemaVersion { get; }

    /// <summary>Whether a transaction is open.</summary>
    bool IsInTransaction { get; }

    /// <summary>Makes the tables of a database that has none.</summary>
    void Create(DatabaseSchema schema);

    /// <summary>Begins to write. There MUST be no open transaction, and there is no other writer until it ends.</summary>
    void Begin();

    /// <summary>Begins to read: every answer comes from one moment, whatever is written meanwhile.</summary>
    void BeginReading();

    /// <summary>Ends the transaction. What was written is on disk when this returns.</summary>
    void Commit();

    /// <summary>Undoes the transaction.</summary>
    void Rollback();

    /// <summary>Runs a statement; returns how many rows it changed.</summary>
    int Execute(string sql, params ReadOnlySpan<object> arguments);

    /// <summary>Runs a query and reads every row.</summary>
    List<T> Query<T>(string sql, Func<Row, T> read, params ReadOnlySpan<object> arguments);

    /// <summary>Runs a query and reads the first row; <c>default</c> when there is none.</summary>
    T? First<T>(string sql, Func<Row, T> read, params ReadOnlySpan<object> arguments);

    /// <summary>Runs a query for one number; 0 when there is no row.</summary>
    long Number(string sql, params ReadOnlySpan<object> arguments);

    /// <summary>Whether a query has a row.</summary>
    bool Exists(string sql, params ReadOnlySpan<object> arguments);
}

/// <summary>The tables of a database.</summary>
/// <param name="Application">Marks it as ours.</param>
/// <param name="Version">Raised when a table changes.</param>
/// <param name="Tables">The statements that make them.</param>
public sealed record DatabaseSchema(int Application, int Version, string Tables);
