namespace Ingot.Releases;

/// <summary>How the instances of a generation are, taken together.</summary>
/// <param name="Well">Those that are not known to be ill. A server that has not been checked yet, as after a restart of the proxy,
/// is not.</param>
/// <param name="Pending">Those that died, or were just started, and are on their way back.</param>
/// <param name="IsBlameless">Whether what is missing is the target's doing, or unknown: nothing of it speaks against the image.</param>
internal readonly record struct Wellbeing(int Well, int Pending, bool IsBlameless)
{
    private static readonly TimeSpan s_shortestGrace = TimeSpan.FromSeconds(10);

    public static Wellbeing Of(
        Generation generation, IReadOnlyDictionary<string, InstanceMemory> memory, Observation seen, DateTimeOffset now)
    {
        int well = 0, pending = 0;
        bool isBlameless = !seen.KnowsInstances;
        for (int index = 0; index < generation.Replicas; index++)
        {
            var instance = seen.Instance(generation.Number, index);
            if (IsWell(seen, instance, seen.Server(generation.Number, index)))
                well++;
            else if (seen.KnowsInstances && IsPending(generation, seen, instance, now))
                pending++;

            // An instance that cannot be made or started says nothing of its image; one that ran and died does.
            isBlameless |= instance?.Objection is not null || instance is null or { State: InstanceState.Created }
                && memory.GetValueOrDefault(InstanceName.Of(generation.Number, index)) is { FailedMoves: > 0 };
        }

        return new Wellbeing(well, pending, isBlameless);
    }

    /// <summary>Whether fewer are well than are needed to serve.</summary>
    public bool IsBelowFloor(int replicas) => Well < Rollout.Floor(replicas);

    /// <summary>How long that may last: an instance that died has as long to come back as a new one has to become healthy.</summary>
    public TimeSpan Patience(Generation generation) =>
        Well + Pending >= Rollout.Floor(generation.Replicas)
            ? generation.Health.Deadline + Grace(generation.Health)
            : Grace(generation.Health);

    /// <summary>For how long checks must fail before it is more than a hiccup.</summary>
    public static TimeSpan Grace(Templates.Project.HealthDefinition health)
    {
        var checks = health.Interval * (3 * health.Unhealthy);
        return checks > s_shortestGrace ? checks : s_shortestGrace;
    }

    private static bool IsWell(Observation seen, InstanceObservation? instance, ServerObservation? server) =>
        server is { Health: not ServerHealth.Down }
        && (!seen.KnowsInstances || instance is { State: InstanceState.Running, Objection: null } && instance.Address == server.Address);

    private static bool IsPending(Generation generation, Observation seen, InstanceObservation? instance, DateTimeOffset now)
    {
        if (instance is not { State: InstanceState.Running })
            return true;
        bool isNew = now - instance.StartedAt is { } age && age < generation.Health.Deadline;
        return isNew || seen.Server(generation.Number, instance.Index)?.Address != instance.Address;
    }
}
