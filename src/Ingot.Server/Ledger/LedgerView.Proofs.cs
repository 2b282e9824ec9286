using Ingot.Transparency;

namespace Ingot.Server.Ledger;

public sealed partial class LedgerView
{
    /// <summary>The signed checkpoint of a size, as text; null when the ledger does not keep it.</summary>
    public string? CheckpointNote(long size) => _db.First("SELECT note FROM checkpoints WHERE size = ?1", r => r.Text(0), size);

    /// <summary>The content of a tile or an entry bundle; null when the log has not grown over it.</summary>
    public byte[]? Tile(Tile tile)
    {
        if (tile.Index < 0 || tile.Width is < 1 or > Transparency.Tile.FullWidth || !tile.IsWithin(Size))
            return null;

        return tile.Level == Transparency.Tile.Entries
            ? Transparency.Tile.WriteEntries(EntriesBytes(tile.Start, tile.Width))
            : Transparency.Tile.Write(Hashes(tile.Level, tile.Start, tile.Width));
    }

    /// <summary>The receipt of an entry under the latest checkpoint; null when the log is not that long.</summary>
    public LogProof? Prove(long seq)
    {
        long size = Size;
        return seq >= 0 && seq < size && CheckpointNote(size) is { } note
            ? new LogProof(seq, MerkleTree.InclusionProof(seq, size, Node), note)
            : null;
    }

    /// <summary>The root over the first entries, from the tree as it is stored; null when the ledger is not that long, or parts of its tree
    /// are missing or damaged.</summary>
    public MerkleHash? RootAt(long size)
    {
        try
        {
            return size < 0 || size > Size ? null : MerkleTree.Root(size, Node);
        }
        catch (Exception e) when (e is ArgumentException or InvalidCastException)
        {
            return null;
        }
    }

    /// <summary>What shows the log at one size to continue the log at another; null when it is not that long.</summary>
    public IReadOnlyList<MerkleHash>? ProveConsistency(long oldSize, long newSize) =>
        oldSize < 0 || oldSize > newSize || newSize > Size ? null : MerkleTree.ConsistencyProof(oldSize, newSize, Node);

    private List<byte[]> EntriesBytes(long start, int count) =>
        _db.Query("SELECT json FROM entries WHERE seq >= ?1 ORDER BY seq LIMIT ?2", r => r.Bytes(0), start, count);

    private List<MerkleHash> Hashes(int tileLevel, long start, int count) => tileLevel == 0
        ? _db.Query("SELECT leaf FROM entries WHERE seq >= ?1 ORDER BY seq LIMIT ?2", r => new MerkleHash(r.Bytes(0)), start, count)
        : _db.Query("SELECT hash FROM nodes WHERE level = ?1 AND position >= ?2 ORDER BY position LIMIT ?3",
            r => new MerkleHash(r.Bytes(0)), tileLevel, start, count);

    /// <summary>A node between two tile levels is computed from the hashes of the tile below it, 128 at most.</summary>
    private MerkleHash Node(int level, long index)
    {
        int above = level % Transparency.Tile.Height;
        var hashes = Hashes(level / Transparency.Tile.Height, index << above, 1 << above);
        return Subtree(hashes, above, 0);
    }

    private static MerkleHash Subtree(List<MerkleHash> hashes, int level, int index) =>
        level == 0
            ? hashes[index]
            : MerkleTree.HashNode(Subtree(hashes, level - 1, 2 * index), Subtree(hashes, level - 1, (2 * index) + 1));
}
