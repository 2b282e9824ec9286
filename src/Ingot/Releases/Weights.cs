namespace Ingot.Releases;

/// <summary>Turns shares of the traffic into the whole numbers by which a proxy divides it: a server takes its weight out of the sum of
/// all. Decisions compare what a target reports with these, so every target sets and reports them.</summary>
public static class Weights
{
    /// <summary>The largest weight, which is the largest HAProxy takes.</summary>
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
    public static IReadOnlyDictionary<int, int> Of(IReadOnlyList<TrafficShare> shares)
    {
        var takers = shares.Where(share => share.Percent > 0).ToArray();
        var weights = shares.ToDictionary(share => share.Generation, _ => 0);
        switch (takers)
        {
            case []:
                break;
            case [var one]:
                weights[one.Generation] = Whole;
                break;
            case [var first, var second] when first.Percent + second.Percent == 100:
                (weights[first.Generation], weights[second.Generation]) = Split(first.Percent, first.Servers, second.Servers);
                break;
            default:
                throw new ArgumentException(
                    $"the shares {string.Join(' ', shares)} are not those of one or two generations that add up to 100", nameof(shares));
        }

        return weights;
    }

    /// <summary>The weights that a move asks for, of the servers it names.</summary>
    public static IReadOnlyDictionary<(int Generation, int Index), int> Of(Move.SetShares move)
    {
        var weights = Of(move.Shares);
        return move.Servers.ToDictionary(
            server => (server.Generation, server.Index), server => server.Takes ? weights.GetValueOrDefault(server.Generation) : 0);
    }

    private static double Share(int first, int second, int firstServers, int secondServers) =>
        (double)firstServers * first / (((double)firstServers * first) + ((double)secondServers * second));
}
