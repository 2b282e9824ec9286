namespace Ingot.Releases;

/// <summary>Turns shares of the traffic into the integer weights a proxy takes.</summary>
public static class Weights
{
    /// <summary>The largest weight HAProxy takes.</summary>
    public const int Largest = 256;

    /// <summary>The weight of a generation that takes everything.</summary>
    public const int Whole = 100;

    /// <summary>
    /// The weights for each server of two generations, so that the first takes <paramref name="share"/> percent. A server takes
    /// w / Σw, so with n₁ and n₂ servers the share is n₁w₁ / (n₁w₁ + n₂w₂); of all weights the pair nearest to the share is taken, and of
    /// equally near ones the smallest, which a round robin mixes most finely.
    /// </summary>
    public static (int First, int Second) Split(int share, int firstServers, int secondServers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(share, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 100);
        ArgumentOutOfRangeException.ThrowIfLessThan(firstServers, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(secondServers, 1);
        if (share is 0 or 100)
            return share == 0 ? (0, Whole) : (Whole, 0);

        var best = (First: 1, Second: 1);
        double bestMiss = double.MaxValue;
        for (int first = 1; first <= Largest; first++)
        {
            double exact = (double)firstServers * first * (100 - share) / ((double)secondServers * share);
            int second = Math.Clamp((int)Math.Round(exact), 1, Largest);
            double miss = Math.Abs((double)share / 100 - Share(first, second, firstServers, secondServers));
            // A tenth of a thousandth: two quotients that are equal on paper must compare as equal.
            if (miss < bestMiss - 1e-7)
                (best, bestMiss) = ((first, second), miss);
        }

        return best;
    }

    /// <summary>The weight of each server, by generation, that gives every generation its share. At most two have one.</summary>
    public static IReadOnlyDictionary<int, int> Of(IReadOnlyList<GenerationGoal> goals)
    {
        var takers = goals.Where(goal => goal.Share > 0).ToArray();
        var weights = goals.ToDictionary(goal => goal.Generation, _ => 0);
        switch (takers)
        {
            case []:
                break;
            case [var one]:
                weights[one.Generation] = Whole;
                break;
            case [var first, var second] when first.Share + second.Share == 100:
                (weights[first.Generation], weights[second.Generation]) = Split(first.Share, first.Replicas, second.Replicas);
                break;
            default:
                throw new ArgumentException($"the shares {string.Join(", ", takers.Select(goal => goal.Share))} are not those of one or two generations that add up to 100", nameof(goals));
        }

        return weights;
    }

    private static double Share(int first, int second, int firstServers, int secondServers) =>
        (double)firstServers * first / (((double)firstServers * first) + ((double)secondServers * second));
}
