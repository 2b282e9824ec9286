using System.Collections.Concurrent;
using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>The ledger of a home: appends entries, answers from their projections, proves what it holds. One process writes;
/// many threads may use it.</summary>
/// <remarks>
/// Appends that wait at the same time share one transaction and so one sync of the disk:
/// the queue is drained as soon as the last commit is done, never later.
/// </remarks>
public sealed partial class LedgerStore : IAsyncDisposable
{
    private const int MaxBatch = 256;
    private const int IdleReaders = 4;

    private readonly ServerHome _home;
    private readonly TimeProvider _time;
    private readonly IStorage _storage;
    private readonly IDisposable _lease;
    private readonly NoteSigner _signer;
    private readonly IDatabase _db;
    private readonly LedgerWriter _writer;
    private readonly LedgerHead _head;
    private readonly ConcurrentBag<IDatabase> _readers = [];
    private readonly Channel<PendingAppend> _queue =
        Channel.CreateUnbounded<PendingAppend>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task _loop;
    private volatile TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _size;

    private LedgerStore(
        ServerHome home, TimeProvider time, IStorage storage, IDisposable lease, NoteSigner signer, IDatabase db, LedgerHead head)
    {
        _home = home;
        _time = time;
        _storage = storage;
        _lease = lease;
        _signer = signer;
        _db = db;
        _head = head;
        _writer = new LedgerWriter(db, signer);
        _size = _writer.Size;
        Working = new WorkingStates(home);
        _loop = Task.Run(WriteLoopAsync);
    }

    /// <summary>What is counted between entries; it may be lost.</summary>
    public WorkingStates Working { get; }

    /// <summary>The writer's connection, for tests that make it fail.</summary>
    internal IDatabase Database => _db;

    /// <summary>The log's name in checkpoints.</summary>
    public string Origin => _signer.Verifier.Name;

    /// <summary>The key that verifies the log's checkpoints.</summary>
    public NoteVerifier Verifier => _signer.Verifier;

    /// <summary>The number of entries that are on disk.</summary>
    public long Size => Volatile.Read(ref _size);

    /// <summary>Opens a home's ledger, or makes it. Another process that has it open, or a ledger that is not all that the home remembers,
    /// makes this throw <see cref="LedgerException"/>.</summary>
    public static Task<LedgerStore> OpenAsync(ServerHome home, TimeProvider time, CancellationToken cancellationToken = default) =>
        Task.Run(() => Open(home, time, accept: false).Store, cancellationToken);

    /// <summary>Goes on with a ledger that lost entries the home remembers, and records that.
    /// Throws <see cref="LedgerException"/> when none are lost.</summary>
    public static async Task<LedgerEntry> AcceptLossAsync(
        ServerHome home, TimeProvider time, string actor, string reason, CancellationToken cancellationToken = default)
    {
        var (store, loss) = await Task.Run(() => Open(home, time, accept: true), cancellationToken);
        await using (store)
            return await store.AppendAsync(actor, loss! with { Reason = reason }, CancellationToken.None);
    }

    /// <summary>Appends one event. When the task ends, the entry is on disk.</summary>
    public async Task<LedgerEntry> AppendAsync(string actor, LedgerEvent value, CancellationToken cancellationToken = default)
    {
        var entries = await AppendAsync(actor, _ => [value], cancellationToken);
        return entries[0];
    }

    /// <summary>Appends several events one after another, all or none.</summary>
    public Task<IReadOnlyList<LedgerEntry>> AppendAsync(
        string actor, IReadOnlyList<LedgerEvent> events, CancellationToken cancellationToken = default) =>
        AppendAsync(actor, _ => events, cancellationToken);

    /// <summary>Decides and appends in one step: <paramref name="decide"/> sees the tables with everything before it applied, and nothing
    /// comes between its answer and the entries. It may answer with no events;
    /// what it throws is thrown here and nothing is appended.</summary>
    /// <remarks><paramref name="decide"/> runs on the writer: it MUST be quick, do no I/O of its own and MUST NOT append. Cancelling has an
    /// effect only until it runs.</remarks>
    public Task<IReadOnlyList<LedgerEntry>> AppendAsync(
        string actor, Func<LedgerView, IReadOnlyList<LedgerEvent>> decide, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var pending = new PendingAppend(actor, decide, cancellationToken);
        return _queue.Writer.TryWrite(pending) ? pending.Done.Task : throw new ObjectDisposedException(nameof(LedgerStore));
    }

