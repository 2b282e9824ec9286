using Ingot.Oci.Content;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

public sealed partial class LedgerVerifier
{
    private const string Subjects = "subjects";

    private void CheckTables(long size, Task<bool> found, CancellationToken cancellationToken)
    {
        // On a connection of its own: it reads every page, and so do the comparisons.
        var integrity = Task.Run(FindDamage, cancellationToken);
        foreach (var table in TableComparison.Tables(_replay).Where(table => table.Name != Subjects))
            Guard($"the table '{table.Name}' cannot be read", () => Compare(table));
        Guard("the documents cannot be read", CheckDocuments);
        if (!found.GetAwaiter().GetResult() || !_subjects.IsSameAs(_subjectsFound))
            Guard($"the table '{Subjects}' cannot be read", () => CompareSubjects(size, cancellationToken));
        foreach (string damage in integrity.GetAwaiter().GetResult())
            Add(null, damage);
    }

    private void Compare(TableComparison table)
    {
        if (_isTreeLost && table.Name is ("nodes" or "edge"))
            return;

        foreach (var (entry, problem) in table.Compare(_db, _replay, _notReplayed))
            Add(entry, problem);
    }

    /// <summary>Adds up the index by subject; false when it cannot be read.</summary>
    private bool AddSubjects(long size)
    {
        bool isRead = false;
        Guard([], "", () =>
        {
            using var db = SqliteDatabase.OpenUntrusted(_path);
            isRead = _subjectsFound.AddTable(db, size);
        });
        return isRead;
    }

    /// <summary>The index differs from what the entries say: makes it again, to name what does.</summary>
    private void CompareSubjects(long size, CancellationToken cancellationToken)
    {
        _replay.Execute("BEGIN");
        for (long from = 0; from < size; from += Chunk)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var chunk = ReadChunk(from, size);
            for (int i = 0; i < chunk.Rows.Length; i++)
            {
                if (!_notReplayed.Contains(from + i) && chunk.Rows[i].Entry is { } entry)
                    Projections.Index(_replay, entry);
            }
        }

        _replay.Execute("COMMIT");
        Compare(TableComparison.Tables(_replay).Single(table => table.Name == Subjects));
    }

    /// <summary>Every document that an entry names is there, is what it is named after, and there is no other.</summary>
    private void CheckDocuments()
    {
        var there = new HashSet<string>(StringComparer.Ordinal);
        using (var rows = _db.Read("SELECT digest, bytes FROM document_bytes ORDER BY digest"))
        {
            while (rows.Read())
            {
                string name = rows.Text(0);
                there.Add(name);
                CheckDocument(name, rows.TypeOf(1) == ColumnType.Bytes ? rows.Bytes(1).ToArray() : null);
            }
        }

        foreach (var (name, entry) in _replay.Query("SELECT digest, entry FROM documents ORDER BY digest", r => (r.Text(0), r.Integer(1))))
        {
            if (!there.Contains(name))
                Add(entry, $"the document '{name}' that it names is missing");
        }
    }

    private void CheckDocument(string name, byte[]? bytes)
    {
        var (size, entry) = _replay.First("SELECT size, entry FROM documents WHERE digest = ?1",
            r => (r.Integer(0), (long?)r.Integer(1)), name);
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

    private List<string> FindDamage()
    {
        var damage = new List<LedgerProblem>();
        var lines = new List<string>();
        Guard(damage, "the integrity check cannot run", () =>
        {
            using var db = SqliteDatabase.OpenUntrusted(_path);
            lines.AddRange(db.Query("PRAGMA integrity_check(100)", r => r.Text(0)));
        });
        return
        [
            .. lines.Where(line => line != "ok").Select(line => $"the database file is damaged: {line}"),
            .. damage.Select(problem => problem.Problem),
        ];
    }
}
