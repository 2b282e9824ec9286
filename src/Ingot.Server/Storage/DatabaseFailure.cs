using System.Data.Common;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Ingot.Server.Storage;

/// <summary>Of what kind a failure of a database is.</summary>
public static class DatabaseFailure
{
    /// <summary>What was to be written contradicts what is there: the same will fail again, and nothing else does.</summary>
    public static bool IsConstraint(this DbException failure) => failure is SqliteException { SqliteErrorCode: raw.SQLITE_CONSTRAINT };

    /// <summary>There is no room.</summary>
    public static bool IsFull(this DbException failure) => failure is SqliteException { SqliteErrorCode: raw.SQLITE_FULL };

    /// <summary>The disk does not do as it is told, for want of room or for another reason.</summary>
    public static bool IsOfDisk(this DbException failure) =>
        failure.IsFull() || failure is SqliteException { SqliteErrorCode: raw.SQLITE_IOERR };
}