    /// <summary>Answers a question from one moment of the ledger.</summary>
    public T Read<T>(Func<LedgerView, T> query)
    {
        var reader = _readers.TryTake(out var idle) ? idle : _storage.OpenReader();
        try
        {
            reader.BeginReading();
            T answer = query(new LedgerView(reader));
            reader.Commit();
            Return(reader);
            return answer;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Entries that match, in order, from <paramref name="from"/> to the end as it is when it is reached.</summary>
    public async IAsyncEnumerable<LedgerEntry> ReadAsync(
        long from, LedgerFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        const int Page = 256;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var page = await Task.Run(() => Read(view => view.Entries(from, Page, filter)), cancellationToken);
            foreach (var entry in page)
                yield return entry;
            if (page.Count < Page)
                yield break;

            from = page[^1].Seq + 1;
        }
    }

    /// <summary>Waits until the ledger has more than <paramref name="size"/> entries.</summary>
    public async Task WaitBeyondAsync(long size, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var grown = _grown;
            if (Size > size)
                return;

            await grown.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Finishes what is queued and closes the ledger.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_queue.Writer.TryComplete())
            return;

        await _loop;
        while (_readers.TryTake(out var reader))
            reader.Dispose();
        _db.Dispose();
        _head.Dispose();
        _signer.Dispose();
        _lease.Dispose();
    }

    private static (LedgerStore Store, LedgerEvent.LossAccepted? Loss) Open(ServerHome home, TimeProvider time, bool accept)
    {
        var storage = home.Storage;
        var lease = Hold(home, storage);
        IDatabase? db = null;
        NoteSigner? signer = null;
        LedgerHead? head = null;
        try
        {
            LedgerUpgrade.Run(home);
            db = storage.OpenWriter();
            bool isNew = Prepare(db, home);
            signer = LogKey.Open(home, isNew);
            var remembered = ReadHead(home, signer.Verifier, accept);
            var loss = accept ? Loss(home, remembered, new LedgerView(db)) : null;
            if (!accept)
                LedgerHead.Check(home, remembered, new LedgerView(db));
            head = LedgerHead.Open(home, remembered, signer.Verifier, new LedgerView(db), anew: accept);
            return (new LedgerStore(home, time, storage, lease, signer, db, head), loss);
        }
        catch (Exception e)
        {
            head?.Dispose();
            signer?.Dispose();
            db?.Dispose();
            lease.Dispose();
            if (Refusal(home, e) is { } refusal)
                throw refusal;
            throw;
        }
    }

    private static LedgerException? Refusal(ServerHome home, Exception cause) => cause switch
    {
        DbException or IOException or UnauthorizedAccessException =>
            new LedgerException($"the ledger '{home.Database}' could not be opened: {IngotException.ReasonOf(cause)}", cause),
        FormatException or ArgumentException or InvalidCastException =>
            new LedgerException(
                $"the ledger '{home.Database}' is damaged: {IngotException.ReasonOf(cause)}; run 'ingot log verify'", cause),
        _ => null,
    };

    // What cannot be read any more is lost as well.
    private static Checkpoint? ReadHead(ServerHome home, NoteVerifier verifier, bool accept)
    {
        try
        {
            return LedgerHead.Read(home, verifier);
        }
        catch (LedgerException) when (accept)
        {
            return new Checkpoint(verifier.Name, long.MaxValue, default);
        }
    }

    private static LedgerEvent.LossAccepted Loss(ServerHome home, Checkpoint? remembered, LedgerView view) => LedgerHead.LossIn(home,
        remembered, view) is null
        ? throw new LedgerException($"nothing of the ledger '{home.Database}' is lost: there is nothing to accept")
        : new LedgerEvent.LossAccepted(view.Size, remembered is null or { Size: long.MaxValue } ? 0 : remembered.Size,
            remembered is null or { Size: long.MaxValue } ? "" : remembered.Root.ToString(), "");

