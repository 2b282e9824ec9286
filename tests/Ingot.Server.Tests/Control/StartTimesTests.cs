using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Control;

namespace Ingot.Server.Tests.Control;

public sealed class StartTimesTests
{
    private static readonly DateTimeOffset s_start = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly SetTime _time = new(s_start);
    private readonly SetTime _wall = new(s_start);

    /// <summary>The engine's clock is set while an instance runs, and the engine is silent once:
    /// the instance is as old as it was.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void AnEngineThatIsSilentHasNotLostItsInstances(int hours)
    {
        var starts = new StartTimes(_time, _wall);
        var instance = new InstanceObservation(1, 0, "id", InstanceState.Running, Digest.Of("image"u8), "127.0.0.1:1", StartedAt: s_start);
        Assert.Equal(s_start, Assert.Single(starts.Of([instance])).StartedAt);

        _wall.Now += TimeSpan.FromHours(hours);
        Assert.Empty(starts.Of([], isKnown: false));
        Assert.Equal(s_start, Assert.Single(starts.Of([instance])).StartedAt);

        // One that is gone is forgotten.
        Assert.Empty(starts.Of([]));
        Assert.Equal(s_start - TimeSpan.FromHours(hours), Assert.Single(starts.Of([instance])).StartedAt);
    }

    private sealed class SetTime(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
