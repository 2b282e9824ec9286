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
        return true;
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == "e_sqlite3" ? NativeLibrary.Load(SystemLibrary) : 0;
}
