using Ingot.Oci.Content;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>Writes entries, the tree over them, signed checkpoints, and what follows from them, on one connection.</summary>
/// <remarks>Not for two threads at once. Nothing it returns may be shown to anybody before <see cref="Commit"/>.</remarks>
internal sealed class LedgerWriter
{
    /// <summary>Of how many entries a checkpoint is kept beside the last one: by them damage is found to be in these few, and a ledger is
    /// verified in seconds.</summary>
    public const int CheckpointInterval = 32;

    private readonly IDatabase _db;
    private readonly NoteSigner? _signer;
    private CompactTree _tree;
    private long _signed;
    private bool _isStale;

    /// <summary>Continues what the database holds. Without a signer no checkpoints are written: that is for replays.</summary>
    public LedgerWriter(IDatabase db, NoteSigner? signer)
    {
        _db = db;
        _signer = signer;
        _tree = ReadTree(db);
        _signed = _tree.Size;
        View = new LedgerView(db);
    }

    /// <summary>The entries so far.</summary>
    public long Size => _tree.Size;

    /// <summary>The root over them.</summary>
    public MerkleHash Root => _tree.Root;

    /// <summary>The checkpoint signed last; null before the first that is signed here.</summary>
    public string? Note { get; private set; }

    /// <summary>The tables as the open transaction sees them.</summary>
    public LedgerView View { get; }

    public void Begin()
    {
        if (_isStale)
            Rollback();
        _db.Begin();
    }

    public void Commit()
    {
        SignNewest();
        _db.Execute(Projections.PutEdge, 0, _tree.Size, _tree.EdgeToArray());
        _db.Commit();
        _signed = Size;
    }

    // Nothing is signed when nothing was appended, and what was the last checkpoint before is one too many now.
    private void SignNewest()
    {
        if (_signer is null || Size == _signed)
            return;

        _db.Execute("DELETE FROM checkpoints WHERE size = ?1 AND size % ?2 <> 0", _signed, CheckpointInterval);
        if (Size % CheckpointInterval != 0)
            Sign();
    }

    private void Sign()
    {
        Note = new Checkpoint(_signer!.Verifier.Name, Size, Root).Sign(_signer).ToString();
        _db.Execute("INSERT INTO checkpoints VALUES (?1, ?2)", Size, Note);
    }

    /// <summary>Undoes the transaction and looks again where the log ends: after a failed commit only the database knows.</summary>
    public void Rollback()
    {
        // Stays so when the database cannot be read now: the next transaction looks again before it counts on.
        _isStale = true;
        if (_db.IsInTransaction)
            _db.Rollback();
        _tree = ReadTree(_db);
        _signed = _tree.Size;
        _isStale = false;
    }

    /// <summary>Does all of <paramref name="work"/> or nothing of it, within the open transaction.</summary>
    public T Together<T>(Func<T> work)
    {
        var before = _tree;
        _db.Execute("SAVEPOINT together");
        try
        {
            T result = work();
            _db.Execute("RELEASE together");
            return result;
        }
        catch
        {
            _tree = before;
            // A database may end the whole transaction itself when the disk is full.
            if (_db.IsInTransaction)
            {
                _db.Execute("ROLLBACK TO together");
                _db.Execute("RELEASE together");
            }

            throw;
        }
    }

    /// <summary>Appends one entry.</summary>
    public LedgerEntry Append(string actor, LedgerEvent value, DateTimeOffset time)
    {
        var (said, documents) = Documents.Split(value);
        var json = new LedgerEntry(LedgerEntry.CurrentFormat, Size, time, actor, said).ToBytes();
        if (json.Length > LedgerEntry.MaxBytes)
            throw new LedgerException($"the entry '{value.Kind}' has {json.Length} bytes: an entry may have {LedgerEntry.MaxBytes}; "
                + "keep what is large as a blob and name its digest");

        // What is projected is what was written, so that a replay sees the same.
        var entry = LedgerEntry.Parse(json);
        Write(entry, json, MerkleTree.HashLeaf(json));
        foreach (byte[] document in documents)
            _db.Execute("INSERT INTO document_bytes VALUES (?1, ?2) ON CONFLICT DO NOTHING", Digest.Of(document).ToString(), document);
        return entry;
    }

    /// <summary>Writes an entry that is the next, and all that follows from it.</summary>
    public void Write(LedgerEntry entry, byte[] json, MerkleHash leaf)
    {
        _db.Execute("INSERT INTO entries VALUES (?1, ?2, ?3)", entry.Seq, json, leaf.ToArray());
        AppendLeaf(leaf);
        Projections.Apply(_db, entry);
    }

    /// <summary>The tree over them.</summary>
    public CompactTree Tree => _tree;

    /// <summary>Lets the tree grow by a leaf.</summary>
    public void AppendLeaf(MerkleHash leaf)
    {
        _tree = _tree.Append(leaf, StoreTileRoot);
        if (_signer is not null && Size % CheckpointInterval == 0)
            Sign();
    }

    // Level 0 is in the entries; between tiles' levels a few hashes are cheaper computed than stored.
    private void StoreTileRoot(int level, long index, MerkleHash hash)
    {
        if (level > 0 && level % Tile.Height == 0)
            _db.Execute("INSERT INTO nodes VALUES (?1, ?2, ?3)", level / Tile.Height, index, hash.ToArray());
    }

    private static CompactTree ReadTree(IDatabase db)
    {
        var tree = db.First("SELECT size, hashes FROM edge", r => CompactTree.TryRead(r.Integer(0), r.Bytes(1)));
        long size = tree?.Size ?? 0;
        var view = new LedgerView(db);
        if (size != view.Size)
            throw new LedgerException($"the ledger has {view.Size} entries and its tree {size}: run 'ingot log verify'");

        tree ??= CompactTree.Empty;
        // What is signed next builds on it.
        return view.RootAt(size) == tree.Root
            ? tree
            : throw new LedgerException($"the edge of the ledger's tree is not that of its {size} entries: run 'ingot log verify'");
    }
}
