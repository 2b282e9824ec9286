namespace Ingot.Releases;

/// <summary>Says in advance what a rollout moves, for people.</summary>
public static class RolloutPlan
{
    /// <summary>The moves in order, one sentence each, if nothing goes wrong.</summary>
    public static IReadOnlyList<string> Of(RolloutSpec spec)
    {
        var next = spec.Next;
        List<string> moves =
        [
            spec.Previous is null ? $"start the proxy at {spec.Proxy.Listen}" : "",
            $"create {Instances(next.Replicas)} of generation {next.Number} ({next.Version})",
            $"wait until all are healthy at {next.Health.Path} for {Rollout.Watched(next).TotalSeconds:0.#} s, "
                + $"{next.Health.Deadline.TotalSeconds:0} s at most",
            spec.ServingProxy is { } serving && serving.Listen != spec.Proxy.Listen
                ? $"take traffic at {spec.Proxy.Listen} beside {serving.Listen}"
                : "",
            .. spec.Steps.Select(share =>
                $"give {share} % of the traffic to generation {next.Number}, and watch it for {spec.Rollout.Observe.TotalSeconds:0.#} s"),
            spec.Previous is { } old
                ? $"let generation {old.Number} finish what it has in flight, {spec.Rollout.Drain.TotalSeconds:0} s at most"
                : "",
        ];
        var kept = Rollout.Kept(spec).Select(warm => warm.Number).ToArray();
        if (kept.Length > 0)
            moves.Add($"keep {Generations(kept)} warm");
        int[] beyond =
            [.. spec.Setup.Generations.Select(generation => generation.Number).Where(number => number != next.Number).Except(kept)];
        if (beyond.Length > 0)
            moves.Add($"remove {Generations(beyond)}");
        return [.. moves.Where(move => move.Length > 0)];
    }

    private static string Instances(int count) => count == 1 ? "1 instance" : $"{count} instances";

    private static string Generations(int[] numbers) => $"generation{(numbers.Length == 1 ? "" : "s")} {string.Join(", ", numbers)}";
}
