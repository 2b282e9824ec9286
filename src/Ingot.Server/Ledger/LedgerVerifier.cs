using Ingot.Oci.Content;
using Ingot.Server.Storage;
using Ingot.Transparency;
using Microsoft.Data.Sqlite;

namespace Ingot.Server.Ledger;

/// <summary>Re-reads a ledger from storage alone and tests every claim it makes.</summary>
/// <remarks>
/// What it cannot see is a ledger cut off at its end, or made anew with the same key: for that, give it a checkpoint that was kept elsewhere.
/// </remarks>
public sealed class LedgerVerifier
{
    private const int MaxProblems = 1000;
    private const int Chunk = 512;

    private readonly SqliteDatabase _db;
    private readonly SqliteDatabase _replay;
    private readonly NoteVerifier _key;
    private readonly List<LedgerProblem> _problems;
    private readonly HashSet<long> _notReplayed = [];
    private readonly LedgerWriter _writer;
    private bool _isTreeLost;

    private LedgerVerifier(SqliteDatabase db, SqliteDatabase replay, NoteVerifier key, List<LedgerProblem> problems)
    {
        _db = db;
        _replay = replay;
        _key = key;
        _problems = problems;
        Projections.Create(replay);
        _writer = new LedgerWriter(replay, signer: null);
    }

    /// <summary>Verifies a home's ledger, which may be in use. <paramref name="known"/> is a checkpoint kept from before: the ledger must continue it.</summary>
    public static async Task<LedgerReport> VerifyAsync(ServerHome home, Checkpoint? known = null, CancellationToken cancellationToken = default)
    {
        using var key = LogKey.ReadVerifier(home);
        return await VerifyAsync(home.Database, key, known, cancellationToken);
    }

    /// <summary>Verifies a ledger's database with the key its checkpoints are to be signed by. Damage is reported, not thrown; a file that is not there is thrown.</summary>
    public static Task<LedgerReport> VerifyAsync(string path, NoteVerifier key, Checkpoint? known = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Verify(path, key, known, cancellationToken), cancellationToken);

    private static LedgerReport Verify(string path, NoteVerifier key, Checkpoint? known, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            throw new LedgerException($"there is no ledger at '{path}'");

        var problems = new List<LedgerProblem>();
        using var replay = SqliteDatabase.OpenTemporary();
        SqliteDatabase? db = null;
        Guard(problems, "the database cannot be opened", () =>
        {
            db = SqliteDatabase.OpenUntrusted(path);
            db.Execute("BEGIN");
            db.Number("SELECT count(*) FROM sqlite_schema");
        });
        if (problems.Count > 0 || db is null)
        {
            db?.Dispose();
            return new LedgerReport(0, MerkleTree.EmptyRoot.ToString(), problems);
        }

        using (db)
            return new LedgerVerifier(db, replay, key, problems).Run(known, cancellationToken);
    }

    private LedgerReport Run(Checkpoint? known, CancellationToken cancellationToken)
    {
        Guard("the schema cannot be read", CheckSchema);
        long size = 0;
        Guard("the size of the ledger cannot be read", () => size = FindSize());
        _replay.Execute("BEGIN");
        for (long from = 0; from < size; from += Chunk)
        {
            cancellationToken.ThrowIfCancellationRequested();
            CheckChunk(from, (int)Math.Min(Chunk, size - from), known);
        }

        CheckContinues(known, size);
        _writer.Commit();
        foreach (var table in TableComparison.Tables(_replay))
            Guard($"the table '{table.Name}' cannot be read", () => Compare(table));
        Guard("the documents cannot be read", CheckDocuments);
        Guard("the integrity check cannot run", CheckIntegrity);
        return new LedgerReport(size, _writer.Root.ToString(), _problems);
    }

    private void CheckSchema()
    {
        const string Everything = "SELECT rowid || ' ' || type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY rowid";
        if (!_db.Query(Everything, r => r.GetString(0)).SequenceEqual(_replay.Query(Everything, r => r.GetString(0))))
            Add(null, "the tables are not those this program makes");
        if (_db.Number("PRAGMA user_version") != Projections.SchemaVersion || _db.Number("PRAGMA application_id") != Projections.ApplicationId)
            Add(null, "the file's header does not say that it is a ledger of this version");
    }

