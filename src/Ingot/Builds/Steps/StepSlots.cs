namespace Ingot.Builds.Steps;

/// <summary>How much happens at a time. A command mostly waits, for the network, a disk or a clock; what is done here with its files keeps
/// a processor busy. Each has a bound of its own, so that commands that wait keep no processor from work, and many that end at once do not
/// all fill the memory.</summary>
/// <remarks>Whoever holds a slot for work waits for nothing else; a command may wait for work.</remarks>
internal sealed class StepSlots(int commands, int work) : IDisposable
{
    private readonly SemaphoreSlim _commands = new(Math.Max(1, commands));
    private readonly SemaphoreSlim _work = new(Math.Max(1, work));

    /// <summary>Waits until another command may run; until it has, and its result is there, the answer is kept.</summary>
    public Task<IDisposable> CommandAsync(CancellationToken cancellationToken) => TakeAsync(_commands, cancellationToken);

    /// <summary>Waits until a processor is free for reading, hashing and compressing; the answer is kept as long as that lasts.</summary>
    public Task<IDisposable> WorkAsync(CancellationToken cancellationToken) => TakeAsync(_work, cancellationToken);

    public void Dispose()
    {
        _commands.Dispose();
        _work.Dispose();
    }

    private static async Task<IDisposable> TakeAsync(SemaphoreSlim slots, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken);
        return new Slot(slots);
    }

    private sealed class Slot(SemaphoreSlim slots) : IDisposable
    {
        private SemaphoreSlim? _slots = slots;

        public void Dispose() => Interlocked.Exchange(ref _slots, null)?.Release();
    }
}
