using Ingot.Instances;
using Ingot.Releases;

namespace Ingot.Server.Control;

/// <summary>Looks at the instances in the background, one look at a time,
/// so that an engine that is slow or hangs keeps nobody from looking at the proxy.</summary>
internal sealed class EngineWatch(ITarget target, TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(200);

    private Task<Look>? _underWay;
    private DateTimeOffset _began;
    private Look? _last;
    private volatile bool _isDue;
    private bool _isSlow;

    /// <summary>What was last read, and when reading it began; what could not be read says why.</summary>
    public Look Last => _last ?? new Look([], _began, "the engine has not answered yet");

    /// <summary>Begins a look when the last one is older than <paramref name="pace"/>, and waits a moment for it.</summary>
    public async Task LookAsync(ServiceSetup setup, TimeSpan pace, CancellationToken cancellationToken)
    {
        Take();
        var now = time.GetUtcNow();
        if (_underWay is null && (_last is null || _isDue || now - _last.Began >= pace))
        {
            _isDue = false;
            _began = now;
            _underWay = ReadAsync(setup, now, cancellationToken);
        }

        if (_underWay is { } look && !_isSlow)
        {
            await Task.WhenAny(look, Task.Delay(s_wait, time, cancellationToken));
            _isSlow = !look.IsCompleted;
        }

        Take();
    }

    /// <summary>Something was done to an instance: the next look is due at once.</summary>
    public void Expect() => _isDue = true;

    private void Take()
    {
        if (_underWay is not { IsCompletedSuccessfully: true } done)
            return;
        _last = done.Result;
        _underWay = null;
        _isSlow = false;
    }

    private async Task<Look> ReadAsync(ServiceSetup setup, DateTimeOffset began, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            // A target that does not heed the token is left behind.
            var instances = await Task.Run(() => target.ObserveInstancesAsync(setup, limit.Token), CancellationToken.None)
                .WaitAsync(limit.Token);
            return new Look(instances, began, null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Look([], began, $"the engine did not answer within {s_limit.TotalSeconds:0} s");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return new Look([], began, IngotException.ReasonOf(e));
        }
    }

    /// <summary>One reading of the instances.</summary>
    /// <param name="Instances">The instances; empty with a trouble.</param>
    /// <param name="Began">When reading began.</param>
    /// <param name="Trouble">Why they could not be read; null when they were.</param>
    internal sealed record Look(IReadOnlyList<InstanceObservation> Instances, DateTimeOffset Began, string? Trouble);
}
