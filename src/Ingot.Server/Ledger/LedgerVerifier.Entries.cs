using System.Data.Common;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

public sealed partial class LedgerVerifier
{
    // How many entries of one block may have two leaves before no more combinations are tried.
    private const int MaxDoubts = 8;

    private readonly Dictionary<string, RolloutSubjects> _rollouts = new(StringComparer.Ordinal);

    private void CheckEntries(long size, CancellationToken cancellationToken)
    {
        var next = Task.Run(() => ReadChunk(0, size), CancellationToken.None);
        try
        {
            for (long from = 0; from < size; from += Chunk)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var chunk = next.GetAwaiter().GetResult();
                long following = from + Chunk;
                next = Task.Run(() => ReadChunk(following, size), CancellationToken.None);
                _problems.AddRange(chunk.Problems.Take(Math.Max(0, MaxProblems - _problems.Count)));
                CheckChunk(chunk, size);
            }
        }
        finally
        {
            // It reads on the connection that is closed next.
            next.GetAwaiter().GetResult();
        }
    }

    /// <summary>Reads what lies between two places, and does with it all that needs nothing from before.</summary>
    private EntryChunk ReadChunk(long from, long size)
    {
        int count = (int)Math.Clamp(size - from, 0, Chunk);
        var chunk = new EntryChunk(from, new EntryRow[count], [], []);
        if (count == 0)
            return chunk;

        ReadRows(chunk);
        ReadNotes(chunk);
        Parallel.For(0, count, i => chunk.Rows[i] = Parse(chunk.Rows[i]));
        Parallel.For(0, chunk.Notes.Count, i => chunk.Notes[i] = CheckNote(chunk.Notes[i]));
        return chunk;
    }

    private void ReadRows(EntryChunk chunk)
    {
        try
        {
            using var rows = _db.Read("SELECT seq, json, leaf FROM entries WHERE seq >= ?1 AND seq < ?2", chunk.From, chunk.End);
            while (rows.Read())
                chunk.Rows[rows.Integer(0) - chunk.From] = RowOf(rows);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // One by one, then: what cannot be read is to be named, and the others are to be seen.
            for (int i = 0; i < chunk.Rows.Length; i++)
                chunk.Rows[i] = ReadRow(chunk, chunk.From + i);
        }
    }

    private EntryRow ReadRow(EntryChunk chunk, long seq)
    {
        var row = new EntryRow { IsUnreadable = true };
        Guard(chunk.Problems, "it cannot be read", () =>
        {
            using var rows = _db.Read("SELECT seq, json, leaf FROM entries WHERE seq = ?1", seq);
            row = rows.Read() ? RowOf(rows) : default;
        }, seq);
        return row;
    }

    private static EntryRow RowOf(SqliteStatement row) =>
        new(Bytes(row, 1).ToArray(), Bytes(row, 2) is { Length: MerkleHash.Size } leaf ? new MerkleHash(leaf) : null);

    // The type is asked for too: bytes that became text would read alike.
    private static ReadOnlySpan<byte> Bytes(SqliteStatement row, int column) =>
        row.TypeOf(column) == ColumnType.Bytes ? row.Bytes(column) : throw new FormatException($"column {column} does not hold bytes");

    private void ReadNotes(EntryChunk chunk) =>
        Guard(chunk.Problems, "the checkpoints cannot be read", () => chunk.Notes.AddRange(_db.Query(
            "SELECT size, note FROM checkpoints WHERE size > ?1 AND size <= ?2 ORDER BY size", r => new SignedSize(r.Integer(0), r.Text(1)),
            chunk.From, chunk.End)));

    private static EntryRow Parse(EntryRow row)
    {
        if (row.Json is null)
            return row;

        row = row with { Computed = MerkleTree.HashLeaf(row.Json) };
        try
        {
            return row with { Entry = LedgerEntry.Parse(row.Json) };
        }
        catch (FormatException e)
        {
            return row with { Problem = e.Message };
        }
    }

    private SignedSize CheckNote(SignedSize note)
    {
        try
        {
            var checkpoint = Checkpoint.ParseSigned(note.Note, _key);
            return checkpoint.Size == note.Size
                ? note with { Root = checkpoint.Root }
                : note with { Problem = $"the checkpoint of size {note.Size} says {checkpoint.Size}" };
        }
        catch (FormatException e)
        {
            return note with { Problem = $"the checkpoint of size {note.Size} does not hold: {e.Message}" };
        }
    }

    private void CheckChunk(EntryChunk chunk, long size)
    {
        foreach (var note in chunk.Notes.Where(note => note.Problem is not null))
            Add(note.Size - 1, note.Problem!);
        for (int i = 0; i < chunk.Rows.Length; i++)
            CheckRow(chunk.From + i, chunk.Rows[i]);

        var notes = chunk.Notes.ToDictionary(note => note.Size);
        for (int start = 0; start < chunk.Rows.Length; start += LedgerWriter.CheckpointInterval)
        {
            var block = new ArraySegment<EntryRow>(chunk.Rows, start, Math.Min(LedgerWriter.CheckpointInterval, chunk.Rows.Length - start));
            CheckBlock(chunk.From + start, block, notes, size);
        }

        Replay(chunk);
    }

    private void CheckRow(long seq, EntryRow row)
    {
        if (row is { Json: null, IsUnreadable: false })
            Add(seq, "the entry is missing");
        if (row.Json is not null && row.Computed != row.Stored)
            Add(seq, $"its bytes hash to '{row.Computed}' and its leaf is '{(row.Stored is { } leaf ? leaf.ToString() : "unreadable")}'");
    }

    /// <summary>Continues the tree to the next checkpoint that is kept. Where bytes and leaf differ, the one that gives the signed root
    /// counts, so that one damaged entry does not accuse all that follow.</summary>
    private void CheckBlock(long from, ArraySegment<EntryRow> rows, Dictionary<long, SignedSize> notes, long size)
    {
        long end = from + rows.Count;
        bool isSigned = notes.TryGetValue(end, out var note);
        if (!isSigned && (end % LedgerWriter.CheckpointInterval == 0 || end == size))
            Add(end - 1, $"there is no checkpoint of size {end}");
        if (_isTreeLost)
            return;

        int lost = rows.ToList().FindIndex(row => (row.Computed ?? row.Stored) is null);
        if (lost >= 0)
        {
            Add(from + lost, "the tree cannot be computed from here on");
            _isTreeLost = true;
            return;
        }

        Grow(from, Leaves(rows, note.Root));
        if (note.Root is not { } root || root == _writer.Root)
            return;

        string which = rows.Count == 1
            ? "this entry was changed, or one was put in or taken out here"
            : $"one of the entries {from} to {end - 1} was changed, put in or taken out";
        Add(from, $"the signed checkpoint of size {end} has root '{root}' and the entries give '{_writer.Root}': {which}");
        _isTreeLost = true;
    }

    /// <summary>The leaves of a block: of each entry that of its bytes, or the stored one where that gives the signed root.</summary>
    private MerkleHash[] Leaves(ArraySegment<EntryRow> rows, MerkleHash? root)
    {
        MerkleHash[] leaves = [.. rows.Select(row => (row.Computed ?? row.Stored)!.Value)];
        int[] doubts = [.. Enumerable.Range(0, rows.Count).Where(i => rows[i].Stored is { } stored && stored != leaves[i])];
        if (doubts.Length is 0 or > MaxDoubts || root is null)
            return leaves;

        for (int choice = 0; choice < 1 << doubts.Length; choice++)
        {
            MerkleHash[] tried = [.. leaves];
            for (int i = 0; i < doubts.Length; i++)
                tried[doubts[i]] = (choice & (1 << i)) == 0 ? leaves[doubts[i]] : rows[doubts[i]].Stored!.Value;
            if (tried.Aggregate(_writer.Tree, (tree, leaf) => tree.Append(leaf)).Root == root)
                return tried;
        }

        return leaves;
    }

    private void Grow(long from, MerkleHash[] leaves)
    {
        for (int i = 0; i < leaves.Length; i++)
        {
            _writer.AppendLeaf(leaves[i]);
            foreach (var known in _known[from + i + 1].Where(known => known.Root != _writer.Root))
                Add(from + i, $"the ledger was rewritten: its root at size {known.Size} was '{known.Root}' and is '{_writer.Root}'");
        }
    }

    private void Replay(EntryChunk chunk)
    {
        if (!_isCareful)
        {
            ReplayTogether(chunk);
        }
        else
        {
            for (int i = 0; i < chunk.Rows.Length; i++)
                Replay(chunk.From + i, chunk.Rows[i]);
        }

        for (int i = 0; i < chunk.Rows.Length; i++)
        {
            if (!_notReplayed.Contains(chunk.From + i))
                AddSubjects(chunk.Rows[i].Entry!);
        }
    }

    /// <summary>Replays a chunk without a way back: what each entry changes need not be kept.
    /// Ends everything where one cannot be replayed.</summary>
    private void ReplayTogether(EntryChunk chunk)
    {
        try
        {
            for (int i = 0; i < chunk.Rows.Length; i++)
            {
                if (chunk.Rows[i].Entry is not { } entry || entry.Seq != chunk.From + i)
                    throw new CareNeededException();
                Projections.ApplyWithoutIndex(_replay, entry);
            }
        }
        catch (Exception e) when (e is DbException or LedgerException)
        {
            throw new CareNeededException();
        }
    }

    private void Replay(long seq, EntryRow row)
    {
        string? problem = row.Entry is null
            ? row.Problem ?? "it is missing"
            : row.Entry.Seq == seq ? Try(row.Entry) : $"it says that it is entry {row.Entry.Seq}";
        if (problem is null)
            return;

        // What builds on an entry that could not be replayed fails as well; only the first is to blame.
        if (row.Problem is not null || row.Entry?.Seq != seq || _notReplayed.Count == 0)
            Add(seq, $"it cannot be replayed: {problem}");
        _notReplayed.Add(seq);
    }

    private string? Try(LedgerEntry entry)
    {
        try
        {
            return _writer.Together(string? () =>
            {
                Projections.ApplyWithoutIndex(_replay, entry);
                return null;
            });
        }
        catch (Exception e) when (e is DbException or LedgerException)
        {
            return IngotException.ReasonOf(e);
        }
    }

    private void AddSubjects(LedgerEntry entry)
    {
        if (entry.Event is LedgerEvent.ReleaseRequested e)
            _rollouts[e.Rollout] = new RolloutSubjects(e.Project, e.Service, e.Digest.ToString());
        foreach (var (type, value) in Projections.Subjects(entry.Event, id => _rollouts.GetValueOrDefault(id)).Distinct())
            _subjects.Add(type, value, entry.Seq);
    }

    /// <summary>One entry as it is stored, and what it says.</summary>
    private readonly record struct EntryRow(byte[]? Json, MerkleHash? Stored)
    {
        public MerkleHash? Computed { get; init; }

        public LedgerEntry? Entry { get; init; }

        public string? Problem { get; init; }

        public bool IsUnreadable { get; init; }
    }

    /// <summary>One checkpoint as it is stored; without a problem its root is what was signed.</summary>
    private readonly record struct SignedSize(long Size, string Note)
    {
        public MerkleHash? Root { get; init; }

        public string? Problem { get; init; }
    }

    /// <summary>Something cannot be replayed: all is to be read again, one by one, to say what.</summary>
    private sealed class CareNeededException : Exception;

    private sealed record EntryChunk(long From, EntryRow[] Rows, List<SignedSize> Notes, List<LedgerProblem> Problems)
    {
        public long End => From + Rows.Length;
    }
}
