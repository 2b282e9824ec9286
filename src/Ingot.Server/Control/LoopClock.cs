namespace Ingot.Server.Control;

/// <summary>The time decisions are made by: the wall clock when the process began, and what has passed since.
/// A wall clock that is set changes nothing.</summary>
internal sealed class LoopClock(TimeProvider time) : TimeProvider
{
    private readonly DateTimeOffset _began = time.GetUtcNow();
    private readonly long _since = time.GetTimestamp();

    public override long TimestampFrequency => time.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _began + time.GetElapsedTime(_since);

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(callback, state, dueTime, period);
}
