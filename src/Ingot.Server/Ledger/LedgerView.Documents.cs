using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Releases;

namespace Ingot.Server.Ledger;

/// <summary>A rollout's state as it can be read back.</summary>
/// <param name="State">The state.</param>
/// <param name="ChangesRecorded">How many of its changes of phase the ledger holds: the next record leaves those out.</param>
/// <param name="Mark">The mark of the entry that recorded it last: what is counted from now on is based on that.</param>
public sealed record RecordedState(RolloutState State, int ChangesRecorded, string Mark);

public sealed partial class LedgerView
{
    private const int RecordsAtOnce = 256;

    private static readonly string s_stateChanged = new LedgerEvent.RolloutStateChanged("", "", "", default).Kind;

    /// <summary>An event with the documents it names in their places.</summary>
    public LedgerEvent Whole(LedgerEvent value) => Documents.Whole(value, DocumentBytes);

    /// <summary>An element of an event or a table, with the document it names in its place.</summary>
    public JsonElement Whole(JsonElement element) => Documents.Whole(element, DocumentBytes);

    /// <summary>The bytes of a document; null when no entry names it.</summary>
    public byte[]? Document(Digest digest) =>
        _db.First("SELECT bytes FROM document_bytes WHERE digest = ?1", r => r.Bytes(0), digest.ToString());

    /// <summary>Names an entry and what it says: after a restored backup another entry may have its number.</summary>
    public string Mark(long seq) =>
        _db.First("SELECT leaf FROM entries WHERE seq = ?1", r => $"{seq} {Convert.ToHexString(r.Bytes(0))}", seq) ?? "";

    /// <summary>A rollout's state: what was asked for, what was recorded since, and what was counted since that where
    /// <paramref name="working"/> still has it.</summary>
    public RecordedState State(RolloutRow rollout, WorkingStates? working = null)
    {
        string spec = Whole(rollout.Spec).GetRawText();
        string mark = Mark(rollout.StateEntry);
        if (rollout.StateDetail is not { ValueKind: JsonValueKind.Object } detail)
            return new RecordedState(Releases.Rollout.Begin(ReleasesJson.ReadSpec(spec), rollout.Requested), 0, mark);

        var recorded = ReleasesJson.ReadRecord(Whole(detail).GetRawText(), spec);
        var history = History(rollout, spec);
        var state = working?.Read(rollout.Id, mark) is { } counted && TryRead(counted, spec) is { } whole
            ? whole
            : recorded with { History = history };
        return new RecordedState(state, history.Count, mark);
    }

    private List<PhaseChange> History(RolloutRow rollout, string spec)
    {
        var changes = new List<PhaseChange>();
        var filter = new LedgerFilter { Rollout = rollout.Id, Kind = s_stateChanged };
        long from = rollout.RequestedEntry;
        while (Entries(from, RecordsAtOnce, filter) is { Count: > 0 } entries)
        {
            foreach (var change in entries.Select(entry => Whole(((LedgerEvent.RolloutStateChanged)entry.Event).Detail)))
            {
                // Earlier versions recorded all of it each time.
                if (change.TryGetProperty("spec", out _))
                    changes.Clear();
                changes.AddRange(ReleasesJson.ReadRecord(change.GetRawText(), spec).History);
            }

            from = entries[^1].Seq + 1;
        }

        return changes;
    }

    // A file that was cut short is as good as none.
    private static RolloutState? TryRead(string json, string spec)
    {
        try
        {
            return ReleasesJson.ReadWorking(json, spec);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private byte[] DocumentBytes(DocumentName name) =>
        Document(name.Document) is { } bytes && bytes.Length == name.Size && Digest.Of(bytes) == name.Document
            ? bytes
            : throw new LedgerException(
                $"the ledger names the document {name.Document}, and what it has of it is not that: run 'ingot log verify'");
}
