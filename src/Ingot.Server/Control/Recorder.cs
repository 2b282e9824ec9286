using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>How entries get onto the ledger: all of them or none, decided on as they are appended.</summary>
internal delegate Task<IReadOnlyList<LedgerEntry>> AppendEntries(string actor, Func<LedgerView, IReadOnlyList<LedgerEvent>> say);

/// <summary>Puts the entries of one service on the ledger, one append after the other. What is owed, because its effect could not wait,
/// goes before everything else and is tried until it is in.</summary>
internal sealed class Recorder(AppendEntries append, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_parting = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Queue<Owed> _owed = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _payments = Task.CompletedTask;
    private bool _isPaying;
    private string? _refused;

    /// <summary>Why what is owed is not in yet; null when nothing is owed, or it was not tried yet.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Whether something that was done is not on the ledger yet.</summary>
    public bool IsOwing
    {
        get
        {
            lock (_owed)
                return _owed.Count > 0;
        }
    }

    /// <summary>Appends, in turn, after what is owed; one attempt. Cancelling has an effect only before the turn comes.</summary>
    /// <param name="actor">Who speaks.</param>
    /// <param name="say">What is appended; nothing, or what it throws, appends nothing.</param>
    /// <param name="recorded">Runs before anybody else's turn, once the entries are on disk.</param>
    /// <param name="cancellationToken">Stops waiting for the turn.</param>
    public async Task<IReadOnlyList<LedgerEntry>> AppendAsync(
        string actor, Func<LedgerView, IReadOnlyList<LedgerEvent>> say, Action<IReadOnlyList<LedgerEntry>> recorded,
        CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await PayAsync();
            var entries = await append(actor, say);
            recorded(entries);
            return entries;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Appends as soon as it can be done, however long that takes.</summary>
    public void Owe(string actor, Func<LedgerView, IReadOnlyList<LedgerEvent>> say, Action<IReadOnlyList<LedgerEntry>>? recorded = null)
    {
        lock (_owed)
        {
            _owed.Enqueue(new Owed(actor, say, recorded));
            if (_isPaying || _stop.IsCancellationRequested)
                return;
            _isPaying = true;
            _payments = Task.Run(PayUntilPaidAsync);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        // A disk that hangs must not keep the process: what is owed is lost with it, and the next one looks at what is.
        await Task.WhenAny(_payments, Task.Delay(s_parting));
    }

    private async Task PayUntilPaidAsync()
    {
        while (true)
        {
            bool failed = await TryPayAsync();
            lock (_owed)
            {
                if (_owed.Count == 0 || (failed && _stop.IsCancellationRequested))
                {
                    _isPaying = false;
                    return;
                }
            }

            if (failed)
                await PauseAsync();
        }
    }

    private async Task<bool> TryPayAsync()
    {
        await _turn.WaitAsync();
        try
        {
            await PayAsync();
            return false;
        }
        catch (Exception)
        {
            // Trouble says it, and it is tried again.
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task PauseAsync()
    {
        try
        {
            await Task.Delay(s_again, time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // One more try, and it is over.
        }
    }

    private async Task PayAsync()
    {
        while (Next() is { } owed)
        {
            try
            {
                var entries = await append(owed.Actor, owed.Say);
                owed.Recorded?.Invoke(entries);
                Take();
            }
            catch (Exception e) when (e is not LedgerException { IsRefused: false })
            {
                Refuse(owed, e);
            }
            catch (Exception e)
            {
                Trouble = $"what was done is not on the ledger yet: {IngotException.ReasonOf(e)}";
                throw;
            }
        }

        Trouble = _refused;
    }

    private void Take()
    {
        lock (_owed)
            _owed.Dequeue();
    }

    // What is refused for what it says makes way for the rest, which may be what it speaks of. Refused twice it is given up:
    // nothing else may wait for it.
    private void Refuse(Owed owed, Exception why)
    {
        lock (_owed)
        {
            _owed.Dequeue();
            if (owed.IsRefused)
                _refused = $"something that was done is not on the ledger, which refuses it: {why.Message}";
            else
                _owed.Enqueue(owed with { IsRefused = true });
        }
    }

    private Owed? Next()
    {
        lock (_owed)
            return _owed.TryPeek(out var owed) ? owed : null;
    }

    private sealed record Owed(
        string Actor, Func<LedgerView, IReadOnlyList<LedgerEvent>> Say, Action<IReadOnlyList<LedgerEntry>>? Recorded,
        bool IsRefused = false);
}
