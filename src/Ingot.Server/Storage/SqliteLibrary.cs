using System.Reflection;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace Ingot.Server.Storage;

/// <summary>Points the SQLite provider at the system's library.</summary>
internal static class SqliteLibrary
{
    private const string SystemLibrary = "libsqlite3.so.0";
    private static readonly Lazy<bool> s_loaded = new(Load);

    /// <summary>Loads it once; throws <see cref="DllNotFoundException"/> when the host has none.</summary>
    public static void Use() => _ = s_loaded.Value;

    private static bool Load()
    {
        NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, Resolve);
        raw.SetProvider(new SQLite3Provider_e_sqlite3());
        // A connection is for one thread at a time, so that SQLite need not lock each at every call. https://sqlite.org/threadsafe.html
        raw.sqlite3_config(raw.SQLITE_CONFIG_MULTITHREAD);
        // Nobody asks how much memory it has, and counting takes a lock for each piece.
        raw.sqlite3_config(raw.SQLITE_CONFIG_MEMSTATUS, 0);
        return true;
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == "e_sqlite3" ? NativeLibrary.Load(SystemLibrary) : 0;
}
