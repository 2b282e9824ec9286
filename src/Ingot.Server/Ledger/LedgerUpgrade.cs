using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

/// <summary>Brings a ledger of an earlier schema up to date: the entries, their tree and their checkpoints are kept byte for byte, the
/// tables are made again from them.</summary>
/// <remarks>The new database is made beside the old one and takes its name when it is whole,
/// so that a program that is killed has changed nothing.</remarks>
internal static class LedgerUpgrade
{
    private const int Oldest = 1;
    private const int EntriesAtOnce = 512;

    /// <summary>Upgrades the home's ledger when it has an earlier schema that this program can read. The lock is held.</summary>
    public static void Run(ServerHome home)
    {
        if (!File.Exists(home.Database)
            || new FileInfo(home.Database).Length == 0
            || VersionOf(home.Database) is not (>= Oldest and < Projections.SchemaVersion))
            return;

        string fresh = home.Database + ".upgrade";
        foreach (string rest in (string[])[fresh, fresh + "-wal", fresh + "-shm", fresh + "-journal"])
            File.Delete(rest);
        using (var db = SqliteDatabase.OpenWriter(fresh))
        {
            db.Execute("ATTACH DATABASE ?1 AS old", home.Database);
            Fill(db);
            db.Execute("DETACH DATABASE old");
        }

        RequireClosed(home.Database);
        RequireClosed(fresh);
        File.Move(fresh, home.Database, overwrite: true);
    }

    private static long VersionOf(string path)
    {
        // Whoever was killed in the middle of the first write left a journal behind, and only a writer may bring back what was before.
        using var db = SqliteDatabase.OpenWriter(path);
        return db.Number("PRAGMA user_version");
    }

    private static void Fill(SqliteDatabase db)
    {
        db.Begin();
        db.Create(Projections.Schema);
        db.Execute("INSERT INTO entries SELECT seq, json, leaf FROM old.entries ORDER BY seq");
        db.Execute("INSERT INTO nodes SELECT level, position, hash FROM old.nodes ORDER BY level, position");
        db.Execute("INSERT INTO edge SELECT id, size, hashes FROM old.edge");
        db.Execute(
            "INSERT INTO checkpoints SELECT size, note FROM old.checkpoints WHERE size % ?1 = 0 OR size = (SELECT max(size) FROM "
                + "old.checkpoints) ORDER BY size",
            LedgerWriter.CheckpointInterval);
        Replay(db);
        CopyDocuments(db);
        db.Commit();
    }

    // The first schema has none; a database that only says so does.
    private static void CopyDocuments(SqliteDatabase db)
    {
        if (db.Exists("SELECT 1 FROM old.sqlite_schema WHERE name = 'document_bytes'"))
            db.Execute(
                "INSERT INTO document_bytes SELECT digest, bytes FROM old.document_bytes WHERE digest IN (SELECT digest FROM documents)");
    }

    private static void Replay(SqliteDatabase db)
    {
        var view = new LedgerView(db);
        for (long from = 0; view.Entries(from, EntriesAtOnce) is { Count: > 0 } entries; from += entries.Count)
        {
            foreach (var entry in entries)
                Projections.Apply(db, entry);
        }
    }

    // The log of another file of the same name would be taken for the new one's.
    private static void RequireClosed(string database)
    {
        if (File.Exists(database + "-wal") && new FileInfo(database + "-wal").Length > 0)
            throw new IOException($"'{database}' is being read by another process: end it, and start again");
        File.Delete(database + "-wal");
        File.Delete(database + "-shm");
    }
}
