using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Storage;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Ingot.Server.Registry;

/// <summary>The annotations of referrers, as JSON, by the digest of the manifest they stand in: what a list of referrers shows and the
/// ledger's tables do not have.</summary>
/// <remarks>
/// Annotations may be megabytes, and entries of the ledger are small: they cannot be replayed from there. This is no projection but a cache
/// beside it: a row follows from the bytes its digest names and from nothing else, so it is never stale, may be missing, and is filled
/// again from the stored manifest. A file that is damaged is made anew.
/// </remarks>
internal sealed class ReferrerNotes : IDisposable
{
    private const int Version = 1;
    private const string Schema = "CREATE TABLE notes (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, json BLOB NOT NULL)";

    private readonly Lock _gate = new();
    private readonly string? _path;
    private readonly long _max;
    private SqliteDatabase _db;
    private long _bytes;

    /// <summary>Opens the cache in a file; null for one that is forgotten.
    /// Beyond <paramref name="max"/> bytes what was written first goes.</summary>
    public ReferrerNotes(string? path, long max = 256 << 20)
    {
        (_path, _max) = (path, max);
        _db = Open();
    }

    /// <summary>The annotations of a manifest as a JSON object, empty when it has none; null when they are not known.</summary>
    public byte[]? Find(Digest digest) =>
        Try(() => _db.First("SELECT json FROM notes WHERE digest = ?1", r => r.Bytes(0), digest.ToString()));

    /// <summary>Keeps the annotations of a manifest; returns them as they are found.</summary>
    public byte[] Put(Digest digest, SortedDictionary<string, string>? annotations)
    {
        byte[] json = annotations is null
            ? []
            : JsonSerializer.SerializeToUtf8Bytes(annotations, RegistryJson.Readable.SortedDictionaryStringString);
        Try(() =>
        {
            int added = _db.Execute("INSERT INTO notes (digest, json) VALUES (?1, ?2) ON CONFLICT DO NOTHING", digest.ToString(), json);
            _bytes += added * json.LongLength;
            if (_bytes > _max)
                MakeRoom();
            return true;
        });
        return json;
    }

    public void Dispose()
    {
        lock (_gate)
            _db.Dispose();
    }

    // A tenth at once, so that it is done seldom.
    private void MakeRoom()
    {
        while (_bytes > _max - (_max / 10) && First() is { Id: > 0 } first)
        {
            _db.Execute("DELETE FROM notes WHERE id = ?1", first.Id);
            _bytes -= first.Bytes;
        }
    }

    private (long Id, long Bytes) First() =>
        _db.First("SELECT id, length(json) FROM notes ORDER BY id LIMIT 1", r => (r.Integer(0), r.Integer(1)));

    // A cache that fails is empty.
    private T? Try<T>(Func<T> work)
    {
        lock (_gate)
        {
            try
            {
                return work();
            }
            catch (SqliteException e)
                when (e.SqliteErrorCode is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB or raw.SQLITE_IOERR or raw.SQLITE_ERROR)
            {
                _db.Dispose();
                _db = Anew();
                return default;
            }
            catch (SqliteException)
            {
                // A full disk, say: it is read from the manifest again the next time.
                return default;
            }
        }
    }

    private SqliteDatabase Open()
    {
        if (_path is null)
            return Create(SqliteDatabase.OpenTemporary());

        try
        {
            return Create(SqliteDatabase.OpenCache(_path));
        }
        catch (SqliteException)
        {
            return Anew();
        }
    }

    private SqliteDatabase Anew()
    {
        try
        {
            foreach (string suffix in _path is null ? [] : new[] { "", "-wal", "-shm" })
                File.Delete(_path + suffix);
            return Create(_path is null ? SqliteDatabase.OpenTemporary() : SqliteDatabase.OpenCache(_path));
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            // A file that cannot be made is no reason not to answer: what is kept is forgotten with the server.
            return Create(SqliteDatabase.OpenTemporary());
        }
    }

    private SqliteDatabase Create(SqliteDatabase db)
    {
        try
        {
            if (db.Number("PRAGMA user_version") != Version)
                db.ExecuteScript($"BEGIN IMMEDIATE; DROP TABLE IF EXISTS notes; {Schema}; PRAGMA user_version = {Version}; COMMIT");
            _bytes = db.Number("SELECT coalesce(sum(length(json)), 0) FROM notes");
            return db;
        }
        catch
        {
            db.Dispose();
            throw;
        }
    }
}