    /// <summary>The largest size anything in the database speaks of, so that a missing end is seen.</summary>
    private long FindSize()
    {
        long entries = _db.Number("SELECT coalesce(max(seq) + 1, 0) FROM entries");
        long checkpoints = _db.Number("SELECT coalesce(max(size), 0) FROM checkpoints");
        long rows = _db.Number("SELECT count(*) FROM entries");
        long size = Math.Max(entries, checkpoints);
        if (rows != size)
            Add(null, $"the ledger should have {size} entries and its table has {rows}");
        // A damaged number must not become a loop over billions.
        return Math.Min(size, Math.Max(rows, _db.Number("SELECT count(*) FROM checkpoints")) + 1);
    }

    private void CheckChunk(long from, int count, Checkpoint? known)
    {
        var checkpoints = new CheckpointResult[count];
        // Signatures are nearly all of the work, and independent of each other.
        var notes = new string?[count];
        for (int i = 0; i < count; i++)
            notes[i] = ReadNote(from + i);
        Parallel.For(0, count, i => checkpoints[i] = CheckNote(notes[i], from + i + 1));

        for (int i = 0; i < count; i++)
        {
            if (checkpoints[i].Problem is { } problem)
                Add(from + i, problem);
            CheckEntry(from + i, checkpoints[i].Root);
            if (known?.Size == from + i + 1 && known.Root != _writer.Root && !_isTreeLost)
                Add(from + i, $"the ledger was rewritten: its root at size {known.Size} was '{known.Root}' and is '{_writer.Root}'");
        }
    }

    private string? ReadNote(long seq)
    {
        string? note = null;
        Guard(seq, "its checkpoint cannot be read", () => note = _db.First("SELECT note FROM checkpoints WHERE size = ?1", r => r.GetString(0), seq + 1));
        return note;
    }

    private CheckpointResult CheckNote(string? note, long size)
    {
        if (note is null)
            return new CheckpointResult(null, $"there is no checkpoint of size {size}");

        try
        {
            var checkpoint = Checkpoint.ParseSigned(note, _key);
            return checkpoint.Size == size
                ? new CheckpointResult(checkpoint.Root, null)
                : new CheckpointResult(null, $"the checkpoint of size {size} says {checkpoint.Size}");
        }
        catch (FormatException e)
        {
            return new CheckpointResult(null, $"the checkpoint of size {size} does not hold: {e.Message}");
        }
    }

    private void CheckEntry(long seq, MerkleHash? signedRoot)
    {
        byte[]? json = null;
        MerkleHash? stored = null;
        Guard(seq, "it cannot be read", () =>
        {
            (json, byte[]? leaf) = _db.First("SELECT json, leaf FROM entries WHERE seq = ?1", r => (Bytes(r, 0), Bytes(r, 1)), seq);
            if (json is null)
                Add(seq, "the entry is missing");
            else if (leaf is { Length: MerkleHash.Size })
                stored = new MerkleHash(leaf);
        });

        MerkleHash? computed = json is null ? null : MerkleTree.HashLeaf(json);
        if (json is not null && computed != stored)
            Add(seq, $"its bytes hash to '{computed}' and its leaf is '{(stored is { } leaf ? leaf.ToString() : "unreadable")}'");

        GrowTree(seq, computed, stored, signedRoot);
        Replay(seq, json);
    }

    // The type is asked for too: bytes that became text would read alike.
    private static byte[]? Bytes(SqliteDataReader row, int column) =>
        row.GetFieldType(column) == typeof(byte[]) ? row.GetFieldValue<byte[]>(column) : throw new FormatException($"column {column} does not hold bytes");

    /// <summary>Continues the tree with the leaf that gives the signed root, so that one damaged entry does not accuse all that follow.</summary>
    private void GrowTree(long seq, MerkleHash? computed, MerkleHash? stored, MerkleHash? signedRoot)
    {
        if (_isTreeLost)
            return;

        if ((computed ?? stored) is not { } leaf)
        {
            Add(seq, "the tree cannot be computed from here on");
            _isTreeLost = true;
            return;
        }

        if (stored is { } other && computed != stored && signedRoot is not null && _writer.RootWith(other) == signedRoot)
            leaf = other;

        Guard(seq, "its leaf cannot be added to the tree", () => _writer.AppendLeaf(leaf));
        if (signedRoot is null || signedRoot == _writer.Root)
            return;

        Add(seq, $"the signed checkpoint of size {seq + 1} has root '{signedRoot}' and the entries give '{_writer.Root}': this entry was changed, or one was put in or taken out here");
        _isTreeLost = true;
    }

