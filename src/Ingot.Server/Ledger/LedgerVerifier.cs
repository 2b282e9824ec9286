using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>Re-reads a ledger from storage alone and tests every claim it makes.</summary>
/// <remarks>
/// <para>What it cannot see is a ledger cut off at its end, or made anew with the same key: for that,
/// give it checkpoints that were kept elsewhere.</para>
/// <para>The entries go by in chunks: while one is added to the tree and replayed, the next is read, parsed and hashed.
/// Memory does not grow with the ledger.</para>
/// </remarks>
public sealed partial class LedgerVerifier
{
    private const int MaxProblems = 1000;
    private const int Chunk = 32 * LedgerWriter.CheckpointInterval;
    private const int ReplayCache = 64 << 10;

    private static readonly string[] s_indexesOfReaders = ["manifests_by_subject", "manifests_by_digest"];

    private readonly string _path;
    private readonly SqliteDatabase _db;
    private readonly SqliteDatabase _replay;
    private readonly NoteVerifier _key;
    private readonly List<LedgerProblem> _problems;
    private readonly ILookup<long, Checkpoint> _known;
    private readonly bool _isCareful;
    private readonly HashSet<long> _notReplayed = [];
    private readonly LedgerWriter _writer;
    private readonly SubjectSum _subjects;
    private readonly SubjectSum _subjectsFound;
    private bool _isTreeLost;

    private LedgerVerifier(
        string path, SqliteDatabase db, SqliteDatabase replay, NoteVerifier key, IReadOnlyList<Checkpoint> known,
        List<LedgerProblem> problems, bool isCareful)
    {
        _path = path;
        _db = db;
        _replay = replay;
        _key = key;
        _known = known.ToLookup(checkpoint => checkpoint.Size);
        _problems = problems;
        _isCareful = isCareful;
        (_subjects, _subjectsFound) = SubjectSum.Pair();
        replay.Execute($"PRAGMA cache_size = -{ReplayCache}");
        replay.Create(Projections.Schema);
        _writer = new LedgerWriter(replay, signer: null);
    }

    /// <summary>Verifies a home's ledger, which may be in use. <paramref name="known"/> are checkpoints kept from before: the ledger must
    /// continue each, and what the home remembers itself.</summary>
    public static async Task<LedgerReport> VerifyAsync(
        ServerHome home, IReadOnlyList<Checkpoint>? known = null, CancellationToken cancellationToken = default)
    {
        using var key = LogKey.ReadVerifier(home);
        var problems = new List<LedgerProblem>();
        Checkpoint? remembered = null;
        // Before the ledger is opened: what is remembered then is in it.
        Guard(problems, "what the home remembers of its log cannot be compared", () => remembered = LedgerHead.Read(home, key));
        var report = await VerifyAsync(home.Database, key, remembered is null ? known : [.. known ?? [], remembered], cancellationToken);
        return report with { Problems = [.. problems, .. report.Problems] };
    }

    /// <summary>Verifies a ledger's database with the key its checkpoints are to be signed by. Damage is reported, not thrown; a file that
    /// is not there is thrown.</summary>
    public static Task<LedgerReport> VerifyAsync(
        string path, NoteVerifier key, IReadOnlyList<Checkpoint>? known = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Verify(path, key, known ?? [], cancellationToken), cancellationToken);

    /// <summary>Reads a checkpoint of a home's log that was kept elsewhere, or throws <see cref="FormatException"/>.</summary>
    public static Checkpoint ReadKnown(ServerHome home, string note)
    {
        using var key = LogKey.ReadVerifier(home);
        return note is null ? throw new FormatException("null is not a checkpoint") : Checkpoint.ParseSigned(note, key);
    }

    private static LedgerReport Verify(string path, NoteVerifier key, IReadOnlyList<Checkpoint> known, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            throw new LedgerException($"there is no ledger at '{path}'");

        try
        {
            return Verify(path, key, known, isCareful: false, cancellationToken);
        }
        catch (CareNeededException)
        {
            return Verify(path, key, known, isCareful: true, cancellationToken);
        }
    }