    private static IDisposable Hold(ServerHome home, IStorage storage)
    {
        try
        {
            return storage.TryHold() ?? throw new LedgerException(
                $"the ledger in '{home.Root}' is open in another process: stop the other server, or choose another home with INGOT_HOME")
            {
                IsOpenElsewhere = true,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LedgerException($"the ledger in '{home.Root}' could not be opened: {IngotException.ReasonOf(e)}", e);
        }
    }

    /// <summary>Makes the tables of a new database; returns whether the ledger has no entries yet.</summary>
    private static bool Prepare(IDatabase db, ServerHome home)
    {
        if (db.SchemaVersion is not { } version)
        {
            db.Begin();
            db.Create(Projections.Schema);
            db.Commit();
        }
        else if (version != Projections.SchemaVersion)
        {
            throw new LedgerException($"the ledger '{home.Database}' has schema {version} and this program {Projections.SchemaVersion}: "
                + "use the version of Ingot that wrote it");
        }

        return !db.Exists("SELECT 1 FROM entries");
    }

    private void Return(IDatabase reader)
    {
        if (_readers.Count < IdleReaders)
            _readers.Add(reader);
        else
            reader.Dispose();
    }

    private async Task WriteLoopAsync()
    {
        var batch = new List<PendingAppend>(MaxBatch);
        while (await _queue.Reader.WaitToReadAsync())
        {
            while (batch.Count < MaxBatch && _queue.Reader.TryRead(out var pending))
                batch.Add(pending);
            WriteBatch(batch);
            batch.Clear();
        }
    }

    /// <summary>One transaction for all of the batch. An append that is refused leaves the others alone;
    /// a disk that fails fails them all.</summary>
    private void WriteBatch(List<PendingAppend> batch)
    {
        try
        {
            _writer.Begin();
            foreach (var pending in batch)
                pending.Run(_writer, _time);
            _writer.Commit();
        }
        catch (Exception e)
        {
            Abandon(batch, e);
            return;
        }

        Publish(batch);
    }

    /// <summary>Durable now, and only now may anybody know.</summary>
    private void Publish(List<PendingAppend> batch)
    {
        bool grew = _writer.Size > Size;
        Volatile.Write(ref _size, _writer.Size);
        foreach (var pending in batch)
            pending.Complete();
        if (!grew)
            return;

        _head.Remember(_writer.Note!);
        Interlocked.Exchange(ref _grown, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    /// <summary>Looks at what the disk holds after a failure, and says that: a commit that failed may be in all the same.</summary>
    private void Abandon(List<PendingAppend> batch, Exception cause)
    {
        var (size, root) = (_writer.Size, _writer.Root);
        LedgerException reported;
        try
        {
            _writer.Rollback();
            if (_writer.Size > Size && _writer.Size == size && _writer.Root == root)
            {
                Publish(batch);
                return;
            }

            reported = new LedgerException(
                $"nothing was appended to the ledger '{_home.Database}': {IngotException.ReasonOf(cause)}{Cure(cause)}", cause);
        }
        catch (Exception e)
        {
            // Whatever it is, the writer must not end with it: it looks again before the next append.
            reported = new LedgerException(
                $"whether anything was appended to the ledger '{_home.Database}' cannot be seen, because it cannot be read: "
                    + $"{IngotException.ReasonOf(e)}{Cure(e)}",
                e);
        }

        foreach (var pending in batch)
            pending.Fail(reported);
    }

    private static string Cure(Exception e) => e is DbException failure && failure.IsOfDisk()
        ? "; free space on its disk and try again"
        : "";
}

/// <summary>An append that waits for its turn and then for its commit.</summary>
internal sealed class PendingAppend(string actor, Func<LedgerView, IReadOnlyList<LedgerEvent>> decide, CancellationToken cancellationToken)
{
    private IReadOnlyList<LedgerEntry> _entries = [];
    private Exception? _refusal;

    public TaskCompletionSource<IReadOnlyList<LedgerEntry>> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Decides and appends in the open transaction. Throws only when the transaction as a whole cannot go on.</summary>
    public void Run(LedgerWriter writer, TimeProvider time)
    {
        _refusal = null;
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            _entries = writer.Together(() => Append(writer, time.GetUtcNow()));
        }
        catch (DbException e) when (!e.IsConstraint())
        {
            throw;
        }
        catch (Exception e)
        {
            _refusal = e;
        }
    }

    public void Complete()
    {
        if (_refusal is OperationCanceledException canceled)
            Done.SetCanceled(canceled.CancellationToken);
        else if (_refusal is DbException constraint)
            Done.SetException(new LedgerException(
                $"an entry of '{actor}' was not appended: it is about something the ledger does not know ({constraint.Message})",
                constraint)
            {
                IsRefused = true,
            });
        else if (_refusal is LedgerException refused)
            Done.SetException(new LedgerException(refused.Message, refused) { IsRefused = true });
        else if (_refusal is not null)
            Done.SetException(_refusal);
        else
            Done.SetResult(_entries);
    }

    public void Fail(LedgerException failure) => Done.SetException(failure);

    private List<LedgerEntry> Append(LedgerWriter writer, DateTimeOffset now)
    {
        var entries = new List<LedgerEntry>();
        foreach (var value in decide(writer.View))
            entries.Add(writer.Append(actor, value, now));
        return entries;
    }
}
