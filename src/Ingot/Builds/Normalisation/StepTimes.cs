namespace Ingot.Builds.Normalisation;

/// <summary>Which times in a file a step took from the clock: those between its start and its end, and later than the epoch. What was
/// fetched or unpacked holds times from before,
/// which are the same in every build, and which somebody may have a checksum of: they stay.</summary>
/// <param name="Epoch">What such a time becomes, in seconds since 1970.</param>
/// <param name="First">When the step started, in seconds since 1970.</param>
/// <param name="Last">When it had ended.</param>
internal sealed record StepTimes(uint Epoch, long First, long Last)
{
    // From UTC-12 to UTC+14.
    private const int WestSeconds = 12 * 3600;
    private const int EastSeconds = 14 * 3600;

    // Formats that keep every second second round up or down.
    private const int RoundingSeconds = 2;

    /// <summary>Whether local time is UTC in the step; else times in formats without a zone may be half a day off.</summary>
    public bool IsUtc { get; init; } = true;

    /// <summary>Since when the caches are there that the step had; null when it had none. What a cache keeps an earlier build's step made,
    /// and took its times from the clock then.</summary>
    public long? CachesFirst { get; init; }

    /// <summary>Every time later than the epoch.</summary>
    public static StepTimes Any(DateTimeOffset epoch) => new(EpochOf(epoch), long.MinValue / 2, long.MaxValue / 2);

    /// <summary>From a step's start to now. A clock that was set meanwhile makes the span longer, never shorter.</summary>
    /// <param name="epoch">What such a time becomes.</param>
    /// <param name="started">What the clock said at the start.</param>
    /// <param name="elapsed">How long the step took, by a clock that nobody sets.</param>
    /// <param name="now">What the clock says.</param>
    public static StepTimes Between(DateTimeOffset epoch, DateTimeOffset started, TimeSpan elapsed, DateTimeOffset now)
    {
        var first = started < now - elapsed ? started : now - elapsed;
        var last = started + elapsed > now ? started + elapsed : now;
        return new(EpochOf(epoch), first.ToUnixTimeSeconds() - 1, last.ToUnixTimeSeconds() + 1);
    }

    /// <summary>Whether the step took a time from the clock.</summary>
    /// <param name="seconds">Seconds since 1970.</param>
    public bool IsOfStep(long seconds) => seconds > Epoch && seconds >= First && seconds <= Last;

    /// <summary>Whether the step took a time from the clock, or an earlier one did that had its caches. For files only that a program keeps
    /// about its own cache: what others made in that time, and somebody fetched, has times from then too.</summary>
    /// <param name="seconds">Seconds since 1970.</param>
    public bool IsOfStepOrItsCaches(long seconds) => IsOfStep(seconds) || (seconds > Epoch && seconds >= CachesFirst && seconds <= Last);

    /// <summary>Whether the step took a time from the clock that says of what zone it is by nothing, and is rounded to two
    /// seconds.</summary>
    /// <param name="seconds">Seconds since 1970, were it UTC.</param>
    public bool IsLocalOfStep(long seconds) => seconds > Epoch
        && seconds >= First - RoundingSeconds - (IsUtc ? 0 : WestSeconds)
        && seconds <= Last + RoundingSeconds + (IsUtc ? 0 : EastSeconds);

    private static uint EpochOf(DateTimeOffset epoch) => (uint)Math.Clamp(epoch.ToUnixTimeSeconds(), 0, uint.MaxValue);
}
