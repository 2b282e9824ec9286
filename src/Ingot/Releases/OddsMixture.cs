using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>What one arm did in one interval, counted in the same unit on both sides.</summary>
/// <param name="Trials">Requests that came to an end.</param>
/// <param name="Errors">Those among them that failed.</param>
public readonly record struct Arm(long Trials, long Errors)
{
    /// <summary>The share of requests that failed; 0 without requests.</summary>
    [JsonIgnore]
    public double Rate => Trials == 0 ? 0 : (double)Errors / Trials;

    /// <summary>Both intervals together.</summary>
    public static Arm operator +(Arm left, Arm right) => left.Add(right);

    /// <summary>Both intervals together.</summary>
    public Arm Add(Arm other) => new(Trials + other.Trials, Errors + other.Errors);
}

/// <summary>Evidence that the canary fails more often than the baseline, valid at every look, however often.</summary>
/// <remarks>
/// Take every error, in either arm, and ask one question: did it come from the canary? If both versions are equally good the answer is yes
/// with probability <c>s</c>, the canary's share of the traffic, whatever the failure rate is at that moment; so a failure that both arms
/// share cancels. If an error is θ times as likely to be the canary's,
/// the likelihood ratio of an interval with <c>e_c</c> and <c>e_b</c> errors is
/// <code>L_θ = θ^e_c / (1 + s(θ − 1))^(e_c + e_b)</code>
/// The ratios multiply over all intervals of a rollout, and their mean over a fixed set of θ is an e-process: the chance that it ever
/// reaches 1/α for a harmless release is at most α (Ville's inequality). It runs through the whole rollout;
/// starting it again at each step would spend α at each step.
/// </remarks>
public sealed record OddsMixture
{
    /// <summary>The ratios that are mixed, fixed before any rollout starts.</summary>
    public static IReadOnlyList<double> OddsRatios { get; } = [1.5, 2, 3, 5, 10, 30];

    /// <summary>No evidence.</summary>
    public static OddsMixture Empty { get; } = new();

    /// <summary>The logarithm of the likelihood ratio for each of <see cref="OddsRatios"/>.</summary>
    public IReadOnlyList<double> Terms { get; init; } = new double[OddsRatios.Count];

    /// <summary>Natural logarithm of the e-value. Crossing a bound once decides, even if it falls again later.</summary>
    [JsonIgnore]
    public double LogE => LogMeanExp(Terms);

    /// <summary>The evidence after one more interval. An interval in which an arm has no attempts says nothing.</summary>
    public OddsMixture Observe(Arm canary, Arm baseline)
    {
        if (canary.Trials == 0 || baseline.Trials == 0)
            return this;

        double share = (double)canary.Trials / (canary.Trials + baseline.Trials);
        long errors = canary.Errors + baseline.Errors;
        var terms = new double[OddsRatios.Count];
        for (int k = 0; k < terms.Length; k++)
            terms[k] = Terms[k] + (canary.Errors * Math.Log(OddsRatios[k])) - (errors * Math.Log(1 + (share * (OddsRatios[k] - 1))));
        return new OddsMixture { Terms = terms };
    }

    private static double LogMeanExp(IReadOnlyList<double> logs)
    {
        double max = logs.Max();
        return max + Math.Log(logs.Sum(x => Math.Exp(x - max)) / logs.Count);
    }
}
