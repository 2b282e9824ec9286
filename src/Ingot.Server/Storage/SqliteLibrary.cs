using SQLitePCL;

namespace Ingot.Server.Storage;

/// <summary>Sets up the SQLite that comes with the program: the same on every host.</summary>
internal static class SqliteLibrary
{
    private static readonly Lazy<bool> s_ready = new(SetUp);

    /// <summary>Before the first connection; does nothing afterwards.</summary>
    public static void Use() => _ = s_ready.Value;

    private static bool SetUp()
    {
        raw.SetProvider(new SQLite3Provider_e_sqlite3());
        // A connection is for one thread at a time, so that SQLite need not lock each at every call. https://sqlite.org/threadsafe.html
        raw.sqlite3_config(raw.SQLITE_CONFIG_MULTITHREAD);
        // Nobody asks how much memory it has, and counting takes a lock for each piece.
        raw.sqlite3_config(raw.SQLITE_CONFIG_MEMSTATUS, 0);
        return true;
    }
}