    private static LedgerReport Verify(
        string path, NoteVerifier key, IReadOnlyList<Checkpoint> known, bool isCareful, CancellationToken cancellationToken)
    {
        var problems = new List<LedgerProblem>();
        using var replay = SqliteDatabase.OpenTemporary();
        using var db = TryOpen(path, problems);
        return db is null
            ? new LedgerReport(0, MerkleTree.EmptyRoot.ToString(), problems)
            : new LedgerVerifier(path, db, replay, key, known, problems, isCareful).Run(cancellationToken);
    }

    private static SqliteDatabase? TryOpen(string path, List<LedgerProblem> problems)
    {
        SqliteDatabase? db = null;
        Guard(problems, "the database cannot be opened", () =>
        {
            db = SqliteDatabase.OpenUntrusted(path);
            db.Execute("BEGIN");
            db.Number("SELECT count(*) FROM sqlite_schema");
        });
        if (problems.Count == 0)
            return db;

        db?.Dispose();
        return null;
    }

    private LedgerReport Run(CancellationToken cancellationToken)
    {
        Guard("the schema cannot be read", CheckSchema);
        long size = 0;
        Guard("the size of the ledger cannot be read", () => size = FindSize());
        var found = Task.Run(() => AddSubjects(size), CancellationToken.None);
        // Nothing asks the replay by them, and keeping them costs as much as the tables.
        foreach (string index in s_indexesOfReaders)
            _replay.Execute($"DROP INDEX {index}");
        _replay.Execute("BEGIN");
        try
        {
            CheckEntries(size, cancellationToken);
        }
        catch
        {
            found.GetAwaiter().GetResult();
            throw;
        }

        CheckContinues(size);
        _writer.Commit();
        CheckTables(size, found, cancellationToken);
        return new LedgerReport(size, _writer.Root.ToString(), _problems);
    }

    private void CheckSchema()
    {
        const string Everything =
            "SELECT rowid || ' ' || type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY rowid";
        if (_db.Number("PRAGMA user_version") is > 0 and < Projections.SchemaVersion)
            Add(null, "the ledger was written by an earlier version of Ingot: start this version's server once, "
                + "which brings its tables up to date");
        if (!_db.Query(Everything, r => r.Text(0)).SequenceEqual(_replay.Query(Everything, r => r.Text(0))))
            Add(null, "the tables are not those this program makes");
        if (_db.Number("PRAGMA user_version") != Projections.SchemaVersion
            || _db.Number("PRAGMA application_id") != Projections.ApplicationId)
            Add(null, "the file's header does not say that it is a ledger of this version");
    }

    /// <summary>The largest size anything in the database speaks of, so that a missing end is seen.</summary>
    private long FindSize()
    {
        long entries = _db.Number("SELECT coalesce(max(seq) + 1, 0) FROM entries");
        long checkpoints = _db.Number("SELECT coalesce(max(size), 0) FROM checkpoints");
        long rows = _db.Number("SELECT count(*) FROM entries");
        if (_db.Number("SELECT count(*) FROM checkpoints WHERE typeof(size) <> 'integer' OR size < 1") is > 0 and var planted)
            Add(null, $"the ledger has {planted} checkpoints of a size that none can have");
        long size = Math.Max(entries, checkpoints);
        if (rows != size)
            Add(null, $"the ledger should have {size} entries and its table has {rows}");
        // A damaged number must not become a loop over billions.
        return Math.Min(size, Math.Max(rows, LedgerWriter.CheckpointInterval * _db.Number("SELECT count(*) FROM checkpoints")) + 1);
    }

    private void CheckContinues(long size)
    {
        foreach (var known in _known.SelectMany(group => group))
        {
            if (known.Origin != _key.Name)
                Add(null, $"the known checkpoint is of the log '{known.Origin}' and this is '{_key.Name}'");
            if (known.Size > size)
                Add(null, $"the ledger was cut off: it had {known.Size} entries and has {size}");
            if (known.Size == 0 && known.Root != MerkleTree.EmptyRoot)
                Add(null, "the known checkpoint is of no entries and has another root than that of none");
        }
    }

    private void Guard(string what, Action check) => Guard(_problems, what, check);

    // Whatever a damaged file makes a library throw is a finding: a verifier that stops at the first one hides the rest.
    private static void Guard(List<LedgerProblem> problems, string what, Action check, long? seq = null)
    {
        try
        {
            check();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Add(problems, seq, $"{what}: {IngotException.ReasonOf(e)}");
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
}
