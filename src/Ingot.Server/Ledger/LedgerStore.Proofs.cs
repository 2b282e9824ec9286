using System.Data.Common;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

public sealed partial class LedgerStore
{
    /// <summary>The latest signed checkpoint, as text; null while the ledger is empty.</summary>
    public string? Checkpoint() => Read(view => view.CheckpointNote(view.Size));

    /// <summary>The latest signed checkpoint of a home's ledger, which may be open elsewhere; null while it is empty. One that cannot be
    /// read throws <see cref="LedgerException"/>.</summary>
    public static string? CheckpointOf(ServerHome home)
    {
        var storage = home.Storage;
        if (!storage.IsThere)
            throw new LedgerException($"there is no ledger at '{home.Database}'");

        try
        {
            using var db = storage.OpenReader();
            return db.First("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1", r => r.Text(0));
        }
        catch (DbException e)
        {
            throw new LedgerException($"the checkpoint of '{home.Database}' could not be read: {IngotException.ReasonOf(e)}", e);
        }
    }

    /// <summary>The signed checkpoint of a size, as text; null when the ledger does not keep it: it keeps the last one,
    /// and one in every so many.</summary>
    public string? Checkpoint(long size) => Read(view => view.CheckpointNote(size));

    /// <summary>The content of a tile or an entry bundle, for <see href="https://c2sp.org/tlog-tiles">tlog-tiles</see>; null when the log
    /// has not grown over it.</summary>
    public byte[]? Tile(Tile tile) => Read(view => view.Tile(tile));

    /// <summary>The receipt of an entry under the latest checkpoint; null when the log is not that long.</summary>
    public LogProof? Prove(long seq) => Read(view => view.Prove(seq));

    /// <summary>What shows the log at <paramref name="newSize"/> to continue the log at <paramref name="oldSize"/>;
    /// null when it is not that long.</summary>
    public IReadOnlyList<MerkleHash>? ProveConsistency(long oldSize, long newSize) => Read(view => view.ProveConsistency(oldSize, newSize));
}