    private void Replay(long seq, byte[]? json)
    {
        try
        {
            var entry = LedgerEntry.Parse(json);
            if (entry.Seq != seq)
                throw new FormatException($"it says that it is entry {entry.Seq}");

            _writer.Together(() => Apply(entry));
        }
        catch (Exception e) when (e is FormatException or SqliteException or LedgerException)
        {
            // What builds on an entry that could not be replayed fails as well; only the first is to blame.
            if (e is FormatException || _notReplayed.Count == 0)
                Add(seq, $"it cannot be replayed: {e.Message}");
            _notReplayed.Add(seq);
        }
    }

    private LedgerEntry Apply(LedgerEntry entry)
    {
        Projections.Apply(_replay, entry);
        return entry;
    }

    private void CheckContinues(Checkpoint? known, long size)
    {
        if (known is null)
            return;

        if (known.Origin != _key.Name)
            Add(null, $"the known checkpoint is of the log '{known.Origin}' and this is '{_key.Name}'");
        if (known.Size > size)
            Add(null, $"the ledger was cut off: it had {known.Size} entries and has {size}");
    }

    private void Compare(TableComparison table)
    {
        if (_isTreeLost && table.Name is ("nodes" or "edge"))
            return;

        foreach (var (entry, problem) in table.Compare(_db, _replay, _notReplayed))
            Add(entry, problem);
    }

    /// <summary>Every document that an entry names is there, is what it is named after, and there is no other.</summary>
    private void CheckDocuments()
    {
        var there = new HashSet<string>(StringComparer.Ordinal);
        using (var rows = _db.Read("SELECT digest, bytes FROM document_bytes ORDER BY digest"))
        {
            while (rows.Read())
            {
                string name = rows.GetString(0);
                there.Add(name);
                CheckDocument(name, rows.GetFieldType(1) == typeof(byte[]) ? rows.GetFieldValue<byte[]>(1) : null);
            }
        }

        foreach (var (name, entry) in _replay.Query("SELECT digest, entry FROM documents ORDER BY digest", r => (r.GetString(0), r.GetInt64(1))))
        {
            if (!there.Contains(name))
                Add(entry, $"the document '{name}' that it names is missing");
        }
    }

    private void CheckDocument(string name, byte[]? bytes)
    {
        var (size, entry) = _replay.First("SELECT size, entry FROM documents WHERE digest = ?1", r => (r.GetInt64(0), (long?)r.GetInt64(1)), name);
        if (entry is null)
        {
            // An entry that cannot be read may name it.
            if (_notReplayed.Count == 0)
                Add(null, $"the ledger has a document that no entry names: '{name}'");
        }
        else if (bytes is null || bytes.Length != size || Digest.Of(bytes).ToString() != name)
        {
            Add(entry, $"the document '{name}' that it names has other bytes");
        }
    }

    private void CheckIntegrity()
    {
        foreach (string line in _db.Query("PRAGMA integrity_check(100)", r => r.GetString(0)))
        {
            if (line != "ok")
                Add(null, $"the database file is damaged: {line}");
        }
    }

    private void Guard(string what, Action check) => Guard(_problems, what, check);

    private void Guard(long seq, string what, Action check) => Guard(_problems, what, check, seq);

    // Whatever a damaged file makes a library throw is a finding: a verifier that stops at the first one hides the rest.
    private static void Guard(List<LedgerProblem> problems, string what, Action check, long? seq = null)
    {
        try
        {
            check();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Add(problems, seq, $"{what}: {e.Message}");
        }
    }

    private void Add(long? entry, string problem) => Add(_problems, entry, problem);

    private static void Add(List<LedgerProblem> problems, long? entry, string problem)
    {
        if (problems.Count < MaxProblems)
            problems.Add(new LedgerProblem(entry, problem));
        else if (problems.Count == MaxProblems)
            problems.Add(new LedgerProblem(null, $"there are more than {MaxProblems} problems; the rest is not listed"));
    }

    private readonly record struct CheckpointResult(MerkleHash? Root, string? Problem);
}
