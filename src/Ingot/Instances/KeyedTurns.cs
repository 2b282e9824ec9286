using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Turns by name: whoever has one is alone with what the name stands for, in this process. As many names as there are share a
/// fixed number of locks.</summary>
internal sealed class KeyedTurns(string what, TimeSpan patience) : IDisposable
{
    private readonly SemaphoreSlim[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    /// <summary>Waits for the turn; disposing the answer gives it up.</summary>
    public async Task<IDisposable> TakeAsync(string name, CancellationToken cancellationToken)
    {
        var taken = _locks[(uint)StringComparer.Ordinal.GetHashCode(name) % (uint)_locks.Length];
        return await taken.WaitAsync(patience, cancellationToken)
            ? new Turn(taken)
            : throw new ToolException("dockerd",
                $"{what} '{name}' has been in progress for {patience.TotalSeconds:0} s: the Docker Engine does not finish it");
    }

    public void Dispose()
    {
        foreach (var one in _locks)
            one.Dispose();
    }

    private sealed class Turn(SemaphoreSlim taken) : IDisposable
    {
        public void Dispose() => taken.Release();
    }
}
